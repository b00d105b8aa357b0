"""What speaks for each class of a labelled image that did not learn from its label, kept beside the model.

That is cross-validation, and what the labelled images that look most like it are called; both in one mixture whose
weights make the labels likeliest. It is made when a model is trained, and read by whoever asks which labels are wrong.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.errors import LearningError
from annotate_select.learning.head import Head
from annotate_select.steps.class_map import class_map
from annotate_select.steps.home import Home
from annotate_select.steps.models import model_folder, newest_model
from annotate_select.steps.opinions import opinions
from annotate_select.steps.rules import correct
from annotate_select.trust.label_errors import as_frequent, label_quality, pooled
from annotate_select.trust.look_alikes import NEIGHBOURS, neighbour_shares

__all__ = ["Against", "Evidence", "contradicted", "evidence", "write_evidence"]

FILE = "evidence.npz"
ARRAYS = ("held_out", "neighbours", "together")


@dataclass(frozen=True, eq=False)
class Evidence:
    """Probabilities (l, C) of the project's classes for images `ids` (l,), ascending.

    `held_out` is what cross-validation says, for classes as frequent as they are among the labels; `neighbours` the
    share of the look-alikes that is called so; `together` their mixture.
    """

    ids: np.ndarray
    held_out: np.ndarray
    neighbours: np.ndarray
    together: np.ndarray

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Return where images (m,) are, -1 for those nothing is known of."""
        at = np.minimum(np.searchsorted(self.ids, ids), max(len(self.ids) - 1, 0))
        return np.where(self.ids[at] == ids, at, -1) if len(self.ids) else np.full(len(ids), -1)


@dataclass(frozen=True)
class Against:
    """What speaks against a label: the likeliest other class, how likely that is, and the label's odds, 0..0.5."""

    suggestion: str
    certainty: float
    quality: float


def write_evidence(
    folder: Path,
    head: Head,
    features: np.ndarray,
    ids: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> None:
    """Write what speaks for each class of the images (l,) a head learned from, by features (l, d) and labels (l,).

    Nothing is written where cross-validation says nothing: then features may have seen the labels.
    """
    if head.held_out is None:
        return
    known = ~np.isnan(head.held_out).any(axis=1)
    n_classes = head.held_out.shape[1]
    frequencies = np.bincount(labels, minlength=n_classes) / len(labels)
    shares = neighbour_shares(features, labels, n_classes, head.centre, groups=groups, seed=seed)[known]
    steadied = (NEIGHBOURS * shares + frequencies) / (NEIGHBOURS + 1)  # ten of ten are no certainty
    held_out = as_frequent(head.held_out[known], frequencies)
    together, _ = pooled([held_out, steadied], labels[known])
    order = np.argsort(ids[known])
    arrays = {"held_out": held_out, "neighbours": shares, "together": together}
    np.savez(
        folder / FILE,
        ids=ids[known][order].astype(np.int64),
        **{name: value[order].astype(np.float32) for name, value in arrays.items()},
    )


def evidence(home: Home) -> Evidence | None:
    """Return the evidence beside the newest model; None where there is none.

    Of classes that the project does not have any more, nothing is said; those that are new have probability 0.
    """
    model = newest_model(home)
    path = model_folder(home, model.number) / FILE if model is not None else None
    if model is None or path is None or not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            ids, arrays = stored["ids"], {name: stored[name] for name in ARRAYS}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise LearningError(f"{path} is damaged ({error}); delete it, and train again") from error
    if any(one.shape != (len(ids), len(model.classes)) for one in arrays.values()):
        raise LearningError(f"{path} is damaged (its arrays do not fit together); delete it, and train again")
    today, now = class_map(home, model), len(home.config.classes)
    return Evidence(ids, **{name: today.of(value.astype(np.float64))[:, :now] for name, value in arrays.items()})


def contradicted(home: Home, labels: Mapping[int, str]) -> dict[int, Against]:
    """Return what speaks against the labels of these images, of those that something else is likelier for.

    Of images the newest model did not learn from, it is what that says of them.
    """
    ids = np.array(list(labels), dtype=np.int64)
    number = {name: at for at, name in enumerate(home.config.classes)}
    y = np.array([number.get(label, -1) for label in labels.values()], dtype=np.int64)
    found: dict[int, Against] = {}
    known, now = evidence(home), home.config.classes
    rows = np.full(len(ids), -1) if known is None else known.rows(ids)
    usable = np.flatnonzero((rows >= 0) & (y >= 0))
    if known is not None and len(usable):
        p = correct(home, ids[usable], known.together[rows[usable]], now, prior=False, check=False)
        quality = label_quality(p, y[usable])
        for at in np.flatnonzero(quality < 0.5).tolist():
            best = int(p[at].argmax())
            found[int(ids[usable[at]])] = Against(now[best], float(p[at, best]), float(quality[at]))
    others = ids[rows < 0].tolist()
    for image_id, said in (opinions(home, others) or {}).items():
        if said.label != labels[image_id]:
            found[image_id] = Against(said.label, said.probability, min(0.5, 1 - said.probability))
    return found
