"""Picks that crowd: worked by hand, never in picks by chance beyond the rate stated, and only where it lasts."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.trust.picks import kinds, runaway, spread

POOL = np.full(20, 50)


def crowd(*where: int) -> np.ndarray:
    counts = np.zeros(20, dtype=np.int64)
    counts[list(where)] = 10
    return counts


def test_kinds_by_hand() -> None:
    assert kinds(np.array([[3, 3, 3, 0], [7, 0, 0, 0]])).tolist() == pytest.approx([3.0, 1.0])
    # exp(-(.75 ln .75 + .25 ln .25))
    assert kinds(np.array([3, 1])).item() == pytest.approx(np.exp(0.5623351446))


def test_distance_by_hand() -> None:
    found = spread(np.array([10, 0]), np.array([30, 70]), np.random.default_rng(0))
    assert found.distance == pytest.approx(0.7)
    assert found.kinds == pytest.approx(1.0)


def test_chance_does_not_crowd_and_few_picks_say_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [spread(rng.multinomial(30, POOL / POOL.sum()), POOL, rng) for _ in range(300)]
    assert not any(one.crowded for one in found)
    assert 0.9 < np.mean([one.distance <= one.usual for one in found]) <= 1
    few = np.zeros(20, dtype=np.int64)
    few[0] = 9
    assert not spread(few, POOL, rng).crowded


def test_crowding_is_seen() -> None:
    found = spread(crowd(0, 1, 2), POOL, np.random.default_rng(0))
    assert found.crowded
    assert found.kinds == pytest.approx(3.0)
    assert 12 < found.by_chance < 18


def test_only_the_same_few_kinds_three_rounds_running_are_a_runaway() -> None:
    wide = np.full(20, 2)
    assert runaway([wide, crowd(0, 1), crowd(0, 1, 2), crowd(1, 2)], POOL, 0)
    assert not runaway([crowd(0, 1), crowd(0, 1, 2)], POOL, 0)
    assert not runaway([crowd(0, 1), crowd(0, 1), wide], POOL, 0)
    # another corner of the pool every time
    assert not runaway([crowd(*range(5)), crowd(*range(5, 10)), crowd(*range(10, 15))], POOL, 0)


def test_a_pool_of_one_kind_has_nothing_to_crowd_in() -> None:
    assert not runaway([np.array([30])] * 3, np.array([500]), 0)
