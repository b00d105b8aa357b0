"""What arrays may come into `select`, said once for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from annotate_select.errors import SelectionError, listed

__all__ = ["checked_features", "checked_probabilities", "checked_rows", "checked_vector"]

_BLOCK = 65_536


def checked_features(features: np.ndarray) -> np.ndarray:
    """Return features as they are, (n, d) finite numbers; raises SelectionError naming the first row that is not."""
    array = features if isinstance(features, np.ndarray) else np.asarray(features)
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] == 0:
        raise SelectionError(f"features must be (rows, d) with at least one row and column, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise SelectionError(f"features must be real numbers, got {array.dtype}")
    for start in range(0, len(array), _BLOCK):
        bad = np.flatnonzero(~np.isfinite(array[start : start + _BLOCK]).all(axis=1))
        if len(bad):
            raise SelectionError(
                f"features must be finite, row {start + bad[0]} is not; embed that image again or put it into exclude"
            )
    return array


def checked_rows(rows: ArrayLike, n: int, name: str, *, keep_order: bool = False) -> np.ndarray:
    """Return row numbers as int64; raises SelectionError when one is out of range, repeated, or no whole number."""
    array = np.asarray(rows)
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise SelectionError(f"{name} must be a list of row numbers, got {array.dtype} of shape {array.shape}")
    outside = array[(array < 0) | (array >= n)]
    if len(outside):
        raise SelectionError(f"{name} must be rows between 0 and {n - 1}, got {listed(outside.tolist(), 5)}")
    distinct, counts = np.unique(array, return_counts=True)
    if keep_order and len(distinct) < len(array):
        raise SelectionError(f"{name} names rows more than once: {listed(distinct[counts > 1].tolist(), 5)}")
    return array.astype(np.int64) if keep_order else distinct.astype(np.int64)


def checked_vector(values: ArrayLike, n: int, name: str) -> np.ndarray:
    """Return a vector of n numbers; raises SelectionError for another shape."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise SelectionError(f"{name} must have one value a row ({n}), got shape {array.shape}")
    return array


def checked_probabilities(probabilities: np.ndarray | None, n: int) -> np.ndarray | None:
    """Return probabilities (n, C) in 0..1 whose rows sum to 1 within .01; raises SelectionError otherwise."""
    if probabilities is None:
        return None
    array = np.asarray(probabilities)
    if array.ndim != 2 or len(array) != n or array.shape[1] == 0:
        raise SelectionError(f"probabilities must be ({n}, classes), got shape {array.shape}")
    for start in range(0, n, _BLOCK):
        block = np.asarray(array[start : start + _BLOCK], dtype=np.float64)
        wrong = ~((block >= 0) & (block <= 1)).all(axis=1) | (np.abs(block.sum(axis=1) - 1) > 0.01)
        if wrong.any():
            row = start + int(np.flatnonzero(wrong)[0])
            raise SelectionError(
                f"probabilities must be in 0..1 and sum to 1 in every row, row {row} does not; use softmax"
            )
    return array
