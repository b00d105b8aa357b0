"""How new an image looks against the pool: distance to its nearest neighbour, ranked among the pool's own distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Reference"]

MOST_ROWS = 2_000  # a sample is enough: the rank of a distance has a standard error below .012
_BLOCK = 4_096


@dataclass(frozen=True, eq=False)
class Reference:
    """A sample of the pool (m, d), standardised, and each row's distance to its nearest other, ascending (m,)."""

    mean: np.ndarray
    scale: np.ndarray
    rows: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, *, seed: int = 0) -> Reference:
        """Make a reference of pool features (n, d); n = 1 works, everything else is then completely new."""
        n = len(features)
        chosen = np.sort(np.random.default_rng(seed).choice(n, size=min(n, MOST_ROWS), replace=False))
        sample = np.asarray(features[chosen], dtype=np.float64)
        mean, scale = sample.mean(axis=0), sample.std(axis=0)
        scale[scale < 1e-12] = 1.0
        rows = (sample - mean) / scale
        squared = _squared(rows, rows)
        np.fill_diagonal(squared, np.inf)
        nearest = np.sqrt(squared.min(axis=1)) if n > 1 else np.zeros(1)
        return cls(mean, scale, rows, np.sort(nearest))

    def novelty(self, features: np.ndarray) -> np.ndarray:
        """Return, of each of (b, d) features, the share (0..1) of the sample nearer to its own nearest neighbour."""
        found = np.empty(len(features))
        for start in range(0, len(features), _BLOCK):
            block = (np.asarray(features[start : start + _BLOCK], dtype=np.float64) - self.mean) / self.scale
            distance = np.sqrt(_squared(block, self.rows).min(axis=1))
            found[start : start + _BLOCK] = np.searchsorted(self.distances, distance, side="left")
        return found / len(self.distances)


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distances (a, b), never below zero."""
    product: np.ndarray = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    positive: np.ndarray = np.maximum(product, 0.0)
    return positive
