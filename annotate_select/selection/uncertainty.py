"""Uncertainty: what the model is least sure of. Scores are pure functions of probabilities (n, C)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotate_select.errors import SelectionError
from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import share, top_classes

__all__ = [
    "entropy",
    "entropy_scores",
    "least_confidence",
    "least_confidence_scores",
    "margin",
    "margin_reason",
    "margin_scores",
    "model_probabilities",
    "ranked",
    "weighted",
]

TORN = 0.2  # two classes nearer than this are said to tear the model


def margin(pool: Pool, n: int) -> Chosen:
    """Take the images the model is most torn over between two classes.

    Score: 1 - (p1 - p2), times the weight. In most benchmarks the best uncertainty; alone it may pick many of a kind.
    """
    return _most_uncertain(pool, n, margin_scores, margin_reason)


def entropy(pool: Pool, n: int) -> Chosen:
    """Take the images over which the model's opinion is spread widest.

    Score: -sum p ln p, in nats, times the weight. With many classes it is often worse than chance; prefer margin.
    """
    return _most_uncertain(pool, n, entropy_scores, _entropy_reason)


def least_confidence(pool: Pool, n: int) -> Chosen:
    """Take the images whose likeliest class the model believes in least.

    Score: 1 - p1, times the weight.
    """
    return _most_uncertain(pool, n, least_confidence_scores, _confidence_reason)


def margin_scores(probabilities: np.ndarray) -> np.ndarray:
    """Return (n,) 1 - (p1 - p2) of probabilities (n, C): 1 when two classes tie, 0 when one is certain."""
    if probabilities.shape[1] == 1:
        return 1.0 - probabilities[:, 0]
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return np.asarray(1.0 - (top[:, 1] - top[:, 0]))


def entropy_scores(probabilities: np.ndarray) -> np.ndarray:
    """Return (n,) -sum p ln p of probabilities (n, C), in nats: ln C when all tie, 0 when one is certain."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return np.asarray(-(probabilities * logs).sum(axis=1) + 0.0)


def least_confidence_scores(probabilities: np.ndarray) -> np.ndarray:
    """Return (n,) 1 - p1 of probabilities (n, C)."""
    return np.asarray(1.0 - probabilities.max(axis=1))


def margin_reason(pool: Pool, probabilities: np.ndarray) -> str:
    """Say between which classes one row (C,) stands, in words no stronger than the numbers."""
    first, *others = top_classes(pool, probabilities, 2)
    if not others:
        return f"the model knows no class but {first}"
    torn = margin_scores(probabilities[None])[0] > 1 - TORN
    return f"torn between {first} and {others[0]}" if torn else f"thought {first}, next {others[0]}"


def model_probabilities(pool: Pool, rows: np.ndarray) -> np.ndarray:
    """Return the model's probabilities of some rows as float64, or raise SelectionError where there are none."""
    if pool.probabilities is None:
        raise SelectionError("there are no probabilities to be uncertain about; train a model first, or use kmeans")
    return np.asarray(pool.probabilities[rows], dtype=np.float64)


def ranked(pool: Pool, score: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return all candidates, best first, and their scores times their weights; of equals the lowest hash goes first."""
    rows = pool.candidates
    step = max(1, BLOCK // max(1, pool.n_classes))
    parts = [score(model_probabilities(pool, rows[at : at + step])) for at in range(0, len(rows), step)]
    scores = weighted(pool, rows, np.concatenate(parts))
    order = _descending(scores, pool.hashes[rows])
    return rows[order], scores[order]


def _descending(scores: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the positions of scores, the largest first; of equals the lowest hash, then the first.

    Most scores have no equal: only those that have are sorted by more than one number.
    """
    order = np.argsort(-scores)
    same = scores[order[1:]] == scores[order[:-1]]
    places = np.flatnonzero(np.concatenate([same, [False]]) | np.concatenate([[False], same]))
    tied = order[places]
    order[places] = tied[np.lexsort((tied, hashes[tied], -scores[tied]))]
    return order


def weighted(pool: Pool, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Multiply scores of some rows by the rows' weights, if there are any."""
    return scores if pool.weights is None else scores * pool.weights[rows]


def _most_uncertain(
    pool: Pool, n: int, score: Callable[[np.ndarray], np.ndarray], reason: Callable[[Pool, np.ndarray], str]
) -> Chosen:
    order, _ = ranked(pool, score)
    rows, distinct = walk(pool, order, n)
    probabilities = model_probabilities(pool, rows)
    reasons = [reason(pool, row) for row in probabilities]
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(rows, weighted(pool, rows, score(probabilities)), reasons)


def _entropy_reason(pool: Pool, probabilities: np.ndarray) -> str:
    widest = share(float(np.log(len(probabilities))))
    spread = share(float(entropy_scores(probabilities[None])[0]))
    return f"spread over {', '.join(top_classes(pool, probabilities, 3))}: entropy {spread} of at most {widest}"


def _confidence_reason(pool: Pool, probabilities: np.ndarray) -> str:
    return f"the likeliest class is {top_classes(pool, probabilities, 1)[0]}"
