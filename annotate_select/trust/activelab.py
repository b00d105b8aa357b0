"""Is the next label worth more on a new image, or as a second opinion of one that has a label: ActiveLab's score.

Source: Goh and Mueller, ActiveLab: Active Learning with Re-Labeling by Multiple Annotators (2023); the weights and the
quality of a consensus are CROWDLAB's (Goh, Tkachenko and Mueller, 2022). Both kinds of image get one
score in 0..1, how much is known of them; the lowest come first. An image gains by every label, less by each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.errors import AnnotationError

__all__ = ["Scores", "activelab", "worth_relabelling"]

LEAST = 1e-6  # a weight is never below: who is no better than the commonest class still says something


@dataclass(frozen=True, eq=False)
class Scores:
    """How much is known of each labelled image (l,) and of each without a label (m,); the lowest come first.

    `model_weight` and `annotator_weight`, by name, are how much a word of theirs counts.
    """

    labelled: np.ndarray
    unlabelled: np.ndarray
    model_weight: float
    annotator_weight: dict[str, float]


@dataclass(frozen=True)
class _Weights:
    model: float
    people: np.ndarray  # (A,)
    mean: float
    agreeing: float  # how often any annotator says what the consensus is


def activelab(
    rows: np.ndarray,
    annotators: list[str],
    labels: np.ndarray,
    consensus: np.ndarray,
    probabilities: np.ndarray,
    probabilities_unlabelled: np.ndarray,
) -> Scores:
    """Score l labelled images and m others.

    k labels: their images' rows (k,) in 0..l-1, annotators (k), class numbers (k,). `consensus` (l,) is the label that
    counts; `probabilities` (l, C) did not learn from these labels; `probabilities_unlabelled` (m, C) are the same
    model's. Raises AnnotationError for shapes that do not fit, or an image without a label.
    """
    row, y, counts = np.asarray(rows), np.asarray(labels), np.asarray(consensus)
    p, q = np.asarray(probabilities, dtype=np.float64), np.asarray(probabilities_unlabelled, dtype=np.float64)
    if p.ndim != 2 or q.ndim != 2 or p.shape[1] != q.shape[1] or counts.shape != (len(p),):
        raise AnnotationError(
            f"probabilities must be (l, C) and (m, C), and consensus (l,), got {p.shape}, {q.shape} and {counts.shape}"
        )
    if not len(row) == len(annotators) == len(y) or not np.array_equal(np.unique(row), np.arange(len(p))):
        raise AnnotationError(f"labels must be columns of one length, with one at least for each of {len(p)} images")
    names = sorted(set(annotators))
    who = np.searchsorted(names, annotators)
    weights = _weights(row, who, y, counts, p, len(names))
    own = np.bincount(row, weights=weights.people[who])  # (l,) the weight of all who labelled it
    quality = _quality(row, who, y, counts, p, weights)
    even = weights.mean / p.shape[1]
    labelled = (quality * (own + weights.model) + even) / (own + weights.model + weights.mean)
    unlabelled = (q.max(axis=1, initial=0.0) * weights.model + even) / (weights.model + weights.mean)
    return Scores(labelled, unlabelled, weights.model, dict(zip(names, weights.people.tolist(), strict=True)))


def worth_relabelling(scores: Scores, n: int) -> np.ndarray:
    """Return the rows of labelled images among the `n` images, labelled or not, that a label is worth most on.

    The lowest score first; of equal scores the new image comes first.
    """
    both = np.concatenate([scores.unlabelled, scores.labelled])
    first = np.argsort(both, kind="stable")[:n]
    return np.asarray(first[first >= len(scores.unlabelled)] - len(scores.unlabelled))


def _weights(
    row: np.ndarray, who: np.ndarray, y: np.ndarray, consensus: np.ndarray, p: np.ndarray, n_annotators: int
) -> _Weights:
    """Weigh the model and everybody by how much more often than the commonest class they are right."""
    shared = np.bincount(row, minlength=len(p)) > 1
    if not shared.any():
        return _Weights(1.0, np.ones(n_annotators), 1.0, 1.0)
    of_shared = consensus[shared]
    commonest = np.bincount(of_shared).argmax()
    error = max(LEAST, float((of_shared != commonest).mean()))
    wrong = float((p[shared].argmax(axis=1) != of_shared).mean())
    model = max(LEAST, 1 - wrong / error) * float(np.sqrt(len(row) / len(p)))
    agree, others = _agreements(row, who, y, n_annotators, p.shape[1])
    met = others > 0
    alike = np.where(met, agree / np.maximum(others, 1), 0.0)
    alike[~met] = alike[met].mean()  # of whom nobody is known to agree with, what is usual
    people = np.maximum(LEAST, 1 - (1 - alike) / error)
    with_it = np.bincount(row, weights=y == consensus[row]) / np.bincount(row)
    return _Weights(model, people, float(people.mean()), float(with_it[shared].mean()))


def _agreements(
    row: np.ndarray, who: np.ndarray, y: np.ndarray, n_annotators: int, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Count, of each annotator (A,), the labels of others on the same images that are the same, and all of these."""
    said = np.zeros((row.max() + 1, n_classes))
    np.add.at(said, (row, y), 1)
    same = said[row, y] - 1
    all_others = said.sum(axis=1)[row] - 1
    return (
        np.bincount(who, weights=same, minlength=n_annotators),
        np.bincount(who, weights=all_others, minlength=n_annotators),
    )


def _quality(
    row: np.ndarray, who: np.ndarray, y: np.ndarray, consensus: np.ndarray, p: np.ndarray, weights: _Weights
) -> np.ndarray:
    """Return how likely the consensus is right (l,): a model's and everybody's word on it, weighed.

    With nobody's agreement to go by, a label is no witness to itself, and the model alone speaks.
    """
    own = p[np.arange(len(p)), consensus]
    if not (np.bincount(row) > 1).any():
        return np.asarray(own)
    apart = (1 - weights.agreeing) / (p.shape[1] - 1)
    word = np.where(y == consensus[row], weights.agreeing, apart) * weights.people[who]
    total = weights.model + np.bincount(row, weights=weights.people[who])
    return np.asarray((own * weights.model + np.bincount(row, weights=word)) / total)
