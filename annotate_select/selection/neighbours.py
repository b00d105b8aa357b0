"""The nearest neighbours by cosine: exactly where that is quick, else by an index whose recall is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import faiss
import numpy as np

from annotate_select.progress import Progress, silent
from annotate_select.selection.clustering import centroids
from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.pool import seeded_hashes

__all__ = ["Neighbours", "nearest"]

EXACT = 2**30  # cosines worth computing one by one: some seconds
LISTS = 4  # times the square root of the number of points
ASKED = 500  # queries answered exactly too, which show the recall
ENOUGH = 0.95
FIRST_PROBES = 4
SAME = 1e-6  # cosines no farther apart are equals

Search = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # queries (b, d) to cosines and rows (b, k)


class Neighbours(NamedTuple):
    """The nearest points of each query, the nearest first, and the share of them that was found, as measured."""

    rows: np.ndarray  # (q, k) int64
    cosines: np.ndarray  # (q, k) float32
    recall: float  # 1 when exact
    probes: int  # lists of the index looked through for each query; 0 when exact


def nearest(
    points: np.ndarray,
    k: int,
    *,
    queries: np.ndarray | None = None,
    hashes: np.ndarray | None = None,
    seed: int = 0,
    recall: float = ENOUGH,
    progress: Progress = silent,
) -> Neighbours:
    """Return the k points (n, d) of the largest dot product with each of `queries` (q, d), default the points.

    Of length 1 these are cosines, and a point is its own nearest, or equal to it. There are at most as many neighbours
    as points. Up to 2^30 products are computed one by one. Beyond, the points are sorted into 4 sqrt(n) lists round
    centroids trained on at most 256 points each, those of the lowest `hashes` (n,), and each query goes through the
    lists of the nearest centroids only: at first through 4, and through twice as many until the queries of the lowest
    hashes, 500, find at least `recall` of their neighbours, or through all. The index holds a copy of the points.
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    queries = points if queries is None else np.ascontiguousarray(queries, dtype=np.float32)
    k = min(k, len(points))
    if k < 1 or not len(queries):
        return Neighbours(np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32), 1.0, 0)
    if len(points) * len(queries) <= EXACT:
        return _in_blocks(lambda block: _exactly(points, block, k), queries, k, progress)
    hashes = seeded_hashes(np.arange(len(points)), seed) if hashes is None else hashes
    index = _index(points, hashes, seed)
    index.nprobe = min(FIRST_PROBES, index.nlist)
    asked = queries[np.argsort(seeded_hashes(np.arange(len(queries)), seed), kind="stable")[:ASKED]]
    truth = _exactly(points, asked, k)[0]
    found = _recall(index, asked, truth)
    while found < recall and index.nprobe < index.nlist:
        index.nprobe = min(2 * index.nprobe, index.nlist)
        found = _recall(index, asked, truth)

    def search(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cosines, rows = index.search(block, k)
        short = np.flatnonzero(rows[:, -1] < 0)  # its lists held fewer than k points
        if len(short):
            cosines[short], rows[short] = _exactly(points, block[short], k)
        return cosines, rows

    return _in_blocks(search, queries, k, progress)._replace(recall=found, probes=int(index.nprobe))


def _exactly(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cosines (q, k) and the rows of the nearest points."""
    found: tuple[np.ndarray, np.ndarray] = faiss.knn(queries, points, k, metric=faiss.METRIC_INNER_PRODUCT)
    return found


def _index(points: np.ndarray, hashes: np.ndarray, seed: int) -> faiss.IndexIVFFlat:
    n, d = points.shape
    centres = centroids(points, np.arange(n), int(LISTS * n**0.5), hashes=hashes, seed=seed)
    quantiser = faiss.IndexFlatIP(d)
    quantiser.add(centres)
    index = faiss.IndexIVFFlat(quantiser, d, len(centres), faiss.METRIC_INNER_PRODUCT)
    index.train(centres)  # the centroids stand already
    step = max(1, BLOCK // d)
    for start in range(0, n, step):
        index.add(points[start : start + step])
    return index


def _recall(index: faiss.IndexIVFFlat, queries: np.ndarray, truth: np.ndarray) -> float:
    """Return which share of the nearest points a search finds, or others as near, by their cosines (q, k)."""
    found = index.search(queries, truth.shape[1])[0]
    as_near = np.count_nonzero(found >= truth[:, -1:] - SAME, axis=1)
    return float(as_near.mean() / truth.shape[1])


def _in_blocks(search: Search, queries: np.ndarray, k: int, progress: Progress) -> Neighbours:
    """Answer the queries block by block, as exact."""
    rows = np.empty((len(queries), k), dtype=np.int64)
    cosines = np.empty((len(queries), k), dtype=np.float32)
    step = max(1, BLOCK // max(k, queries.shape[1]))
    for start in range(0, len(queries), step):
        here = slice(start, start + step)
        cosines[here], rows[here] = search(queries[here])
        progress("neighbours", min(start + step, len(queries)), len(queries), "")
    return Neighbours(rows, cosines, 1.0, 0)
