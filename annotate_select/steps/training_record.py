"""What a training rested on, written beside its model, so that it can be done again: models/NUMBER/training.npy.

One row a label, in the order in which they were learned from, which the folds of cross-validation depend on; then one
for each image without a label that the model listened to.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from annotate_select.errors import LearningError

__all__ = ["FILE", "TrainingRecord", "checksum", "libraries", "read_record", "write_record"]

FILE = "training.npy"
COLUMNS = np.dtype([("id", "<i8"), ("label", "<i4"), ("group", "<i8")])
NO_GROUPS = -(2**62)  # in `group`: the project had no groups at all
NO_LABEL = -1  # in `label`
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "torchvision", "faiss-cpu")


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """The labels (l,) a model learned from: image ids, class numbers, and group numbers where there were any.

    `around` (u,) are the ids of the images without labels that it listened to.
    """

    ids: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    around: np.ndarray


def write_record(folder: Path, record: TrainingRecord) -> None:
    """Write a record into a model's folder."""
    rows = np.zeros(len(record.ids) + len(record.around), COLUMNS)
    labelled, around = np.split(rows, [len(record.ids)])
    labelled["id"], labelled["label"] = record.ids, record.labels
    labelled["group"] = NO_GROUPS if record.groups is None else record.groups
    around["id"], around["label"], around["group"] = record.around, NO_LABEL, NO_GROUPS
    np.save(folder / FILE, rows)


def read_record(folder: Path) -> TrainingRecord | None:
    """Read what `write_record` wrote; None for a model that an older version trained.

    Raises LearningError when the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise LearningError(f"{path} is damaged ({error}); this training cannot be done again") from error
    if rows.dtype != COLUMNS or rows.ndim != 1:
        raise LearningError(f"{path} is damaged (its columns are others); this training cannot be done again")
    around = rows["id"][rows["label"] == NO_LABEL].astype(np.int64)
    rows = rows[rows["label"] != NO_LABEL]
    groups = None if (rows["group"] == NO_GROUPS).all() else rows["group"].astype(np.int64)
    return TrainingRecord(rows["id"].astype(np.int64), rows["label"].astype(np.int64), groups, around)


def checksum(*features: np.ndarray) -> str:
    """Return a digest of the numbers (l, d) that were learned from, and listened to."""
    whole = hashlib.blake2b(digest_size=16)
    for some in features:
        whole.update(np.ascontiguousarray(some).tobytes())
    return whole.hexdigest()


def libraries() -> dict[str, str]:
    """Return the versions of what computes here: Python and the libraries of LIBRARIES that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # faiss may come from another package, torch from a system's own
            continue
    return found
