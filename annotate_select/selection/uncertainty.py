"""Uncertainty: what the model is least sure of. Scores are pure functions of probabilities (n, C)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotate_select.errors import SelectionError
from annotate_select.selection.chance import uniforms
from annotate_select.selection.geometry import BLOCK, Workers
from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import share, top_classes
from annotate_select.words import counted

__all__ = [
    "bald",
    "bald_scores",
    "descending",
    "entropy",
    "entropy_scores",
    "least_confidence",
    "least_confidence_scores",
    "margin",
    "margin_reasons",
    "margin_scores",
    "model_probabilities",
    "power_margin",
    "ranked",
    "scored",
    "weighted",
]

TORN = 0.2  # two classes nearer than this are said to tear the model


def margin(pool: Pool, n: int) -> Chosen:
    """Take the images the model is most torn over between two classes.

    Score: 1 - (p1 - p2), times the weight. In most benchmarks the best uncertainty; alone it may pick many of a kind.
    """
    return _most_uncertain(pool, n, margin_scores, margin_reasons)


def entropy(pool: Pool, n: int) -> Chosen:
    """Take the images over which the model's opinion is spread widest.

    Score: -sum p ln p, in nats, times the weight. With many classes it is often worse than chance; prefer margin.
    """
    return _most_uncertain(pool, n, entropy_scores, _entropy_reasons)


def least_confidence(pool: Pool, n: int) -> Chosen:
    """Take the images whose likeliest class the model believes in least.

    Score: 1 - p1, times the weight.
    """
    return _most_uncertain(pool, n, least_confidence_scores, _confidence_reasons)


def power_margin(pool: Pool, n: int) -> Chosen:
    """Draw images by chance in proportion to the margin score: close calls, but not the many of a kind at the top.

    Ranks by the log of the margin score, times the weight, plus noise of the standard Gumbel distribution made from the
    row's seeded hash (Kirsch et al., "Stochastic batch acquisition", TMLR 2023, with a power of 1). Score: e to that,
    the margin score over -ln u of a uniform number u, so that certainty and a weight of 0 score 0. Prefix-consistent.
    """
    luck = uniforms(pool.hashes[pool.candidates])
    scores = scored(pool, margin_scores) / -np.log(luck)

    def reasons(rows: np.ndarray) -> list[str]:
        odds = (1 / (1 - luck[np.searchsorted(pool.candidates, rows)])).tolist()
        texts = zip(margin_reasons(pool, rows), odds, strict=True)
        return [f"{text}; drawn with the luck of 1 in {odd:,.0f}" for text, odd in texts]

    return _best(pool, n, scores, reasons)


def bald(pool: Pool, n: int) -> Chosen:
    """Take the images over which several models, each sure of itself, disagree: what a label would tell them most.

    Score: the mutual information of label and model (Houlsby et al. 2011), which is the entropy of the mean opinion
    less the mean entropy of the opinions, in nats, times the weight. Prefix-consistent.
    """
    rows = pool.candidates
    samples = _samples(pool)
    step = max(1, BLOCK // 8 // max(1, pool.n_classes))
    with Workers() as workers:
        parts = workers.map(lambda here: bald_scores(samples, rows[here]), len(rows), step)
    return _best(pool, n, weighted(pool, rows, np.concatenate(parts)), lambda picked: _bald_reasons(pool, picked))


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


def bald_scores(samples: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the mutual information of some rows of samples (T, n, C), in nats: 0 when all models say the same."""
    mean = np.zeros((len(rows), samples.shape[2]))
    within = np.zeros(len(rows))
    for sample in samples:
        opinion = np.asarray(sample[rows], dtype=np.float64)
        mean += opinion
        within += entropy_scores(opinion)
    return np.maximum(entropy_scores(mean / len(samples)) - within / len(samples), 0.0)


def margin_reasons(pool: Pool, rows: np.ndarray) -> list[str]:
    """Say between which classes the model stands on each of some rows, in words no stronger than the numbers."""
    probabilities = model_probabilities(pool, rows)
    torn = (margin_scores(probabilities) > 1 - TORN).tolist()
    return [_between(names, close) for names, close in zip(top_classes(pool, probabilities, 2), torn, strict=True)]


def _between(names: list[str], close: bool) -> str:
    first, *others = names
    if not others:
        return f"the model knows no class but {first}"
    return f"torn between {first} and {others[0]}" if close else f"thought {first}, next {others[0]}"


