"""What a training rested on, written beside its model, so that it can be done again: models/NUMBER/training.npy.

One row a label, in the order in which they were learned from, which the folds of cross-validation depend on.
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
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "torchvision", "faiss-cpu")


@dataclass(frozen=True, eq=False)
class TrainingRecord:
    """The labels (l,) a model learned from: image ids, class numbers, and group numbers where there were any."""

    ids: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None


def write_record(folder: Path, record: TrainingRecord) -> None:
    """Write a record into a model's folder."""
    rows = np.zeros(len(record.ids), COLUMNS)
    rows["id"], rows["label"] = record.ids, record.labels
    rows["group"] = NO_GROUPS if record.groups is None else record.groups
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
    groups = None if (rows["group"] == NO_GROUPS).all() else rows["group"].astype(np.int64)
    return TrainingRecord(rows["id"].astype(np.int64), rows["label"].astype(np.int64), groups)


def checksum(features: np.ndarray) -> str:
    """Return a digest of the numbers (l, d) that were learned from."""
    return hashlib.blake2b(np.ascontiguousarray(features).tobytes(), digest_size=16).hexdigest()


def libraries() -> dict[str, str]:
    """Return the versions of what computes here: Python and the libraries of LIBRARIES that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # faiss may come from another package, torch from a system's own
            continue
    return found
