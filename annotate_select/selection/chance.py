"""Chance: the baseline, and the audit."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.pool import Chosen, Pool

__all__ = ["random"]


def random(pool: Pool, n: int) -> Chosen:
    """Pick at random: the rows with the lowest seeded hashes."""
    rows = pool.candidates[np.argsort(pool.hashes[pool.candidates], kind="stable")[:n]]
    return Chosen(rows, np.zeros(len(rows)), ["picked at random"] * len(rows), "random: no image is preferred")
