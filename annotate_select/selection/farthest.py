"""Exact farthest-first traversal (Gonzalez 1985), which looks only at the rows that can be the farthest.

Each step takes the row farthest from all centres. A distance to some of the centres bounds that to all of them, so a
row is compared with the centres it has missed only when its old distance puts it among the farthest left; most rows
soon have a centre near by and are never looked at again. A few of the farthest are kept up to date after every pick.
As long as the best of them is better than the bounds of all others, the pick is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

import numpy as np

from annotate_select.progress import Progress, silent
from annotate_select.selection.geometry import Workers
from annotate_select.selection.guard import Caps

__all__ = ["Traversal", "shrink"]

FEW = 2048  # rows kept up to date after every pick
MANY = 2**16  # rows the few are chosen from; all others stay below the best of them for a while
GROWTH = 4  # times as many rows are gone over when few of them remained worth a pick
AT_ONCE = 512  # centres in a product
PART = 512  # rows in a product, or a few times as many
LOOK_EVERY = 4  # picks: how often it is looked whether half of the few cannot be picked any more
TELL_EVERY = 0.3  # seconds
SAME = 1e-6  # squared distances below are rounding of float32
# Tiers of the key: first come rows without any of these, then those told to wait, those of a group at its cap, those of
# which both holds, and near-duplicates last.
LATER, CAPPED, ALIKE = 5.0, 10.0, 20.0
ROUNDED = 1e-5  # more than what a float32 loses when a tier is taken from it


class _Bound(NamedTuple):
    """No row left out comes before this: the larger key is first, of equals the lower tie, then the lower row."""

    key: float
    tie: int = 0
    row: int = -1


class _Head(NamedTuple):
    """The first of some rows, ascending; what bounds those left out, apart for groups that were at their cap."""

    rows: np.ndarray
    bound: _Bound
    full_bound: _Bound
    full_groups: np.ndarray


NOBODY = _Bound(-np.inf)


@dataclass(eq=False)
class Traversal:
    """The state of one traversal over p points.

    `points` (p, d) float32 within length 1; `gaps` (p,) float32 squared distances to the nearest centre so far, and
    `open_rows` (p,) bool, which may be picked, are brought up to date in place, a gap only when a pick depends on it;
    `ties` (p,) uint64: of equals the lowest goes first, then the lowest row; `scale` (p,) float32 from 0 to 1
    multiplies squared distances; rows whose squared distance is below `limit` go last, and far behind those that
    are to come `later` (p,) bool.
    """

    points: np.ndarray
    gaps: np.ndarray
    open_rows: np.ndarray
    ties: np.ndarray
    caps: Caps
    scale: np.ndarray | None = None
    limit: float = 0.0
    later: np.ndarray | None = None
    progress: Progress = silent
    picked: list[int] = field(default_factory=list)
    squared: list[float] = field(default_factory=list)  # distance of each pick to all before it

    def __post_init__(self) -> None:
        self._seen = np.zeros(len(self.points), dtype=np.int32)  # how many of the picks each gap takes in
        self._centres = np.empty((AT_ONCE, self.points.shape[1]), dtype=np.float32)  # the picks, and room for more
        self._lengths = _lengths(self.points)
        self._groups = self.caps.groups if self.caps.active else None
        self._told = monotonic()

    def start(self, row: int) -> None:
        """Make a row the first pick."""
        self._pick(row, float(self.gaps[row]))
        shrink(self.gaps, self.points, np.array([row]), self._lengths)
        self._seen[:] = 1

    def cover(self, rows: np.ndarray) -> None:
        """Make rows centres that are no picks."""
        shrink(self.gaps, self.points, rows, self._lengths)

    def run(self, n: int) -> None:
        """Pick until there are n; there must be that many open rows."""
        with Workers() as workers:
            while len(self.picked) < n:
                self._run_among(self._head(None, max(MANY, len(self.points) // 8)), n, workers)

    def _run_among(self, many: _Head, n: int, workers: Workers) -> None:
        """Pick among many rows for as long as none of the others can be better."""
        size = FEW
        while len(self.picked) < n:
            before = len(self.picked)
            some = self._head(many.rows, size)
            stale = self._catch_up(some.rows, workers)
            self._run_inside(self._head(some.rows, FEW), (some, many), n)
            picks = len(self.picked) - before
            if not picks and not stale:
                return
            # Going over many rows is worth while only when few of them remain worth a pick.
            size = min(GROWTH * size, len(many.rows)) if picks < FEW // 32 else max(FEW, size // 2)
            self._tell(n)

    def _run_inside(self, few: _Head, around: tuple[_Head, ...], n: int) -> None:
        """Pick among the few for as long as no other row can be better."""
        rows = few.rows[np.argsort(self.ties[few.rows], kind="stable")]  # so that the first of equals goes first
        near_by, gaps = self.points.take(rows, axis=0), self.gaps[rows]
        lengths = self._lengths[rows]
        bound = self._bound((few, *around))
        while len(self.picked) < n and len(rows):
            keys = self._capped(rows, self._keys(rows, gaps))
            if self._groups is not None:
                bound = self._bound((few, *around))
            best = int(np.argmax(keys))  # the first of equals
            row = int(rows[best])
            if _order(_Bound(float(keys[best]), int(self.ties[row]), row)) <= _order(bound):
                break
            # What cannot come up any more need not be kept up to date; with caps, keys may rise again.
            if self._groups is None and len(self.picked) % LOOK_EVERY == 0:
                alive = keys >= bound.key
                if 2 * np.count_nonzero(alive) < len(rows):
                    self._keep(rows[~alive], gaps[~alive])
                    rows, near_by, gaps, lengths = rows[alive], near_by[alive], gaps[alive], lengths[alive]
                    best = int(np.count_nonzero(alive[:best]))
            self._pick(row, float(gaps[best]))
            squared = near_by @ near_by[best]
            squared *= -2
            squared += lengths
            squared += lengths[best]
            squared[squared < SAME] = 0
            np.minimum(gaps, squared, out=gaps)
        self._keep(rows, gaps)

    def _keep(self, rows: np.ndarray, gaps: np.ndarray) -> None:
        """Write down the gaps of some rows, which take in every pick so far."""
        self.gaps[rows] = gaps
        self._seen[rows] = len(self.picked)

    def _pick(self, row: int, squared: float) -> None:
        count = len(self.picked)
        if count == len(self._centres):
            self._centres = np.concatenate([self._centres, np.empty_like(self._centres)])
        self._centres[count] = self.points[row]
        self.picked.append(row)
        self.squared.append(squared)
        self.caps.add(row)
        self.open_rows[row] = False

    def _keys(self, rows: np.ndarray | slice, gaps: np.ndarray) -> np.ndarray:
        keys = gaps.copy() if self.scale is None else gaps * self.scale[rows]
        if self.later is not None:
            np.subtract(keys, np.float32(LATER), out=keys, where=self.later[rows] & (gaps >= self.limit))
        if self.limit > 0:
            np.subtract(keys, np.float32(ALIKE), out=keys, where=gaps < self.limit)
        np.copyto(keys, -np.inf, where=~self.open_rows[rows])
        return keys

    def _capped(self, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Lower the keys of rows whose group is at its cap now; see `_lowered`."""
        if self._groups is None:
            return keys
        full = self.caps.full(len(self.picked) + 1)[self._groups[rows]]
        return np.where(full, _lowered(keys), keys)

    def _head(self, rows: np.ndarray | None, most: int) -> _Head:
        """Return the first of the rows (None: of all), by gaps that may be too large but are never too small."""
        number = np.arange(len(self.points)) if rows is None else rows
        keys = self._keys(slice(None) if rows is None else rows, self.gaps if rows is None else self.gaps[rows])
        if self._groups is None:
            first, bound = _first(keys, self.ties, number, most)
            return _Head(first, bound, NOBODY, number[:0])
        full = self.caps.full(len(self.picked) + 1)
        at_cap = full[self._groups[number]]
        first, bound = _first(keys[~at_cap], self.ties, number[~at_cap], most)
        # Lowered before they are compared: rounding may make equals of keys that were not.
        capped, full_bound = _first(_lowered(keys[at_cap]), self.ties, number[at_cap], most)
        return _Head(np.sort(np.concatenate([first, capped])), bound, full_bound, np.flatnonzero(full))

    def _bound(self, heads: tuple[_Head, ...]) -> _Bound:
        """Return what no row outside of the innermost of the heads can be better than now."""
        bounds = [head.bound for head in heads]
        full = self.caps.full(len(self.picked) + 1)
        for head in heads:
            bound = head.full_bound
            if not full[head.full_groups].all():
                bound = _Bound(bound.key + CAPPED + ROUNDED)
            bounds.append(bound)
        return max(bounds, key=_order)

    def _catch_up(self, rows: np.ndarray, workers: Workers) -> bool:
        """Take into the gaps of some rows the picks they have missed; tell whether there were any."""
        count = len(self.picked)
        stale = rows[self._seen[rows] < count]
        stale = stale[np.argsort(self._seen[stale], kind="stable")]  # those that missed alike side by side

        def compare(here: slice) -> None:
            some = stale[here]
            missed = self._centres[self._seen[some[0]] : count]
            _lower(self.gaps, some, self.points.take(some, axis=0), self._lengths[some], missed)

        workers.map(compare, len(stale), PART if len(stale) <= 32 * PART else 4 * PART)
        self._seen[stale] = count
        return len(stale) > 0

    def _tell(self, n: int) -> None:
        if monotonic() - self._told > TELL_EVERY:
            self._told = monotonic()
            self.progress("picking", len(self.picked), n, "")


