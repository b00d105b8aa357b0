"""How far images are from all earlier ones, and which are farther than those are from each other.

By direction and by distance: the first is the better measure on features of pretrained networks (Sun et al., ICML
2022), and blind to what an autoencoder puts into the length, as when a picture is all noise. Where it is known how
images look besides, that stands beside the direction: features that learned to overlook light say nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "EXPECTED",
    "KTH",
    "LISTED",
    "LookScale",
    "Neighbours",
    "Space",
    "limit_of",
    "neighbours",
    "strangers",
    "to_earlier",
]

ROUNDING = 1e-6  # of the usual length of a row: what float32 features cannot tell from 0
LISTED = 30  # neighbours kept of each image, of which some must be earlier ones
UNKNOWN = 0.01  # of the looks, at most: what is not known is no likeness, and old images alone may be away
SAME = 1e-5  # distances below are rounding
KTH = 2  # neighbour that counts: one lookalike among thousands may be an accident, two make a kind
EXPECTED = 0.01  # share of the earlier images that are themselves called strangers
_BLOCK = 2_048


@dataclass(frozen=True, eq=False)
class LookScale:
    """The mean and the deviation (l,) of how some images look."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, looks: np.ndarray) -> LookScale:
        """Measure looks (n, l), NaN where an image's are not known."""
        known = looks[np.isfinite(looks).all(axis=1)]
        if not len(known):
            return cls(np.zeros(looks.shape[1]), np.full(looks.shape[1], np.inf))  # nothing to compare with
        deviation = known.std(axis=0)
        return cls(known.mean(axis=0), np.where(deviation > SAME, deviation, 1.0))

    def scaled(self, looks: np.ndarray) -> np.ndarray:
        """Return looks (n, l) float32 of usual length 1, as directions have; unknown ones are the mean."""
        far = (looks - self.mean) / self.deviation / np.sqrt(looks.shape[1])
        return np.asarray(np.nan_to_num(far, nan=0.0), dtype=np.float32)


def known_looks(looks: np.ndarray | None) -> np.ndarray | None:
    """Return looks (n, l), or None where too many are not known, NaN: what is missing would pass for a difference."""
    if looks is None or np.mean(~np.isfinite(looks).all(axis=1)) > UNKNOWN:
        return None
    return looks


@dataclass(frozen=True, eq=False)
class Space:
    """The mean of some rows (d,), their usual length from it, and the length below which a row has no direction."""

    mean: np.ndarray
    usual: float
    shortest: float
    looks: LookScale | None = None

    @classmethod
    def of(cls, features: np.ndarray, looks: np.ndarray | None = None) -> Space:
        """Measure features (n, d), and how the images look besides, (n, l), NaN where that is not known."""
        values = np.asarray(features, dtype=np.float64)
        mean = values.mean(axis=0)
        shortest = float(ROUNDING * np.sqrt((values**2).sum(axis=1).mean())) or ROUNDING
        usual = max(float(np.sqrt(((values - mean) ** 2).sum(axis=1).mean())), shortest)
        return cls(mean, usual, shortest, None if looks is None else LookScale.of(looks))

    def directions(self, features: np.ndarray) -> np.ndarray:
        """Return rows (n, d) float32 centred and of length 1; one at the mean, but for rounding, is 0."""
        centred = np.asarray(features, dtype=np.float64) - self.mean
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.where(lengths > self.shortest, centred / np.maximum(lengths, self.shortest), 0.0).astype(np.float32)

    def places(self, features: np.ndarray, looks: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return where rows lie: their directions and looks (n, d or d + l), and rows of usual length 1 (n, d)."""
        apart = (np.asarray(features, dtype=np.float64) - self.mean) / self.usual
        return self.towards(features, looks), apart.astype(np.float32)

    def towards(self, features: np.ndarray, looks: np.ndarray | None = None) -> np.ndarray:
        """Return the directions of rows (n, d), with how the images look (n, l) beside them, where that is known."""
        found = self.directions(features)
        if self.looks is None or looks is None:
            return found
        return np.hstack([found, self.looks.scaled(looks)])


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest rows of each of n rows, the nearest first, and the distances, both (n, k)."""

    rows: np.ndarray
    distances: np.ndarray


def neighbours(points: np.ndarray, among: np.ndarray, k: int, own: tuple[np.ndarray, np.ndarray] | None) -> Neighbours:
    """Find the k rows of `among` (m, d) nearest to each of points (n, d).

    `own` are the units (n,) and (m,): an image's neighbours are of other units, for those of its own patient say
    nothing of how near strangers are. Where a unit leaves fewer than k others, the last distances are infinite.
    """
    k, among = min(k, len(among)), np.asarray(among, dtype=np.float64)
    rows, distances = np.empty((len(points), k), dtype=np.int64), np.empty((len(points), k))
    squares = (among**2).sum(axis=1)
    for start in range(0, len(points), _BLOCK):
        part = slice(start, start + _BLOCK)
        block = np.asarray(points[part], dtype=np.float64)
        apart = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ among.T
        if own is not None:
            apart[own[0][part][:, None] == own[1][None, :]] = np.inf
        found = np.argpartition(apart, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(apart, found, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        rows[part] = np.take_along_axis(found, order, axis=1)
        sorted_apart = np.sqrt(np.maximum(np.take_along_axis(values, order, axis=1), 0))
        distances[part] = np.where(sorted_apart < SAME, 0, sorted_apart)
    return Neighbours(rows, distances)


def to_earlier(near: Neighbours, earlier: np.ndarray, k: int = KTH) -> np.ndarray:
    """Return (n,) the distance to the k-th nearest earlier row, earlier (n,) bool.

    Where the list has no k of them it is the list's last distance, which the true one is at least.
    """
    left, every, last = earlier[near.rows], np.arange(len(near.rows)), near.rows.shape[1] - 1
    at = np.zeros(len(every), dtype=np.int64)
    for _ in range(min(k, last + 1)):
        at = left.argmax(axis=1)
        at[~left[every, at]] = last
        left[every, at] = False
    return np.asarray(near.distances[every, at])


def limit_of(known: np.ndarray, expected: float) -> tuple[float, float]:
    """Return the distance that at most a share `expected` of known ones (m,) exceed, and how often a fresh one does.

    Of few known ones the limit is their largest, which one of m + 1 exceeds by chance.
    """
    at = min(len(known) - 1, int(np.ceil((1 - expected) * len(known))))
    return float(np.partition(known, at)[at]), (len(known) - at) / (len(known) + 1)


def strangers(near: Sequence[Neighbours], earlier: np.ndarray, expected: float = EXPECTED) -> np.ndarray:
    """Return (n,) whether a row is farther from earlier ones than these are from each other, by any of the measures.

    `near` holds the neighbours by each measure, which share what is `expected` between them.
    """
    far = np.zeros(len(earlier), dtype=bool)
    for one in near:
        distances = to_earlier(one, earlier)
        far |= distances > limit_of(distances[earlier], expected / len(near))[0]
    return far
