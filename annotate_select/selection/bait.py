"""Images whose labels together leave the model's weights least in doubt."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.allowed import Allowed
from annotate_select.selection.covering import in_rounds
from annotate_select.selection.geometry import BLOCK, Workers
from annotate_select.selection.guard import REPEATED
from annotate_select.selection.kernel_coverage import with_doubts
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import model_probabilities

__all__ = ["Design", "bait", "information"]

DRAWN = 20_000  # candidates of one round
REFERENCE = 100_000  # rows the information of all is measured on: it is a mean
WIDEST = 256  # dimensions
PRIOR = 0.01  # of the weights: what 1, as in the paper, is to features of length 10


def bait(pool: Pool, n: int) -> Chosen:
    """Take images whose labels together leave the model's weights least in doubt: between few labels and many.

    BAIT (Ash et al., NeurIPS 2021) as for two classes, the likeliest and the rest (Huseljic et al., 2024): a label
    tells p (1 - p) z z^T about the weights, and picks shrink tr(M^-1 F), M being what is told by covered rows and
    picks, F by a mean row. Greedy forward, without the paper's pruning. Above 20,000 candidates on a seeded sample, see
    `covering`; beyond 256 dimensions in those that F is largest in. Score: what the pick takes off the trace, times the
    weight. Prefix-consistent.
    """
    everyone = np.concatenate([pool.candidates, pool.covered])
    if len(everyone) > REFERENCE:
        everyone = everyone[np.argpartition(pool.hashes[everyone], REFERENCE)[:REFERENCE]]
    mean = _information(pool, everyone, np.eye(pool.space.shape[1])) / len(everyone)
    axes = np.linalg.eigh(mean)[1][:, -WIDEST:] if len(mean) > WIDEST else np.eye(len(mean))  # (d, r)
    mean = axes.T @ mean @ axes

    def one_round(now: Pool, drawn: np.ndarray, most: int, repeats: bool) -> Chosen:
        known = PRIOR * np.eye(len(mean)) + _information(now, now.covered, axes)
        allowed = Allowed(now, drawn)
        design = Design(now.features[drawn] @ axes, information(model_probabilities(now, drawn)), known, mean)
        weights = np.ones(len(drawn)) if now.weights is None else now.weights[drawn]
        points = now.features[drawn]
        picked: list[int] = []
        scores: list[float] = []
        reasons: list[str] = []
        while len(picked) < most:
            able = allowed.now(repeats=repeats)
            if not able.any():
                break
            gains = design.gains()
            at = int(np.argmax(np.where(able, gains * weights, -1.0)))  # the first, so the lowest hash, of equals
            share = float(gains[at]) / design.trace if design.trace > 0 else 0.0
            picked.append(at)
            scores.append(float(gains[at] * weights[at]))
            reasons.append(_reason(share) + (REPEATED if allowed.alike[at] else ""))
            design.take(at)
            allowed.take(at)
            pool.progress("bait", len(now.taken) - len(pool.taken) + len(picked), n, "")
            if now.near_duplicate < 1:
                allowed.alike |= points @ points[at] > now.near_duplicate
        return Chosen(drawn[np.array(picked, dtype=np.int64)], np.array(scores, dtype=np.float64), reasons)

    return with_doubts(pool, in_rounds(pool, n, DRAWN, one_round))


def information(probabilities: np.ndarray) -> np.ndarray:
    """Return (b,) p (1 - p) of the likeliest class, of probabilities (b, C)."""
    largest = np.clip(probabilities.max(axis=1), 0.0, 1.0)
    return np.asarray(largest * (1 - largest))


class Design:
    """What the labels of points (m, r) would take off tr(M^-1 F), each by itself, as others are taken.

    `told` (m,) is how much a label tells; `known` (r, r) is M, `mean` (r, r) is F. A pick changes M^-1 by a product of
    one vector (Sherman and Morrison 1950), so z'M^-1 z and z'M^-1 F M^-1 z of all points need two products with two
    vectors, O(m r), and not new ones with a matrix.
    """

    def __init__(self, points: np.ndarray, told: np.ndarray, known: np.ndarray, mean: np.ndarray) -> None:
        self._points, self._told, self._mean = points.astype(np.float64), told, mean
        self._inverse = np.linalg.inv(known)
        self._inverse = (self._inverse + self._inverse.T) / 2
        self.trace = float(np.sum(self._inverse * mean))
        reached = self._points @ self._inverse
        self._own = np.einsum("ij,ij->i", reached, self._points)  # z'M^-1 z
        self._shared = np.einsum("ij,ij->i", reached @ mean, reached)  # z'M^-1 F M^-1 z

    def gains(self) -> np.ndarray:
        """Return (m,) what each label would take off the trace."""
        return np.asarray(np.maximum(self._told * self._shared / (1 + self._told * self._own), 0.0))

    def take(self, at: int) -> None:
        """Add what the label of a point tells."""
        step = self._inverse @ self._points[at]
        factor = self._told[at] / (1 + self._told[at] * float(step @ self._points[at]))
        drawn = self._mean @ step
        along, across = (self._points @ np.stack([step, self._inverse @ drawn], axis=1)).T  # (m,) each
        self.trace = max(0.0, self.trace - factor * float(step @ drawn))
        self._shared += factor * along * (factor * along * float(step @ drawn) - 2 * across)
        self._own -= factor * along * along
        self._inverse -= factor * np.outer(step, step)


def _information(pool: Pool, rows: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return (r, r) the sum of p (1 - p) z z^T of some rows, seen along axes (d, r)."""
    turned = None if axes.shape[0] == axes.shape[1] else axes.astype(np.float32)

    def told(here: slice) -> np.ndarray:
        points = pool.features[rows[here]] if turned is None else pool.features[rows[here]] @ turned
        scaled = points * np.sqrt(information(model_probabilities(pool, rows[here])))[:, None].astype(np.float32)
        return np.asarray(scaled.T @ scaled, dtype=np.float64)

    with Workers() as workers:
        step = max(1, BLOCK // 4 // max(axes.shape[0], pool.n_classes))
        return np.sum(workers.map(told, len(rows), step), axis=0) if len(rows) else np.zeros((axes.shape[1],) * 2)


def _reason(share: float) -> str:
    if share <= 0:
        return "drawn at random, as no label would tell the model more"
    return f"its label takes {100 * share:.2f} % off what is in doubt about the model's weights"
