"""Exact farthest-first traversal (Gonzalez 1985), most of it inside the few rows that matter.

Each step takes the row farthest from all centres. The distances of a few thousand farthest rows are brought up to
date after every pick; those of the others only shrink, so their old maximum is a bound. As long as the best of the few
is above it, the pick is exact; when it is not, all centres since are applied to all rows in one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.guard import Caps

__all__ = ["Traversal", "shrink"]

FEW = 4096
SAME = 1e-6  # squared distances below are rounding of float32
# Tiers of the key: a row whose group is at its cap comes after every other, a near-duplicate after those.
CAPPED, ALIKE = 8.0, 16.0


@dataclass(eq=False)
class Traversal:
    """The state of one traversal over p points.

    `points` (p, d) float32 within length 1; `gaps` (p,) float32 squared distances to the nearest centre so far, and
    `open_rows` (p,) bool, which may be picked, are brought up to date in place; `ties` (p,) uint64: of equals the
    lowest goes first, then the lowest row; `scale` (p,) float32 from 0 to 1 multiplies squared distances; rows whose
    squared distance is below `limit` go last.
    """

    points: np.ndarray
    gaps: np.ndarray
    open_rows: np.ndarray
    ties: np.ndarray
    caps: Caps
    scale: np.ndarray | None = None
    limit: float = 0.0
    picked: list[int] = field(default_factory=list)
    squared: list[float] = field(default_factory=list)  # distance of each pick to all before it

    def start(self, row: int) -> None:
        """Make a row the first pick."""
        self._pick(row)
        shrink(self.gaps, self.points, np.array([row]))

    def run(self, n: int) -> None:
        """Pick until there are n; there must be that many open rows."""
        while len(self.picked) < n:
            start = len(self.picked)
            keys = self._keys(np.arange(len(self.points)))
            few, bound = _farthest(keys, self.ties)
            self._run_inside(few, bound, n)
            if len(self.picked) == start:  # a tie at the bound, or the few are of groups at their cap
                self._pick(self._best_of_all(keys))
            if len(self.picked) < n:
                shrink(self.gaps, self.points, np.array(self.picked[start:], dtype=np.int64))

    def _run_inside(self, few: np.ndarray, bound: float, n: int) -> None:
        """Pick among the few, which are sorted by ties, for as long as no other row can be better."""
        near_by = self.points[few]
        while len(self.picked) < n:
            keys = self._capped(few, self._keys(few))
            best = int(np.argmax(keys))  # the first of equals
            if keys[best] <= bound:
                return
            self._pick(int(few[best]))
            self.gaps[few] = np.minimum(self.gaps[few], _squared(near_by, near_by[best : best + 1])[:, 0])

    def _pick(self, row: int) -> None:
        self.picked.append(row)
        self.squared.append(float(self.gaps[row]))
        self.caps.add(row)
        self.open_rows[row] = False

    def _keys(self, rows: np.ndarray) -> np.ndarray:
        gaps = self.gaps[rows]
        keys = gaps if self.scale is None else gaps * self.scale[rows]
        keys = np.where(gaps < self.limit, keys - np.float32(ALIKE), keys)
        return np.where(self.open_rows[rows], keys, -np.inf)

    def _capped(self, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Lower the keys of rows whose group is at its cap now; near-duplicates come after them anyway."""
        full = self.caps.full(len(self.picked) + 1)[self.caps.groups[rows]]
        return np.where(full & (keys > -CAPPED), keys - np.float32(CAPPED), keys)

    def _best_of_all(self, keys: np.ndarray) -> int:
        keys = self._capped(np.arange(len(keys)), keys)
        best = np.flatnonzero(keys == keys.max())
        return int(best[np.argmin(self.ties[best])])


def shrink(gaps: np.ndarray, points: np.ndarray, centres: np.ndarray) -> None:
    """Lower (p,) squared distances in place to those of the centres' rows where these are nearer."""
    for first in range(0, len(centres), 256):
        some = points[centres[first : first + 256]]
        step = max(1, BLOCK // max(some.shape))
        for start in range(0, len(points), step):
            here = slice(start, start + step)
            np.minimum(gaps[here], _squared(points[here], some).min(axis=1), out=gaps[here])


def _squared(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return (p, c) squared distances; what rounding cannot tell from 0 is 0."""
    lengths = np.einsum("ij,ij->i", points, points)[:, None] + np.einsum("ij,ij->i", centres, centres)
    squared = np.asarray(lengths - 2 * (points @ centres.T))
    squared[squared < SAME] = 0
    return squared


def _farthest(keys: np.ndarray, ties: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the rows of the largest keys, sorted by ties, and the largest key among the others."""
    if len(keys) <= FEW:
        return np.argsort(ties, kind="stable"), -np.inf
    split = np.argpartition(keys, len(keys) - FEW)
    few = np.sort(split[-FEW:])
    return few[np.argsort(ties[few], kind="stable")], float(keys[split[:-FEW]].max())
