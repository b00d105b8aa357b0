"""Keep a batch from repeating itself: near-duplicates stay apart, and no group fills it.

Two rows whose directions have a cosine above `pool.near_duplicate` do not share a batch, and no pick is that near to a
labelled row, as long as anything else is left. Of the first k picks a group may have at most ceil(s k), where s is
twice the group's share of the candidates, or 2 / (G + 1) with G groups if that is more, and never above 2/3; audits and
whatever else is in the batch already count among them. The cap gives way before the near-duplicates do.

Strategies that rank use `walk`; those that propose a whole set use `spread`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from annotate_select.selection.geometry import near
from annotate_select.selection.pool import Chosen, Pool, Strategy

__all__ = ["REPEATED", "Caps", "spread", "walk"]

LARGEST_SHARE = 2 / 3
CHUNK = 512  # rows of a ranking compared with the batch in one product
HELD = 2**13  # rows of the batch in one product
REPEATED = "; a near-duplicate of one labelled or picked, as nothing else is left"


class Caps:
    """Count the picks of each group, those already in the batch too, and tell which may have no more for now."""

    def __init__(self, pool: Pool) -> None:
        groups = np.zeros(len(pool.space), dtype=np.int64) if pool.groups is None else pool.groups
        sizes = np.bincount(groups[pool.candidates], minlength=int(groups.max(initial=0)) + 1)
        present = int(np.count_nonzero(sizes))
        shares = np.maximum(2 * sizes / max(1, len(pool.candidates)), 2 / (present + 1))
        self.groups = groups
        self.active = present > 1  # a single group may have all
        self._shares = np.minimum(shares, LARGEST_SHARE) if present > 1 else np.full(len(sizes), np.inf)
        self._before = len(pool.taken)
        self._counts = np.bincount(groups[pool.taken], minlength=len(sizes))

    def add(self, row: int) -> None:
        """Count a pick."""
        self._counts[self.groups[row]] += 1

    def full(self, k: int) -> np.ndarray:
        """Return (G,) which groups may not have another among k picks more than there were at first."""
        return self._counts >= np.ceil(self._shares * (self._before + k) - 1e-9)


class _Kept:
    """The rows of a batch so far, and their directions side by side, which are fetched many at a time."""

    def __init__(self, pool: Pool, n: int) -> None:
        self._pool = pool
        self._directions = np.empty((n, pool.space.shape[1]), dtype=np.float32)
        self._fetched = 0
        self.rows: list[int] = []

    def add(self, row: int) -> None:
        self.rows.append(row)

    def near(self, rows: np.ndarray) -> np.ndarray:
        """Return for each of some rows (m,) whether it is near any kept."""
        alike = np.zeros(len(rows), dtype=bool)
        if self._pool.near_duplicate < 1:
            self._fetch()
            others = self._pool.space[rows].T  # (d, m)
            for start in range(0, len(self.rows), HELD):
                kept = self._directions[start : min(start + HELD, len(self.rows))]
                alike |= (kept @ others).max(axis=0) > self._pool.near_duplicate
        return alike

    def _fetch(self) -> None:
        new = self.rows[self._fetched :]
        if new:
            self._directions[self._fetched : len(self.rows)] = self._pool.space[new]
            self._fetched = len(self.rows)


def walk(pool: Pool, order: np.ndarray, n: int) -> tuple[np.ndarray, int]:
    """Take n rows down a ranking `order` of all candidates, passing over what the guard forbids.

    Returns the rows and how many of them repeat nothing; the rest are near-duplicates, in the order of the ranking.
    Prefix-consistent: each pick depends only on those before it.
    """
    if pool.near_duplicate >= 1 and pool.groups is None:
        return order[:n], n
    kept, caps = _Kept(pool, n), Caps(pool)
    stream = _distinct(pool, order, kept)
    waiting: dict[int, deque[tuple[int, int]]] = {}  # by group: (rank, row) passed over because of the cap
    while len(kept.rows) < n:
        row = _next(stream, waiting, caps, kept)
        if row is None:
            break
        kept.add(row)
        caps.add(row)
    rows = np.array(kept.rows, dtype=np.int64)
    repeats = order[~np.isin(order, rows)][: n - len(rows)] if len(rows) < n else rows[:0]
    return np.concatenate([rows, repeats]), len(rows)


def _distinct(pool: Pool, order: np.ndarray, kept: _Kept) -> Iterator[tuple[int, int]]:
    """Yield (rank, row) of the rows that are near nothing covered and nothing kept so far."""
    for start in range(0, len(order), CHUNK):
        chunk, seen = order[start : start + CHUNK], len(kept.rows)
        repeated = near(pool.space, chunk, pool.covered, pool.near_duplicate) | kept.near(chunk)
        free = np.flatnonzero(~repeated)
        among = _Alike(pool, chunk[free])
        for place, at in enumerate(free.tolist()):
            for row in kept.rows[seen:]:
                among.keep(row)
            seen = len(kept.rows)
            if not among.kept[place]:
                yield start + at, int(chunk[at])


class _Alike:
    """Which of a few rows (m,) are near one kept since: their products with each other are made once."""

    def __init__(self, pool: Pool, rows: np.ndarray) -> None:
        self._pool, self._directions = pool, pool.space[rows]
        self._of = dict(zip(rows.tolist(), self._near(self._directions.T).T, strict=True))
        self.kept = np.zeros(len(rows), dtype=bool)

    def keep(self, row: int) -> None:
        """Mark what is near a row, whether it is one of these or not."""
        alike = self._of.get(row)
        self.kept |= self._near(self._pool.space[row]) if alike is None else alike

    def _near(self, others: np.ndarray) -> np.ndarray:
        if self._pool.near_duplicate >= 1:
            return np.zeros((len(self._directions), *others.shape[1:]), dtype=bool)
        return np.asarray(self._directions @ others > self._pool.near_duplicate)


def _next(
    stream: Iterator[tuple[int, int]], waiting: dict[int, deque[tuple[int, int]]], caps: Caps, kept: _Kept
) -> int | None:
    """Return the best ranked row that its group's cap allows; without any, the best ranked; without any, None."""
    full = caps.full(len(kept.rows) + 1)
    row = _pop(waiting, {group for group in waiting if not full[group]}, kept)
    if row is not None:
        return row
    for rank, row in stream:
        group = int(caps.groups[row])
        if not full[group]:
            return row
        waiting.setdefault(group, deque()).append((rank, row))
    return _pop(waiting, set(waiting), kept)


