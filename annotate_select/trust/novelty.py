"""How new an image looks against the pool: distance to its nearest neighbour, ranked among the pool's own distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.trust.strangers import Space, known_looks, neighbours

__all__ = ["Reference"]

MOST_ROWS = 2_000  # a sample is enough: the rank of a distance has a standard error below .012
_BLOCK = 4_096


@dataclass(frozen=True, eq=False)
class Reference:
    """A sample of m images of the pool: where they lie by each measure, and how far each is from its nearest other.

    The measures are those of strangers.py, and an image is as new as the one says by which it is newer.
    """

    space: Space
    rows: tuple[np.ndarray, ...]  # (m, k) by each measure
    distances: tuple[np.ndarray, ...]  # (m,) by each measure, ascending
    newest: np.ndarray  # (m,) the larger of each row's ranks, ascending

    @classmethod
    def of(
        cls, features: np.ndarray, looks: Callable[[np.ndarray], np.ndarray] | None = None, *, seed: int = 0
    ) -> Reference:
        """Make a reference of pool features (n, d); n = 1 works, everything else is then completely new.

        `looks` gives, of some rows (m,), how the images look besides (m, l), NaN where that is not known.
        """
        n = len(features)
        chosen = np.sort(np.random.default_rng(seed).choice(n, size=min(n, MOST_ROWS), replace=False))
        sample, seen = features[chosen], None if looks is None else known_looks(looks(chosen))
        space = Space.of(sample, seen)
        rows = space.places(sample, seen)
        own = np.arange(len(chosen))
        near = [neighbours(one, one, 1, (own, own)).distances[:, 0] if n > 1 else np.zeros(1) for one in rows]
        distances = tuple(np.sort(one) for one in near)
        return cls(space, rows, distances, np.sort(_ranks(near, distances)))

    def novelty(self, features: np.ndarray, looks: np.ndarray | None = None) -> np.ndarray:
        """Return how new each of (b, d) features is: the share (0..1) of the sample that is less so."""
        found = np.empty(len(features))
        for start in range(0, len(features), _BLOCK):
            part = slice(start, start + _BLOCK)
            places = self.space.places(features[part], None if looks is None else looks[part])
            near = [neighbours(*both, 1, None).distances[:, 0] for both in zip(places, self.rows, strict=True)]
            found[part] = np.searchsorted(self.newest, _ranks(near, self.distances), side="left")
        return found / len(self.newest)


def _ranks(near: Sequence[np.ndarray], distances: Sequence[np.ndarray]) -> np.ndarray:
    """Return, of distances (b,) by each measure, the largest share of the sample's that are below it."""
    below = [np.searchsorted(known, one, side="left") for one, known in zip(near, distances, strict=True)]
    return np.asarray(np.max(below, axis=0) / len(distances[0]))
