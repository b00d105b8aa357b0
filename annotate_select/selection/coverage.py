"""Coverage: a few images that stand for all, whatever a model thinks of them."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids, middles
from annotate_select.selection.geometry import largest_cosines
from annotate_select.selection.guard import spread
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import share
from annotate_select.words import counted

__all__ = ["kmeans"]

MOST_COVERED_CLUSTERS = 1000  # clusters made for what is covered already; each costs as much as one for a pick


def kmeans(pool: Pool, n: int) -> Chosen:
    """Take the middle image of each group of look-alikes, the largest group first, those without a label before others.

    Covered rows - labelled, or in the batch already - join the clustering, and there is one cluster more for each of
    them (up to 1,000): each lies in one cluster, so at least n are left that no covered row stands for, and what is
    known is not asked again. n clusters alone would let a label near the edge of a large cluster hide all of it.
    Score: the candidates of the cluster, by weight, over 1 + its covered rows. Not prefix-consistent.
    """
    return spread(pool, n, _medoids)


def _medoids(pool: Pool, n: int) -> Chosen:
    """Cluster candidates and covered rows, and return the clusters' middle rows, the best first, at least n.

    More than n where labels share clusters: they spare another clustering when the guard drops some.
    """
    rows, covered = pool.candidates, pool.covered
    k = n + min(len(covered), MOST_COVERED_CLUSTERS)
    both = np.concatenate([rows, covered])
    centres = centroids(pool.features, both, k, hashes=pool.hashes, seed=pool.seed, weights=pool.weights)
    cluster, cosine = assign(pool.features, rows, centres)
    beside = np.bincount(assign(pool.features, covered, centres)[0], minlength=k)  # (k,) covered rows
    sizes = np.bincount(cluster, minlength=k)
    mass = sizes if pool.weights is None else np.bincount(cluster, weights=pool.weights[rows], minlength=k)
    middle = middles(cluster, cosine, pool.hashes[rows])
    number = cluster[middle]
    scores = mass[number] / (1.0 + beside[number])
    order = np.lexsort((pool.hashes[rows[middle]], -scores, beside[number] > 0))
    middle, number, scores = middle[order], number[order], scores[order]
    reasons = _medoid_reasons(pool, rows[middle], sizes[number], beside[number])
    return _filled(pool, n, Chosen(rows[middle], scores, reasons))


def _medoid_reasons(pool: Pool, rows: np.ndarray, sizes: np.ndarray, beside: np.ndarray) -> list[str]:
    nearest = largest_cosines(pool.features, rows, pool.labeled)
    reasons = []
    for size, covered, cosine in zip(sizes.tolist(), beside.tolist(), nearest.tolist(), strict=True):
        among = f", among which {counted(covered, 'row')} labelled or picked already" if covered else ""
        known = (
            f"nothing labelled is closer than cosine {share(cosine)}"
            if len(pool.labeled)
            else "nothing is labelled yet"
        )
        reasons.append(f"stands for {counted(size)}{among}; {known}")
    return reasons


def _filled(pool: Pool, n: int, chosen: Chosen) -> Chosen:
    """Fill up to n with the candidates of the lowest hashes, where there were fewer different images than clusters."""
    missing = n - len(chosen.rows)
    if missing <= 0:
        return chosen
    rest = np.setdiff1d(pool.candidates, chosen.rows)
    rest = rest[np.argsort(pool.hashes[rest], kind="stable")][:missing]
    return chosen._replace(
        rows=np.concatenate([chosen.rows, rest]),
        scores=np.concatenate([chosen.scores, np.zeros(missing)]),
        reasons=chosen.reasons + ["drawn at random, as every group of look-alikes has its image"] * missing,
    )
