"""Uncertainty and coverage at once."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids, middles
from annotate_select.selection.guard import REPEATED, spread, walk
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import margin_reasons, margin_scores, model_probabilities, ranked, weighted
from annotate_select.words import counted

__all__ = ["cluster_margin", "margin_diverse"]

TIMES = 5  # candidates by margin for each pick; more is more diverse and less uncertain
CLUSTERED_TIMES = 10  # the same for cluster_margin
MOST_CLUSTERS = 1000
USUAL_SIZE = 50  # rows of a cluster


def margin_diverse(pool: Pool, n: int) -> Chosen:
    """Take images the model is torn over, one from each group of look-alikes among them.

    The 5 n candidates of the smallest margin are clustered into n, and the middle one of each is taken, the most
    uncertain first: margin without its many of a kind. The middle and not the most uncertain of a cluster, which is
    more often an outlier. Score: as margin's. Not prefix-consistent.
    """
    return spread(pool, n, _one_of_each)


def cluster_margin(pool: Pool, n: int) -> Chosen:
    """Take images the model is torn over from many groups of look-alikes in turn: a good model and very large batches.

    Cluster-Margin (Citovsky et al., NeurIPS 2021), with k-means in place of its hierarchical clustering: of the 10 n
    candidates of the smallest margin one is drawn from each cluster of the pool in turn, from those that hold fewest of
    them first, so that what is doubtful in large clusters does not fill the batch. A cluster has about 50 images, but
    there are at least n and at most 1,000. Where the guard forbids a row, its cluster's turn passes. Score: as
    margin's. Not prefix-consistent.
    """
    rows, _ = ranked(pool, margin_scores)  # best first
    worth = np.ones(len(rows), dtype=bool) if pool.weights is None else pool.weights[rows] > 0
    torn = np.flatnonzero(worth)[: CLUSTERED_TIMES * n]
    everyone = np.concatenate([pool.candidates, pool.covered])
    k = min(MOST_CLUSTERS, max(n, len(everyone) // USUAL_SIZE))
    centres = centroids(pool.features, everyone, k, hashes=pool.hashes, seed=pool.seed)
    cluster, _ = assign(pool.features, rows[torn], centres)
    pool.progress("cluster_margin", 1, 2, "")
    sizes = np.bincount(cluster, minlength=k)
    by_cluster = np.lexsort((pool.hashes[rows[torn]], cluster))
    turn = np.empty(len(torn), dtype=np.int64)  # in which turn of its cluster each row comes
    turn[by_cluster] = np.arange(len(torn)) - (np.cumsum(sizes) - sizes)[cluster[by_cluster]]
    held = np.zeros(len(pool.space), dtype=np.int64)  # how many of them the cluster of each holds; 0: not one
    held[rows[torn]] = sizes[cluster]
    order = np.concatenate(
        [torn[np.lexsort((cluster, sizes[cluster], turn))], np.setdiff1d(np.arange(len(rows)), torn)]
    )
    picked, distinct = walk(pool, rows[order], n)
    pool.progress("cluster_margin", 2, 2, "")
    reasons = [
        f"{doubt}; one of {size:,} look-alikes in doubt" if size > 1 else doubt
        for doubt, size in zip(margin_reasons(pool, picked), held[picked].tolist(), strict=True)
    ]
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(picked, weighted(pool, picked, margin_scores(model_probabilities(pool, picked))), reasons)


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
    texts = margin_reasons(pool, rows)
    return [
        f"{text}; stands for {counted(size)} in doubt" if size > 1 else text
        for text, size in zip(texts, sizes.tolist(), strict=True)
    ]
