"""Coverage: a few images that stand for all, whatever a model thinks of them."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids, middles
from annotate_select.selection.farthest import Traversal, shrink
from annotate_select.selection.geometry import BLOCK, largest_cosines
from annotate_select.selection.guard import REPEATED, Caps, spread
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import counted, share

__all__ = ["kcenter", "kmeans"]

MOST_COVERED_CLUSTERS = 1000  # clusters made for what is covered already; each costs as much as one for a pick


def kmeans(pool: Pool, n: int) -> Chosen:
    """Take the middle image of each group of look-alikes, the largest group first, those without a label before others.

    Covered rows - labelled, or in the batch already - join the clustering, and there is one cluster more for each of
    them (up to 1,000): each lies in one cluster, so at least n are left that no covered row stands for, and what is
    known is not asked again. n clusters alone would let a label near the edge of a large cluster hide all of it.
    Score: the candidates of the cluster, by weight, over 1 + its covered rows. Not prefix-consistent.
    """
    return spread(pool, n, _medoids)


def kcenter(pool: Pool, n: int) -> Chosen:
    """Take the image farthest from everything labelled or picked, again and again: finds the odd ones.

    Exact greedy farthest-first (Gonzalez 1985; "core-set", Sener and Savarese 2018) on the distance of directions,
    0 to 2, times the weight; of equals the lowest hash first. With nothing covered it starts at the row nearest to the
    mean direction - a typical image: starting anywhere has the same guarantee, and the mean needs no luck.
    Score: the distance to the nearest covered or earlier row, times the weight; 2 for a first row that has none.
    """
    weights = np.ones(len(pool.features)) if pool.weights is None else pool.weights
    largest = float(weights[pool.candidates].max(initial=0.0)) or 1.0
    traversal = Traversal(
        points=pool.features,
        gaps=np.full(len(pool.features), 4.0, dtype=np.float32),
        open_rows=np.isin(np.arange(len(pool.features)), pool.candidates),
        ties=pool.hashes,
        caps=Caps(pool),
        scale=None if pool.weights is None else ((weights / largest) ** 2).astype(np.float32),
        limit=2 - 2 * pool.near_duplicate,
    )
    if len(pool.covered):
        shrink(traversal.gaps, pool.features, pool.covered)
    else:
        traversal.start(_most_typical(pool))
    traversal.run(n)
    rows, distances = np.array(traversal.picked, dtype=np.int64), np.sqrt(traversal.squared)
    reasons = [_distance_reason(distance, traversal.limit) for distance in distances]
    if not len(pool.covered):
        reasons[0] = "the most typical image, as nothing is labelled yet"
    return Chosen(rows, distances * weights[rows], reasons)


def _distance_reason(distance: float, limit: float) -> str:
    text = f"nothing labelled or picked is nearer than {distance:.2f} (0 is the same, 2 the opposite)"
    return text + REPEATED if distance * distance < limit else text


def _most_typical(pool: Pool) -> int:
    """Return the candidate of the largest cosine to the mean direction; weights multiply 1 + the cosine."""
    rows = pool.candidates
    mean = np.zeros(pool.features.shape[1])
    step = max(1, BLOCK // len(mean))
    for start in range(0, len(rows), step):
        mean += pool.features[rows[start : start + step]].sum(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    direction = (mean / length if length > 0 else mean).astype(np.float32)
    _, cosines = assign(pool.features, rows, direction[None])
    scores = (1 + cosines) * (1.0 if pool.weights is None else pool.weights[rows])
    best = np.flatnonzero(scores == scores.max())
    return int(rows[best[np.argmin(pool.hashes[rows[best]])]])


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
