"""What a strategy sees, what it answers, and the seeded hashes every random choice is made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from annotate_select.progress import Progress, silent
from annotate_select.selection.geometry import Directions

__all__ = ["Chosen", "Picks", "Pool", "Strategy", "seeded_hashes"]

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 2**64 - 1


def _no_rows() -> np.ndarray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Pool:
    """Everything a strategy may look at; its arrays are read-only."""

    space: Directions | np.ndarray  # (n, d) float32: directions, made or to be made; space[rows] makes no others
    candidates: np.ndarray  # (m,) rows that may be picked, ascending
    labeled: np.ndarray  # (l,) rows that carry a label
    labels: np.ndarray  # (l,) class numbers
    n_classes: int
    class_names: tuple[str, ...]
    probabilities: np.ndarray | None  # (n, C); of several samples their mean
    hashes: np.ndarray  # (n,) uint64, seeded: a random choice depends on the image, not on its position
    weights: np.ndarray | None  # (n,) float64, at least 0
    groups: np.ndarray | None  # (n,) int64 from 0; a row without a group has one of its own
    seed: int
    taken: np.ndarray = field(default_factory=_no_rows)  # rows already in this batch: audits, earlier picks
    near_duplicate: float = 1.0  # rows of a larger cosine do not share a batch; 1: all may
    accuracy: float | None = None  # of the model that gave the probabilities
    samples: np.ndarray | None = None  # (T, n, C) probabilities of T models or passes
    like: np.ndarray = field(default_factory=_no_rows)  # rows of which more are wanted
    audits: np.ndarray = field(default_factory=_no_rows)  # labelled rows that chance chose
    chosen: np.ndarray | None = None  # labelled rows that a strategy chose; None: all but the audits
    chance: float = 0.0  # share that auto draws by chance, as earlier picks crowd together
    progress: Progress = silent

    @property
    def features(self) -> np.ndarray:
        """Not the features given to `select` but their directions (n, d) float32, so that a dot product is a cosine.

        They are centred on the mean of all rows and scaled to length 1; a row that is the mean itself has no direction
        and is 0.
        """
        return self.space.all if isinstance(self.space, Directions) else self.space

    @property
    def covered(self) -> np.ndarray:
        """Rows nothing like which is needed again: labelled, or in this batch already."""
        return np.concatenate([self.labeled, self.taken])

    def class_name(self, number: int) -> str:
        """Return what to call a class in a reason."""
        return self.class_names[number] if number < len(self.class_names) else f"class {number}"


class Chosen(NamedTuple):
    """A strategy's answer, best first: as many candidates as were asked for, a score and a reason for each."""

    rows: np.ndarray  # (n,) int64
    scores: np.ndarray  # (n,) float64, higher is better
    reasons: list[str]
    note: str = ""  # one line for the whole batch: why it was chosen like this
    became: str = ""  # the strategies that a strategy of strategies handed over to


Strategy = Callable[[Pool, int], Chosen]


@dataclass(frozen=True, eq=False)
class Picks:
    """The ordered result of one selection of n rows.

    An audit's score is 0, since no strategy scored it. `strategy` says what `auto` became, as in "auto: kmeans".
    """

    rows: np.ndarray  # (n,) int64
    scores: np.ndarray  # (n,) float64
    reasons: list[str]
    roles: list[str]  # "pick" or "audit"
    strategy: str
    note: str


def seeded_hashes(tokens: np.ndarray, seed: int) -> np.ndarray:
    """Return (n,) uint64 hashes of tokens (n,) uint64, another permutation for every seed.

    The mixing is SplitMix64's (Steele, Lea and Flood 2014), a bijection: different tokens never collide.
    """
    salt = _mix(np.array([(seed + 1) * _GOLDEN & _WORD], dtype=np.uint64))
    return _mix(np.asarray(tokens).astype(np.uint64) ^ salt)


def _mix(words: np.ndarray) -> np.ndarray:
    words = words + np.uint64(_GOLDEN)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))
