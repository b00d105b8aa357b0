"""Groups of the exam on which a model does worse than on the rest: one camera, one hospital, one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotate_select.trust.false_finds import corrected
from annotate_select.trust.intervals import Interval, share_interval

__all__ = ["Group", "worst_groups"]

FEWEST = 10  # exam images in a group, and outside it
SURPRISING = 0.05


@dataclass(frozen=True)
class Group:
    """How a model does on the `n` exam images whose `column` has this value.

    `p` is how often as few right answers fall to a group of this size by chance, corrected for the number of groups
    that were looked at (Benjamini and Hochberg).
    """

    column: str
    value: str
    n: int
    accuracy: float
    interval: Interval
    p: float

    @property
    def worse(self) -> bool:
        """Say whether the model does worse here, beyond what chance explains."""
        return self.p <= SURPRISING

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "worse": self.worse}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Group:
        """Read what `as_dict` gave, also after it went through JSON."""
        plain = {name: values[name] for name in ("column", "value", "n", "accuracy", "p")}
        return cls(**plain, interval=Interval(**values["interval"]))

    def text(self) -> str:
        """Say it in a line."""
        low, high = 100 * self.interval.low, 100 * self.interval.high
        return (
            f"{self.column} {self.value}: right on {100 * self.accuracy:.1f} % ({low:.1f} to {high:.1f}) of {self.n:,}"
        )


def worst_groups(right: np.ndarray, columns: Mapping[str, Sequence[str | None]]) -> tuple[Group, ...]:
    """Return every group of 10 exam images or more, the surest to be worse first; right (n,) bool, columns of n values.

    A value of None is in no group, and a column that names each image, or all of them alike, has none.
    """
    from scipy.stats import hypergeom

    right = np.asarray(right, dtype=bool)
    found: list[tuple[str, str, int, int]] = []
    for name, values in columns.items():
        for value in sorted({one for one in values if one is not None}):
            inside = np.array([one == value for one in values], dtype=bool)
            if min(inside.sum(), (~inside).sum()) >= FEWEST:
                found.append((name, value, int(inside.sum()), int(right[inside].sum())))
    chances = np.array([hypergeom.cdf(hits, len(right), int(right.sum()), n) for _, _, n, hits in found])
    rows = [
        Group(name, value, n, hits / n, share_interval(hits, n), p)
        for (name, value, n, hits), p in zip(found, corrected(chances).tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=lambda one: (one.p, one.accuracy, one.column, one.value)))
