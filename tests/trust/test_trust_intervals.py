from __future__ import annotations

from math import comb

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust.intervals import Interval, wilson


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
