"""How good is each annotator, and what is an image, given what all of them said: Dawid and Skene's model.

Each annotator has a confusion matrix, each image one true class; both are found together by expectation maximisation
(Dawid and Skene, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm, 1979, equations 2.3 to
2.5). Only images that at least two labelled tell anything about skill: of one label alone, any skill is as likely. A
prior that draws everybody towards the others, and the others towards mistakes spread evenly, keeps a few labels from
breaking it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.errors import AnnotationError

__all__ = ["Skills", "dawid_skene"]

STRENGTH = 4.0  # labels of each class that the prior weighs as much as
USUAL = 0.9  # share that is right, of people nothing is known of
ROUNDS = 100
SETTLED = 1e-5  # no probability changes by more
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Skills:
    """What k labels of n images by A annotators say of both.

    `images` (n,) ascending; `posterior` (n, C) how likely each class is; `annotators` in the order of their names;
    `confusion` (A, C, C): the row is the true class, the column what was said; `frequencies` (C,) of the true classes;
    `labels` (A,) how many each gave, and `shared` (A,) how many of these are of images somebody else labelled, too.
    """

    images: np.ndarray
    posterior: np.ndarray
    annotators: tuple[str, ...]
    confusion: np.ndarray
    frequencies: np.ndarray
    labels: np.ndarray
    shared: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """How often each annotator is right (A,), over the classes as frequent as they are."""
        return np.asarray(np.einsum("acc,c->a", self.confusion, self.frequencies))


def dawid_skene(
    images: np.ndarray,
    annotators: list[str],
    labels: np.ndarray,
    n_classes: int,
    *,
    probabilities: np.ndarray | None = None,
) -> Skills:
    """Estimate skills and true classes from k labels: their images (k,), annotators (k), class numbers (k,).

    `probabilities` (n, C), a row for each different image, ascending, is what a model says that did not learn from the
    image; it takes the place of the classes' frequencies, and rows of NaN say nothing. Raises AnnotationError for
    columns of different lengths, or class numbers out of range.
    """
    images, labels = np.asarray(images), np.asarray(labels, dtype=np.int64)
    if not len(images) == len(annotators) == len(labels) or not len(labels):
        raise AnnotationError(
            "images, annotators and labels must be as many, and at least one, "
            f"got {len(images)}, {len(annotators)} and {len(labels)}"
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise AnnotationError(
            f"labels must be class numbers from 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}"
        )
    units, row, said = np.unique(images, return_inverse=True, return_counts=True)
    names = sorted(set(annotators))
    who = np.searchsorted(names, annotators)
    prior = _prior(probabilities, len(units), n_classes)
    shared = said[row] > 1  # (k,)
    confusion, frequencies = _fit(row[shared], who[shared], labels[shared], prior, (len(names), n_classes))
    return Skills(
        images=units,
        posterior=_expected(row, who, labels, _or(prior, frequencies), confusion),
        annotators=tuple(names),
        confusion=confusion,
        frequencies=frequencies,
        labels=np.bincount(who, minlength=len(names)),
        shared=np.bincount(who[shared], minlength=len(names)),
    )


def _prior(probabilities: np.ndarray | None, n: int, n_classes: int) -> np.ndarray:
    """Return what is known of each image beforehand (n, C), NaN where nothing is."""
    if probabilities is None:
        return np.full((n, n_classes), np.nan)
    found = np.asarray(probabilities, dtype=np.float64)
    if found.shape != (n, n_classes):
        raise AnnotationError(f"probabilities must have shape ({n}, {n_classes}), a row an image, got {found.shape}")
    return found


def _or(prior: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(prior).any(axis=1, keepdims=True), frequencies, prior)


def _fit(
    row: np.ndarray, who: np.ndarray, labels: np.ndarray, prior: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Find confusions (A, C, C) and frequencies (C,) of labels that share their images."""
    n_annotators, n_classes = shape
    units, row = np.unique(row, return_inverse=True)
    posterior = np.zeros((len(units), n_classes))  # (u, C), first the votes
    np.add.at(posterior, (row, labels), 1)
    posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1)
    confusion, frequencies = _maximised(row, who, labels, posterior, n_annotators)
    for _ in range(ROUNDS if len(units) else 0):
        before = posterior
        posterior = _expected(row, who, labels, _or(prior[units], frequencies), confusion)
        confusion, frequencies = _maximised(row, who, labels, posterior, n_annotators)
        if np.abs(posterior - before).max() < SETTLED:
            break
    return confusion, frequencies


def _expected(
    row: np.ndarray, who: np.ndarray, labels: np.ndarray, prior: np.ndarray, confusion: np.ndarray
) -> np.ndarray:
    """Return how likely each class is of each image (u, C), given everybody's skill (equation 2.5)."""
    logs = np.log(np.maximum(prior, TINY))
    np.add.at(logs, row, np.log(confusion)[who, :, labels])
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _maximised(
    row: np.ndarray, who: np.ndarray, labels: np.ndarray, posterior: np.ndarray, n_annotators: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return confusions (A, C, C) and frequencies (C,), given how likely each class is (equations 2.3 and 2.4)."""
    n_classes = posterior.shape[1]
    said = np.zeros((n_annotators, n_classes, n_classes))  # what was said first, so that whole rows are added
    np.add.at(said, (who, labels), posterior[row])
    counts = said.transpose(0, 2, 1)
    together = counts.sum(axis=0)  # (C, C)
    right = (np.trace(together) + STRENGTH * USUAL) / (together.sum() + STRENGTH)
    even = np.full((n_classes, n_classes), (1 - right) / max(1, n_classes - 1))
    np.fill_diagonal(even, right if n_classes > 1 else 1.0)
    usual = _rows(together + STRENGTH * even)
    return _rows(counts + STRENGTH * usual), (posterior.sum(axis=0) + 1) / (len(posterior) + n_classes)


def _rows(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))
