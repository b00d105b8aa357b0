"""Kinds of images, found without labels: k-means cells of directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.trust.strangers import Space

__all__ = ["Cells", "centres_of", "nearest"]

MOST_CELLS, ROWS_A_CELL = 64, 30
MOST_ROWS = 4_000  # that cells are made of
_BLOCK = 8_192


@dataclass(frozen=True, eq=False)
class Cells:
    """Where directions are taken from, and the centres (k, d) of the cells."""

    space: Space
    centres: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, rows: np.ndarray, seed: int) -> Cells:
        """Make cells of some rows of features (n, d), at most 4,000 of them drawn by chance."""
        drawn = np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS]
        some = np.asarray(features[np.sort(rows[drawn])])
        space = Space.of(some)
        return cls(space, centres_of(space.directions(some), seed))

    def number(self, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the cell of each of some rows of features."""
        parts = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        found = [nearest(self.space.directions(features[part]), self.centres) for part in parts]
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def centres_of(points: np.ndarray, seed: int) -> np.ndarray:
    """Return the centres (k, d) float32 of k-means cells of points (n, d): one for 30 rows, from 2 to 64."""
    from sklearn.cluster import KMeans

    k = min(max(2, min(MOST_CELLS, len(points) // ROWS_A_CELL)), len(np.unique(points, axis=0)))
    return np.asarray(KMeans(k, n_init=1, random_state=seed).fit(points).cluster_centers_, dtype=np.float32)


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the number of the nearest of centres (k, d) for each of points (n, d)."""
    return np.asarray(((centres**2).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1))
