"""Gradients that differ: images whose labels would each change the model, and each in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from annotate_select.selection.allowed import Allowed
from annotate_select.selection.geometry import BLOCK, Workers
from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import share
from annotate_select.selection.uncertainty import margin_reasons, model_probabilities

__all__ = ["badge", "factors"]

AT_ONCE = 64  # picks that the distances of all rows may lag behind
TRIES = 128  # draws in vain before the distances are brought up to date
ROUNDING = 1e-6  # of two squared lengths: what float32 cannot tell from a distance of 0


def badge(pool: Pool, n: int) -> Chosen:
    """Take images whose labels would change the model much, and each in another way: for good models, large batches.

    BADGE (Ash et al., ICLR 2020): k-means++ over the gradients of the last layer if the likeliest class were the label,
    (p - e) (x) z. The first is the longest; then each is drawn in proportion to its squared distance to the nearest of
    the batch, times the weight. As in the paper labelled rows are no centres: the model has learned from them, so their
    gradients say nothing. Gradients are never written down, as products of two are products of their factors.
    The draws are exact but lazy: a distance only shrinks as the batch grows, so a row is drawn by an older one and
    kept with the probability that the new is of the old. Score: the squared distance when it is drawn, times the
    weight. Prefix-consistent.
    """
    draws = _Draws(pool)
    while len(draws.picked) < n and draws.left():
        draws.step()
        pool.progress("badge", len(draws.picked), n, "")
    rows, gaps = pool.candidates[np.array(draws.picked, dtype=np.int64)], np.array(draws.gaps, dtype=np.float64)
    reasons = [
        f"{doubt}; its label would change the model in a way that is {share(gap**0.5)} from that of any before"
        for doubt, gap in zip(margin_reasons(pool, rows), gaps.tolist(), strict=True)
    ]
    if len(rows) and not len(pool.taken):
        reasons[0] = f"{margin_reasons(pool, rows[:1])[0]}; its label would change the model most"
    scores = gaps if pool.weights is None else gaps * pool.weights[rows]
    return _filled(pool, n, Chosen(rows, scores, reasons))


def factors(probabilities: np.ndarray) -> np.ndarray:
    """Return p - e (b, C) float32 of probabilities (b, C), e being 1 for the likeliest class, the first of equals."""
    out = probabilities.astype(np.float32)
    out[np.arange(len(out)), probabilities.argmax(axis=1)] -= 1.0
    return out


class _Gradients(NamedTuple):
    """The factors of some gradients: directions (b, d), p - e (b, C), and the squared lengths (b,) of the products."""

    points: np.ndarray
    slopes: np.ndarray
    lengths: np.ndarray

    def to(self, others: _Gradients) -> tuple[np.ndarray, np.ndarray]:
        """Return (b,) the squared distance to the nearest of the others, and the largest cosine of the directions."""
        cosines = self.points @ others.points.T  # (b, c)
        squared = self.slopes @ others.slopes.T
        squared *= cosines
        squared *= -2
        both = self.lengths[:, None] + others.lengths
        squared += both
        squared[squared < ROUNDING * both] = 0.0
        return squared.min(axis=1), cosines.max(axis=1)


class _Draws:
    """The state of one k-means++ over the candidates, by position."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._rows = pool, pool.candidates
        self._rng = np.random.default_rng(pool.seed & 0x7FFFFFFF)
        # Draws go along the hashes, so that they follow the images and not their positions.
        self._by_hash = np.argsort(pool.hashes[self._rows], kind="stable")
        weights = np.ones(len(self._rows)) if pool.weights is None else pool.weights[self._rows]
        self._worth = weights if weights.any() else np.ones(len(weights))
        self._allowed = Allowed(pool, self._rows)
        self._gaps = np.empty(len(self._rows), dtype=np.float32)  # without centres the squared lengths
        self._centred = False
        self._missed: list[int] = []  # rows that are centres, but not in the distances of all rows yet
        self.picked: list[int] = []
        self.gaps: list[float] = []
        self._step = max(1, BLOCK // 8 // max(AT_ONCE, pool.space.shape[1], pool.n_classes))
        with Workers() as workers:
            workers.map(self._measure, len(self._rows), self._step)
        for start in range(0, len(pool.taken), AT_ONCE):
            self._missed = pool.taken[start : start + AT_ONCE].tolist()
            self._catch_up()
        self._reach = self._masses(self._allowed.open & ~self._allowed.alike)

    def left(self) -> bool:
        """Tell whether any row but near-duplicates would still change the model in a new way."""
        return bool(self._reach[-1] > 0)

    def step(self) -> None:
        """Pick one, where any is left."""
        at, gap = self._drawn() if self._centred or self._missed else self._longest()
        self._allowed.take(at)
        self.picked.append(at)
        self.gaps.append(gap)
        self._missed.append(int(self._rows[at]))
        # The first few picks change most distances, later ones hardly any.
        if len(self._missed) >= min(AT_ONCE, max(1, len(self.picked) // 4)):
            self._catch_up()

    def _longest(self) -> tuple[int, float]:
        """Return the position of the longest gradient, by weight, and its squared length; of equals the lowest hash."""
        mass = np.where(self._allowed.now(), self._gaps * self._worth, -1.0)
        at = int(self._by_hash[np.argmax(mass[self._by_hash])])
        return at, float(self._gaps[at])

    def _drawn(self) -> tuple[int, float]:
        """Draw a position in proportion to the squared distances; return it and its own."""
        for _ in range(TRIES):
            at = self._proposed(self._reach)
            gap = self._gap(at)
            # Distances are as they were when the reach was made, so this makes up for what they have shrunk since.
            if self._rng.random() * self._gaps[at] < gap and self._allowed.open[at] and not self._allowed.at_cap(at):
                return at, gap
        self._catch_up()  # most of what the draws land on is as good as picked, or at its group's cap
        reach = self._masses(self._allowed.now())
        if reach[-1] > 0:
            at = self._proposed(reach)
            return at, float(self._gaps[at])
        return self._longest()

    def _proposed(self, reach: np.ndarray) -> int:
        along = np.searchsorted(reach, self._rng.random() * reach[-1], side="right")
        return int(self._by_hash[min(int(along), len(reach) - 1)])

    def _masses(self, among: np.ndarray) -> np.ndarray:
        """Return the sums along the hashes of what some positions are drawn in proportion to."""
        mass = np.where(among, self._gaps * self._worth, 0.0)
        return np.cumsum(mass[self._by_hash])

    def _gap(self, at: int) -> float:
        """Return the squared distance of a position to all centres, 0 for a near-duplicate of one."""
        if not self._missed:
            return float(self._gaps[at])
        squared, cosine = self._gradients(self._rows[[at]]).to(self._gradients(np.array(self._missed)))
        if self._pool.near_duplicate < 1 and cosine[0] > self._pool.near_duplicate:
            return 0.0
        return min(float(self._gaps[at]), float(squared[0]))

    def _catch_up(self) -> None:
        """Bring the distances of all rows, and what is drawn in proportion to them, up to date."""
        if not self._missed:
            return
        centres = self._gradients(np.array(self._missed))

        def compare(here: slice) -> None:
            squared, cosine = self._gradients(self._rows[here]).to(centres)
            self._gaps[here] = np.minimum(self._gaps[here], squared) if self._centred else squared
            if self._pool.near_duplicate < 1:
                self._allowed.alike[here] |= cosine > self._pool.near_duplicate

        with Workers() as workers:
            workers.map(compare, len(self._rows), self._step)
        self._centred, self._missed = True, []
        self._reach = self._masses(self._allowed.open & ~self._allowed.alike)

    def _measure(self, here: slice) -> None:
        self._gaps[here] = self._gradients(self._rows[here]).lengths

    def _gradients(self, rows: np.ndarray) -> _Gradients:
        points, slopes = self._pool.features[rows], factors(model_probabilities(self._pool, rows))
        lengths = np.einsum("ij,ij->i", points, points) * np.einsum("ij,ij->i", slopes, slopes)
        return _Gradients(points, slopes, lengths)


def _filled(pool: Pool, n: int, chosen: Chosen) -> Chosen:
    """Fill up to n by chance, with those of weight 0 last, where no other row would change the model in a new way."""
    missing = n - len(chosen.rows)
    if not missing:
        return chosen
    rest = np.setdiff1d(pool.candidates, chosen.rows)
    worthless = np.zeros(len(rest), dtype=bool) if pool.weights is None else pool.weights[rest] == 0
    left = replace(pool, candidates=rest, taken=np.concatenate([pool.taken, chosen.rows]))
    rows, distinct = walk(left, rest[np.lexsort((pool.hashes[rest], worthless))], missing)
    reasons = ["drawn at random, as no other label would change the model in a new way"] * missing
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return chosen._replace(
        rows=np.concatenate([chosen.rows, rows]),
        scores=np.concatenate([chosen.scores, np.zeros(missing)]),
        reasons=chosen.reasons + reasons,
    )
