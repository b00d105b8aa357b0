"""Directions of features and cosines between them, block by block, so that no (n, n) array ever exists."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from annotate_select.errors import SelectionError

__all__ = ["BLOCK", "directions", "largest_cosines", "near"]

BLOCK = 2**22  # numbers held at a time: 32 MB of float64
ROUNDING = 1e-6  # of the usual length of a row: what float32 features cannot tell from 0


def directions(features: np.ndarray) -> np.ndarray:
    """Return (n, d) float32: rows centred on the mean of all and scaled to length 1; a row at the mean becomes 0.

    Reads features (n, d) of any real type in blocks, three times, so a memory map will do; numbers of any size are
    safe, since they are divided by the largest first. Raises SelectionError naming the first row that is not finite.
    """
    n, d = features.shape
    largest = max((float(np.abs(block).max()) for _, block in _finite_blocks(features)), default=0.0)
    out = np.zeros((n, d), dtype=np.float32)
    if largest == 0.0:
        return out
    total, squares = np.zeros(d), 0.0
    for _, block in _blocks(features, largest):
        total += block.sum(axis=0)
        squares += float(np.einsum("ij,ij->", block, block))
    mean, shortest = total / n, ROUNDING * np.sqrt(squares / n)
    for start, block in _blocks(features, largest):
        block -= mean
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]  # (b, 1)
        block /= np.maximum(lengths, shortest)
        out[start : start + len(block)] = np.where(lengths > shortest, block, 0.0)
    return out


def largest_cosines(directions: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each of `rows` its largest cosine to any of `others`, -inf when there are none."""
    best = np.full(len(rows), -np.inf, dtype=np.float32)
    step = max(1, BLOCK // 8 // max(1, directions.shape[1]))  # columns are gathered too, so both sides are blocked
    for column in range(0, len(others), step):
        right = directions[others[column : column + step]].T  # (d, c)
        block = max(1, BLOCK // max(right.shape))
        for start in range(0, len(rows), block):
            here = slice(start, start + block)
            np.maximum(best[here], (directions[rows[here]] @ right).max(axis=1), out=best[here])
    return best


def near(directions: np.ndarray, rows: np.ndarray, others: np.ndarray, threshold: float) -> np.ndarray:
    """Return for each of `rows` whether its cosine to any of `others` is above the threshold; 1 means never."""
    if threshold >= 1:
        return np.zeros(len(rows), dtype=bool)
    return largest_cosines(directions, rows, others) > threshold


def _blocks(features: np.ndarray, divisor: float) -> Iterator[tuple[int, np.ndarray]]:
    """Yield float64 copies of some rows, divided."""
    step = max(1, BLOCK // max(1, features.shape[1]))
    for start in range(0, len(features), step):
        yield start, np.asarray(features[start : start + step]).astype(np.float64) / divisor


def _finite_blocks(features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start, block in _blocks(features, 1.0):
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise SelectionError(
                f"features must be finite, but row {row} holds NaN or infinity; make the features again"
            )
        yield start, block
