"""A network of one hidden layer of rectified units, by L-BFGS: weighted rows, a seeded start, everything in numpy.

scikit-learn's MLPClassifier minimises the same cost (a test compares the two), but weighs rows only since its 1.7,
gives two classes a single logit, and stops or warns by its own count; here a held-out row simply has weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from annotate_select.learning.classifier import ABSENT, Classifier

__all__ = ["HIDDEN", "Perceptron", "fit_perceptron"]

HIDDEN = 128  # units; a quarter of them is as good with few labels and worse with many, four times as many as good
INNER = 0.5  # standard deviation of the first weights: a small start learns features of its own


@dataclass(frozen=True, eq=False)
class Perceptron(Classifier):
    """Weights (d, h) and bias (h,) into the hidden layer, and weights (h, K) and bias (K,) out of it."""

    hidden_weights: np.ndarray
    hidden_bias: np.ndarray

    @classmethod
    def drawn(cls, d: int, n_classes: int, rng: np.random.Generator, *, hidden: int = HIDDEN) -> Perceptron:
        """Return one that knows nothing, with random weights for rows of length 1."""
        into = rng.normal(size=(d, hidden)) * INNER
        out = rng.normal(size=(hidden, n_classes)) / np.sqrt(hidden)
        return cls(out, np.zeros(n_classes), into, np.zeros(hidden))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes that fit the rows of the first weights, and both biases."""
        hidden, n_classes = self.hidden_bias.size, self.bias.size
        return {
            "weights": (hidden, n_classes),
            "bias": (n_classes,),
            "hidden_weights": (self.dim, hidden),
            "hidden_bias": (hidden,),
        }

    @property
    def dim(self) -> int:
        """Return the width d of the rows it takes."""
        return self.hidden_weights.shape[0] if self.hidden_weights.ndim else 0

    def hidden(self, features: np.ndarray) -> np.ndarray:
        """Return what the hidden units say (n, h), 0 or more, of rows (n, d)."""
        return np.asarray(np.maximum(features @ self.hidden_weights + self.hidden_bias, 0.0))

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logits (n, K) of rows (n, d)."""
        return np.asarray(self.hidden(features) @ self.weights + self.bias)

    def slopes(self, row: np.ndarray) -> np.ndarray:
        """Return how each logit changes (d, K) where a row (d,) moves, through the units that are on."""
        on = self.hidden(row[None])[0] > 0
        return np.asarray(self.hidden_weights[:, on] @ self.weights[on])

    def lifted(self, basis: np.ndarray) -> Perceptron:
        """Return the same network for rows (n, d), of one for rows @ basis (d, r)."""
        return replace(self, hidden_weights=basis @ self.hidden_weights)


def fit_perceptron(
    features: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    strength: float,
    start: Perceptron,
    *,
    tolerance: float = 1e-5,
    iterations: int = 300,
) -> Perceptron:
    """Minimise sum(weights * log-loss) + |all weights|^2 / (2 * strength), from `start`.

    Features (l, d), labels (l,) and weights (l,) as for `fit_linear`; neither bias is penalised. The problem is not
    convex: the point that is found depends on `start`, and is at least as good.
    """
    kept = weights > 0
    x, y, weights = features[kept], labels[kept], weights[kept]
    total, each = weights.sum(), weights.astype(x.dtype)  # the large products run in the type of the features
    k, at = start.bias.size, np.arange(len(y))
    offset = np.where(np.bincount(y, weights, minlength=k) > 0, 0.0, ABSENT)  # (K,)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        now = _unpacked(flat.astype(x.dtype), start)
        units = now.hidden(x)  # (l, h)
        logits = units @ now.weights + (now.bias + offset.astype(x.dtype))  # (l, K)
        logits -= logits.max(axis=1, keepdims=True)
        error = np.exp(logits)
        sums = error.sum(axis=1)
        loss = float(weights @ (np.log(sums) - logits[at, y]))
        error /= sums[:, None]
        error[at, y] -= 1.0
        error *= each[:, None]
        back = (error @ now.weights.T) * (units > 0)  # (l, h)
        slope = Perceptron(units.T @ error, error.sum(axis=0), x.T @ back, back.sum(axis=0))
        for one, by in ((now.weights, slope.weights), (now.hidden_weights, slope.hidden_weights)):
            loss += float((one * one).sum()) / (2 * strength)
            by += one / strength
        return loss / total, _packed(slope) / total

    found = minimize(
        cost,
        _packed(start),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxfun": 2 * iterations, "gtol": tolerance, "ftol": tolerance * 1e-2},
    )
    best = _unpacked(found.x, start)
    return replace(best, bias=best.bias + offset)


def _packed(one: Perceptron) -> np.ndarray:
    return np.concatenate([array.ravel() for array in one.arrays().values()]).astype(np.float64)


def _unpacked(flat: np.ndarray, like: Perceptron) -> Perceptron:
    arrays = like.arrays()
    parts = np.split(flat, np.cumsum([array.size for array in arrays.values()])[:-1])
    shaped = zip(arrays.items(), parts, strict=True)
    return Perceptron(**{name: part.reshape(array.shape) for (name, array), part in shaped})
