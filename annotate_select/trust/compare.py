"""Two models on the same exam: which is better, by how much, and could it be luck?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.trust.intervals import Interval
from annotate_select.words import counted

__all__ = ["Comparison", "compare_models", "paired_difference"]

STEPS = 60  # of bisection: an end is known to 1e-15


@dataclass(frozen=True)
class Comparison:
    """How much more often one model is right than another, on the same `n` images.

    `gained` images the first has right and the second wrong, `lost` the other way round. `difference` is in shares
    (.021 is 2.1 points), `interval` of 95 % confidence, `p` of McNemar's exact test that they are equally good.
    `project` names the other model's project where that is another one; `notes` say what the figures rest on besides.
    """

    model: int
    against: int
    n: int
    gained: int
    lost: int
    difference: float
    interval: Interval
    p: float
    project: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Say whether one of them is better beyond what luck explains."""
        return self.interval.low > 0 or self.interval.high < 0

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "decided": self.decided, "text": self.text()}

    def text(self) -> str:
        """Say in a sentence which is better, or that it cannot be told; each note is a line of its own."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        points = (
            f"{100 * self.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}, on "
            f"{counted(self.n, 'exam image')}"
        )
        other = f"model {self.against}" + (f" of {self.project}" if self.project is not None else "")
        if self.decided:
            which = "better" if self.difference > 0 else "worse"
            said = f"model {self.model} is {which} than {other}: {points}"
        elif self.project is not None:
            said = f"model {self.model} and {other} cannot be told apart yet: {points}"
        else:
            said = f"models {self.model} and {self.against} cannot be told apart yet: {points}"
        return "\n".join([said, *self.notes])


def compare_models(
    labels: np.ndarray,
    probabilities: np.ndarray,
    others: np.ndarray,
    *,
    model: int,
    against: int,
    project: str | None = None,
    notes: Sequence[str] = (),
) -> Comparison:
    """Compare the probabilities (n, C) of a model and those of another one with the labels (n,) of the same images.

    `project` is the other model's, where that is another one, and `notes` are kept beside the figures. A negative label
    means: not labelled yet; such rows do not count. Raises ExamError when none has a label, or when shapes do not fit.
    """
    labels, probabilities, others = np.asarray(labels), np.asarray(probabilities), np.asarray(others)
    if probabilities.shape != others.shape or len(probabilities) != len(labels):
        raise ExamError(
            f"two models are compared on the same images and classes, got labels {labels.shape} and probabilities "
            f"{probabilities.shape} and {others.shape}; train the older one again"
        )
    known = labels >= 0
    n = int(known.sum())
    if n == 0:
        raise ExamError("no image of the exam has a label yet; label some of them, then compare")
    right = (probabilities.argmax(axis=1) == labels)[known]
    before = (others.argmax(axis=1) == labels)[known]
    gained, lost = int((right & ~before).sum()), int((before & ~right).sum())
    return Comparison(
        model=model,
        against=against,
        n=n,
        gained=gained,
        lost=lost,
        difference=(gained - lost) / n,
        interval=paired_difference(gained, lost, n),
        p=_mcnemar(gained, lost),
        project=project,
        notes=tuple(notes),
    )


def paired_difference(gained: int, lost: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Tango's score interval of the difference of two shares counted on the same n images.

    It holds what it promises also for few images, and where the two hardly ever differ.
    Raises ExamError for impossible counts. Source: Tango, Statistics in Medicine 17 (1998), equations 10 to 12.

    >>> paired_difference(8, 2, 50)
    Interval(low=-0.0046603214, high=0.2548025147)
    """
    if min(gained, lost) < 0 or gained + lost > n or n < 1:
        raise ExamError(f"gained and lost must be counts of at most n ({n}) images together, got {gained} and {lost}")
    if not 0 < confidence < 1:
        raise ExamError(f"confidence must be between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (gained - lost) / n
    low = _end(-1.0, middle, lambda delta: _score(gained, lost, n, delta) > z)
    high = _end(1.0, middle, lambda delta: _score(gained, lost, n, delta) < -z)
    return Interval(round(low, 10), round(high, 10))


def _score(gained: int, lost: int, n: int, delta: float) -> float:
    """Return the score statistic of the hypothesis that the difference is delta; falls as delta grows."""
    b = (2 * n - gained + lost) * delta - gained - lost
    c = -lost * delta * (1 - delta)
    nuisance = (sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)  # the likeliest share of lost images under delta
    variance = n * (2 * nuisance + delta * (1 - delta))
    gap = gained - lost - n * delta
    if variance <= 0:
        return 0.0 if gap == 0 else float("inf") * np.sign(gap)
    return gap / sqrt(variance)


def _end(outside: float, inside: float, rejected: Callable[[float], bool]) -> float:
    """Halve the way between a difference that is rejected, or the last possible one, and one that is not."""
    for _ in range(STEPS):
        middle = (outside + inside) / 2
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return inside


def _mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided exact p: of the images on which they differ, each is a fair coin's throw."""
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
