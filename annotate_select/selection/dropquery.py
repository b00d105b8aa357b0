"""Images whose prediction does not survive the loss of most features."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids, middles
from annotate_select.selection.coverage import kmeans
from annotate_select.selection.geometry import BLOCK, Workers
from annotate_select.selection.guard import spread
from annotate_select.selection.logistic import fitted
from annotate_select.selection.pool import Chosen, Pool, seeded_hashes
from annotate_select.words import counted

__all__ = ["dropquery", "kept"]

PASSES = 3
ENOUGH = 25  # rows in doubt for each pick; with fewer, rows in less doubt join them
MOST_CLUSTERED = 50_000
STRENGTH = 10.0  # inverse regularisation, the head's own where labels are few
LEFT = 0.25  # of the features, in each pass
WORD = 64


def dropquery(pool: Pool, n: int) -> Chosen:
    """Take images whose prediction flips when most features are dropped, one of each group: good in every round.

    DropQuery (Gupte et al., TMLR 2024): a linear head predicts each image three times, each time with another quarter
    of its features; images whose prediction changes in more than half of the passes - or, while there are fewer than
    25 a pick, in fewer - are clustered into n, and the middle one of each is taken, the largest cluster first. The
    head is fitted to the labels here, without dropout; where samples of probabilities are given they are the passes
    instead. Of more than 50,000 those of the lowest hashes are clustered. With labels of one class only there is
    nothing to flip, and kmeans takes over. Score: the images in doubt, by weight, of the cluster. Not
    prefix-consistent.
    """
    if pool.samples is not None and pool.probabilities is not None:
        flips, passes, how = _flips_of_samples(pool.samples, pool.probabilities), len(pool.samples), "passes"
    elif len(np.unique(pool.labels)) < 2:
        return kmeans(pool, n)._replace(note="kmeans, as no two classes have a label yet", became="kmeans")
    else:
        flips, passes = _flips_of_dropout(pool), PASSES
        how = "passes with three quarters of its features dropped"
    pool.progress("dropquery", 1, 2, "")

    def propose(now: Pool, most: int) -> Chosen:
        rows = _in_doubt(now, flips, passes, most)
        centres = centroids(now.features, rows, most, hashes=now.hashes, seed=now.seed, weights=now.weights)
        cluster, cosine = assign(now.features, rows, centres)
        middle = middles(cluster, cosine, now.hashes[rows])
        sizes = np.bincount(cluster, minlength=len(centres))[cluster[middle]]
        weights = None if now.weights is None else now.weights[rows]
        mass = np.bincount(cluster, weights=weights, minlength=len(centres))[cluster[middle]]
        order = np.lexsort((now.hashes[rows[middle]], -mass))
        best = rows[middle[order]]
        alike = " in doubt" if flips[rows].all() else ""
        reasons = [
            _reason(int(flips[row]), passes, how) + (f"; stands for {counted(size)}{alike}" if size > 1 else "")
            for row, size in zip(best.tolist(), sizes[order].tolist(), strict=True)
        ]
        return _filled(now, most, Chosen(best, mass[order].astype(np.float64), reasons), flips, passes, how)

    chosen = spread(pool, n, propose)
    pool.progress("dropquery", 2, 2, "")
    return chosen


def kept(hashes: np.ndarray, d: int, number: int) -> np.ndarray:
    """Return (b, d) uint8, 1 for the quarter of the features that each image keeps in the pass of a number.

    Made of the images' seeded hashes (b,): two random bits for each feature, which is kept where both are 1.
    """
    words = -(-d // WORD)
    seeds = range(2 * words * number, 2 * words * (number + 1), 2)
    bits = np.stack([seeded_hashes(hashes, one) & seeded_hashes(hashes, one + 1) for one in seeds], axis=1)
    return np.asarray(np.unpackbits(bits.view(np.uint8), axis=1, count=d))


def _flips_of_dropout(pool: Pool) -> np.ndarray:
    """Return (n_rows,) in how many passes the prediction of each candidate changes."""
    out = np.zeros(len(pool.space), dtype=np.int64)
    weights, bias = _head(pool)
    rows, d = pool.candidates, pool.space.shape[1]

    def look(here: slice) -> None:
        points = pool.features[rows[here]]
        usual = (points @ weights + bias).argmax(axis=1)
        for number in range(PASSES):
            few = points * kept(pool.hashes[rows[here]], d, number)
            few *= 1 / LEFT
            out[rows[here]] += (few @ weights + bias).argmax(axis=1) != usual

    with Workers() as workers:
        workers.map(look, len(rows), max(1, BLOCK // 8 // max(d, len(bias))))
    return out


def _flips_of_samples(samples: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return (n_rows,) in how many of samples (T, n_rows, C) the prediction is not that of their mean."""
    out = np.zeros(len(mean), dtype=np.int64)
    step = max(1, BLOCK // mean.shape[1])
    for start in range(0, len(out), step):
        here = slice(start, start + step)
        usual = mean[here].argmax(axis=1)
        for sample in samples:
            out[here] += sample[here].argmax(axis=1) != usual
    return out


def _head(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Fit the labels, each class weighing the same; return weights (d, K) and bias (K,) float32 of the K that occur."""
    model = fitted(pool.features[pool.labeled], pool.labels, STRENGTH)
    weights, bias = model.coef_.T, model.intercept_
    if len(bias) == 1:  # of two classes only the second has a column
        weights, bias = np.concatenate([-weights, weights], axis=1), np.concatenate([-bias, bias])
    return weights.astype(np.float32), bias.astype(np.float32)


def _in_doubt(pool: Pool, flips: np.ndarray, passes: int, n: int) -> np.ndarray:
    """Return the candidates to cluster, ascending; all where no prediction flips."""
    rows = pool.candidates
    if pool.weights is not None and pool.weights[rows].any():
        rows = rows[pool.weights[rows] > 0]
    some: np.ndarray = rows[:0]
    for least in range(passes // 2 + 1, 0, -1):
        some = rows[flips[rows] >= least]
        if len(some) >= ENOUGH * n:
            break
    if not len(some):
        some = rows
    most = max(MOST_CLUSTERED, n)
    if len(some) <= most:
        return some
    return np.asarray(np.sort(some[np.argpartition(pool.hashes[some], most)[:most]]))


def _filled(pool: Pool, n: int, chosen: Chosen, flips: np.ndarray, passes: int, how: str) -> Chosen:
    """Fill up to n with the rest: those of a weight first, of these those that flip most, then by chance."""
    missing = n - len(chosen.rows)
    if missing <= 0:
        return chosen
    rest = np.setdiff1d(pool.candidates, chosen.rows)
    worthless = np.zeros(len(rest), dtype=bool) if pool.weights is None else pool.weights[rest] == 0
    rest = rest[np.lexsort((pool.hashes[rest], -flips[rest], worthless))][:missing]
    return chosen._replace(
        rows=np.concatenate([chosen.rows, rest]),
        scores=np.concatenate([chosen.scores, np.zeros(missing)]),
        reasons=chosen.reasons + [_reason(int(flips[row]), passes, how) for row in rest.tolist()],
    )


def _reason(flips: int, passes: int, how: str) -> str:
    return f"its prediction flips in {flips} of {passes} {how}"
