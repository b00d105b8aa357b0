"""How far images are from all earlier ones, and which are farther than those are from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["EXPECTED", "KTH", "LISTED", "SAME", "Neighbours", "Space", "neighbours", "strangers", "to_earlier"]

ROUNDING = 1e-6  # of the usual length of a row: what float32 features cannot tell from 0
LISTED = 40  # neighbours kept of each image, of which some must be earlier ones
SAME = 1e-3  # distances below are rounding of float32 cosines
KTH = 2  # neighbour that counts: one lookalike among thousands may be an accident, two make a kind
EXPECTED = 0.01  # share of the earlier images that are themselves called strangers
_BLOCK = 2_048


@dataclass(frozen=True, eq=False)
class Space:
    """Where directions are taken from: the mean of some rows (d,), and the length below which a row has none."""

    mean: np.ndarray
    shortest: float

    @classmethod
    def of(cls, features: np.ndarray) -> Space:
        """Take the mean of features (n, d)."""
        values = np.asarray(features, dtype=np.float64)
        return cls(values.mean(axis=0), float(ROUNDING * np.sqrt((values**2).sum(axis=1).mean())) or ROUNDING)

    def directions(self, features: np.ndarray) -> np.ndarray:
        """Return rows (n, d) float32 centred and of length 1; one at the mean, but for rounding, is 0."""
        centred = np.asarray(features, dtype=np.float64) - self.mean
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.where(lengths > self.shortest, centred / np.maximum(lengths, self.shortest), 0.0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest rows of each of n rows, the nearest first, and the distances, both (n, k)."""

    rows: np.ndarray
    distances: np.ndarray


def neighbours(points: np.ndarray, among: np.ndarray, k: int, own: tuple[np.ndarray, np.ndarray] | None) -> Neighbours:
    """Find the k rows of `among` (m, d) nearest to each of points (n, d), directions all.

    `own` are the units (n,) and (m,): an image's neighbours are of other units, for those of its own patient say
    nothing of how near strangers are. Where a unit leaves fewer than k others, the last distances are infinite.
    """
    k = min(k, len(among))
    rows, distances = np.empty((len(points), k), dtype=np.int64), np.empty((len(points), k), dtype=np.float32)
    for start in range(0, len(points), _BLOCK):
        part = slice(start, start + _BLOCK)
        cosines = points[part] @ among.T
        if own is not None:
            cosines[own[0][part][:, None] == own[1][None, :]] = -np.inf
        found = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(cosines, found, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        rows[part] = np.take_along_axis(found, order, axis=1)
        apart = np.sqrt(np.maximum(2 - 2 * np.take_along_axis(values, order, axis=1), 0))
        distances[part] = np.where(apart < SAME, 0, apart)
    return Neighbours(rows, distances)


def to_earlier(near: Neighbours, earlier: np.ndarray, k: int = KTH) -> np.ndarray:
    """Return (n,) the distance to the k-th nearest earlier row, earlier (n,) bool.

    Where the list has no k of them it is the list's last distance, which the true one is at least.
    """
    is_earlier = earlier[near.rows]
    reached = np.cumsum(is_earlier, axis=1, dtype=np.int16) >= min(k, near.rows.shape[1])
    at = np.where(reached[:, -1], reached.argmax(axis=1), near.rows.shape[1] - 1)
    return np.asarray(near.distances[np.arange(len(at)), at])


def strangers(distances: np.ndarray, earlier: np.ndarray, expected: float = EXPECTED) -> tuple[float, np.ndarray]:
    """Return the distance that a share `expected` of the earlier rows exceeds, and which rows (n,) exceed it.

    The order statistic is the one beyond which at most that share lies: of few earlier rows, their largest.
    """
    known = np.sort(distances[earlier])
    limit = float(known[min(len(known) - 1, int(np.ceil((1 - expected) * len(known))))])
    return limit, distances > limit
