"""Multinomial logistic regression by L-BFGS: weighted rows, warm starts, one convex problem.

scikit-learn's LogisticRegression solves the same problem (a test compares the two); this one keeps the matrix in place
along a path of regularisations and over the folds, where a held-out row simply has weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from annotate_select.learning.classifier import ABSENT, Classifier

__all__ = ["Linear", "fit_linear"]


@dataclass(frozen=True, eq=False)
class Linear(Classifier):
    """Weights (d, K) and bias (K,) of a linear classifier."""

    @classmethod
    def zeros(cls, d: int, n_classes: int) -> Linear:
        """Return the classifier that knows nothing."""
        return cls(np.zeros((d, n_classes)), np.zeros(n_classes))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes that fit the rows of the weights, and the bias."""
        return {"weights": (self.dim, self.bias.size), "bias": (self.bias.size,)}

    @property
    def dim(self) -> int:
        """Return the width d of the rows it takes."""
        return self.weights.shape[0] if self.weights.ndim else 0

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return features (n, d) @ weights + bias, (n, K)."""
        return np.asarray(features @ self.weights + self.bias)

    def slopes(self, row: np.ndarray) -> np.ndarray:
        """Return how each logit changes (d, K), the same at every row (d,)."""
        return self.weights

    def lifted(self, basis: np.ndarray) -> Linear:
        """Return the same classifier for rows (n, d), of one for rows @ basis (d, r)."""
        return Linear(basis @ self.weights, self.bias)


def fit_linear(
    features: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    strength: float,
    start: Linear,
    *,
    tolerance: float = 1e-6,
    iterations: int = 1000,
) -> Linear:
    """Minimise sum(weights * log-loss) + |W|^2 / (2 * strength), over features (l, d), labels (l,) and weights (l,).

    The bias is not penalised. `tolerance`: largest slope left, per unit of weight. The iterations are far more than
    the problem needs; should they run out, the best point so far is returned, which is at least as good as `start`.
    """
    n, (d, k) = len(labels), start.weights.shape
    total = weights.sum()
    each = weights.astype(features.dtype)  # the large products run in the type of the features
    targets = np.zeros((n, k), dtype=features.dtype)
    targets[np.arange(n), labels] = 1.0
    offset = np.where(np.bincount(labels, weights, minlength=k) > 0, 0.0, ABSENT)  # (K,)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat[: d * k].reshape(d, k)
        logits = features @ w.astype(features.dtype) + (flat[d * k :] + offset).astype(features.dtype)  # (l, K)
        logits -= logits.max(axis=1, keepdims=True)
        error = np.exp(logits)
        sums = error.sum(axis=1)
        loss = weights @ (np.log(sums) - logits[np.arange(n), labels]) + (w * w).sum() / (2 * strength)
        error = (error / sums[:, None] - targets) * each[:, None]
        slope = np.concatenate([(features.T @ error + w / strength).ravel(), error.sum(axis=0)])
        return float(loss / total), slope / total

    found = minimize(
        cost,
        np.concatenate([start.weights.ravel(), start.bias]),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": iterations,
            "maxfun": 2 * iterations,
            "gtol": tolerance,
            "ftol": tolerance * 1e-2,
            "maxcor": 10,
        },
    )
    return Linear(found.x[: d * k].reshape(d, k), found.x[d * k :] + offset)
