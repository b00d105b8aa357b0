"""Farthest-first traversal: each next point is the one farthest from all before it (Gonzalez 1985)."""

from __future__ import annotations

import numpy as np

__all__ = ["farthest_first", "nearest_squared"]

_CENTRES = 256  # compared with every row in one matrix product
_BLOCK = 65_536


def nearest_squared(points: np.ndarray, rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return, of each of `rows`, the squared distance to the nearest of `centres`; infinity when there are none."""
    found = np.full(len(rows), np.inf)
    for start in range(0, len(rows), _BLOCK):
        block = points[rows[start : start + _BLOCK]]
        own = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        for first in range(0, len(centres), _CENTRES):
            some = points[centres[first : first + _CENTRES]]
            squared = own[:, None] - 2.0 * (block @ some.T) + np.einsum("ij,ij->i", some, some, dtype=np.float64)
            best = found[start : start + _BLOCK]
            np.minimum(best, squared.min(axis=1), out=best)
    nearest: np.ndarray = np.maximum(found, 0.0)
    return nearest


def farthest_first(points: np.ndarray, rows: np.ndarray, covered: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (n of `rows` in the order they are chosen, each one's squared distance to all before it).

    `points` (any, d) float32. Ties go to the row that stands first in `rows`. With nothing covered the first is the
    row nearest to the mean of `rows`, at distance infinity. Exact: one matrix-vector product a pick.
    """
    own = points[rows]
    lengths = np.einsum("ij,ij->i", own, own, dtype=np.float64)
    nearest = nearest_squared(points, rows, covered)
    chosen = np.empty(n, dtype=np.int64)
    distances = np.empty(n)
    for number in range(n):
        if number == 0 and len(covered) == 0:
            mean = own.mean(axis=0, dtype=np.float64).astype(np.float32)
            at = int(np.argmin(lengths - 2.0 * (own @ mean)))
        else:
            at = int(np.argmax(nearest))
        chosen[number], distances[number] = rows[at], nearest[at]
        squared = np.maximum(lengths - 2.0 * (own @ own[at]) + lengths[at], 0.0)
        np.minimum(nearest, squared, out=nearest)
        nearest[at] = -1.0  # never again, not even among duplicates
    return chosen, distances
