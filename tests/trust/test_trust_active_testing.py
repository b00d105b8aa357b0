"""Active testing: the weights by hand, and by simulation that the estimate is unbiased, tighter, and honest."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust.active_testing import (
    ActiveEstimate,
    draw_active,
    errors_by_chance,
    estimate_active,
    lure_weights,
)


def exams(
    errors: np.ndarray, wrong: np.ndarray, n: int, times: int, uniform: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Return the estimates of many draws, and whether each one's interval held the pool's accuracy."""
    rng, truth = np.random.default_rng(0), 1 - wrong.mean()
    found = []
    for _ in range(times):
        drawn = draw_active(errors, n, rng, uniform=uniform)
        found.append(estimate_active(~wrong[drawn.rows], drawn.q, errors[drawn.rows], len(errors)))
    held = np.array([one.interval.low <= truth <= one.interval.high for one in found])
    return np.array([one.accuracy for one in found]), held


def test_weights_by_hand() -> None:
    assert lure_weights(np.array([1 / 5, 1 / 4, 1 / 3]), 5) == pytest.approx([1, 1, 1])
    # N = 4, M = 2: 1 + 2/3 (1 / (4 * .5) - 1) and 1 + 2/2 (1 / (3 * .2) - 1)
    assert lure_weights(np.array([0.5, 0.2]), 4) == pytest.approx([2 / 3, 5 / 3])
    assert lure_weights(np.array([0.9, 0.5, 1.0]), 3) == pytest.approx([1, 1, 1])  # all of them: nothing to weigh


def test_it_is_unbiased_exactly() -> None:
    """Over every order in which two of four can be drawn, by its chance, the mean of the estimates is the truth."""
    chances, wrong = np.array([0.4, 0.3, 0.2, 0.1]), np.array([True, False, True, False])
    mean = 0.0
    for first, second in permutations(range(4), 2):
        q = np.array([chances[first], chances[second] / (1 - chances[first])])
        mean += q.prod() * float((lure_weights(q, 4) * wrong[[first, second]]).mean())
    assert mean == pytest.approx(0.5, abs=1e-12)


def test_the_chances_are_those_that_were_drawn_by() -> None:
    errors = np.array([0.64, 0.16, 0.04, 0.0])
    first = np.array([draw_active(errors, 1, np.random.default_rng(seed)).rows[0] for seed in range(2000)])
    q = 0.7 * np.sqrt(errors) / np.sqrt(errors).sum() + 0.3 / 4
    assert np.bincount(first, minlength=4) / 2000 == pytest.approx(q, abs=3 * (0.25 / 2000) ** 0.5)
    drawn = draw_active(errors, 4, np.random.default_rng(1))
    assert sorted(drawn.rows.tolist()) == [0, 1, 2, 3]
    assert drawn.q[0] == pytest.approx(q[drawn.rows[0]])
    assert drawn.q[-1] == pytest.approx(1)
    half = draw_active(errors, 2, np.random.default_rng(1))
    assert (half.rows == drawn.rows[:2]).all()
    assert (half.q == drawn.q[:2]).all()


def test_of_a_calibrated_model_it_is_unbiased_and_tighter_than_chance() -> None:
    rng = np.random.default_rng(1)
    errors = 1 - rng.beta(8, 0.5, 400)
    wrong = rng.random(400) < errors
    truth = 1 - wrong.mean()
    active, held = exams(errors, wrong, 40, 400)
    by_chance, _ = exams(errors, wrong, 40, 400, uniform=1.0)
    assert abs(active.mean() - truth) < 3 * active.std() / 400**0.5
    assert active.var() < 0.75 * by_chance.var()
    assert held.mean() > 0.93 - 2 * (0.05 * 0.95 / 400) ** 0.5


def test_of_a_model_that_knows_nothing_it_is_still_unbiased_and_hardly_worse() -> None:
    rng = np.random.default_rng(2)
    errors, wrong = 1 - rng.beta(4, 0.7, 400), rng.random(400) < 0.2
    active, held = exams(errors, wrong, 40, 400)
    by_chance, _ = exams(errors, wrong, 40, 400, uniform=1.0)
    assert abs(active.mean() - (1 - wrong.mean())) < 3 * active.std() / 400**0.5
    assert active.std() < 1.4 * by_chance.std()
    assert held.mean() > 0.90


def test_what_looked_only_at_doubts_would_be_far_off_without_the_weights() -> None:
    rng = np.random.default_rng(3)
    errors = 1 - rng.beta(4, 0.7, 400)
    wrong = rng.random(400) < errors
    rows = [draw_active(errors, 40, rng).rows for _ in range(100)]
    assert np.mean([1 - wrong[one].mean() for one in rows]) < 1 - wrong.mean() - 0.05


def test_without_a_mistake_the_interval_is_not_a_point() -> None:
    drawn = draw_active(np.full(300, 0.02), 30, np.random.default_rng(0))
    found = estimate_active(np.ones(30, dtype=bool), drawn.q, np.full(30, 0.02), 300)
    assert found.accuracy == 1
    assert 0.80 < found.interval.low < 0.95
    assert ActiveEstimate.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert "on the 300 images it was drawn from, by 30 of them" in found.text()


def test_errors_are_what_a_model_is_not_sure_of() -> None:
    assert errors_by_chance(np.array([[0.7, 0.3], [0.05, 0.95]])) == pytest.approx([0.3, 0.05])
    even = draw_active(np.zeros(5), 5, np.random.default_rng(0))
    assert even.q == pytest.approx([1 / 5, 1 / 4, 1 / 3, 1 / 2, 1])


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ExamError, match="n must be from 1 to 3"):
        draw_active(np.full(3, 0.1), 4, rng)
    with pytest.raises(ExamError, match="chances from 0 to 1"):
        draw_active(np.array([0.1, np.nan]), 1, rng)
    with pytest.raises(ExamError, match="uniform must be above 0"):
        draw_active(np.full(3, 0.1), 1, rng, uniform=0.0)
    with pytest.raises(ExamError, match="no more than the pool's 1"):
        lure_weights(np.array([0.5, 0.5]), 1)
    with pytest.raises(ExamError, match="above 0"):
        lure_weights(np.array([0.0]), 3)
    with pytest.raises(ExamError, match="equally many, got 2, 1 and 2"):
        estimate_active(np.ones(2, dtype=bool), np.ones(1), np.ones(2), 5)
    with pytest.raises(ExamError, match="finite"):
        errors_by_chance(np.array([0.5, 0.5]))
