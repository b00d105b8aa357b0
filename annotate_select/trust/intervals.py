"""How far a share counted on a few images may be from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from annotate_select.errors import ExamError

__all__ = ["Interval", "share_interval", "wilson"]


@dataclass(frozen=True)
class Interval:
    """The two ends of a confidence interval."""

    low: float
    high: float


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share, which stays honest for few images; near 0 and 1, see share_interval.

    Nothing counted (n = 0) leaves everything possible: 0 to 1. `n` need not be whole: as many as a share estimated in
    another way is worth. Raises ExamError for impossible counts.
    Source: Wilson, JASA 22 (1927); Brown, Cai and DasGupta, Statistical Science 16 (2001).

    >>> wilson(8, 10)
    Interval(low=0.4901624715, high=0.9433178485)
    """
    _require(successes, n, confidence)
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    middle = share + z * z / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    ends = [round(end / (1 + z * z / n), 10) for end in (middle - reach, middle + reach)]  # so that 0 of n begins at 0
    return Interval(ends[0] + 0.0, ends[1])


def share_interval(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return the interval in which the share that `successes` of `n` estimate is, 0 to 1 when n is 0.

    Wilson's, except where one, two or (of more than 50) three are missing to none or all: there Wilson's ends too
    early, and of 10 images with a share of 98.5 % it has the truth 86 times in 100. The end is then what a Poisson
    count so small leaves open; the truth is then in it at least 91 times in 100 (benchmarks/TRUST.md).
    Raises ExamError for impossible counts. Source: Brown, Cai and DasGupta, Statistical Science 16 (2001), 4.1.1.

    >>> share_interval(9, 10)
    Interval(low=0.5958499732, high=0.9948706706)
    """
    found = wilson(successes, n, confidence)
    few = 2 if n <= 50 else 3
    low, high = found.low, found.high
    if 0 < successes <= few:
        low = min(low, _fewest(successes, confidence) / n)
    if 0 < n - successes <= few:
        high = max(high, 1 - _fewest(n - successes, confidence) / n)
    return Interval(round(low, 10), round(high, 10))


def _fewest(count: float, confidence: float) -> float:
    """Return the mean of a Poisson variable that is `count` or more in 1 - confidence of all cases."""
    from scipy.special import gammaincinv

    return float(gammaincinv(count, 1 - confidence))


def _require(successes: float, n: float, confidence: float) -> None:
    if not 0 <= successes <= n:
        raise ExamError(f"successes must be from 0 to n ({n}), got {successes}")
    if not 0 < confidence < 1:
        raise ExamError(f"confidence must be between 0 and 1, got {confidence}")
