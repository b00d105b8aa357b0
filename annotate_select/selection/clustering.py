"""k-means on directions by FAISS (spherical: centroids have length 1), and who belongs to which centroid."""

from __future__ import annotations

import faiss
import numpy as np

from annotate_select.selection.geometry import CACHED, Workers

__all__ = ["assign", "centroids", "middles"]

# The first steps move centroids far, wherever few rows say to; the last ones need all. 20 on all are no better.
STEPS_ON_SOME, STEPS_ON_ALL = 8, 4
# Rows to train on for each centroid: more change a centroid by less than the choice of the first ones does.
MOST_POINTS, LEAST_POINTS = 256, 64
ENOUGH_POINTS = 2**16  # in all, once there are LEAST_POINTS for each
FLAT = 2048  # more clusters than these are found in two levels, or the cost grows with their square
START_POINTS = 32  # rows a centroid that the first centroids are drawn from, and that the first steps are taken on
SAME = 1e-6  # squared distances below are rounding of float32
LEAST_WEIGHT = 1e-6  # of the mean: a cluster of no weight at all would have no centroid


def centroids(
    points: np.ndarray, rows: np.ndarray, k: int, *, hashes: np.ndarray, seed: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return up to k centroids (k, d) float32 of points[rows], read-only points (n, d) float32.

    Trained on at most 256 rows a centroid, 64 when there are many, those of the lowest hashes (n,). `weights` (n,), at
    least 0. There are at most as many centroids as rows; fewer different points than k leave some centroids without a
    member. For more than 2,048 the rows are cut into parts of about 1,024 centroids first.
    """
    k = min(k, len(rows))
    if k > FLAT:
        return _two_levels(points, rows, k, hashes, seed, weights)
    rows = _sample(rows, hashes, max(k * LEAST_POINTS, min(k * MOST_POINTS, ENOUGH_POINTS)))
    training, mass = points.take(rows, axis=0), _mass(weights, rows)
    seed &= 0x7FFFFFFF
    some = np.sort(np.random.default_rng(seed).permutation(len(rows))[: k * START_POINTS])
    few, their_mass = training.take(some, axis=0), None if mass is None else mass[some]
    first = _apart(few, k, their_mass, seed)
    with Workers():  # FAISS has threads of its own, and each would wait for those of BLAS
        found = _moved(few, their_mass, first, STEPS_ON_SOME, seed)
        return _moved(training, mass, found, STEPS_ON_ALL, seed)


def assign(points: np.ndarray, rows: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each of `rows` the number of the centroid of the largest cosine, and that cosine."""
    number = np.empty(len(rows), dtype=np.int64)
    cosine = np.empty(len(rows), dtype=np.float32)

    def look(here: slice) -> None:
        cosines = points.take(rows[here], axis=0) @ centres.T  # (b, k)
        number[here] = cosines.argmax(axis=1)
        cosine[here] = np.take_along_axis(cosines, number[here, None], axis=1)[:, 0]

    with Workers() as workers:
        workers.map(look, len(rows), max(1, CACHED // max(centres.shape)))
    return number, cosine


def middles(cluster: np.ndarray, cosine: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the position of each non-empty cluster's member of the largest cosine; of equals the lowest hash."""
    order = np.lexsort((hashes, -cosine, cluster))
    first = np.ones(len(order), dtype=bool)
    first[1:] = cluster[order][1:] != cluster[order][:-1]
    return order[first]


def _moved(points: np.ndarray, mass: np.ndarray | None, centres: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Return the centroids (k, d) after some steps of spherical k-means on all points (m, d) float32."""
    kmeans = faiss.Kmeans(
        points.shape[1],
        len(centres),
        niter=steps,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=MOST_POINTS,
    )
    kmeans.train(points, weights=mass, init_centroids=centres)
    return np.nan_to_num(np.asarray(kmeans.centroids, dtype=np.float32))


def _apart(points: np.ndarray, k: int, mass: np.ndarray | None, seed: int) -> np.ndarray:
    """Return k of the points to start from, drawn by their squared distance to those before (k-means++, 2007)."""
    rng = np.random.default_rng([seed, 1])
    weight = np.ones(len(points)) if mass is None else mass
    gaps = np.full(len(points), 2.0)
    chosen = np.empty(k, dtype=np.int64)
    for place in range(k):
        reach = np.cumsum(gaps * weight)
        # Fewer different points than k leave no distance to draw by.
        drawn = rng.random() * reach[-1] if reach[-1] > 0 else -1.0
        chosen[place] = np.searchsorted(reach, drawn, side="right") if drawn >= 0 else rng.integers(len(points))
        gaps = np.minimum(gaps, np.maximum(2.0 - 2.0 * (points @ points[chosen[place]]) - SAME, 0.0))
    return points[chosen]


def _two_levels(
    points: np.ndarray, rows: np.ndarray, k: int, hashes: np.ndarray, seed: int, weights: np.ndarray | None
) -> np.ndarray:
    parts = -(-k // (FLAT // 2))
    number, _ = assign(points, rows, centroids(points, rows, parts, hashes=hashes, seed=seed, weights=weights))
    sizes = np.bincount(number, minlength=parts)
    # What rounding leaves over goes to the largest parts; no part gets more centroids than it has rows.
    shares = np.minimum(np.maximum(sizes * k // len(rows), sizes > 0), sizes)
    for part in np.argsort(-sizes, kind="stable"):
        shares[part] += min(max(0, k - int(shares.sum())), int(sizes[part] - shares[part]))
    found = [
        _flat_or_rows(points, rows[number == part], int(shares[part]), hashes, seed, weights)
        for part in np.flatnonzero(shares)
    ]
    return np.concatenate(found)[:k]


def _flat_or_rows(
    points: np.ndarray, rows: np.ndarray, k: int, hashes: np.ndarray, seed: int, weights: np.ndarray | None
) -> np.ndarray:
    """Cluster one part; a part that is still too large, as of equal rows, is sampled instead of cut again."""
    if k > FLAT:
        return np.asarray(points[_sample(rows, hashes, k)])
    return centroids(points, rows, k, hashes=hashes, seed=seed, weights=weights)


def _sample(rows: np.ndarray, hashes: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return np.sort(rows[np.argpartition(hashes[rows], most)[:most]])


def _mass(weights: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    if weights is None or not weights[rows].any():
        return None
    mass = weights[rows] / weights[rows].mean()
    return np.asarray(np.maximum(mass, LEAST_WEIGHT), dtype=np.float32)
