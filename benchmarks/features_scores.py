"""How good a space is: neighbours, a linear probe, and the package's own classifier."""

from __future__ import annotations

import numpy as np

K = 20


def accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray, *, balanced: bool) -> float:
    """Return the share of test rows (m, d) that K neighbours by cosine, one vote each, name rightly; in per cent.

    Where `test` is `train` itself, a row is not its own neighbour.
    """
    from annotate_select.features.health import unit

    cosine = unit(test) @ unit(train).T
    if test is train:
        np.fill_diagonal(cosine, -2)
    near = np.argpartition(-cosine, K, axis=1)[:, :K]
    votes = np.zeros((len(test), labels.max() + 1))
    np.add.at(votes, (np.arange(len(test))[:, None], labels[near]), 1)
    right = votes.argmax(axis=1) == wanted
    if balanced:
        return 100 * float(np.mean([right[wanted == one].mean() for one in np.unique(wanted)]))
    return 100 * float(right.mean())


def linear(train: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray) -> float:
    """Return the accuracy of logistic regression on standardised features, its best of three strengths; in per cent."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6
    models = [LogisticRegression(C=c, max_iter=300).fit((train - mean) / deviation, labels) for c in (0.001, 0.01, 0.1)]
    return 100 * max(float(model.score((test - mean) / deviation, wanted)) for model in models)
