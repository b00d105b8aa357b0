"""The most typical image of each group of look-alikes, for the very first labels."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids
from annotate_select.selection.geometry import Workers
from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.words import counted

__all__ = ["typicality", "typiclust"]

MOST_CLUSTERS = 500
SMALL = 5  # clusters of so many rows or fewer are odd ones out
NEIGHBOURS = 20
SAMPLE = 2000  # rows of a cluster among which neighbours are looked for
STEP = 512  # rows of a product
SAME = 1e-6  # squared distances below are rounding of float32
CLOSEST = 1e-5  # added to the mean distance: copies have none


def typiclust(pool: Pool, n: int) -> Chosen:
    """Take the most typical image of each group of look-alikes: for the very first labels.

    TypiClust (Hacohen et al., ICML 2022): k-means into as many clusters as there are covered rows and picks, at most
    500; those of 5 images or fewer wait until nothing else is left. One pick from each in turn, from those with the
    fewest covered rows first, of these from the largest: the row of the smallest mean distance to its 20 nearest of
    the cluster (of half of it, where that is less). Of clusters above 2,000 the rows of the lowest hashes stand for
    all. Neighbours are looked up once and not again after each pick; where the guard forbids a row, its cluster's turn
    passes. Weights multiply the typicality and the size. Score: 1 / that mean distance, by weight. Not
    prefix-consistent.
    """
    rows, covered = pool.candidates, pool.covered
    k = min(len(covered) + n, MOST_CLUSTERS)
    both = np.concatenate([rows, covered])
    centres = centroids(pool.features, both, k, hashes=pool.hashes, seed=pool.seed, weights=pool.weights)
    k = len(centres)
    cluster, _ = assign(pool.features, rows, centres)
    beside = np.bincount(assign(pool.features, covered, centres)[0], minlength=k)  # (k,) covered rows
    sizes = np.bincount(cluster, minlength=k)
    weights = np.ones(len(rows)) if pool.weights is None else pool.weights[rows]
    mass = np.bincount(cluster, weights=weights, minlength=k)
    scores = _typicality_in(pool, cluster, sizes) * weights
    turn = np.empty(k, dtype=np.int64)
    turn[np.lexsort((-mass, beside))] = np.arange(k)
    place = _places(pool, cluster, scores, sizes)
    order = np.lexsort((turn[cluster], place, sizes[cluster] <= SMALL, weights == 0))
    picked, distinct = walk(pool, rows[order], n)
    at = np.searchsorted(rows, picked)
    reasons = [
        _reason(number, size, known, by_weight=pool.weights is not None)
        for number, size, known in zip(
            place[at].tolist(), sizes[cluster[at]].tolist(), beside[cluster[at]].tolist(), strict=True
        )
    ]
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(picked, scores[at], reasons)


def typicality(points: np.ndarray, rows: np.ndarray, sample: np.ndarray, workers: Workers) -> np.ndarray:
    """Return (m,) 1 / the mean distance of rows (m,) to their nearest of `sample`, some of them, both ascending.

    No row is its own neighbour; one that is alone has typicality 0.
    """
    number = min(NEIGHBOURS, max(1, len(rows) // 2), len(sample) - 1)
    out = np.zeros(len(rows))
    if number < 1:
        return out
    others = points.take(sample, axis=0)
    lengths = np.einsum("ij,ij->i", others, others)

    def look(here: slice) -> None:
        block = others if len(rows) <= STEP and sample is rows else points.take(rows[here], axis=0)
        squared = block @ others.T  # (b, s); with itself, BLAS makes half of it
        squared *= -2
        squared += lengths
        squared += np.einsum("ij,ij->i", block, block)[:, None]
        own = np.minimum(np.searchsorted(sample, rows[here]), len(sample) - 1)
        inside = np.flatnonzero(sample[own] == rows[here])
        squared[inside, own[inside]] = np.inf
        nearest = np.partition(squared, number - 1, axis=1)[:, :number]
        nearest[nearest < SAME] = 0.0
        out[here] = 1 / (np.sqrt(nearest).mean(axis=1, dtype=np.float64) + CLOSEST)

    workers.map(look, len(rows), STEP)
    return out


def _typicality_in(pool: Pool, cluster: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (m,) the typicality of each candidate in its cluster."""
    by_cluster = np.argsort(cluster, kind="stable")
    ends = np.cumsum(sizes)
    out = np.empty(len(cluster))
    with Workers() as workers:
        for number in np.flatnonzero(sizes).tolist():
            members = by_cluster[ends[number] - sizes[number] : ends[number]]
            rows = sample = pool.candidates[members]
            if len(rows) > SAMPLE:
                sample = np.sort(rows[np.argpartition(pool.hashes[rows], SAMPLE)[:SAMPLE]])
            out[members] = typicality(pool.features, rows, sample, workers)
            pool.progress("typiclust", number + 1, len(sizes), "")
    return out


def _places(pool: Pool, cluster: np.ndarray, scores: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return (m,) how many of its cluster come before each candidate: of equals the lowest hash goes first."""
    order = np.lexsort((pool.hashes[pool.candidates], -scores, cluster))
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(cluster), dtype=np.int64)
    place[order] = np.arange(len(cluster)) - starts[cluster[order]]
    return place


def _reason(place: int, size: int, beside: int, *, by_weight: bool) -> str:
    if size == 1:
        return "alone in its group" + (f", but for {counted(beside, 'row')} labelled or picked already" * (beside > 0))
    which = "the most typical" if place == 0 else f"number {place + 1:,} in typicality"
    known = f"{counted(beside, 'row')} beside them" if beside else "none"
    return f"{which}{', by weight,' if by_weight else ''} of {size:,} look-alikes, {known} labelled or picked already"
