"""Active testing: a second, small exam drawn where a model may err, and an accuracy from it that is still unbiased.

Images are drawn one after another, each with a known chance q, likelier the likelier the model is wrong of them. Their
answers are weighted for it (LURE), so that it does not matter where was looked, only how well.
Sources: Farquhar, Gal and Rainforth, ICLR 2021, for the weights; Kossen, Farquhar, Gal and Rainforth, ICML 2021, for
testing by them; Sawade, Landwehr, Bickel and Scheffer, ICML 2010, for the square root in `errors_by_chance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.trust.intervals import Interval, share_interval
from annotate_select.words import counted

__all__ = ["ActiveDraw", "ActiveEstimate", "draw_active", "errors_by_chance", "estimate_active", "lure_weights"]

UNIFORM = 0.3  # share of the draws left to chance: no image's weight is above 1 / .3, however wrong the model is
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class ActiveDraw:
    """The rows (m,) drawn, in their order, and q (m,), the chance with which each was drawn from those left then."""

    rows: np.ndarray
    q: np.ndarray


@dataclass(frozen=True)
class ActiveEstimate:
    """The accuracy on a pool of `pool` images, from `n` of them drawn where the model may err; 95 % interval.

    `worth` is how many images drawn at random would tell as much, `drawn_by` the model whose doubts were followed.
    """

    accuracy: float
    interval: Interval
    n: int
    pool: int
    worth: float
    drawn_by: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ActiveEstimate:
        """Read what `as_dict` gave, also after it went through JSON."""
        plain = {name: values[name] for name in ("accuracy", "n", "pool", "worth", "drawn_by")}
        return cls(**plain, interval=Interval(**values["interval"]))

    def text(self) -> str:
        """Say it in a sentence."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        which = "a model" if self.drawn_by is None else f"model {self.drawn_by}"
        return (
            f"a second exam, drawn where {which} may err: accuracy {100 * self.accuracy:.1f} % "
            f"({low:.1f} to {high:.1f}) on the {counted(self.pool)} it was drawn from, by {self.n:,} of them that "
            f"{'tells' if self.n == 1 else 'tell'} as much as {self.worth:,.0f} drawn at random"
        )


