"""Farthest-first: the image least like all that is labelled or picked, again and again."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.farthest import Traversal
from annotate_select.selection.geometry import Workers
from annotate_select.selection.guard import REPEATED, Caps
from annotate_select.selection.pool import Chosen, Pool

__all__ = ["kcenter", "kcenter_robust", "loneliness"]

STEP = 4096  # rows gone over at a time
SPARSEST = 0.05  # the share of the candidates that is left for last
SAMPLE = 2048  # rows among which neighbours are looked for
NEIGHBOUR = 3  # which of the neighbours counts: an odd image shot twice has one that is near


def kcenter(pool: Pool, n: int) -> Chosen:
    """Take the image farthest from everything labelled or picked, again and again: finds the odd ones.

    Exact greedy farthest-first (Gonzalez 1985; "core-set", Sener and Savarese 2018) on the distance of directions,
    0 to 2, times the weight; of equals the lowest hash first. With nothing covered it starts at the row nearest to the
    mean direction - a typical image: starting anywhere has the same guarantee, and the mean needs no luck.
    Score: the distance to the nearest covered or earlier row, times the weight; 2 for a first row that has none.
    """
    return _traversed(pool, n, None)


def kcenter_robust(pool: Pool, n: int) -> Chosen:
    """Take the image farthest from everything labelled or picked, but leave the loneliest 5 % for last.

    kcenter picks outliers first: broken, odd and wrong images. Here the 5 % of the candidates (of those of a weight
    above 0) whose third neighbour in a sample of 2,048 images, those of the lowest hash, is farthest wait until
    nothing else is left that repeats nothing, or nothing else of groups below their cap. A kind with fewer than three
    images in the sample waits too. Score: as kcenter's.
    """
    lonely = np.zeros(len(pool.space), dtype=bool)
    lonely[_loneliest(pool)] = True
    worthless = np.zeros(len(lonely), dtype=bool) if pool.weights is None else pool.weights == 0
    chosen = _traversed(pool, n, lonely | worthless)
    among = f"; among the loneliest {SPARSEST:.0%} of the images, which were left for last"
    reasons = [
        reason + among if late and not reason.endswith(REPEATED) else reason
        for reason, late in zip(chosen.reasons, lonely[chosen.rows].tolist(), strict=True)
    ]
    return chosen._replace(reasons=reasons)


def loneliness(features: np.ndarray, rows: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return for each of some rows its squared distance to its third neighbour among the sample's rows.

    No row is its own neighbour. Of three rows or fewer it is a nearer one, and among one row all are 0.
    """
    out = np.zeros(len(rows), dtype=np.float32)
    number = min(NEIGHBOUR, len(sample) - 1)
    if not number:
        return out
    others = features[sample].T  # (d, s)
    lengths = np.einsum("ij,ij->j", others, others)
    place = np.full(len(features), -1)
    place[sample] = np.arange(len(sample))

    def look(here: slice) -> None:
        points = features.take(rows[here], axis=0)
        gaps = points @ others
        gaps *= -2
        gaps += lengths
        inside = np.flatnonzero(place[rows[here]] >= 0)
        gaps[inside, place[rows[here]][inside]] = np.inf
        every = np.arange(len(gaps))
        for _ in range(number - 1):
            gaps[every, gaps.argmin(axis=1)] = np.inf
        out[here] = gaps.min(axis=1) + np.einsum("ij,ij->i", points, points)

    with Workers() as workers:
        workers.map(look, len(rows), STEP // 8)
    return out


def _loneliest(pool: Pool) -> np.ndarray:
    """Return the candidates that are left for last."""
    rows = pool.candidates if pool.weights is None else pool.candidates[pool.weights[pool.candidates] > 0]
    everyone = np.arange(len(pool.space))
    size = min(SAMPLE, len(everyone))
    sample = everyone[np.argsort(pool.hashes, kind="stable")[:size]]
    apart = loneliness(pool.features, rows, sample)
    order = np.lexsort((pool.hashes[rows], -apart))
    return rows[order[: int(SPARSEST * len(rows))]]


def _traversed(pool: Pool, n: int, later: np.ndarray | None) -> Chosen:
    """Pick n, those told to come `later` (n_rows,) after all others that repeat nothing."""
    weights = np.ones(len(pool.space)) if pool.weights is None else pool.weights
    largest = float(weights[pool.candidates].max(initial=0.0)) or 1.0
    open_rows = np.zeros(len(pool.space), dtype=bool)
    open_rows[pool.candidates] = True
    traversal = Traversal(
        points=pool.features,
        gaps=np.full(len(pool.space), 4.0, dtype=np.float32),
        open_rows=open_rows,
        ties=pool.hashes,
        caps=Caps(pool),
        # What is no candidate may weigh anything.
        scale=None if pool.weights is None else (np.minimum(weights / largest, 1.0) ** 2).astype(np.float32),
        limit=2 - 2 * pool.near_duplicate,
        later=later,
        progress=pool.progress,
    )
    if len(pool.covered):
        traversal.cover(pool.covered)
    else:
        traversal.start(_most_typical(pool, later))
    traversal.run(n)
    rows, distances = np.array(traversal.picked, dtype=np.int64), np.sqrt(traversal.squared)
    reasons = [_distance_reason(distance, traversal.limit) for distance in distances]
    if not len(pool.covered):
        by_weight = "" if pool.weights is None else " by weight"
        reasons[0] = f"the most typical image{by_weight}, as nothing is labelled yet"
    return Chosen(rows, distances * weights[rows], reasons)


def _distance_reason(distance: float, limit: float) -> str:
    text = f"nothing labelled or picked is nearer than {distance:.2f} (0 is the same, 2 the opposite)"
    return text + REPEATED if distance * distance < limit else text


def _most_typical(pool: Pool, later: np.ndarray | None) -> int:
    """Return the candidate of the largest cosine to the mean direction; weights multiply 1 + the cosine."""
    rows, features = pool.candidates, pool.features
    share = np.zeros(len(features), dtype=np.float32)
    share[rows] = 1
    with Workers() as workers:
        sums = workers.map(lambda here: share[here] @ features[here], len(features), STEP)
        mean = np.sum(sums, axis=0, dtype=np.float64)
        length = float(np.linalg.norm(mean))
        direction = (mean / length if length > 0 else mean).astype(np.float32)
        cosines = np.concatenate(workers.map(lambda here: features[here] @ direction, len(features), STEP))[rows]
    scores = (1 + cosines) * (1.0 if pool.weights is None else pool.weights[rows])
    if later is not None and not later[rows].all():
        scores = np.where(later[rows], -np.inf, scores)
    best = np.flatnonzero(scores == scores.max())
    return int(rows[best[np.argmin(pool.hashes[rows[best]])]])
