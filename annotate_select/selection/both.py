"""Uncertainty and coverage together."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import cluster
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import margin_scores, opinions, torn

__all__ = ["margin_diverse"]

CANDIDATES_PER_PICK = 10  # how deep into the close calls a batch may reach to be diverse


def margin_diverse(pool: Pool, n: int) -> Chosen:
    """Pick the closest call of each of n clusters of the closest calls (after Citovsky et al. 2021)."""
    scores = margin_scores(opinions(pool)) * pool.weight(pool.candidates)
    hashes = pool.hashes[pool.candidates]
    top = np.lexsort((hashes, -scores))[: CANDIDATES_PER_PICK * n]
    found = cluster(pool.points[pool.candidates[top]], n, pool.seed)
    # the place of each within its cluster, closest call first; first places make the batch, then second ones
    order = np.lexsort((hashes[top], -scores[top], found.assignment))
    starts = np.cumsum(found.sizes) - found.sizes
    place = np.empty(len(top), dtype=np.int64)
    place[order] = np.arange(len(top)) - starts[found.assignment[order]]
    best = np.lexsort((hashes[top], -scores[top], place))[:n]
    rows = pool.candidates[top[best]]
    reasons = [
        f"{torn(pool, row)}; one of {int(size):,} such images"
        for row, size in zip(rows.tolist(), found.sizes[found.assignment[best]], strict=True)
    ]
    note = f"margin_diverse: the closest calls, spread over {n} clusters of them"
    return Chosen(rows, scores[top[best]], reasons, note)
