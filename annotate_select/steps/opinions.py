"""What the newest model says of every image of the pool, asked once when it is trained, and read by whoever shows it.

Of an image it learned from, that is what cross-validation said without having learned from it: nobody is told that
their label is right by a model that knows it from them. It is never shown of the exam; and since a gap would give the
exam away, there are more gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.errors import LearningError
from annotate_select.learning.head import Head
from annotate_select.selection.pool import seeded_hashes
from annotate_select.steps.class_map import class_map
from annotate_select.steps.home import Home
from annotate_select.steps.models import model_folder, newest_model
from annotate_select.steps.rules import breaking

__all__ = ["Opinion", "certainty", "opinions", "said_labels", "withheld", "write_opinions"]

FILE = "opinions.npy"
COLUMNS = np.dtype([("id", "<i8"), ("label", "<i4"), ("probability", "<f4")])  # label -1: it says nothing
BLOCK = 2**16  # rows asked at a time
GAPS = 0.1  # share of the picks without an opinion, besides the audits
SEED = 2  # from the project's: another order than the audit's and the exam's


@dataclass(frozen=True)
class Opinion:
    """The class a model finds most likely, and its calibrated probability in 0..1."""

    label: str
    probability: float


def write_opinions(folder: Path, head: Head, features: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
    """Write what a head says of features (n, d) of images (n,); it was trained on `rows` (l,), in that order."""
    said = np.zeros(len(ids), dtype=COLUMNS)
    said["id"] = ids
    for start in range(0, len(ids), BLOCK):
        probabilities = head.probabilities(features[start : start + BLOCK])  # (b, C)
        said["label"][start : start + BLOCK] = probabilities.argmax(axis=1)
        said["probability"][start : start + BLOCK] = probabilities.max(axis=1)
    held_out = np.full((len(rows), 1), np.nan) if head.held_out is None else head.held_out  # (l, C)
    known = ~np.isnan(held_out).any(axis=1)
    best = np.where(known[:, None], held_out, 0.0)
    said["label"][rows] = np.where(known, best.argmax(axis=1), -1)
    said["probability"][rows] = best.max(axis=1)
    np.save(folder / FILE, np.sort(said, order="id"))


def opinions(home: Home, ids: Sequence[int]) -> dict[int, Opinion] | None:
    """Return what the newest model says of images, where it says something; None when there is nothing to ask.

    That is before the first model, and for one that an older version of this program trained. Where it says what a rule
    of the project excludes, it says nothing. Images that came after
    the training have no opinion until the next one.
    """
    model = newest_model(home)
    path = model_folder(home, model.number) / FILE if model is not None else None
    if model is None or path is None or not path.exists():
        return None
    said = _read(path)
    names = class_map(home, model).names
    wanted = np.asarray(ids, dtype=np.int64)
    at = np.minimum(np.searchsorted(said["id"], wanted), max(len(said) - 1, 0))
    found: dict[int, Opinion] = {}
    for image_id, row in zip(wanted.tolist(), said[at].tolist() if len(said) else [], strict=False):
        if row[0] == image_id and row[1] >= 0 and names[row[1]] in home.config.classes:
            found[image_id] = Opinion(names[row[1]], float(row[2]))
    impossible = breaking(home, {image_id: one.label for image_id, one in found.items()})
    return {image_id: one for image_id, one in found.items() if image_id not in impossible}


def certainty(home: Home, number: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ids (n,) of the images that model `number` said something of, and how sure it was (n,) float64.

    None for a model that an older version of this program trained.
    """
    path = model_folder(home, number) / FILE
    if not path.exists():
        return None
    said = _read(path)
    known = said[said["label"] >= 0]
    return known["id"].astype(np.int64), known["probability"].astype(np.float64)


def said_labels(home: Home, number: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ids (n,), ascending, of the images there were for model `number`, and its class of each, -1 for none.

    None for a model that an older version of this program trained.
    """
    path = model_folder(home, number) / FILE
    if not path.exists():
        return None
    said = _read(path)
    return said["id"].astype(np.int64), said["label"].astype(np.int64)


def withheld(home: Home, ids: Sequence[int]) -> list[bool]:
    """Say of which images no opinion is shown although it might be: a tenth of all, always the same.

    Of the exam and of audits none is ever shown; among these they are not noticed.
    """
    hashes = seeded_hashes(np.asarray(ids, dtype=np.uint64), home.config.seed + SEED)
    hidden: list[bool] = (hashes < np.uint64(GAPS * 2**64)).tolist()
    return hidden


def _read(path: Path) -> np.ndarray:
    try:
        said: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LearningError(f"{path} is damaged ({error}); delete it, and train again") from error
    if said.dtype != COLUMNS or said.ndim != 1:
        raise LearningError(f"{path} is damaged (its columns are others); delete it, and train again")
    return said
