from __future__ import annotations

from collections.abc import Callable
from math import comb, log

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust.intervals import Interval, share_interval, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (8, 10, 0.49016, 0.94332),
        (0, 10, 0.0, 0.27753),  # z^2 / (n + z^2) = 3.8415 / 13.8415
        (10, 10, 0.72247, 1.0),
        (5, 10, 0.23659, 0.76341),
        (81, 263, 0.25529, 0.36621),  # Newcombe, Statistics in Medicine 17 (1998): .2553 to .3662
    ],
)
def test_known_values(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert found.low == pytest.approx(low, abs=5e-6)
    assert found.high == pytest.approx(high, abs=5e-6)


def test_the_ends_are_exact_and_nothing_counted_leaves_all_possible() -> None:
    for n in (1, 3, 7, 1000):
        assert wilson(0, n).low == 0.0
        assert wilson(n, n).high == 1.0
    assert wilson(0, 0) == Interval(0.0, 1.0)


def test_less_confidence_is_narrower() -> None:
    wide, narrow = wilson(8, 10, 0.95), wilson(8, 10, 0.5)
    assert wide.low < narrow.low < 0.8 < narrow.high < wide.high


@pytest.mark.parametrize("share", [0.5, 0.8, 0.93])
@pytest.mark.parametrize("n", [20, 50, 200])
def test_coverage_computed_exactly(share: float, n: int) -> None:
    covered = sum(
        comb(n, k) * share**k * (1 - share) ** (n - k)
        for k in range(n + 1)
        if wilson(k, n).low <= share <= wilson(k, n).high
    )
    assert 0.92 < covered < 0.985


def covered(interval: Callable[[int, int], Interval], n: int, shares: np.ndarray) -> np.ndarray:
    """Return the chance, computed exactly, that the interval of n images holds each share."""
    ends = [interval(k, n) for k in range(n + 1)]
    return np.array(
        [
            sum(
                comb(n, k) * share**k * (1 - share) ** (n - k)
                for k, one in enumerate(ends)
                if one.low - 1e-9 <= share <= one.high + 1e-9
            )
            for share in shares.tolist()
        ]
    )


@pytest.mark.parametrize("n", [5, 10, 20, 50, 100])
def test_near_all_or_none_the_truth_is_still_held(n: int) -> None:
    shares = np.concatenate([np.linspace(0.5, 0.9, 41), np.linspace(0.905, 0.999, 95)])
    held = covered(share_interval, n, shares)
    assert held.min() > 0.91
    assert 0.945 < held.mean() < 0.98
    assert covered(wilson, n, shares).min() < (0.87 if n <= 50 else 0.91)  # what is mended


def test_it_is_wilsons_but_where_few_are_missing() -> None:
    assert share_interval(30, 60) == wilson(30, 60)
    assert share_interval(47, 50) == wilson(47, 50)
    assert share_interval(57, 60).high > wilson(57, 60).high  # three missing of more than 50
    assert share_interval(0, 10) == wilson(0, 10)
    assert share_interval(10, 10) == wilson(10, 10)
    assert share_interval(0, 0) == Interval(0.0, 1.0)
    one, mirrored = share_interval(9, 10), share_interval(1, 10)
    assert one.high == pytest.approx(1 + log(0.95) / 10)  # a Poisson count of none in 95 of 100
    assert mirrored.low == pytest.approx(1 - one.high)


def test_coverage_simulated() -> None:
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.02, 0.98, 2000)
    found = [wilson(int(rng.binomial(60, share)), 60) for share in shares]
    covered = np.mean([one.low <= share <= one.high for one, share in zip(found, shares, strict=True)])
    assert 0.935 < covered < 0.97


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ExamError, match="successes must be from 0 to n"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ExamError, match="confidence must be between 0 and 1"):
        wilson(1, 2, confidence)
