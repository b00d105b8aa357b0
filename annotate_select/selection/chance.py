"""Chance: what every strategy must beat."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool

__all__ = ["random", "uniforms"]


def random(pool: Pool, n: int) -> Chosen:
    """Draw by chance, every image with the same probability: the baseline, and for features of no worth the best.

    The score is a uniform number u of (0, 1) made from the row's seeded hash; with weights w, relative to their mean,
    it is u^(1/w): weighted sampling without replacement (Efraimidis and Spirakis 2006).
    """
    rows = pool.candidates
    scores = uniforms(pool.hashes[rows])
    if pool.weights is not None and pool.weights[rows].any():
        weights = pool.weights[rows] / pool.weights[rows].mean()
        scores = np.where(weights > 0, scores ** (1 / np.maximum(weights, 1e-12)), 0.0)
    order = np.lexsort((rows, pool.hashes[rows], -scores))
    picked, distinct = walk(pool, rows[order], n)
    drawn = "drawn at random" if pool.weights is None else "drawn at random, by weight"
    reasons = [drawn] * distinct + [drawn + REPEATED] * (n - distinct)
    return Chosen(picked, scores[np.searchsorted(rows, picked)], reasons)


def uniforms(hashes: np.ndarray) -> np.ndarray:
    """Turn uint64 hashes into float64 of (0, 1), the lowest hash into the highest number."""
    return 1.0 - ((hashes >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52