def errors_by_chance(probabilities: np.ndarray) -> np.ndarray:
    """Return how likely a model is wrong (n,), by its own probabilities (n, C).

    Raises ExamError for what is no table of finite probabilities.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or not np.isfinite(probabilities).all():
        raise ExamError(f"probabilities must be a finite (n, C) array, got shape {probabilities.shape}")
    return np.asarray(np.clip(1 - probabilities.max(axis=1), 0.0, 1.0))


def draw_active(errors: np.ndarray, n: int, rng: np.random.Generator, *, uniform: float = UNIFORM) -> ActiveDraw:
    """Draw n rows, one after another, without putting back; errors (N,) are chances in 0..1 that the model is wrong.

    Each is drawn with a chance in proportion to the square root of its error, which gives the least variance where
    errors are as likely as said, mixed with `uniform` of chance alone, which keeps weights small where they are not.
    The first k of n rows are a draw of k. Raises ExamError for impossible errors, n or `uniform`.
    """
    errors = np.asarray(errors, dtype=np.float64)
    if errors.ndim != 1 or not ((errors >= 0) & (errors <= 1)).all():
        raise ExamError("errors must be chances from 0 to 1, one for each image")
    if not 0 < uniform <= 1:
        raise ExamError(f"uniform must be above 0, so that every image can be drawn, and at most 1, got {uniform}")
    if not 1 <= n <= len(errors):
        raise ExamError(f"n must be from 1 to {len(errors)} (the images there are), got {n}")
    wanted = np.sqrt(errors)
    urn, alike = _Urn(wanted), _Urn(np.ones(len(errors)))
    rows, q = np.zeros(n, dtype=np.int64), np.zeros(n)
    for m in range(n):
        chance = uniform if urn.left > TINY else 1.0
        row = (alike if rng.random() < chance else urn).draw(rng)
        q[m] = chance / (len(errors) - m) + ((1 - chance) * wanted[row] / urn.left if chance < 1 else 0.0)
        rows[m] = row
        for one in (urn, alike):
            one.take(row)
    return ActiveDraw(rows, np.minimum(q, 1.0))


class _Urn:
    """Rows to be drawn with chances in proportion to weights (n,), of those not taken yet."""

    def __init__(self, weights: np.ndarray) -> None:
        self._weights = weights.copy()
        self._fill()

    def _fill(self) -> None:
        self._sums = np.cumsum(self._weights)
        self.left = self._full = float(self._sums[-1])

    def draw(self, rng: np.random.Generator) -> int:
        """Draw a row; one that was taken since the urn was filled is put aside and another is drawn."""
        while True:
            row = int(np.searchsorted(self._sums, rng.random() * self._full, side="right"))
            if row < len(self._weights) and self._weights[row] > 0:
                return row

    def take(self, row: int) -> None:
        """Take a row out; an urn half empty is filled anew, so that draws stay quick."""
        self.left -= self._weights[row]
        self._weights[row] = 0.0
        if self.left < self._full / 2:
            self._fill()


def lure_weights(q: np.ndarray, pool: int) -> np.ndarray:
    """Return the weight (m,) of each answer of a draw with chances q (m,) from `pool` images; on average they are 1.

    v_m = 1 + (N - M) / (N - m) * (1 / ((N - m + 1) q_m) - 1). Raises ExamError for impossible chances.
    Source: Farquhar, Gal and Rainforth, ICLR 2021, equation 8 (LURE).

    >>> lure_weights(np.array([1 / 4, 1 / 3]), 4).tolist()
    [1.0, 1.0]
    """
    q = np.asarray(q, dtype=np.float64)
    size = len(q)
    if size > pool:
        raise ExamError(f"no more than the pool's {pool} images can be drawn, got {size}")
    if not ((q > 0) & (q <= 1 + 1e-9)).all():
        raise ExamError("the chances of a draw must be above 0 and at most 1")
    drawn = np.arange(1, size + 1)
    left = np.maximum(pool - drawn, 1)  # 0 only for the last of all, where the factor above it is 0 too
    return np.asarray(1 + (pool - size) / left * (1 / ((pool - drawn + 1) * q) - 1))


def estimate_active(
    right: np.ndarray,
    q: np.ndarray,
    errors: np.ndarray,
    pool: int,
    *,
    usable: np.ndarray | None = None,
    drawn_by: int | None = None,
    confidence: float = 0.95,
) -> ActiveEstimate:
    """Estimate the accuracy on `pool` images from right (m,) bool of those drawn with chances q (m,), in their order.

    The estimate, 1 - mean(v * wrong), is unbiased whatever the chances were. `errors` (m,), how likely the model was
    to be wrong of each, count as one more answer in the variance, which would else be 0 where no mistake was drawn.
    The interval is that of a share, for as many images as would give this variance; it takes the pool for large, and
    holds the truth 94 to 97 times in 100 (benchmarks/TRUST.md). `usable` (m,) bool leaves answers out that are none,
    such as an image that nobody could tell: the accuracy is then that of the images that have one, unbiased but for
    what a ratio of two estimates is off. Raises ExamError when lengths differ, or when no answer is left.
    """
    wrong, errors = ~np.asarray(right, dtype=bool), np.asarray(errors, dtype=np.float64)
    if not len(wrong) == len(q) == len(errors):
        raise ExamError(f"right, q and errors must be equally many, got {len(wrong)}, {len(q)} and {len(errors)}")
    counted = np.ones(len(wrong), dtype=bool) if usable is None else np.asarray(usable, dtype=bool)
    m = int(counted.sum())
    if m == 0:
        raise ExamError("none of the images drawn has an answer yet; label some of them first")
    weights = lure_weights(q, pool)[counted]
    if m < len(wrong):
        weights = weights / max(float(weights.mean()), TINY)
    lost, errors = weights * wrong[counted], errors[counted]
    risk = (float(lost.sum()) + float((weights * errors).mean())) / (m + 1)
    squares = (float((lost**2).sum()) + float((weights**2 * errors).mean())) / (m + 1)
    variance = max(squares - risk**2, TINY) / m
    worth = max(risk * (1 - risk), TINY) / variance
    accuracy = min(max(1 - float(lost.mean()), 0.0), 1.0)
    interval = share_interval(accuracy * worth, worth, confidence)
    return ActiveEstimate(accuracy, interval, m, pool, worth, drawn_by)
