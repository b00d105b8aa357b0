"""Rounds replayed against known labels."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select import replay
from annotate_select.errors import SelectionError


def blobs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make three well separated classes of n points each in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = 6 * np.eye(3, 16)
    labels = np.repeat(np.arange(3), n)
    return centres[labels] + rng.normal(size=(3 * n, 16)), labels


@pytest.mark.parametrize("strategy", ["random", "kmeans", "auto"])
def test_accuracy_grows_to_what_the_classes_allow(strategy: str) -> None:
    features, labels = blobs(60, 0)
    test = np.arange(0, 180, 3)
    played = replay(features, labels, strategy=strategy, budgets=[6, 12, 40], test=test)
    assert played.budgets == (6, 12, 40)
    assert played.accuracies[-1] >= 0.95  # the classes overlap a little
    assert played.accuracies[-1] >= played.accuracies[0]
    assert played == replay(features, labels, strategy=strategy, budgets=[6, 12, 40], test=test)


def test_one_class_only_is_worth_its_share() -> None:
    features, labels = blobs(40, 1)
    test = np.arange(30, 120)
    played = replay(features, labels, strategy="random", budgets=[1], test=test)
    picked_class_share = {float(np.mean(labels[test] == number)) for number in range(3)}
    assert played.accuracies[0] in picked_class_share


def test_test_rows_and_excluded_rows_are_never_picked() -> None:
    features, labels = blobs(10, 2)
    test, exclude = np.arange(0, 10), np.arange(10, 25)
    assert replay(features, labels, strategy="random", budgets=[5], test=test, exclude=exclude).budgets == (5,)
    with pytest.raises(SelectionError, match="between 1 and 5"):
        replay(features, labels, strategy="random", budgets=[6], test=test, exclude=exclude)
