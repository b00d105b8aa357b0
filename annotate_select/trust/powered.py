"""What the images without a label add to the exam: how sure the model is of them (prediction-powered inference)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.trust.intervals import Interval, share_interval
from annotate_select.words import counted

__all__ = ["Powered", "prediction_powered"]

FEWEST = 40  # exam labels: with fewer, what is estimated of the gain is itself luck
WORTH_IT = 0.9  # of the variance: an interval that is at least 5 % narrower


@dataclass(frozen=True)
class Powered:
    """A second estimate of the accuracy, from `n` exam labels and how sure the model is of `pool` images without one.

    `weight` is how much of the difference in certainty is believed, `narrower` by which share the interval is
    narrower than it would be from the exam's labels alone.
    """

    accuracy: float
    interval: Interval
    n: int
    pool: int
    weight: float
    narrower: float

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Powered:
        """Read what `as_dict` gave, also after it went through JSON."""
        plain = {name: values[name] for name in ("accuracy", "n", "pool", "weight", "narrower")}
        return cls(**plain, interval=Interval(**values["interval"]))

    def beside(self, interval: Interval) -> Powered | None:
        """Return the same told beside another interval of the accuracy; None where it is hardly narrower than that."""
        narrower = 1 - (self.interval.high - self.interval.low) / (interval.high - interval.low)
        if narrower == self.narrower:
            return self
        return replace(self, narrower=narrower) if narrower >= 1 - WORTH_IT**0.5 else None

    def text(self) -> str:
        """Say the second estimate in a sentence."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        return (
            f"with how sure the model is of {counted(self.pool, 'more image')}: accuracy {100 * self.accuracy:.1f} % "
            f"({low:.1f} to {high:.1f}), an interval {100 * self.narrower:.0f} % narrower"
        )


def prediction_powered(right: np.ndarray, sure: np.ndarray, pool: np.ndarray) -> Powered | None:
    """Estimate the accuracy from right (n,) bool of labelled images, and how sure a model is of them and of others.

    `sure` (n,) and `pool` (m,) must be said alike, of images that the model did not learn from: the labelled ones a
    random sample of all. However wrong the certainty is, the estimate is unbiased; where it tells right answers from
    wrong ones, the interval is narrower. The weight is chosen for the least variance, and drawn towards 0, the exam
    alone, by as much as chance would make of it. The interval is that of a share, for the number of labels that would
    give this variance: near 100 % a normal one is too narrow.
    None where it does not help: fewer than 40 labels, or an interval less than 5 % narrower; with this rule the error
    was in no simulation larger than that of the exam alone (benchmarks/TRUST.md).
    Raises ExamError when lengths differ. Source: Angelopoulos, Duchi and Zrnic, PPI++, arXiv 2311.01453 (2023).
    """
    if len(right) != len(sure):
        raise ExamError(f"right and sure must be equally many, got {len(right)} and {len(sure)}")
    n, m = len(right), len(pool)
    if n < FEWEST or m == 0:
        return None
    hits, sure, pool = (np.asarray(one, dtype=np.float64) for one in (right, sure, pool))
    weight = _weight(hits, sure, m)
    if weight <= 0:
        return None
    alone = float(hits.var(ddof=1)) / n
    variance = float((hits - weight * sure).var(ddof=2)) / n + weight**2 * float(pool.var()) / m
    if variance > WORTH_IT * alone:
        return None
    accuracy = float(np.clip(hits.mean() - weight * (sure.mean() - pool.mean()), 0.0, 1.0))
    as_many = n * alone / variance  # labels alone would have to be this many
    interval, before = share_interval(accuracy * as_many, as_many), share_interval(int(hits.sum()), n)
    narrower = 1 - (interval.high - interval.low) / (before.high - before.low)
    return Powered(accuracy, interval, n, m, weight, narrower) if narrower > 0 else None


def _weight(hits: np.ndarray, sure: np.ndarray, m: int) -> float:
    """Return the weight of least variance, shrunk towards 0 by the part of the correlation that chance explains."""
    n, spread, varies = len(hits), float(sure.var(ddof=1)), float(hits.var(ddof=1))
    if spread <= 0 or varies <= 0:
        return 0.0
    shared = float(np.cov(hits, sure)[0, 1])
    explained = shared**2 / (spread * varies)
    believed = max(0.0, 1 - (1 - explained) / ((n - 2) * explained)) if explained > 0 else 0.0
    return max(0.0, shared) / (spread * (1 + n / m)) * believed
