"""What people know beforehand: which classes an image cannot be, by what is known of it; how frequent classes are.

A rule says "where the camera is A, never night". Rules take classes away from what a model says, known frequencies
weigh the rest (Bayes' rule, as Saerens, Latinne and Decaestecker 2002 correct for other priors, equation 2.4), and a
label that breaks a rule is one of two mistakes: the label's, or the rule's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.errors import LearningError

__all__ = ["Columns", "Rule", "applies", "broken", "corrected", "frequencies_of", "parent_accuracy", "permitted"]

Columns = Mapping[str, Sequence[str | None]]  # of each image one value, or none


@dataclass(frozen=True)
class Rule:
    """Images whose column has one of the values, in every column of `when`, are of one of the `allowed` classes.

    `allowed` holds class numbers; `words` says it as a person would.
    """

    when: Mapping[str, frozenset[str]]
    allowed: frozenset[int]
    words: str


def applies(rule: Rule, columns: Columns, n: int) -> np.ndarray:
    """Tell of which of n images a rule speaks (n,); an image without a value in a column is not spoken of."""
    found = np.ones(n, dtype=bool)
    for name, values in rule.when.items():
        column = columns.get(name)
        found &= np.array([one in values for one in column], dtype=bool) if column is not None else False
    return found


def permitted(rules: Sequence[Rule], columns: Columns, n: int, n_classes: int) -> np.ndarray:
    """Return which classes the rules leave each of n images (n, C); none, where they contradict each other."""
    left = np.ones((n, n_classes), dtype=bool)
    for rule in rules:
        of_rule = np.isin(np.arange(n_classes), list(rule.allowed))
        left[applies(rule, columns, n)] &= of_rule
    return left


def broken(rules: Sequence[Rule], columns: Columns, labels: np.ndarray) -> list[tuple[int, int]]:
    """Return (row, number of the rule) where a label (n,) breaks a rule, by rows; negative labels are none."""
    y = np.asarray(labels)
    pairs = [
        (row, number)
        for number, rule in enumerate(rules)
        for row in np.flatnonzero(applies(rule, columns, len(y)) & (y >= 0) & ~np.isin(y, list(rule.allowed))).tolist()
    ]
    return sorted(pairs)


def frequencies_of(given: Mapping[int, float], n_classes: int) -> np.ndarray:
    """Return how frequent each class is (C,): as given, by class number; what is left is shared evenly by the others.

    Raises LearningError for shares outside 0..1, or that leave nothing for the others, or do not come to 1.
    """
    shares = np.zeros(n_classes)
    for number, share in given.items():
        if not 0 < share < 1:
            raise LearningError(f"a frequency must be between 0 and 1, got {share}")
        shares[number] = share
    others = np.setdiff1d(np.arange(n_classes), list(given))
    left = 1 - shares.sum()
    if (len(others) and left <= 0) or (not len(others) and abs(left) > 0.01):
        wanted = "leave some for the classes without one" if len(others) else "come to 1"
        raise LearningError(f"frequencies come to {shares.sum():.4g}, but must {wanted}")
    shares[others] = left / max(1, len(others))
    return np.asarray(shares / shares.sum())


def corrected(probabilities: np.ndarray, left: np.ndarray, frequencies: np.ndarray | None = None) -> np.ndarray:
    """Return probabilities (n, C) float32 of a model to which all classes were alike, for what people know.

    `left` (n, C) are the classes that rules leave; `frequencies` (C,). Where the model gave all to classes that are
    taken away, frequencies alone speak; where rules contradict each other and leave none, they are not heard.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    heard = left | ~left.any(axis=1, keepdims=True)
    prior = np.ones(p.shape[1]) if frequencies is None else np.asarray(frequencies, dtype=np.float64)
    weighed = p * prior * heard
    whole = weighed.sum(axis=1, keepdims=True)
    alone = heard * prior
    return np.asarray(
        np.where(whole > 0, weighed / np.where(whole > 0, whole, 1), alone / alone.sum(axis=1, keepdims=True)),
        dtype=np.float32,
    )


def parent_accuracy(labels: np.ndarray, predicted: np.ndarray, parents: np.ndarray) -> tuple[float, int]:
    """Return the share of predictions (n,) under the label's parent, and how many mistakes (of all) stay within one.

    `parents` (C,) numbers each class's parent; a class without one has a number of its own.
    """
    right = parents[labels] == parents[predicted]
    return float(right.mean()), int((right & (labels != predicted)).sum())