def shrink(gaps: np.ndarray, points: np.ndarray, centres: np.ndarray, lengths: np.ndarray | None = None) -> None:
    """Lower (p,) squared distances in place to those of the centres' rows where these are nearer."""
    some, lengths = points[centres], _lengths(points) if lengths is None else lengths

    def lower(here: slice) -> None:
        _lower(gaps, here, points[here], lengths[here], some)

    with Workers() as workers:
        workers.map(lower, len(points), 4 * PART)


def _lower(
    gaps: np.ndarray, rows: np.ndarray | slice, points: np.ndarray, lengths: np.ndarray, centres: np.ndarray
) -> None:
    """Lower the gaps of rows, of given points (b, d) and squared lengths (b,), to those to the centres (c, d)."""
    nearest = np.full(len(points), -np.inf, dtype=np.float32)
    for first in range(0, len(centres), AT_ONCE):
        some = centres[first : first + AT_ONCE]
        halves = np.einsum("ij,ij->i", some, some) / 2
        products = some @ points.T  # (c, b): the largest of each column is found much faster than of each row
        if np.ptp(halves) > SAME / 4:  # not all of length 1: one is 0
            products -= halves[:, None]
            halves = halves[:1] * 0
        np.maximum(nearest, products.max(axis=0) - halves[0], out=nearest)
    squared = lengths - 2 * nearest
    squared[squared < SAME] = 0
    gaps[rows] = np.minimum(gaps[rows], squared)


