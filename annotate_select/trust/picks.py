"""Does selection feed on itself? Picks that crowd in a few kinds of images round after round, beyond what chance does.

A model that is asked where it is confused, is taught there, and is confused there again, may never see the rest of the
pool (Dasgupta, Theoretical Computer Science 412, 2011, calls it sampling bias). Picks are meant to differ from the
pool, so only crowding is called that: few kinds, the same ones, three rounds running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["ROUNDS", "Spread", "kinds", "runaway", "spread"]

ROUNDS = 3  # in a row
FEWEST = 10  # picks of a round
CROWDED = 0.5  # of the kinds that chance would visit
SURE = 0.005  # how rarely chance visits as few
TIMES = 1_000


@dataclass(frozen=True)
class Spread:
    """How `n` picks lie in the pool: `kinds` is how many cells they amount to, `by_chance` what as many by chance do.

    `distance` is the total variation distance, 0 to 1, between the cells of picks and pool, and `usual` what 95 in 100
    draws by chance keep below.
    """

    n: int
    kinds: float
    by_chance: float
    distance: float
    usual: float
    crowded: bool


def kinds(counts: np.ndarray) -> np.ndarray:
    """Return how many cells counts (..., k) amount to: the exponential of their entropy, k where all are equal.

    Source: Hill, Ecology 54 (1973), the number of order 1.

    >>> kinds(np.array([5, 5, 0])).round(3).item()
    2.0
    """
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return np.asarray(np.exp(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)))


def spread(picks: np.ndarray, pool: np.ndarray, rng: np.random.Generator) -> Spread:
    """Compare the cells of picks, counts (k,), with those of the pool they were chosen from, counts (k,).

    Crowded are at least ten picks of half as many kinds as chance visits or fewer, and fewer than 995 of 1,000 draws.
    """
    n, shares = int(picks.sum()), pool / pool.sum()
    drawn = rng.multinomial(n, shares, size=TIMES)
    here, there = float(kinds(picks)), kinds(drawn)
    middle = float(np.median(there))
    crowded = n >= FEWEST and here <= CROWDED * middle and here < float(np.quantile(there, SURE))
    apart = np.abs(np.vstack([picks, drawn]) / max(n, 1) - shares).sum(axis=1) / 2
    return Spread(n, here, middle, float(apart[0]), float(np.quantile(apart[1:], 0.95)), bool(crowded))


def runaway(rounds: Sequence[np.ndarray], pool: np.ndarray, seed: int) -> bool:
    """Say whether the last three rounds crowd, each of them and all together; rounds of counts (k,), the oldest first.

    Together, so that rounds which each look at another corner of the pool are no alarm.
    """
    last, rng = list(rounds)[-ROUNDS:], np.random.default_rng(seed)
    if len(last) < ROUNDS:
        return False
    return all(spread(one, pool, rng).crowded for one in [*last, np.sum(last, axis=0)])
