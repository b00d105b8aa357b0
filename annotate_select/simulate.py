"""Rounds replayed against known labels: what a strategy, or chance, would have reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.learning.head import fit_head, mean_of
from annotate_select.selection.select import Strategy, select

__all__ = ["Replay", "replay"]


@dataclass(frozen=True)
class Replay:
    """Accuracy on the test rows at each budget, for one seed."""

    seed: int
    budgets: tuple[int, ...]
    accuracies: tuple[float, ...]


def replay(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    strategy: str | Strategy,
    budgets: Sequence[int],
    test: np.ndarray,
    exclude: np.ndarray | Sequence[int] = (),
    seed: int = 0,
) -> Replay:
    """Select, reveal the labels, train, measure; at each budget (labels in all, ascending).

    `features` (n, d), `labels` (n,) class numbers, `test` rows that are measured on and never picked. A budget whose
    labels are all of one class is worth the accuracy of always saying that class.
    """
    known = np.empty(0, dtype=np.int64)
    classes, centre = int(labels.max()) + 1, mean_of(features)
    reserved = np.union1d(np.asarray(exclude, dtype=np.int64), test)
    accuracies = []
    probabilities, accuracy = None, None
    for budget in budgets:
        picks = select(
            features,
            budget - len(known),
            strategy,
            labeled=known,
            labels=labels[known],
            probabilities=probabilities,
            accuracy=accuracy,
            seed=seed,
            exclude=reserved,
            n_classes=classes,
        )
        known = np.concatenate([known, picks.rows])
        if len(np.unique(labels[known])) < 2:
            accuracies.append(float(np.mean(labels[test] == labels[known[0]])))
            continue
        head = fit_head(features[known], labels[known], classes, seed=seed, centre=centre)
        probabilities, accuracy = head.probabilities(features), head.cv_accuracy
        accuracies.append(float(np.mean(probabilities[test].argmax(axis=1) == labels[test])))
    return Replay(seed, tuple(budgets), tuple(accuracies))
