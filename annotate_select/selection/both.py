"""Uncertainty and coverage at once."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids, middles
from annotate_select.selection.guard import spread
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import counted
from annotate_select.selection.uncertainty import margin_reason, margin_scores, model_probabilities, ranked

__all__ = ["margin_diverse"]

TIMES = 5  # candidates by margin for each pick; more is more diverse and less uncertain


def margin_diverse(pool: Pool, n: int) -> Chosen:
    """Take images the model is torn over, one from each group of look-alikes among them.

    The 5 n candidates of the smallest margin are clustered into n, and the middle one of each is taken, the most
    uncertain first: margin without its many of a kind. The middle and not the most uncertain of a cluster, which is
    more often an outlier. Score: as margin's. Not prefix-consistent.
    """
    return spread(pool, n, _one_of_each)


def _one_of_each(pool: Pool, n: int) -> Chosen:
    rows, scores = ranked(pool, margin_scores)
    rows, scores = rows[: TIMES * n], scores[: TIMES * n]  # best first
    centres = centroids(pool.features, np.sort(rows), n, hashes=pool.hashes, seed=pool.seed)
    cluster, cosine = assign(pool.features, rows, centres)
    middle = middles(cluster, cosine, pool.hashes[rows])
    chosen = np.isin(np.arange(len(rows)), middle)
    # Fewer different images than n leave clusters empty: the most uncertain of the others fill up.
    chosen[np.flatnonzero(~chosen)[: n - len(middle)]] = True
    picked = np.flatnonzero(chosen)
    sizes = np.where(np.isin(picked, middle), np.bincount(cluster, minlength=len(centres))[cluster[picked]], 0)
    return Chosen(rows[picked], scores[picked], _reasons(pool, rows[picked], sizes))


def _reasons(pool: Pool, rows: np.ndarray, sizes: np.ndarray) -> list[str]:
    """Write the margin, and for how many uncertain look-alikes (0: not known) this one stands."""
    texts = [margin_reason(pool, row) for row in model_probabilities(pool, rows)]
    return [
        f"{text}; stands for {counted(size)} in doubt" if size > 1 else text
        for text, size in zip(texts, sizes.tolist(), strict=True)
    ]