def _lengths(points: np.ndarray) -> np.ndarray:
    """Return (p,) squared lengths."""
    out = np.empty(len(points), dtype=np.float32)

    def measure(here: slice) -> None:
        out[here] = np.einsum("ij,ij->i", points[here], points[here])

    with Workers() as workers:
        workers.map(measure, len(points), 16 * PART)
    return out


def _lowered(keys: np.ndarray) -> np.ndarray:
    """Return the keys of rows whose group is at its cap; those that come last do so anyway."""
    return np.where(keys > -CAPPED, keys - np.float32(CAPPED), keys)


def _order(bound: _Bound) -> tuple[float, int, int]:
    return bound.key, -bound.tie, -bound.row


def _first(keys: np.ndarray, ties: np.ndarray, rows: np.ndarray, most: int) -> tuple[np.ndarray, _Bound]:
    """Return the first `most` of rows (m,), ascending like these, and the bound of the others."""
    if len(keys) <= most:
        return rows, NOBODY
    last = np.partition(keys, len(keys) - most)[len(keys) - most]
    if last == -np.inf:
        return rows[keys > last], NOBODY
    first = keys >= last
    excess = int(np.count_nonzero(first)) - most
    if not excess:
        return rows[first], _Bound(float(np.nextafter(last, np.float32(-np.inf))))
    equal = np.flatnonzero(keys == last)
    tied = ties[rows[equal]]
    cut = np.partition(tied, len(equal) - excess)[len(equal) - excess]  # the lowest tie that is left out
    over, at_cut = equal[tied > cut], equal[tied == cut]
    left_out = at_cut[len(at_cut) - (excess - len(over)) :]
    first[over] = False
    first[left_out] = False
    return rows[first], _Bound(float(last), int(cut), int(rows[left_out[0]]))