def model_probabilities(pool: Pool, rows: np.ndarray) -> np.ndarray:
    """Return the model's probabilities of some rows as float64, or raise SelectionError where there are none."""
    if pool.probabilities is None:
        raise SelectionError("there are no probabilities to be uncertain about; train a model first, or use kmeans")
    return np.asarray(pool.probabilities[rows], dtype=np.float64)


def ranked(pool: Pool, score: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return all candidates, best first, and their scores times their weights; of equals the lowest hash goes first."""
    scores = scored(pool, score)
    order = _order(pool, scores)
    return pool.candidates[order], scores[order]


def scored(pool: Pool, score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the scores of pool.candidates, pure functions of their probabilities (b, C), times their weights."""
    rows = pool.candidates
    step = max(1, BLOCK // 8 // max(1, pool.n_classes))
    with Workers() as workers:
        parts = workers.map(lambda here: score(model_probabilities(pool, rows[here])), len(rows), step)
    return weighted(pool, rows, np.concatenate(parts))


def descending(scores: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the positions of scores, the largest first; of equals the lowest hash, then the first.

    Most scores have no equal: only those that have are sorted by more than one number.
    """
    order = np.argsort(-scores)
    same = scores[order[1:]] == scores[order[:-1]]
    places = np.flatnonzero(np.concatenate([same, [False]]) | np.concatenate([[False], same]))
    tied = order[places]
    order[places] = tied[np.lexsort((tied, hashes[tied], -scores[tied]))]
    return order


def _order(pool: Pool, scores: np.ndarray) -> np.ndarray:
    """Return the positions of pool.candidates, best first, a weight of 0 last: certainty scores 0 as well."""
    order = descending(scores, pool.hashes[pool.candidates])
    if pool.weights is None:
        return order
    worthless = pool.weights[pool.candidates[order]] == 0
    return np.concatenate([order[~worthless], order[worthless]])


def weighted(pool: Pool, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Multiply scores of some rows by the rows' weights, if there are any."""
    return scores if pool.weights is None else scores * pool.weights[rows]


def _most_uncertain(
    pool: Pool,
    n: int,
    score: Callable[[np.ndarray], np.ndarray],
    reasons_of: Callable[[Pool, np.ndarray], list[str]],
) -> Chosen:
    order, _ = ranked(pool, score)
    rows, distinct = walk(pool, order, n)
    reasons = reasons_of(pool, rows)
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(rows, weighted(pool, rows, score(model_probabilities(pool, rows))), reasons)


def _best(pool: Pool, n: int, scores: np.ndarray, reasons_of: Callable[[np.ndarray], list[str]]) -> Chosen:
    """Pick n by the scores of pool.candidates; `reasons_of` says why some rows are picked."""
    rows, distinct = walk(pool, pool.candidates[_order(pool, scores)], n)
    reasons = reasons_of(rows)
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(rows, scores[np.searchsorted(pool.candidates, rows)], reasons)


def _samples(pool: Pool) -> np.ndarray:
    if pool.samples is None:
        raise SelectionError("there are no samples that could disagree; give probabilities of shape (T, n, C)")
    return pool.samples


def _bald_reasons(pool: Pool, rows: np.ndarray) -> list[str]:
    samples = _samples(pool)
    opinions = np.stack([np.asarray(sample[rows], dtype=np.float64) for sample in samples])  # (T, n, C)
    mean, told = opinions.mean(axis=0), bald_scores(samples, rows)
    others = (opinions.argmax(axis=2) != mean.argmax(axis=1)).sum(axis=0)
    models, reasons = counted(len(samples), "model"), []
    for names, other, information in zip(top_classes(pool, mean, 2), others.tolist(), told.tolist(), strict=True):
        said = f"{other} of {models} disagree{'s' if other == 1 else ''}" if other else f"agreed by {models}"
        reasons.append(f"{said}: {', '.join(names)}; information {share(information)} nats")
    return reasons


def _entropy_reasons(pool: Pool, rows: np.ndarray) -> list[str]:
    probabilities = model_probabilities(pool, rows)
    widest, spreads = share(float(np.log(pool.n_classes))), entropy_scores(probabilities).tolist()
    return [
        f"spread over {', '.join(names)}: entropy {share(spread)} of at most {widest}"
        for names, spread in zip(top_classes(pool, probabilities, 3), spreads, strict=True)
    ]


def _confidence_reasons(pool: Pool, rows: np.ndarray) -> list[str]:
    names = top_classes(pool, model_probabilities(pool, rows), 1)
    return [f"the likeliest class is {likeliest}" for (likeliest,) in names]
