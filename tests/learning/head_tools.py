"""Classes of known probabilities, and a small head of each kind that learned them."""

from __future__ import annotations

from functools import cache

import numpy as np

from annotate_select.learning.calibration import softmax
from annotate_select.learning.head import Head, fit_head

ROWS = {"linear": 400, "spreading": 400, "mlp": 60}  # enough for each, and quick


class Mixture:
    """Gaussian classes of unit variance with known means, so that the true probabilities are known."""

    def __init__(self, d: int, n_classes: int, apart: float) -> None:
        self.means = np.random.default_rng(7).normal(size=(n_classes, d)) * apart / np.sqrt(d)

    def draw(self, n: int, seed: int, shares: list[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        labels = rng.choice(len(self.means), n, p=shares)
        return self.means[labels] + rng.normal(size=(n, self.means.shape[1])), labels

    def truth(self, features: np.ndarray) -> np.ndarray:
        """Return the probabilities (n, C) under equal classes."""
        return softmax(features @ self.means.T - (self.means**2).sum(axis=1) / 2)


@cache
def small_head(kind: str) -> tuple[Mixture, Head]:
    """Return a mixture of 4 classes in 8 dimensions, and a head that learned from draw 1 of it."""
    mixture = Mixture(d=8, n_classes=4, apart=2.5)
    return mixture, fit_head(*mixture.draw(ROWS[kind], seed=1), 4, kind=kind)
