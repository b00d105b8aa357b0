"""What a head wraps: numbers of a fitted classifier that turn directions into logits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

__all__ = ["ABSENT", "Classifier"]

ABSENT = -1e4  # added to the logits of a class that no row of weight carries: its probability is then exactly 0


@dataclass(frozen=True, eq=False)
class Classifier(ABC):
    """Weights (h, K) and bias (K,) of the last layer; kinds with layers before it add theirs."""

    weights: np.ndarray
    bias: np.ndarray

    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape that each array must have for all of them to fit together, by the sizes of two of them."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Return the width d of the rows it takes."""

    @abstractmethod
    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logits (n, K) of rows (n, d)."""

    @abstractmethod
    def slopes(self, row: np.ndarray) -> np.ndarray:
        """Return how each logit changes (d, K) where a row (d,) moves."""

    @abstractmethod
    def lifted(self, basis: np.ndarray) -> Self:
        """Return the same classifier for rows (n, d), of one for rows @ basis (d, r)."""

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of its arrays."""
        return [one.name for one in fields(cls)]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all its numbers by name."""
        return {name: getattr(self, name) for name in self.names()}

    def only(self, seen: np.ndarray) -> Self:
        """Return it for some of its classes (K,) bool."""
        return replace(self, weights=self.weights[:, seen], bias=self.bias[seen])

    def spread(self, seen: np.ndarray) -> Self:
        """Return it with a place for every class: `seen` (C,) bool are those it knows, the others have zeros."""
        weights, bias = np.zeros((len(self.weights), len(seen))), np.zeros(len(seen))
        weights[:, seen], bias[seen] = self.weights, self.bias
        return replace(self, weights=weights, bias=bias)
