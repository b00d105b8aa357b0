"""Rules over columns and classes: what they leave, what breaks them, and probabilities corrected by hand."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import LearningError
from annotate_select.trust.rules import Rule, applies, broken, corrected, frequencies_of, parent_accuracy, permitted

COLUMNS = {"camera": ["A", "A", "B", None], "site": ["x", "y", "x", "x"]}
NEVER_NIGHT = Rule({"camera": frozenset({"A"})}, frozenset({0, 1}), "camera A, never night")
ONLY_DAY = Rule({"camera": frozenset({"A", "B"}), "site": frozenset({"x"})}, frozenset({0}), "at x only day")


def test_a_rule_speaks_where_every_column_has_one_of_its_values() -> None:
    assert applies(NEVER_NIGHT, COLUMNS, 4).tolist() == [True, True, False, False]
    assert applies(ONLY_DAY, COLUMNS, 4).tolist() == [True, False, True, False]
    assert applies(NEVER_NIGHT, {}, 4).tolist() == [False] * 4


def test_rules_together_leave_what_all_leave() -> None:
    left = permitted([NEVER_NIGHT, ONLY_DAY], COLUMNS, 4, 3)
    assert left.astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert broken([NEVER_NIGHT, ONLY_DAY], COLUMNS, np.array([2, 2, 1, 2])) == [(0, 0), (0, 1), (1, 0), (2, 1)]
    assert broken([NEVER_NIGHT], COLUMNS, np.array([-1, 1, 2, 2])) == []


def test_probabilities_are_corrected_by_hand() -> None:
    p = np.array([[0.2, 0.2, 0.6], [0.0, 0.0, 1.0], [0.2, 0.2, 0.6]])
    left = np.array([[True, True, False], [True, True, False], [False, False, False]])
    np.testing.assert_allclose(corrected(p, left), [[0.5, 0.5, 0], [0.5, 0.5, 0], [0.2, 0.2, 0.6]], atol=1e-6)
    prior = np.array([0.6, 0.3, 0.1])
    expected = [[2 / 3, 1 / 3, 0], [2 / 3, 1 / 3, 0], [0.12 / 0.24, 0.06 / 0.24, 0.06 / 0.24]]
    np.testing.assert_allclose(corrected(p, left, prior), expected, atol=1e-6)


def test_known_frequencies_make_a_balanced_model_right_more_often() -> None:
    """Two overlapping bells, one of them nine times as frequent: Bayes' rule with the prior errs least."""
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.1).astype(int)
    x = rng.standard_normal(4000) + 1.5 * y
    second = 1 / (1 + np.exp(-(1.5 * x - 1.125)))  # the likelihoods alone
    p = np.stack([1 - second, second], axis=1)
    weighed = corrected(p, np.ones((4000, 2), dtype=bool), np.array([0.9, 0.1]))
    assert (weighed.argmax(axis=1) == y).mean() > (p.argmax(axis=1) == y).mean() + 0.05
    assert abs(weighed[:, 1].mean() - y.mean()) < 0.02  # and they are calibrated


def test_what_is_left_of_frequencies_is_shared() -> None:
    np.testing.assert_allclose(frequencies_of({2: 0.1}, 3), [0.45, 0.45, 0.1])
    np.testing.assert_allclose(frequencies_of({0: 0.5, 1: 0.3, 2: 0.2}, 3), [0.5, 0.3, 0.2])
    np.testing.assert_allclose(frequencies_of({}, 2), [0.5, 0.5])
    with pytest.raises(LearningError, match=r"must be between 0 and 1, got 1\.5"):
        frequencies_of({0: 1.5}, 2)
    with pytest.raises(LearningError, match="come to 1, but must leave some"):
        frequencies_of({0: 0.5, 1: 0.5}, 3)
    with pytest.raises(LearningError, match=r"come to 0\.8, but must come to 1"):
        frequencies_of({0: 0.5, 1: 0.3}, 2)


def test_mistakes_within_a_parent_are_told_apart() -> None:
    labels, predicted = np.array([0, 1, 1, 2, 0]), np.array([0, 2, 1, 1, 1])
    assert parent_accuracy(labels, predicted, np.array([0, 1, 1])) == (0.8, 2)
