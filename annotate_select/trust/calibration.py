"""Calibration: whether a model is right as often as it says it is sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from annotate_select.trust.intervals import Interval, share_interval

__all__ = ["Bin", "Calibration", "calibration"]

FEWEST = 20  # exam images; fewer show nothing
A_BIN, MOST_BINS = 20, 10  # images at least, and bins at most
DRAWS = 1000
SURPRISING = 0.05


@dataclass(frozen=True)
class Bin:
    """`n` exam images of which a model was about equally sure: how sure on average, and of which share it was right."""

    n: int
    sure: float
    right: float
    interval: Interval


@dataclass(frozen=True)
class Calibration:
    """How sure a model was of its answers, and how often they were right, all in shares of 1.

    `error` is the expected calibration error (ECE): the mean gap between the two, bin by bin. Few images have gaps by
    chance: `by_chance` is the error expected of a model that is as sure as it ought to be, and `p` how often such a
    model has an error at least as large.
    """

    sure: float
    right: float
    error: float
    by_chance: float
    p: float
    bins: tuple[Bin, ...]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Read what `as_dict` gave, also after it went through JSON."""
        bins = tuple(Bin(**{**one, "interval": Interval(**one["interval"])}) for one in values["bins"])
        return cls(**{name: values[name] for name in ("sure", "right", "error", "by_chance", "p")}, bins=bins)

    def text(self) -> str:
        """Say in a sentence whether its certainty can be taken at its word."""
        gaps = f"mean gap (ECE) {100 * self.error:.1f} points, {100 * self.by_chance:.1f} expected by chance alone"
        if self.p > SURPRISING:
            verdict = "it is right about as often as it says"
        elif abs(self.sure - self.right) < self.error / 2:
            verdict = "how sure it is says little of how often it is right"
        elif self.sure > self.right:
            verdict = "it is surer than it ought to be"
        else:
            verdict = "it is right more often than it says"
        return (
            f"on average it is {100 * self.sure:.1f} % sure and right on {100 * self.right:.1f} %: {verdict} ({gaps})"
        )


def calibration(right: np.ndarray, sure: np.ndarray, rng: np.random.Generator) -> Calibration | None:
    """Compare how sure a model was, sure (n,) in 0..1, with whether it was right, right (n,) bool.

    Bins hold equally many images, for with few of them bins of equal width are mostly empty. None where there are
    fewer than 20 images. Sources: Naeini, Cooper and Hauskrecht, AAAI 2015; Nixon et al., CVPR workshops 2019, for the
    bins; Vaicenavicius et al., AISTATS 2019, for the comparison with chance.
    """
    n = len(right)
    if n < FEWEST:
        return None
    order = np.argsort(sure, kind="stable")
    hits, said = np.asarray(right, dtype=np.float64)[order], np.asarray(sure, dtype=np.float64)[order]
    edges = np.linspace(0, n, min(MOST_BINS, n // A_BIN) + 1).astype(np.int64)
    error = float(_error(hits[None], said, edges)[0])
    luck = _error((rng.random((DRAWS, n)) < said).astype(np.float64), said, edges)
    return Calibration(
        sure=float(said.mean()),
        right=float(hits.mean()),
        error=error,
        by_chance=float(luck.mean()),
        p=float((1 + (luck >= error - 1e-12).sum()) / (1 + DRAWS)),
        bins=tuple(_bin(hits[a:b], said[a:b]) for a, b in pairwise(edges.tolist())),
    )


def _error(hits: np.ndarray, said: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the mean gap (r,) of hits (r, n), rows of trials, sorted by what was said (n,)."""
    gaps = np.add.reduceat(hits - said, edges[:-1], axis=1)  # (r, bins) summed over the bin
    return np.asarray(np.abs(gaps).sum(axis=1) / len(said))


def _bin(hits: np.ndarray, said: np.ndarray) -> Bin:
    n, right = len(hits), int(hits.sum())
    return Bin(n, float(said.mean()), right / n, share_interval(right, n))
