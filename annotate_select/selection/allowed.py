"""Which rows a greedy strategy may pick next, so that it guards its batch as it goes; see `guard`."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.geometry import near
from annotate_select.selection.guard import Caps
from annotate_select.selection.pool import Pool

__all__ = ["Allowed"]


class Allowed:
    """Keeps, of some rows (m,), which may be next; `alike` (m,) are near-duplicates of what is covered or picked.

    The strategy marks near-duplicates of its picks in `alike` itself, as it has the products at hand.
    """

    def __init__(self, pool: Pool, rows: np.ndarray) -> None:
        self._caps = Caps(pool)
        self._rows, self._picks = rows, 0
        self._worthless = np.zeros(len(rows), dtype=bool) if pool.weights is None else pool.weights[rows] == 0
        self.open = np.ones(len(rows), dtype=bool)
        self.alike = near(pool.features, rows, pool.covered, pool.near_duplicate)

    def now(self, *, repeats: bool = True) -> np.ndarray:
        """Return (m,): caps give way before weights of zero, these before near-duplicates, if repeats are allowed."""
        distinct = self.open & ~self.alike
        full = self._caps.full(self._picks + 1)[self._caps.groups[self._rows]]
        for allowed in (distinct & ~self._worthless & ~full, distinct & ~self._worthless, distinct):
            if allowed.any():
                return np.asarray(allowed)
        return np.asarray(self.open & repeats)

    def at_cap(self, at: int) -> bool:
        """Tell whether the group of a position may have no more for now."""
        return bool(self._caps.full(self._picks + 1)[self._caps.groups[self._rows[at]]])

    def take(self, at: int) -> None:
        """Count the pick of a position."""
        self.open[at] = False
        self._caps.add(int(self._rows[at]))
        self._picks += 1
