"""No batch repeats itself: near-duplicates and crowded groups wait until nothing else is left."""

from __future__ import annotations

from collections import Counter

import numpy as np

from annotate_select.selection.pool import FEW_DIMENSIONS, Chosen, Pool

__all__ = ["Guard"]

_BLOCK = 4_096


class Guard:
    """Sifts a strategy's answers, in their order, into a batch of `n` rows less the audit `drawn`."""

    def __init__(self, pool: Pool, n: int, near_duplicate: float, drawn: np.ndarray) -> None:
        """Begin with what is labelled, taken or drawn: nothing like it is let in."""
        self.rows: list[int] = []
        self.scores: list[float] = []
        self.reasons: list[str] = []
        self.missing = n - len(drawn)
        self._pool = pool
        self._threshold = near_duplicate
        # with a few dimensions nearly everything points the same way: then only exact copies count
        self._by_cosine = pool.features.shape[1] >= FEW_DIMENSIONS
        self._kept = np.concatenate([pool.covered, drawn])
        self._waiting: list[tuple[int, float, str]] = []
        self._in_group = Counter(pool.groups[drawn].tolist()) if pool.groups is not None else Counter()
        self._cap = self._group_cap(n)

    def sift(self, answer: Chosen) -> None:
        """Let in what repeats nothing; keep the rest waiting."""
        rows = np.asarray(answer.rows, dtype=np.int64)
        copies = self._like_kept(rows)
        among = self._like_earlier(rows)
        let_in = np.zeros(len(rows), dtype=bool)
        for at, row in enumerate(rows.tolist()):
            waits = copies[at] or bool(let_in[among[at]].any()) or self._crowded(row)
            if waits:
                self._waiting.append((row, float(answer.scores[at]), answer.reasons[at]))
            else:
                let_in[at] = True
                self._take(row, float(answer.scores[at]), answer.reasons[at])
        self._kept = np.concatenate([self._kept, rows[let_in]])

    def different(self, candidates: np.ndarray) -> np.ndarray:
        """Return the candidates that repeat nothing let in so far; the others wait, in the order of their hashes."""
        by_hash = candidates[np.argsort(self._pool.hashes[candidates], kind="stable")]
        repeats = np.zeros(len(by_hash), dtype=bool)
        for start in range(0, len(by_hash), _BLOCK):
            repeats[start : start + _BLOCK] = self._like_kept(by_hash[start : start + _BLOCK])
        if self._pool.groups is not None:
            repeats |= np.array([self._crowded(row) for row in by_hash.tolist()], dtype=bool)
        reason = "much like an image labelled or chosen already; nothing else was left"
        self._waiting += [(row, 0.0, reason) for row in by_hash[repeats].tolist()]
        return np.sort(by_hash[~repeats])

    def fill_up(self) -> None:
        """Nothing else is left: take what waited, in its order."""
        for row, score, reason in self._waiting[: self.missing]:
            self._take(row, score, reason)

    def _take(self, row: int, score: float, reason: str) -> None:
        self.rows.append(row)
        self.scores.append(score)
        self.reasons.append(reason)
        self.missing -= 1
        if self._pool.groups is not None:
            self._in_group[self._pool.groups[row].item()] += 1

    def _crowded(self, row: int) -> bool:
        return self._pool.groups is not None and self._in_group[self._pool.groups[row].item()] >= self._cap

    def _group_cap(self, n: int) -> int:
        """Return twice the even share of the groups that still have candidates, at least 1."""
        if self._pool.groups is None:
            return n
        groups = len(np.unique(self._pool.groups[self._pool.candidates]))
        return max(1, -(-2 * n // groups))

    def _like_kept(self, rows: np.ndarray) -> np.ndarray:
        alike = np.zeros(len(rows), dtype=bool)
        for start in range(0, len(self._kept), _BLOCK):
            alike |= self._alike(rows, self._kept[start : start + _BLOCK]).any(axis=1)
        return alike

    def _like_earlier(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return, of each row, the positions before it that are like it."""
        found: list[np.ndarray] = []
        for start in range(0, len(rows), 512):
            block = self._alike(rows[start : start + 512], rows)
            found += [np.flatnonzero(line[: start + i]) for i, line in enumerate(block)]
        return found

    def _alike(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Tell which of a (rows) are near-duplicates of which of b: (len(a), len(b)) bool."""
        one, two = self._pool.points[a], self._pool.points[b]
        if not self._by_cosine:
            return np.asarray((one[:, None, :] == two[None, :, :]).all(axis=2))
        still = ~one.any(axis=1)[:, None] & ~two.any(axis=1)[None, :]  # rows equal to the mean have no direction
        return np.asarray((one @ two.T > self._threshold) | still)
