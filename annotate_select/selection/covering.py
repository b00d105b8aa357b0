"""Weighted kernel coverage by lazy greedy: one engine under most strategies that cover.

F(S) = sum over reference rows x of w(x) * max over s in the covered rows and S of k(x, s). A gain only shrinks as S
grows, so one that is older and already below a fresh one need not be brought up to date (Minoux 1978): the picks are
those of plain greedy, at least 1 - 1/e of the best value (Nemhauser et al. 1978), for a few hundred evaluations a pick.

Of large pools a uniform sample, the rows of the lowest hashes, stands for the candidates and the reference. With r
reference rows the mean coverage of every set of n candidates out of m is known to about sqrt(n ln(m) / r) at worst,
and to about 1 / sqrt(r), 1 %, for one set; what is picked out of 20,000 is within 1 % of what is picked out of all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from annotate_select.selection.allowed import Allowed
from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.guard import REPEATED
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.words import counted

__all__ = ["Greedy", "Kernel", "Kernels", "cosine_kernel", "gaussian", "in_rounds", "top_hat", "worths"]

AT_ONCE = 64  # candidates whose gain is brought up to date together
CACHE = 2**26  # numbers: 256 MB of kernel rows that are kept, since the same candidates come up again and again
SHARE = 4  # of so many rows that are drawn at most one is picked before others are drawn

Kernel = Callable[[np.ndarray], np.ndarray]  # cosines (b, r) float32 to values from 0 to 1, in place where it can
Round = Callable[[Pool, np.ndarray, int, bool], Chosen]  # pool, drawn rows, how many, whether repeats are allowed


def gaussian(sigma: float) -> Kernel:
    """Return exp(-|x - s|^2 / sigma^2) of directions."""
    factor = np.float32(2 / sigma**2)

    def kernel(cosines: np.ndarray) -> np.ndarray:
        cosines -= 1
        cosines *= factor
        return np.asarray(np.exp(cosines, out=cosines))

    return kernel


def cosine_kernel(cosines: np.ndarray) -> np.ndarray:
    """Return the cosines, 0 where they are negative."""
    return np.asarray(np.maximum(cosines, 0, out=cosines))


def top_hat(radius: float) -> Kernel:
    """Return 1 within a distance, 0 beyond."""
    least = np.float32(1 - radius**2 / 2)
    return lambda cosines: np.asarray(cosines >= least, dtype=np.float32)


class Kernels:
    """Kernel rows (b, r) of candidates against the reference, by position; the last some thousands are kept."""

    def __init__(self, points: np.ndarray, drawn: np.ndarray, reference: np.ndarray, kernel: Kernel) -> None:
        self._points, self._reference = points.take(drawn, axis=0), points.take(reference, axis=0)
        self._kernel = kernel
        slots = min(len(drawn), max(AT_ONCE, CACHE // max(1, len(reference))))
        self._kept = np.empty((slots, len(reference)), dtype=np.float32)
        self._slot = np.full(len(drawn), -1, dtype=np.int64)  # of each candidate
        self._owner = np.full(slots, -1, dtype=np.int64)  # of each slot
        self._next = 0

    def sweep(self, rows: np.ndarray) -> np.ndarray:
        """Return kernel rows on a way through all candidates, which are kept only when all can be."""
        return self(rows) if len(self._owner) == len(self._slot) else self.fresh(rows)

    def fresh(self, rows: np.ndarray) -> np.ndarray:
        """Return kernel rows without keeping them."""
        return self._kernel(self._points.take(rows, axis=0) @ self._reference.T)

    def best(self, others: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return (r,) the largest kernel value of each reference row with any of some rows of `points`; 0 for none."""
        largest = np.zeros(len(self._reference), dtype=np.float32)
        step = max(1, BLOCK // max(1, len(self._reference)))
        for start in range(0, len(others), step):
            block = self._kernel(points[others[start : start + step]] @ self._reference.T)
            np.maximum(largest, block.max(axis=0), out=largest)
        return largest

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return kernel rows (b, r) of b candidates, a copy."""
        missing = rows[self._slot[rows] < 0]
        if len(missing):
            places = (self._next + np.arange(len(missing))) % len(self._owner)
            if np.isin(places, self._slot[rows]).any():  # do not throw out what is asked for now
                return self.fresh(rows)
            self._next = int(places[-1] + 1) % len(self._owner)
            thrown = self._owner[places]
            self._slot[thrown[thrown >= 0]] = -1
            self._owner[places], self._slot[missing] = missing, places
            self._kept[places] = self.fresh(missing)
        return np.asarray(self._kept.take(self._slot[rows], axis=0))


class Greedy:
    """The state of one lazy greedy over drawn rows (m,), which stand in the order of their hashes.

    `kernels` returns kernel rows (b, r), a copy, of some positions; `weights` (r,) are what covering is worth;
    `covered` (r,) float32 is how well each reference row is covered, brought up to date in place.
    """

    def __init__(
        self,
        pool: Pool,
        drawn: np.ndarray,
        kernels: Callable[[np.ndarray], np.ndarray],
        weights: np.ndarray,
        covered: np.ndarray,
    ) -> None:
        self._pool, self._drawn, self._kernels, self._weights = pool, drawn, kernels, weights
        self._points = pool.features[drawn]
        self._allowed = Allowed(pool, drawn)
        self._fresh = np.zeros(len(drawn), dtype=bool)
        self.covered = covered
        self._gain = self._all_gains()
        self.chosen: list[int] = []  # positions in `drawn`
        self.gains: list[float] = []
        self.nearer: list[int] = []  # reference rows that each pick covers better than all before it
        self.repeats: list[bool] = []

    def run(self, n: int, *, repeats: bool = True, until: float = -1.0) -> None:
        """Pick until there are n, nothing but repeats is left and they are not allowed, or no gain is above `until`."""
        while len(self.chosen) < n:
            allowed = self._allowed.now(repeats=repeats)
            if not allowed.any():
                return
            best = self._best(allowed)
            if self._gain[best] <= until:
                return
            self._take(best)

    def chosen_rows(self, scale: float, nearer: str) -> Chosen:
        """Return the picks so far; counts are multiplied by `scale`, the pool over the reference."""
        about = "about " if scale > 1 else ""
        reasons = [
            f"{nearer} {about + counted(round(count * scale)) if count else 'no image'} than {self._before(number)}"
            + (REPEATED if repeat else "")
            for number, (count, repeat) in enumerate(zip(self.nearer, self.repeats, strict=True))
        ]
        if reasons and not len(self._pool.covered):  # there is nothing that it could be nearer than
            compared = counted(len(self._drawn))
            reasons[0] = f"of {compared} it stands for the most by itself; nothing is labelled or picked yet"
        rows = self._drawn[np.array(self.chosen, dtype=np.int64)]
        return Chosen(rows, np.array(self.gains, dtype=np.float64) * scale, reasons)

    def _before(self, number: int) -> str:
        """Say what a pick is compared with; one of a number is after as many others."""
        if len(self._pool.labeled):
            return "anything labelled or picked before"
        if number:
            return "anything picked before"
        there = len(self._pool.taken)
        return f"{'the one' if there == 1 else f'any of the {there:,}'} already in this batch"

    def _all_gains(self) -> np.ndarray:
        step = max(1, BLOCK // max(1, len(self._weights)))
        rows = np.arange(len(self._drawn))
        sweep = getattr(self._kernels, "sweep", self._kernels)
        parts = []
        for start in range(0, len(rows), step):
            parts.append(self._worth(sweep(rows[start : start + step])))
            self._pool.progress("comparing", min(start + step, len(rows)), len(rows), "")
        return np.concatenate(parts) if parts else np.empty(0)

    def _worth(self, values: np.ndarray) -> np.ndarray:
        values -= self.covered
        np.maximum(values, 0.0, out=values)
        return np.asarray(values @ self._weights, dtype=np.float64)

    def _best(self, allowed: np.ndarray) -> int:
        """Return the allowed position of the largest gain; the first, so the lowest hash, of equals."""
        self._fresh[:] = False
        rows = np.flatnonzero(allowed)
        while True:
            gains = self._gain[rows]
            head = rows
            if len(rows) > AT_ONCE:
                head = rows[gains >= np.partition(gains, -AT_ONCE)[-AT_ONCE]]  # with all that tie
            order = head[np.argsort(-self._gain[head], kind="stable")[:AT_ONCE]]
            if self._fresh[order[0]]:
                return int(order[0])
            stale = order[~self._fresh[order]]
            self._gain[stale] = self._worth(self._kernels(stale))
            self._fresh[stale] = True

    def _take(self, at: int) -> None:
        values = self._kernels(np.array([at]))[0]
        self.nearer.append(int(np.count_nonzero(values > self.covered)))
        np.maximum(self.covered, values, out=self.covered)
        self.chosen.append(at)
        self.gains.append(float(self._gain[at]))
        self.repeats.append(bool(self._allowed.alike[at]))
        self._allowed.take(at)
        if self._pool.near_duplicate < 1:
            self._allowed.alike |= self._points @ self._points[at] > self._pool.near_duplicate


def worths(pool: Pool, rows: np.ndarray, worth: np.ndarray | None) -> np.ndarray:
    """Return (r,) float32 what covering some rows is worth: weight times `worth` (r,), or 1 when all are 0."""
    weights = np.ones(len(rows)) if pool.weights is None else pool.weights[rows]
    weights = weights if worth is None else weights * worth
    return np.asarray(weights if weights.any() else np.ones(len(rows)), dtype=np.float32)


def in_rounds(pool: Pool, n: int, size: int, one_round: Round) -> Chosen:
    """Pick n by rounds over `size` candidates drawn in the order of their hashes, a quarter of them at most each.

    The rounds do not depend on n, so what is greedy inside a round is prefix-consistent over all.
    """
    queue = pool.candidates[np.argsort(pool.hashes[pool.candidates], kind="stable")]
    picked, parts, waiting, idle = np.empty(0, dtype=np.int64), [], queue, 0
    while len(picked) < n:
        drawn = waiting[:size]
        everything = len(drawn) == len(queue) - len(picked)
        most = len(drawn) if everything else max(1, len(drawn) // SHARE)
        now = replace(pool, taken=np.concatenate([pool.taken, picked]))
        # Only a round over all that is left, or after a pass that found nothing new, may repeat what is there.
        part = one_round(now, drawn, min(n - len(picked), most), everything or idle * size >= len(queue))
        idle = 0 if len(part.rows) else idle + 1
        parts.append(part)
        picked = np.concatenate([picked, part.rows])
        waiting = waiting[size:] if len(waiting) > size else queue[~np.isin(queue, picked)]
        pool.progress("covering", len(picked), n, "")
    return Chosen(
        picked,
        np.concatenate([part.scores for part in parts]),
        [reason for part in parts for reason in part.reasons],
    )
