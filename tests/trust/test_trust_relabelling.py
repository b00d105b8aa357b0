"""Permutation tests: values worked out by hand, and one rate of false alarms however many statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from annotate_select.trust.cells import centres_of
from annotate_select.trust.drift_statistics import classifier_auc, divergence, excess, g_statistic, kernel_distance
from annotate_select.trust.relabelling import corrected, possible, relabellings, units_of
from annotate_select.trust.strangers import Neighbours, Space, limit_of, neighbours, strangers, to_earlier


def test_a_group_on_both_sides_is_two_units() -> None:
    new = np.array([False, False, True, True, False, True])
    groups = np.array([0, 0, 0, 1, -1, -1])
    assert units_of(new, groups).tolist() == [0, 0, 1, 2, 3, 4]
    assert units_of(new, None).tolist() == [0, 1, 2, 3, 4, 5]


def test_units_are_called_new_as_a_whole() -> None:
    new = np.array([False, False, True, True, False, False, False])
    units = np.array([0, 0, 1, 1, 2, 3, 3])
    assert possible(new, units) == 4
    dealt = relabellings(new, units, 200, np.random.default_rng(0))
    assert dealt[0].tolist() == new.tolist()
    assert (dealt[:, units == 1].std(axis=1) == 0).all()
    assert {tuple(np.unique(units[row]).tolist()) for row in dealt} == {(0,), (1,), (2,), (3,)}


def test_p_values_by_hand() -> None:
    # the truth is the largest of 4 in the first, and the second of 4 in the other
    statistics = np.array([[9.0, 3.0], [1.0, 4.0], [2.0, 2.0], [3.0, 1.0]])
    # smallest p of each row: .25, .25 (its second is the largest), .75 (.75 and .75), .5
    assert corrected(statistics) == (0.5, [0.5, 0.75])
    assert corrected(np.zeros((4, 2))) == (1.0, [1.0, 1.0])


def test_three_statistics_share_one_rate_of_false_alarms() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(corrected(rng.normal(size=(500, 3)))[0] <= 0.05 for _ in range(2000))
    assert binom.ppf(0.005, 2000, 0.05) <= alarms <= binom.ppf(0.995, 2000, 0.05)


def test_likelihood_ratio_and_divergence_by_hand() -> None:
    number = np.array([0, 0, 1, 1])
    labellings = np.array([[True, True, False, False], [True, False, True, False]])
    assert g_statistic(labellings, number, 2) == pytest.approx([8 * np.log(2), 0.0])
    assert divergence(labellings[0], number, 2) == pytest.approx(1.0)
    assert divergence(labellings[1], number, 2) == pytest.approx(0.0)
    # 2 new where 1 is expected; variance .5 * .5 * 2 * (1 - 2 / 4)
    assert excess(labellings, number, 2)[0] == pytest.approx([1 / 0.5, -1 / 0.5])


def test_the_kernel_sees_a_shift_that_is_there() -> None:
    points = np.array([[0.0, 0.0]] * 20 + [[3.0, 0.0]] * 20)
    apart = np.arange(40) >= 20
    mixed = np.arange(40) % 2 == 0
    # width 3: k(a, a) = 1 and k(a, b) = exp(-1/2), so the squared distance is 2 (1 - exp(-1/2)), by random frequencies
    found = kernel_distance(np.array([apart, mixed]), points, 0)
    assert found[0] == pytest.approx(2 * (1 - np.exp(-0.5)), abs=0.15)
    assert found[1] == pytest.approx(0.0, abs=1e-12)
    assert kernel_distance(apart[None, :], np.zeros((40, 2)), 0) == pytest.approx([0.0], abs=1e-12)


def test_the_classifier_tells_what_can_be_told_only() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 4))
    new = np.arange(200) >= 100
    points[new, 0] += 6
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    labellings = np.array([new, rng.permutation(new)])
    told, chance = classifier_auc(labellings, points, np.arange(200), 0)
    assert told > 0.97
    assert chance == pytest.approx(0.5, abs=0.12)
    assert classifier_auc(labellings, np.zeros((200, 4)), np.arange(200), 0) == pytest.approx([0.5, 0.5])


def test_neighbours_are_of_other_units_and_earlier_ones_are_counted() -> None:
    points = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32)
    alone = neighbours(points, points, 2, (np.arange(4), np.arange(4)))
    assert alone.rows.tolist() == [[1, 2], [2, 0], [1, 0], [2, 1]]
    assert alone.distances[0] == pytest.approx([np.sqrt(0.8), np.sqrt(2)])
    together = neighbours(points, points, 1, (np.array([0, 0, 1, 2]), np.array([0, 0, 1, 2])))
    assert together.rows[:, 0].tolist() == [2, 2, 1, 2]
    near = Neighbours(np.array([[1, 2, 3]]), np.array([[0.1, 0.2, 0.3]]))
    assert to_earlier(near, np.array([True, False, True, True]), k=1).tolist() == [0.2]
    assert to_earlier(near, np.array([True, True, False, True]), k=2).tolist() == [0.3]
    assert to_earlier(near, np.array([True, False, False, False]), k=1).tolist() == [0.3]  # at least as far


def test_limits_by_hand() -> None:
    known = np.arange(1, 1001, dtype=float)
    assert limit_of(known, 0.01) == (991, 10 / 1001)  # nine are beyond it, and a fresh one is one of ten such of 1,001
    assert limit_of(known[:50], 0.01) == (50, 1 / 51)


def test_strangers_are_found_by_either_measure() -> None:
    earlier = np.arange(103) < 100
    plain = np.where(np.arange(103) == 101, 9.0, 1.0)
    other = np.where(np.arange(103) == 102, 9.0, 1.0)
    rows = np.zeros((103, 1), dtype=np.int64)
    near = [Neighbours(rows, one[:, None]) for one in (plain, other)]
    assert np.flatnonzero(strangers(near, earlier)).tolist() == [101, 102]


def test_directions_of_equal_rows_are_nothing() -> None:
    space = Space.of(np.full((5, 3), 0.1, dtype=np.float32))
    assert not space.directions(np.full((5, 3), 0.1, dtype=np.float32)).any()
    assert len(centres_of(np.zeros((50, 3), dtype=np.float32), 0)) == 1
