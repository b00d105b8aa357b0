"""Coverage: images that stand for many others, or that nothing labelled looks like."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import cluster
from annotate_select.selection.farthest import farthest_first, nearest_squared
from annotate_select.selection.pool import FEW_DIMENSIONS, Chosen, Pool

__all__ = ["kcenter", "kmeans"]

MOST_CLUSTERS = 4_096  # beyond, clusters are no longer what makes picks differ, only what they cost


def kmeans(pool: Pool, n: int) -> Chosen:
    """Pick the medoids of k-means clusters that hold nothing labelled, the largest cluster first.

    As many clusters as there are covered rows and picks together, so that every pick can have one of its own; the
    member nearest to the centroid stands for it. Rounds of second members follow when clusters run out.
    """
    everything = np.concatenate([pool.candidates, pool.covered])
    k = min(len(pool.covered) + n, max(n, MOST_CLUSTERS))
    found = cluster(pool.points[everything], k, pool.seed)
    of_candidate = found.assignment[: len(pool.candidates)]
    held = np.bincount(found.assignment[len(pool.candidates) :], minlength=len(found.sizes))
    mass = np.bincount(of_candidate, weights=pool.weight(pool.candidates), minlength=len(found.sizes))
    # the place of each candidate within its cluster: nearest to the centroid first, ties by hash
    order = np.lexsort((pool.hashes[pool.candidates], found.distances[: len(pool.candidates)], of_candidate))
    place = np.empty(len(order), dtype=np.int64)
    starts = np.cumsum(np.bincount(of_candidate, minlength=len(found.sizes))) - np.bincount(
        of_candidate, minlength=len(found.sizes)
    )
    place[order] = np.arange(len(order)) - starts[of_candidate[order]]
    turn = place + held[of_candidate]  # a cluster that holds labelled rows waits that many rounds
    best = np.lexsort((pool.hashes[pool.candidates], -mass[of_candidate], turn))[:n]
    rows = pool.candidates[best]
    near = nearest_squared(pool.points, rows, pool.covered)
    reasons = [
        _stands_for(int(found.sizes[of_candidate[at]]), int(place[at]), _likeness(pool, float(squared)))
        for at, squared in zip(best.tolist(), near, strict=True)
    ]
    return Chosen(rows, mass[of_candidate[best]], reasons, "kmeans: images that stand for the most others come first")


def kcenter(pool: Pool, n: int) -> Chosen:
    """Pick greedily the image farthest from everything labelled or picked (Sener & Savarese 2018)."""
    by_hash = pool.candidates[np.argsort(pool.hashes[pool.candidates], kind="stable")]
    rows, squared = farthest_first(pool.points, by_hash, pool.covered, n)
    scores = np.sqrt(squared)
    scores[~np.isfinite(scores)] = 2.0  # the first of all: no two directions are farther apart than 2
    reasons = [
        "nearest to the middle of all images" if np.isinf(d) else f"unlike the rest: {_likeness(pool, d, 'chosen')}"
        for d in squared.tolist()
    ]
    return Chosen(rows, scores, reasons, "kcenter: each image is the one farthest from all labelled and chosen ones")


def _stands_for(size: int, place: int, likeness: str) -> str:
    others = f"stands for {size:,} images" if size > 1 else "unlike any other image"
    again = f", number {place + 1} of its cluster" if place else ""
    return f"{others}{again}; {likeness}"


def _likeness(pool: Pool, squared: float, what: str = "labelled") -> str:
    """Say how near the nearest labelled row is, in the terms of the space."""
    if np.isinf(squared):
        return f"nothing is {what} yet"
    if pool.points.shape[1] < FEW_DIMENSIONS:
        return f"the nearest {what} one is {np.sqrt(squared):.3g} away"
    return f"the nearest {what} one has cosine {1 - squared / 2:.2f}"
