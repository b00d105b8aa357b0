"""An exam drawn evenly over kinds of images: the order of drawing, and how many images by chance alone it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.words import counted

__all__ = ["Design", "Stratified", "even_order", "worth"]

FEWEST = 40  # exam labels: with fewer, what is estimated of the gain is itself luck
OF_STRATUM = 4  # exam images at least in what counts as a stratum; neighbours are joined until there are as many
MOST = 0.5  # of the variance that may be believed to be saved


@dataclass(frozen=True, eq=False)
class Design:
    """How n exam images were drawn: `draws` (n,) in which drawing, `strata` (n,) from which of its strata.

    Strata with neighbouring numbers are alike; a drawing that had none has them all 0. `drawn` is how many images the
    exam has in all, labelled or not, `pool` from how many they were drawn.
    """

    draws: np.ndarray
    strata: np.ndarray
    drawn: int
    pool: int

    def of(self, known: np.ndarray) -> Design:
        """Return the design of some of the images: `known` (n,) bool."""
        return Design(self.draws[known], self.strata[known], self.drawn, self.pool)


@dataclass(frozen=True)
class Stratified:
    """From how many strata the labelled exam images are, and as how many by chance alone these `n` tell as much."""

    strata: int
    n: int
    worth: float

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Stratified:
        """Read what `as_dict` gave, also after it went through JSON."""
        return cls(values["strata"], values["n"], values["worth"])

    def text(self) -> str:
        """Say it in a sentence."""
        how = f"drawn evenly over kinds of images ({self.strata:,} strata)"
        if self.worth <= self.n:
            return f"{how}: the interval is that of as many images by chance alone, and rather too wide than too narrow"
        return (
            f"{how}: its {counted(self.n, 'image', ('tells', 'tell'))} as much of the accuracy as {self.worth:.0f} by "
            "chance alone"
        )


def even_order(strata: np.ndarray, hashes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return all n rows in an order each beginning of which has of every stratum its share, and any row alike often.

    `strata` (n,) integers, of which neighbouring numbers are alike; `hashes` (n,) uint64, seeded, order the rows of a
    stratum. Row i is at place j with a chance of exactly 1/n, so among the first m with m/n: an estimate from them
    needs no weights. The line of strata is halved again and again, and the two halves of a part are dealt into its
    order in equal steps from a random start: an exam grows by going on in the order, which fills what is thin in it.
    Raises ExamError when lengths differ. Source: Stevens and Olsen, JASA 99 (2004), reverse hierarchical order; Madow,
    Annals of Mathematical Statistics 20 (1949), equal steps from a random start.
    """
    if len(strata) != len(hashes):
        raise ExamError(f"strata and hashes must be equally many, got {len(strata)} and {len(hashes)}")
    line = np.lexsort((hashes, strata))
    ends = np.flatnonzero(np.diff(strata[line])) + 1
    return _dealt(np.split(line, ends), rng)


def worth(values: np.ndarray, design: Design) -> float:
    """Return as how many images by chance alone the n labelled exam images tell of the mean of their `values` (n,).

    At least n, at most 2 n. Variance between strata is none of the estimate's error, as far as the exam is labelled
    and smaller than the pool; how much that is, is estimated from strata of 4 exam images or more, neighbours joined
    until there are as many, and believed but for one standard error that luck alone would give it. With fewer than 40
    labels, n. Raises ExamError when lengths differ.
    Source: Cochran, Sampling Techniques (1977), 5.6 (proportional allocation) and 5A.12 (collapsed strata).
    """
    n = len(values)
    if len(design.strata) != n:
        raise ExamError(f"values and strata must be equally many, got {n} and {len(design.strata)}")
    if n < FEWEST:
        return float(n)
    part = n * max(0.0, 1 / design.drawn - 1 / design.pool)  # two phases: what is labelled is a sample of the exam
    return n / (1 - min(MOST, _between(np.asarray(values, dtype=np.float64), design)) * min(1.0, part))


def _dealt(parts: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Deal the order of the first half of the parts and that of the second into one, as evenly as whole rows allow."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([len(part) for part in parts])
    n = int(ends[-1])
    cut = int(np.argmin(np.abs(2 * ends[:-1] - n))) + 1
    first, second = _dealt(parts[:cut], rng), _dealt(parts[cut:], rng)
    start = int(rng.integers(n))  # in whole numbers, so that every chance is exact
    of_first = np.diff((np.arange(n + 1) * len(first) + start) // n) == 1
    order = np.empty(n, dtype=np.int64)
    order[of_first], order[~of_first] = first, second
    return order


def _between(values: np.ndarray, design: Design) -> float:
    """Return the share of the variance of values that lies between strata and is believed, 0..1."""
    n, total = len(values), float(values.var())
    number = _joined(design)
    kinds = int(number.max()) + 1
    if kinds < 2 or total <= 0:
        return 0.0
    sizes = np.bincount(number)
    means = np.bincount(number, weights=values) / sizes
    within = float(((values - means[number]) ** 2).sum() / (n - kinds))
    by_luck = np.sqrt(2 * (kinds - 1) / ((n - kinds) * (n + 1)))  # standard error where strata are all alike
    return float(max(0.0, 1 - within / (total * n / (n - 1)) - by_luck))


def _joined(design: Design) -> np.ndarray:
    """Return (n,) numbers from 0 of strata joined with their neighbours until each has OF_STRATUM images."""
    number, kinds = np.zeros(len(design.strata), dtype=np.int64), 0
    for draw in np.unique(design.draws):
        rows = np.flatnonzero(design.draws == draw)
        _, place, sizes = np.unique(design.strata[rows], return_inverse=True, return_counts=True)
        of_stratum, have, first = np.zeros(len(sizes), dtype=np.int64), 0, kinds
        for i, size in enumerate(sizes.tolist()):
            of_stratum[i], have = kinds, have + size
            if have >= OF_STRATUM:
                kinds, have = kinds + 1, 0
        if have:  # too few at the end: they join the stratum before, where there is one
            of_stratum[of_stratum == kinds] = max(first, kinds - 1)
            kinds = max(kinds, first + 1)
        number[rows] = of_stratum[place]
    return number