def _pop(waiting: dict[int, deque[tuple[int, int]]], among: set[int], kept: _Kept) -> int | None:
    """Take the best ranked row waiting in some groups, dropping what has become a near-duplicate."""
    while among:
        group = min(among, key=lambda one: waiting[one][0])
        _, row = waiting[group].popleft()
        if not waiting[group]:
            del waiting[group]
            among.discard(group)
        if not kept.near(np.array([row])).any():
            return row
    return None


def spread(pool: Pool, n: int, propose: Strategy) -> Chosen:
    """Ask for n rows, drop what the guard forbids, and ask again for as many, until there are n.

    `propose` must answer with at least as many candidates of the pool it gets as it is asked for. It is told of what
    was kept by `pool.taken`. The group cap is that of the whole batch; it gives way before weights of zero do. Not
    prefix-consistent.
    """
    caps, kept, parts = Caps(pool), _Kept(pool, n), []
    clean = pool.candidates[~near(pool.features, pool.candidates, pool.covered, pool.near_duplicate)]
    while len(kept.rows) < n and len(clean):
        worth = clean if pool.weights is None or not pool.weights[clean].any() else clean[pool.weights[clean] > 0]
        roomy = worth[~caps.full(n)[caps.groups[worth]]]
        candidates = roomy if len(roomy) else worth
        part = propose(_without(pool, candidates, kept.rows), min(n - len(kept.rows), len(candidates)))
        added = _admit(part, kept, caps, n, capped=len(roomy) > 0)
        parts.append(_at(part, added))
        rows = part.rows[added]
        clean = clean[~np.isin(clean, rows) & ~near(pool.features, clean, rows, pool.near_duplicate)]
    if len(kept.rows) < n:
        rest = np.setdiff1d(pool.candidates, kept.rows)
        missing = n - len(kept.rows)
        part = _at(propose(_without(pool, rest, kept.rows), missing), list(range(missing)))
        parts.append(part._replace(reasons=[reason + REPEATED for reason in part.reasons]))
    return _joined(parts)


def _admit(part: Chosen, kept: _Kept, caps: Caps, n: int, *, capped: bool) -> list[int]:
    """Keep what may be kept, up to n; return the positions in the part. The first always may."""
    added: list[int] = []
    for position, row in enumerate(part.rows.tolist()):
        if len(kept.rows) == n:
            break
        if (capped and caps.full(n)[caps.groups[row]]) or kept.near(part.rows[[position]]).any():
            continue
        kept.add(row)
        caps.add(row)
        added.append(position)
    return added


def _without(pool: Pool, candidates: np.ndarray, kept: list[int]) -> Pool:
    return replace(pool, candidates=candidates, taken=np.concatenate([pool.taken, np.array(kept, dtype=np.int64)]))


def _at(part: Chosen, positions: list[int]) -> Chosen:
    return part._replace(
        rows=part.rows[positions], scores=part.scores[positions], reasons=[part.reasons[p] for p in positions]
    )


def _joined(parts: list[Chosen]) -> Chosen:
    return parts[0]._replace(
        rows=np.concatenate([part.rows for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        reasons=[reason for part in parts for reason in part.reasons],
    )
