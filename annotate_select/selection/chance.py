"""Chance: what every strategy must beat."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.clustering import assign, centroids
from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool, seeded_hashes
from annotate_select.selection.reasons import percent
from annotate_select.words import counted

__all__ = ["by_chance", "inclusions", "random", "strata_in_line", "stratified", "systematic", "uniforms"]

STRATA = 100  # at most; the sample is proportional to each as far as whole numbers go
CERTAIN = 1 - 1e-9  # a chance above it is 1


def random(pool: Pool, n: int) -> Chosen:
    """Draw by chance, every image with the same probability: the baseline, and for features of no worth the best.

    The score is a uniform number u of (0, 1) made from the row's seeded hash; with weights w, relative to their mean,
    it is u^(1/w): weighted sampling without replacement (Efraimidis and Spirakis 2006).
    """
    order, scores = by_chance(pool)
    picked, distinct = walk(pool, order, n)
    drawn = "drawn at random" if pool.weights is None else "drawn at random, by weight"
    reasons = [drawn] * distinct + [drawn + REPEATED] * (n - distinct)
    return Chosen(picked, scores[np.searchsorted(pool.candidates, picked)], reasons)


def stratified(pool: Pool, n: int) -> Chosen:
    """Draw by chance, the same share of each group of look-alikes: like random, but no kind is missed by bad luck.

    The candidates are clustered into as many groups as picks (at most 100) and put in a line: groups that are alike
    side by side, images of a group by hash. Systematic sampling (Madow 1949) walks along it in equal steps from a
    random start, so every image has a known chance of being drawn: n of m, or by weight, at most 1. Score: that chance,
    whose inverse makes estimates unbiased (Horvitz and Thompson 1952). What the guard drops is replaced by images in
    the order of their hashes; their chance is not known and their score is 0. Not prefix-consistent.
    """
    rows = pool.candidates
    stratum = strata_in_line(pool.features, rows, min(n, STRATA), hashes=pool.hashes, seed=pool.seed)
    sizes = np.bincount(stratum)
    line = np.lexsort((pool.hashes[rows], stratum))
    chances = inclusions(None if pool.weights is None else pool.weights[rows], len(rows), n)
    start = float(uniforms(seeded_hashes(np.zeros(1, dtype=np.uint64), pool.seed))[0])
    drawn = np.zeros(len(rows), dtype=bool)
    drawn[line[systematic(chances[line], start)]] = True
    picked, distinct = walk(pool, rows[np.lexsort((pool.hashes[rows], ~drawn))], n)
    at = np.searchsorted(rows, picked)
    scores = np.where(drawn[at], chances[at], 0.0)
    reasons = []
    had = "each had" if pool.weights is None else "by its weight it had"
    for group, chance in zip(stratum[at].tolist(), scores.tolist(), strict=True):
        how = f"{had} a chance of {percent(chance)}" if chance else "in place of one passed over"
        reasons.append(f"drawn at random from group {group + 1} of {len(sizes)}, {counted(int(sizes[group]))}; {how}")
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(picked, scores, reasons)


def by_chance(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Return all candidates in random order, by weight, and the scores of pool.candidates that make this order."""
    rows = pool.candidates
    scores = keys = uniforms(pool.hashes[rows])
    if pool.weights is not None and pool.weights[rows].any():
        worth = pool.weights[rows] > 0
        keys = np.full(len(rows), -np.inf)  # logarithms of the scores: those of small weights would all be 0
        keys[worth] = np.log(scores[worth]) * (pool.weights[rows].mean() / pool.weights[rows[worth]])
        scores = np.exp(keys)
    return rows[np.lexsort((rows, pool.hashes[rows], -keys))], scores


def inclusions(weights: np.ndarray | None, m: int, n: int) -> np.ndarray:
    """Return (m,) the chance of each of m rows when n are drawn: n/m, or proportional to weights (m,) but at most 1.

    What the cap takes from a large weight goes to the others. Rows of weight 0 share what is left when all others are
    certain. The chances sum to n.
    """
    chances = np.full(m, n / m)
    if weights is None or not weights.any():
        return chances
    left, places = n, np.flatnonzero(weights)  # what is not certain yet
    if n >= len(places):
        chances[:] = (n - len(places)) / max(1, m - len(places))
        chances[places] = 1.0
        return chances
    chances[:] = 0.0
    while True:
        scaled = weights[places] / weights[places].max()
        chances[places] = left * scaled / scaled.sum()
        over = chances[places] > CERTAIN
        if not over.any():
            return chances
        chances[places[over]] = 1.0
        left, places = left - int(over.sum()), places[~over]


def systematic(chances: np.ndarray, start: float) -> np.ndarray:
    """Return the positions of a systematic sample of chances (m,), which sum to its size; start from 0 to 1.

    The chances are laid end to end, and a position is drawn when one of start, start + 1, start + 2 ... falls into its
    stretch. Those of chance 1 are drawn whatever the start.
    """
    certain = chances > CERTAIN
    open_places = np.flatnonzero(~certain & (chances > 0))
    size = round(float(chances[open_places].sum()))
    if not size:
        return np.flatnonzero(certain)
    ends = np.cumsum(chances[open_places])
    hit = np.searchsorted(ends * (size / ends[-1]), start + np.arange(size), side="right")
    certain[open_places[np.minimum(hit, len(ends) - 1)]] = True
    return np.flatnonzero(certain)


def strata_in_line(points: np.ndarray, rows: np.ndarray, k: int, *, hashes: np.ndarray, seed: int) -> np.ndarray:
    """Return (m,) the stratum of each of m rows of points (n, d): up to k clusters, of which neighbours are alike.

    They are numbered from 0 without a gap. `hashes` (n,) choose the rows that clusters are learned from where there are
    many.
    """
    centres = centroids(points, rows, k, hashes=hashes, seed=seed)
    found, number = np.unique(assign(points, rows, centres)[0], return_inverse=True)
    return np.asarray(_chain(centres[found])[number])


def _chain(centres: np.ndarray) -> np.ndarray:
    """Return (k,) the place of each centre (k, d) in a line where each is followed by the nearest that is left."""
    cosines = centres @ centres.T
    place, last = np.zeros(len(centres), dtype=np.int64), 0
    for number in range(1, len(centres)):
        cosines[:, last] = -np.inf
        last = int(np.argmax(cosines[last]))
        place[last] = number
    return place


def uniforms(hashes: np.ndarray) -> np.ndarray:
    """Turn uint64 hashes into float64 of (0, 1), the lowest hash into the highest number."""
    return 1.0 - ((hashes >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52
