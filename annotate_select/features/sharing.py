"""What a project gives to a shared place: rows as they are encoded, and those of runs that shared nothing."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from annotate_select.features import checksums
from annotate_select.features.merge import FORGOTTEN
from annotate_select.features.rows import BLOCK_ROWS, blocks, read_block, read_rows, whole_features
from annotate_select.features.shared import SharedFeatures
from annotate_select.files import write_whole

__all__ = ["share_earlier", "share_waiting"]

FILE_NAME = "shared.json"  # beside features.npy: where all its rows have been shared, so that nobody looks again


def share_waiting(folder: Path, shared: SharedFeatures, dim: int) -> None:
    """Give the rows that wait in blocks, as they were encoded."""
    for path in blocks(folder):
        block = read_block(path, dim)
        if block is not None:
            shared.add(block["fingerprint"], block["features"])


def share_earlier(folder: Path, shared: SharedFeatures) -> None:
    """Give the rows of features.npy that are not there: they were made before, or while the place did not answer.

    Left out are rows that are, or once were, float16, which is not what was encoded; of damaged features all are.
    """
    rows, array = read_rows(folder)
    about = {"place": str(shared.place), "ids": checksums.of_ids(rows)}
    path = folder / FILE_NAME
    if not shared.usable or array.dtype != np.float32 or (shared.begun and _said(path) == about):
        return
    known = checksums.present(folder)
    if known is None or any(checksums.damaged(whole_features(folder), known)):
        return
    exact = _exact(array) & (rows["fingerprint"] != FORGOTTEN)
    if shared.add_all(rows["fingerprint"], array, np.flatnonzero(exact)):
        write_whole(path, json.dumps(about) + "\n")


def _exact(array: np.ndarray) -> np.ndarray:
    """Say of each row (n, d) float32 whether it has a number that float16 does not."""
    found = np.empty(len(array), bool)
    with np.errstate(over="ignore"):
        for start in range(0, len(array), BLOCK_ROWS):
            part = array[start : start + BLOCK_ROWS]
            found[start : start + BLOCK_ROWS] = (part.astype(np.float16) != part).any(axis=1)
    return found


def _said(path: Path) -> object:
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
