"""Exact farthest-first traversal (Gonzalez 1985), most of it inside the few rows that matter.

Each step takes the row farthest from all centres. The distances of a few thousand farthest rows are brought up to
date after every pick; those of the others only shrink, so their old maximum is a bound. As long as the best of the few
is above it, the pick is exact; when it is not, all centres since are applied to all rows in one matrix product.
"""

from __future__ import annotations

import numpy as np

from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.guard import Caps

__all__ = ["farthest_first", "shrink"]

FEW = 4096
SAME = 1e-6  # squared distances below are rounding of float32
# Tiers of the key: a row whose group is at its cap comes after every other, a near-duplicate after those.
CAPPED, ALIKE = 8.0, 16.0


def farthest_first(
    points: np.ndarray,
    gaps: np.ndarray,
    n: int,
    *,
    open_rows: np.ndarray,
    ties: np.ndarray,
    caps: Caps,
    scale: np.ndarray | None = None,
    limit: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows, each the farthest from all before it, and their squared distances when picked.

    `points` (p, d) float32 within length 1; `gaps` (p,) float32 squared distances to the nearest centre so far, changed
    in place; `open_rows` (p,) bool which may be picked; `ties` (p,) uint64: of equals the lowest goes first, then the
    lowest row; `scale` (p,) from 0 to 1 multiplies squared distances; rows nearer than the squared `limit` go last.
    """
    picked: list[int] = []
    seen: list[float] = []
    open_rows = open_rows.copy()
    while len(picked) < n:
        keys = np.where(open_rows, _keys(gaps, scale, limit), -np.inf)
        few, bound = _farthest(keys, ties)
        start = len(picked)
        while len(picked) < n:
            now = _keys(gaps[few], None if scale is None else scale[few], limit)
            now = np.where(open_rows[few], now - CAPPED * _capped(caps, few, now, len(picked) + 1), -np.inf)
            best = int(np.argmax(now))  # `few` is sorted by ties, and argmax returns the first of equals
            if now[best] <= bound:
                break
            row = int(few[best])
            picked.append(row)
            seen.append(float(gaps[row]))
            caps.add(row)
            open_rows[row] = False
            gaps[few] = np.minimum(gaps[few], _squared(points[few], points[row : row + 1])[:, 0])
        if len(picked) == start:  # the best of all is none of the few: a tie at the bound, or its group is at its cap
            row = _best_of_all(keys, caps, ties, len(picked) + 1)
            picked.append(row)
            seen.append(float(gaps[row]))
            caps.add(row)
            open_rows[row] = False
        if len(picked) < n:
            shrink(gaps, points, np.array(picked[start:], dtype=np.int64))
    return np.array(picked, dtype=np.int64), np.array(seen)


def shrink(gaps: np.ndarray, points: np.ndarray, centres: np.ndarray) -> None:
    """Lower (p,) squared distances in place to those of the centres where these are nearer."""
    for first in range(0, len(centres), 256):
        some = points[centres[first : first + 256]]
        step = max(1, BLOCK // max(some.shape))
        for start in range(0, len(points), step):
            here = slice(start, start + step)
            np.minimum(gaps[here], _squared(points[here], some).min(axis=1), out=gaps[here])


def _squared(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return (p, c) squared distances; what rounding cannot tell from 0 is 0."""
    lengths = np.einsum("ij,ij->i", points, points)[:, None] + np.einsum("ij,ij->i", centres, centres)
    squared = lengths - 2 * (points @ centres.T)
    squared[squared < SAME] = 0
    return np.asarray(squared)


def _keys(gaps: np.ndarray, scale: np.ndarray | None, limit: float) -> np.ndarray:
    keys = gaps if scale is None else gaps * scale
    return np.where(gaps < limit, keys - np.float32(ALIKE), keys)


def _capped(caps: Caps, rows: np.ndarray, keys: np.ndarray, k: int) -> np.ndarray:
    """Return which rows must wait because their group is at its cap; near-duplicates wait anyway."""
    return np.asarray(caps.full(k)[caps.groups[rows]] & (keys > -CAPPED))


def _farthest(keys: np.ndarray, ties: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the rows of the largest keys, sorted by ties, and the largest key among the others."""
    if len(keys) <= FEW:
        return np.argsort(ties, kind="stable"), -np.inf
    split = np.argpartition(keys, len(keys) - FEW)
    few = np.sort(split[-FEW:])
    return few[np.argsort(ties[few], kind="stable")], float(keys[split[:-FEW]].max())


def _best_of_all(keys: np.ndarray, caps: Caps, ties: np.ndarray, k: int) -> int:
    rows = np.arange(len(keys))
    keys = keys - CAPPED * _capped(caps, rows, keys, k)
    best = np.flatnonzero(keys == keys.max())
    return int(best[np.argmin(ties[best])])
