"""Coverage by a kernel: a few images such that every image has one that is like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotate_select.selection.clustering import assign, centroids
from annotate_select.selection.covering import (
    Greedy,
    Kernel,
    Kernels,
    cosine_kernel,
    gaussian,
    in_rounds,
    top_hat,
    worths,
)
from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import margin_reasons, margin_scores, model_probabilities

__all__ = [
    "cover",
    "coverage",
    "facility_location",
    "margins",
    "probcover",
    "probcover_radius",
    "robust_sigma",
    "uncertainty_coverage",
    "with_doubts",
]

DRAWN = 20_000  # candidates of one round
REFERENCE = 5000  # rows to cover, sampled when there are more
WIDEST, NARROWEST = 1.0, 0.2  # of a kernel's radius: directions are 1.4 apart when they have nothing in common
MOST_COMPARED = 2000  # rows a radius is measured on
PURITY = 0.95
LEAST_IN_BALL, MOST_IN_BALL = 2.0, 0.5  # rows, and share of the pool: outside of these the purity rule has failed
USUAL_IN_BALL = 0.01  # share of the pool that a ball holds then
NEARER = "nearer to"


def coverage(pool: Pool, n: int) -> Chosen:
    """Take images such that every image has one like it: a robust choice for the first rounds.

    Generalised coverage (Bae et al., "MaxHerding", ECCV 2024) under a Gaussian kernel of radius 1, greedy; covered
    rows count. Above 20,000 candidates on a seeded sample, see `covering`. Score: how much the pick adds to the
    coverage when it is made, in images, by weight. Prefix-consistent.
    """
    return cover(pool, n, gaussian(1.0))


def facility_location(pool: Pool, n: int) -> Chosen:
    """Take images of the largest total cosine to their nearest of all: representative images.

    The classical facility location objective, with cosines below 0 as 0; as `coverage` in everything else.
    """
    return cover(pool, n, cosine_kernel)


def probcover(pool: Pool, n: int) -> Chosen:
    """Take images whose balls of one radius hold most images that no ball holds yet.

    Probability coverage (Yehuda et al., NeurIPS 2022). The radius is the largest at which 95 % of the balls hold images
    of one k-means cluster only, with as many clusters as classes; where that rule fails - balls that hold nothing or
    half of all - the radius at which a ball holds 1 % of the images. When every image is in a ball, `coverage` goes on.
    Score: the images, by weight, that the ball adds. Prefix-consistent.
    """
    return cover(pool, n, top_hat(probcover_radius(pool)), then=gaussian(1.0))


def uncertainty_coverage(pool: Pool, n: int) -> Chosen:
    """Take images that are like many of which the model is not sure: good in every round once there is a model.

    Coverage where covering an image is worth its margin score (Bae et al., "UHerding", ICLR 2025), under a Gaussian of
    the median distance of a labelled row to its nearest other, at most 1 and at least .2: the paper's smallest distance
    collapses with one near-duplicate. Probabilities should be calibrated on labels the model has not seen, as those of
    this package's heads are; here nothing could be held out any more. Score: how much uncertainty the pick covers when
    it is made, in images, by weight. Prefix-consistent.
    """
    chosen = cover(pool, n, gaussian(robust_sigma(pool)), margins(pool))
    return with_doubts(pool, chosen)


def cover(pool: Pool, n: int, kernel: Kernel, worth: np.ndarray | None = None, then: Kernel | None = None) -> Chosen:
    """Pick n by greedy coverage under a kernel; `worth` (n_rows,) multiplies what covering a row counts.

    With `then`, picks that would add nothing are made under that kernel instead.
    """
    reference = _reference(pool)
    weights = worths(pool, reference, None if worth is None else worth[reference])
    everything = len(pool.candidates) + len(pool.covered)

    def one_round(now: Pool, drawn: np.ndarray, most: int, repeats: bool) -> Chosen:
        scale = everything / len(reference)
        kernels = Kernels(now.features, drawn, reference, kernel)
        greedy = Greedy(now, drawn, kernels, weights, kernels.best(now.covered, now.features))
        greedy.run(most, repeats=repeats, until=-1.0 if then is None else 0.0)
        part = greedy.chosen_rows(scale, NEARER)
        if then is None or len(part.rows) == most:
            return part
        rest = drawn[~np.isin(drawn, part.rows)]
        now = replace(now, taken=np.concatenate([now.taken, part.rows]))
        kernels = Kernels(now.features, rest, reference, then)
        greedy = Greedy(now, rest, kernels, weights, kernels.best(now.covered, now.features))
        greedy.run(most - len(part.rows), repeats=repeats)
        more = greedy.chosen_rows(scale, "every image is near one labelled or picked; " + NEARER)
        return Chosen(
            np.concatenate([part.rows, more.rows]),
            np.concatenate([part.scores, np.zeros(len(more.rows))]),
            part.reasons + more.reasons,
        )

    return in_rounds(pool, n, DRAWN, one_round)


def _reference(pool: Pool) -> np.ndarray:
    """Return the rows that are to be covered: all, or a sample of those of the lowest hashes."""
    rows = np.concatenate([pool.candidates, pool.covered])
    if len(rows) <= REFERENCE:
        return rows
    return np.sort(rows[np.argpartition(pool.hashes[rows], REFERENCE)[:REFERENCE]])


def margins(pool: Pool) -> np.ndarray:
    """Return (n_rows,) float32 margin scores, 0 for covered rows: of them nothing is in doubt."""
    n = len(pool.space)
    out = np.empty(n, dtype=np.float32)
    step = max(1, BLOCK // max(1, pool.n_classes))
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        out[rows] = margin_scores(model_probabilities(pool, rows))
    out[pool.covered] = 0.0
    return out


def robust_sigma(pool: Pool) -> float:
    """Return the median distance of labelled rows to their nearest other, from .2 to 1; 1 with fewer than two."""
    rows = pool.labeled[np.argsort(pool.hashes[pool.labeled], kind="stable")][:MOST_COMPARED]
    if len(rows) < 2:
        return WIDEST
    cosines = pool.features[rows] @ pool.features[rows].T
    np.fill_diagonal(cosines, -1.0)
    distance = float(np.sqrt(max(0.0, 2 - 2 * float(np.median(cosines.max(axis=1))))))
    return min(WIDEST, max(NARROWEST, distance))


def probcover_radius(pool: Pool) -> float:
    """Return the radius of probcover's balls, a distance of directions, measured on at most 2,000 rows."""
    rows = np.concatenate([pool.candidates, pool.labeled])
    rows = rows[np.argsort(pool.hashes[rows], kind="stable")][:MOST_COMPARED]
    k = pool.n_classes if pool.n_classes > 1 else 10
    cluster, _ = assign(pool.features, rows, centroids(pool.features, rows, k, hashes=pool.hashes, seed=pool.seed))
    squared = np.maximum(2 - 2 * (pool.features[rows] @ pool.features[rows].T), 0.0)
    # A ball is pure up to the nearest row of another cluster, so the quantile of these distances is the largest radius.
    to_others = np.where(cluster[:, None] == cluster, np.inf, squared).min(axis=1, initial=np.inf)
    radius2 = float(np.quantile(to_others, 1 - PURITY, method="lower"))
    held = float(np.mean(squared <= radius2))  # share of all that a ball holds, its own row included
    if not LEAST_IN_BALL / len(rows) <= held <= MOST_IN_BALL:
        share = max(USUAL_IN_BALL, LEAST_IN_BALL / len(rows))
        radius2 = float(np.quantile(squared, min(1.0, share)))
    return float(np.sqrt(radius2))


def with_doubts(pool: Pool, chosen: Chosen) -> Chosen:
    """Say in front of each reason between which classes the model stands."""
    doubts = zip(margin_reasons(pool, chosen.rows), chosen.reasons, strict=True)
    return chosen._replace(reasons=[f"{doubt}; {reason}" for doubt, reason in doubts])
