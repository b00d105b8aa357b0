"""Coverage along the data's own shape, the strategy of the first rounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotate_select.selection.geometry import near
from annotate_select.selection.graph import reach
from annotate_select.selection.guard import REPEATED, Caps
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import counted

__all__ = ["cover_graph", "graph_coverage"]

NODES = 4000  # images in one graph: more cost with the cube of their number and show little more of the shape
MOST_COVERED = 2000  # of them labelled or picked ones
SHARE = 4  # of so many images that are drawn as candidates at most one is picked
AT_ONCE = 32  # candidates whose gain is brought up to date together


def graph_coverage(pool: Pool, n: int) -> Chosen:
    """Take images that together stand for most others, along chains of look-alikes.

    Greedy coverage (1 - 1/e of the best) under the diffusion kernel of a neighbour graph, see `graph.reach`; covered
    rows count. Of more than 4,000 images a seeded sample makes the graph, again and again until there are n picks, so
    that the cost does not grow with the pool. Score: how many images, by weight, the pick adds to what is covered when
    it is made. Not prefix-consistent.
    """
    return cover_graph(pool, n, None)


def cover_graph(pool: Pool, n: int, worth: np.ndarray | None) -> Chosen:
    """Do what `graph_coverage` says, where covering a row is worth `worth` (n_rows,), at least 0, times its weight."""
    queue = pool.candidates[np.argsort(pool.hashes[pool.candidates], kind="stable")]
    parts: list[Chosen] = []
    picked = np.empty(0, dtype=np.int64)
    waiting = queue
    while len(picked) < n:
        missing = n - len(picked)
        drawn = waiting[:NODES]
        last = len(drawn) == len(queue) - len(picked)  # the graph holds all there is: it may also repeat itself
        now = replace(pool, taken=np.concatenate([pool.taken, picked]))
        part = _round(now, drawn, missing if last else min(missing, max(1, len(drawn) // SHARE)), worth, repeats=last)
        picked = np.concatenate([picked, part.rows])
        parts.append(part)
        queue_left = queue[~np.isin(queue, picked)]
        waiting = waiting[NODES:] if len(waiting) > NODES else queue_left
        pool.progress("covering", len(picked), n, "")
        if not last and not len(part.rows) and len(waiting) == len(queue_left):
            parts.append(_repeated(pool, queue_left[:missing]))
            break
    return Chosen(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.scores for part in parts]),
        [reason for part in parts for reason in part.reasons],
    )


def _repeated(pool: Pool, rows: np.ndarray) -> Chosen:
    """Fill up with copies, when a whole pass over a large pool has found nothing else."""
    return Chosen(rows, np.zeros(len(rows)), ["drawn at random" + REPEATED] * len(rows))


def _round(pool: Pool, drawn: np.ndarray, n: int, worth: np.ndarray | None, *, repeats: bool) -> Chosen:
    """Pick up to n of the drawn rows (m,), which are in the order of their hashes; fewer unless `repeats`."""
    covered = pool.covered[np.argsort(pool.hashes[pool.covered], kind="stable")][:MOST_COVERED]
    nodes = np.concatenate([drawn, covered])
    kernel = reach(pool.features[nodes])
    weights = _weights(pool, nodes, worth)
    greedy = _Greedy(pool, drawn, kernel, weights, kernel[len(drawn) :].max(axis=0, initial=0.0))
    greedy.run(n, repeats=repeats)
    chosen = np.array(greedy.chosen, dtype=np.int64)
    scale = (len(pool.candidates) + len(pool.covered)) / len(nodes)
    return Chosen(drawn[chosen], np.array(greedy.gains) * scale, _reasons(greedy, kernel, scale))


def _weights(pool: Pool, nodes: np.ndarray, worth: np.ndarray | None) -> np.ndarray:
    weights = np.ones(len(nodes)) if pool.weights is None else pool.weights[nodes]
    weights = weights if worth is None else weights * worth[nodes]
    return np.asarray(weights if weights.any() else np.ones(len(nodes)), dtype=np.float32)


class _Greedy:
    """Lazy greedy (Minoux 1978): a gain only shrinks, so an old gain below a fresh one need not be brought up to date.

    The rows stand in the order of their hashes, so the first of equals is the one of the lowest hash.
    """

    def __init__(
        self, pool: Pool, drawn: np.ndarray, kernel: np.ndarray, weights: np.ndarray, covered: np.ndarray
    ) -> None:
        m = len(drawn)
        self._pool, self._drawn, self._weights = pool, drawn, weights
        self._kernel = kernel[:m]  # (m, nodes)
        self._points = pool.features[drawn]
        self._caps = Caps(pool)
        for row in pool.taken:
            self._caps.add(int(row))
        self._ahead = len(pool.taken)
        self._open = np.ones(m, dtype=bool)
        self._alike = near(pool.features, drawn, pool.covered, pool.near_duplicate)
        self._worthless = np.zeros(m, dtype=bool) if pool.weights is None else pool.weights[drawn] == 0
        self._fresh = np.zeros(m, dtype=bool)
        self.covered = covered  # (nodes,) how well each node is covered
        self._gain = np.concatenate([self._gains(part) for part in np.array_split(np.arange(m), max(1, m // 256))])
        self.chosen: list[int] = []
        self.gains: list[float] = []
        self.repeats: list[bool] = []

    def run(self, n: int, *, repeats: bool) -> None:
        """Pick n, or as many as repeat nothing."""
        while len(self.chosen) < n:
            allowed = self._allowed(repeats=repeats)
            if not allowed.any():
                return
            self._take(self._best(allowed))

    def _allowed(self, *, repeats: bool) -> np.ndarray:
        """Return which may be next: caps give way before weights of zero, and these before near-duplicates."""
        distinct = self._open & ~self._alike
        full = self._caps.full(self._ahead + len(self.chosen) + 1)[self._caps.groups[self._drawn]]
        for allowed in (distinct & ~self._worthless & ~full, distinct & ~self._worthless, distinct):
            if allowed.any():
                return np.asarray(allowed)
        return self._open & repeats

    def _best(self, allowed: np.ndarray) -> int:
        self._fresh[:] = False
        rows = np.flatnonzero(allowed)
        while True:
            gains = self._gain[rows]
            if len(rows) > AT_ONCE:
                head = rows[gains >= np.partition(gains, -AT_ONCE)[-AT_ONCE]]  # with all that tie
                order = head[np.argsort(-self._gain[head], kind="stable")[:AT_ONCE]]
            else:
                order = rows[np.argsort(-gains, kind="stable")]
            if self._fresh[order[0]]:
                return int(order[0])
            stale = order[~self._fresh[order]]
            self._gain[stale] = self._gains(stale)
            self._fresh[stale] = True

    def _gains(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.maximum(self._kernel[rows] - self.covered, 0.0) @ self._weights, dtype=np.float64)

    def _take(self, at: int) -> None:
        row = int(self._drawn[at])
        self.chosen.append(at)
        self.gains.append(float(self._gain[at]))
        self.repeats.append(bool(self._alike[at]))
        self._open[at] = False
        self._caps.add(row)
        self.covered = np.maximum(self.covered, self._kernel[at])
        if self._pool.near_duplicate < 1:
            self._alike |= self._points @ self._points[at] > self._pool.near_duplicate


def _reasons(greedy: _Greedy, kernel: np.ndarray, scale: float) -> list[str]:
    """Say for how many images each pick is the best of all labelled and picked."""
    nearest = kernel[greedy.chosen].argmax(axis=0)[kernel[greedy.chosen].max(axis=0) >= greedy.covered]
    counts = np.round(np.bincount(nearest, minlength=len(greedy.chosen)) * scale).astype(np.int64)
    about = "about " if scale > 1 else ""
    return [
        f"stands for {about}{counted(max(1, count))}, nearer along chains of look-alikes than anything else labelled "
        f"or picked{REPEATED if repeat else ''}"
        for count, repeat in zip(counts.tolist(), greedy.repeats, strict=True)
    ]
