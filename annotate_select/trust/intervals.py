"""How far a share counted on a few images may be from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from annotate_select.errors import ExamError

__all__ = ["Interval", "wilson"]


@dataclass(frozen=True)
class Interval:
    """The two ends of a confidence interval."""

    low: float
    high: float


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share, which stays honest for few images and shares near 0 or 1.

    Nothing counted (n = 0) leaves everything possible: 0 to 1. `n` need not be whole: as many as a share estimated in
    another way is worth. Raises ExamError for impossible counts.
    Source: Wilson, JASA 22 (1927); Brown, Cai and DasGupta, Statistical Science 16 (2001).

    >>> wilson(8, 10)
    Interval(low=0.4901624715, high=0.9433178485)
    """
    if not 0 <= successes <= n:
        raise ExamError(f"successes must be from 0 to n ({n}), got {successes}")
    if not 0 < confidence < 1:
        raise ExamError(f"confidence must be between 0 and 1, got {confidence}")
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    middle = share + z * z / (2 * n)
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    ends = [round(end / (1 + z * z / n), 10) for end in (middle - reach, middle + reach)]  # so that 0 of n begins at 0
    return Interval(ends[0] + 0.0, ends[1])
