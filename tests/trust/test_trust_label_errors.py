"""Which labels are likely wrong: counts and odds by hand, and planted mistakes found."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import FeaturesError, LearningError
from annotate_select.trust.label_errors import ENOUGH, as_frequent, confident, label_quality, pooled
from annotate_select.trust.look_alikes import neighbour_shares


def test_the_confident_joint_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.55, 0.45]])
    y = np.array([0, 0, 0, 1, 1, 1])
    found = confident(p, y)
    np.testing.assert_allclose(found.thresholds, [0.6, 0.65])  # (.9 + .7 + .2) / 3 and (.6 + .9 + .45) / 3
    assert found.taken.tolist() == [0, 0, 1, -1, 1, -1]
    np.testing.assert_allclose(found.joint, [[2, 1], [0, 3]])  # rows scaled to the three labels of each class
    assert not found.from_random.any()


def test_thresholds_are_of_the_images_that_chance_chose() -> None:
    """Hard picks have .4 whatever they are, random images .8: thresholds of all would be .44, of the random .8."""
    y = np.array([0, 1] * 200)
    random = np.arange(400) < 2 * ENOUGH
    own = np.where(random, 0.8, 0.4)
    p = np.where(np.eye(2)[y] > 0, own[:, None], 1 - own[:, None])
    unaware, aware = confident(p, y), confident(p, y, random)
    assert aware.from_random.all()
    np.testing.assert_allclose(aware.thresholds, 0.8)
    assert (unaware.taken[~random] != y[~random]).all()  # all picks suspected
    assert (aware.taken[~random] == -1).all()  # none
    few = confident(p, y, np.arange(400) < 2 * ENOUGH - 2)
    np.testing.assert_allclose(few.thresholds, unaware.thresholds)


def test_a_class_nobody_gave_contradicts_nothing() -> None:
    found = confident(np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]), np.array([0, 1]))
    assert found.thresholds[2] == np.inf
    assert 2 not in found.taken
    np.testing.assert_allclose(found.joint.sum(axis=1), [1, 1, 0])


def test_quality_is_the_odds_of_the_label() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [1.0, 0.0, 0.0]])
    found = label_quality(p, np.array([0, 0, 1]))
    np.testing.assert_allclose(found, [0.601 / 0.902, 0.201 / 0.802, 0.001 / 1.002])


def test_the_better_opinion_gets_the_weight() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 500)
    good = np.full((500, 3), 0.1) + 0.7 * np.eye(3)[y]
    noise = rng.dirichlet(np.ones(3), 500)
    together, weights = pooled([good, noise], y)
    assert weights[0] > 0.9
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose(together.sum(axis=1), 1)
    same, even = pooled([good, good], y)
    np.testing.assert_allclose(even, 0.5)
    np.testing.assert_allclose(same, good)


def test_classes_are_made_as_frequent_as_they_are() -> None:
    found = as_frequent(np.array([[0.5, 0.5], [0.0, 1.0], [0.0, 0.0]]), np.array([0.9, 0.1]))
    np.testing.assert_allclose(found, [[0.9, 0.1], [0, 1], [0.9, 0.1]])


def test_neighbours_by_hand() -> None:
    angles = np.radians([0, 5, 10, 90, 95, 180])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    y = np.array([0, 0, 1, 1, 1, 0])
    found = neighbour_shares(x, y, 2, np.zeros(2), k=2)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.5, 0.5], [1, 0], [0, 1], [0, 1], [0, 1]])


def test_its_own_group_is_no_neighbour() -> None:
    angles = np.radians([0, 1, 2, 40])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    y = np.array([0, 0, 0, 1])
    found = neighbour_shares(x, y, 2, np.zeros(2), groups=np.array([5, 5, 5, -1]), k=2)
    np.testing.assert_allclose(found, [[0, 1], [0, 1], [0, 1], [1, 0]])
    alone = neighbour_shares(x, y, 2, np.zeros(2), groups=np.array([5, 5, 5, 5]))
    np.testing.assert_allclose(alone, 0.5)


def test_planted_mistakes_come_first() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 300)
    x = np.eye(3)[y] * 4 + rng.standard_normal((300, 3))
    wrong = rng.choice(300, 30, replace=False)
    given = y.copy()
    given[wrong] = (y[wrong] + 1) % 3
    shares = neighbour_shares(x, given, 3, x.mean(axis=0))
    worst = np.argsort(label_quality(shares, given), kind="stable")[:30]
    assert len(set(worst.tolist()) & set(wrong.tolist())) >= 25


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(LearningError, match="one for each"):
        confident(np.ones((2, 2)), np.array([0]))
    with pytest.raises(LearningError, match="must be finite"):
        label_quality(np.array([[np.nan, 1]]), np.array([0]))
    with pytest.raises(LearningError, match="from 0 to 1, got 2 to 2"):
        label_quality(np.ones((1, 2)), np.array([2]))
    with pytest.raises(FeaturesError, match="one for each of 2 rows"):
        neighbour_shares(np.ones((2, 2)), np.array([0]), 2, np.zeros(2))
    with pytest.raises(FeaturesError, match="must be finite"):
        neighbour_shares(np.full((2, 2), np.inf), np.array([0, 1]), 2, np.zeros(2))
