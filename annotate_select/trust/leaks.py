"""What must not be trained on or selected, or the exam would measure memory instead of skill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.likeness import MAYBE_SAME_PICTURE, likeness_limit
from annotate_select.words import counted

__all__ = ["Leaks", "blocked", "closest", "near_learned"]

ROUNDING = 1e-6  # of the usual length of a row: what float32 features cannot tell from 0
BLOCK = 2**22  # numbers held at a time: 32 MB


@dataclass(frozen=True, eq=False)
class Leaks:
    """Rows kept from training and selection, and how many for which reason; a row counts for its first reason."""

    rows: np.ndarray  # (n,) bool
    exam: int
    same_group: int
    near_duplicate: int

    def text(self) -> str:
        """Say in one line what is kept out."""
        return (
            f"{counted(int(self.rows.sum()))} kept out of training: {self.exam:,} of the exam, "
            f"{self.same_group:,} of the same group, {counted(self.near_duplicate, 'near-duplicate')}"
        )


def blocked(
    features: np.ndarray,
    exam_rows: np.ndarray,
    groups: np.ndarray | None = None,
    near_duplicate: float | None = None,
) -> Leaks:
    """Find the rows of the exam, of the same groups, and too like an exam image.

    `features` (n, d) are centred and scaled to length 1; a row whose cosine to any exam row is above `near_duplicate`
    is too like it (default 0.98, or none where d is under 8, since a cosine says little there; 1 for none).
    `groups` (n,) integers, negative for a row without one. Read in blocks, so a memory map will do.
    Raises ExamError for features that are not finite, rows outside the pool, or groups of another length.
    """
    n, exam_rows = len(features), np.asarray(exam_rows, dtype=np.int64)
    _require(n, exam_rows, groups)
    exam = np.zeros(n, dtype=bool)
    exam[exam_rows] = True
    if not exam.any():
        return Leaks(exam, 0, 0, 0)
    same_group = np.zeros(n, dtype=bool) if groups is None else np.isin(groups, groups[exam]) & (groups >= 0)
    threshold = near_duplicate
    if threshold is None:
        threshold = likeness_limit(MAYBE_SAME_PICTURE, features.shape[1])
    alike = _alike(features, np.flatnonzero(exam), threshold) if threshold < 1 else np.zeros(n, dtype=bool)
    return Leaks(
        rows=exam | same_group | alike,
        exam=int(exam.sum()),
        same_group=int((same_group & ~exam).sum()),
        near_duplicate=int((alike & ~same_group & ~exam).sum()),
    )


def closest(
    features: np.ndarray, exam_rows: np.ndarray, rows: np.ndarray, centre: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each of `rows` (m,), the exam row most like it and their cosine, both (m,), as `blocked` sees them.

    `centre` (d,) is what directions start from (default: the mean of the features, which must then be the pool's).
    Raises ExamError without an exam row, and as `blocked` does.
    """
    exam_rows, rows = np.asarray(exam_rows, dtype=np.int64), np.asarray(rows, dtype=np.int64)
    _require(len(features), np.concatenate([exam_rows, rows]), None)
    if len(exam_rows) == 0:
        raise ExamError("nothing can be like the exam, for it has no images; draw one first")
    mean, shortest = _centre(features)
    mean = mean if centre is None else np.asarray(centre, dtype=np.float64)
    exam = _directions(np.asarray(features[exam_rows], dtype=np.float64), mean, shortest)  # (e, d)
    step = max(1, BLOCK // (features.shape[1] + len(exam)))
    near, cosines = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        found = _directions(np.asarray(features[rows[part]], dtype=np.float64), mean, shortest) @ exam.T
        near[part], cosines[part] = exam_rows[found.argmax(axis=1)], found.max(axis=1)
    return near, cosines


def near_learned(features: np.ndarray, learned: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Tell which features (e, d) of exam images are all but the same as some of those a model learned from (l, d).

    `centre` (d,) is what directions start from: the pool's mean when the model was trained. Where d is under 8, a
    cosine says too little, and none is.
    """
    limit = likeness_limit(MAYBE_SAME_PICTURE, len(centre))
    if limit >= 1 or not len(learned) or not len(features) or learned.shape[1] != len(centre):
        return np.zeros(len(features), dtype=bool)
    both = np.concatenate([learned, features])
    rows = np.arange(len(both))
    return np.asarray(closest(both, rows[: len(learned)], rows[len(learned) :], centre)[1] > limit)


def _centre(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the mean row (d,), and the length under which a centred row has no direction."""
    n, d = features.shape
    total, squares = np.zeros(d), 0.0
    for _, block in _blocks(features, d):
        total += block.sum(axis=0)
        squares += float((block * block).sum())
    return total / n, float(ROUNDING * np.sqrt(squares / n))


def _alike(features: np.ndarray, exam_rows: np.ndarray, threshold: float) -> np.ndarray:
    """Return (n,) whether the largest cosine to an exam row is above the threshold, block by block."""
    d = features.shape[1]
    mean, shortest = _centre(features)
    exam = _directions(np.asarray(features[exam_rows], dtype=np.float64), mean, shortest)  # (e, d)
    alike = np.zeros(len(features), dtype=bool)
    for start, block in _blocks(features, d + len(exam)):
        cosines = _directions(block, mean, shortest) @ exam.T  # (block, e)
        alike[start : start + len(block)] = cosines.max(axis=1) > threshold
    return alike


def _blocks(features: np.ndarray, numbers_per_row: int) -> Iterator[tuple[int, np.ndarray]]:
    step = max(1, BLOCK // numbers_per_row)
    for start in range(0, len(features), step):
        block = np.asarray(features[start : start + step], dtype=np.float64)
        if not np.isfinite(block).all():
            row = start + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            raise ExamError(f"features must be finite, got NaN or infinity in row {row}; make the features again")
        yield start, block


def _directions(block: np.ndarray, mean: np.ndarray, shortest: float) -> np.ndarray:
    """Centre rows and scale them to length 1, float32; a row at the mean but for rounding has no direction: it is 0."""
    centred = block - mean
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(lengths > shortest, centred / np.maximum(lengths, shortest), 0.0).astype(np.float32)


def _require(n: int, exam_rows: np.ndarray, groups: np.ndarray | None) -> None:
    if len(exam_rows) and not (exam_rows.min() >= 0 and exam_rows.max() < n):
        raise ExamError(f"exam rows must be from 0 to {n - 1}, got {exam_rows.min()} to {exam_rows.max()}")
    if groups is not None and np.shape(groups) != (n,):
        raise ExamError(f"groups must be one for each of the {n} rows of features, got {np.shape(groups)}")
