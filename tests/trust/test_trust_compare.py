"""Two models on one exam: counts, intervals that hold what they promise, and words."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust.compare import compare_models, paired_difference
from annotate_select.trust.intervals import Interval


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(3)[classes]


def test_counted_by_hand() -> None:
    labels = np.array([0, 1, 2, 0, -1])
    first, second = one_hot([0, 1, 2, 1, 0]), one_hot([0, 2, 2, 0, 0])  # right: 1110, 1011
    found = compare_models(labels, first, second, model=7, against=6)
    assert (found.n, found.gained, found.lost, found.difference, found.p) == (4, 1, 1, 0.0, 1.0)
    assert not found.decided
    assert found.text().startswith("models 7 and 6 cannot be told apart yet: +0.0 points")


def test_a_clear_difference_is_said_with_its_interval() -> None:
    labels = np.zeros(100, dtype=int)
    better, worse = one_hot([0] * 90 + [1] * 10), one_hot([1] * 30 + [0] * 60 + [1] * 10)
    found = compare_models(labels, better, worse, model=7, against=6)
    assert (found.gained, found.lost) == (30, 0)
    assert found.p < 1e-6
    assert found.text().startswith("model 7 is better than model 6: +30.0 points")
    turned = compare_models(labels, worse, better, model=6, against=7)
    assert turned.interval == Interval(-found.interval.high, -found.interval.low)
    assert turned.text().startswith("model 6 is worse than model 7: -30.0 points")


def test_the_interval_tests_what_mcnemar_tests() -> None:
    # At a difference of 0 the score statistic is McNemar's: 0 is inside exactly when (b - c)^2 / (b + c) is below z^2.
    for gained, lost in [(10, 3), (10, 2), (12, 3), (12, 4), (0, 4), (0, 3)]:
        inside = (gained - lost) ** 2 / (gained + lost) <= 1.959964**2
        interval = paired_difference(gained, lost, 60)
        assert (interval.low <= 0 <= interval.high) is inside, (gained, lost)


def test_it_holds_the_truth_as_often_as_promised() -> None:
    rng, shares = np.random.default_rng(0), []
    for n, gained, lost in [(20, 0.1, 0.1), (30, 0.2, 0.05), (60, 0.05, 0.05), (200, 0.1, 0.05), (40, 0.3, 0.1)]:
        counts = rng.multinomial(n, [gained, lost, 1 - gained - lost], size=2_000)
        cells, times = np.unique(counts[:, :2], axis=0, return_counts=True)
        intervals = [paired_difference(int(b), int(c), n) for b, c in cells]
        held = np.array([one.low <= gained - lost <= one.high for one in intervals])
        shares.append(float((held * times).sum() / times.sum()))
    assert 0.93 <= np.mean(shares) <= 0.97, shares
    assert min(shares) > 0.92, shares


def test_nothing_gained_and_lost_still_leaves_doubt() -> None:
    interval = paired_difference(0, 0, 50)
    assert -0.08 < interval.low < 0 < interval.high < 0.08


@pytest.mark.parametrize(("gained", "lost", "n"), [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_counts(gained: int, lost: int, n: int) -> None:
    with pytest.raises(ExamError, match="must be counts of at most"):
        paired_difference(gained, lost, n)


def test_other_images_cannot_be_compared() -> None:
    with pytest.raises(ExamError, match="compared on the same images"):
        compare_models(np.zeros(2, dtype=int), one_hot([0, 1]), one_hot([0, 1, 2]), model=2, against=1)
    with pytest.raises(ExamError, match="no image of the exam has a label"):
        compare_models(np.array([-1]), one_hot([0]), one_hot([0]), model=2, against=1)
