"""What a strategy sees, what it answers, and the seeded hash behind every random choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["Chosen", "Picks", "Pool", "points_of", "seeded_hashes"]

BLOCK = 65_536  # rows converted at a time, so that a memory map is never read whole as float64
FEW_DIMENSIONS = 8  # below, directions say next to nothing: rows are compared by distance instead


class Chosen(NamedTuple):
    """A strategy's answer: rows best first, a score and a reason for each, and how it decided, in one line."""

    rows: np.ndarray
    scores: np.ndarray
    reasons: list[str]
    note: str = ""


@dataclass(frozen=True, eq=False)
class Picks:
    """The result of `select`: n rows best first, with score, reason and role (`pick` or `audit`) of each.

    `strategy` is the one that chose, `note` says in one line how it decided.
    """

    rows: np.ndarray
    scores: np.ndarray
    reasons: list[str]
    roles: list[str]
    strategy: str
    note: str


@dataclass(frozen=True, eq=False)
class Pool:
    """Everything a strategy may look at; arrays of n rows unless said otherwise, and never to be changed.

    `features` are as they came, `points` the same made comparable (see `points_of`).
    `candidates` (m,) are the rows that may be picked, ascending; `labeled` (l,) those with a label, `labels` (l,)
    their class numbers; `taken` (t,) rows that are spoken for without a label yet; `hashes` are seeded per row.
    """

    features: np.ndarray
    points: np.ndarray
    candidates: np.ndarray
    labeled: np.ndarray
    labels: np.ndarray
    taken: np.ndarray
    n_classes: int
    class_names: tuple[str, ...]
    probabilities: np.ndarray | None
    accuracy: float | None
    hashes: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    seed: int

    @property
    def covered(self) -> np.ndarray:
        """Rows that count as covered: labelled or spoken for, (l + t,)."""
        return np.concatenate([self.labeled, self.taken])

    def weight(self, rows: np.ndarray) -> np.ndarray:
        """Return the weights of rows, 1 where none were given."""
        return np.ones(len(rows)) if self.weights is None else np.asarray(self.weights, dtype=np.float64)[rows]

    def name(self, number: int) -> str:
        """Return what class `number` is called."""
        return self.class_names[number] if number < len(self.class_names) else f"class {number}"


def seeded_hashes(tokens: np.ndarray, seed: int) -> np.ndarray:
    """Return a hash of each 64-bit token and the seed, (n,) uint64, uniform and independent of the order of rows.

    The mixing steps are those of SplitMix64 (Steele, Lea & Flood 2014), twice.
    """
    with np.errstate(over="ignore"):
        salt = _mixed(np.array([seed], dtype=np.uint64))
        return _mixed(_mixed(np.asarray(tokens).astype(np.uint64)) ^ salt)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed


def points_of(features: np.ndarray) -> np.ndarray:
    """Return features (n, d) as points to measure distances between, (n, d) float32.

    Centred and scaled to length 1, so that squared distance is 2 - 2 cosine; with fewer than 8 dimensions centred
    and scaled by one common factor. A row equal to the mean stays zero.
    """
    n, d = features.shape
    blocks = [slice(start, start + BLOCK) for start in range(0, n, BLOCK)]
    # dividing by the largest value first keeps squares of huge and of tiny features within range
    largest = max(float(np.abs(np.asarray(features[block], dtype=np.float64)).max(initial=0.0)) for block in blocks)
    scale = largest if largest > 0 else 1.0
    mean = sum(np.asarray(features[block], dtype=np.float64).sum(axis=0) / scale for block in blocks) / n
    points = np.empty((n, d), dtype=np.float32)
    for block in blocks:
        centred = np.asarray(features[block], dtype=np.float64) / scale - mean
        if d >= FEW_DIMENSIONS:
            length = np.linalg.norm(centred, axis=1, keepdims=True)
            # rows that differ from the mean only by rounding have no direction
            centred = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-12)
        points[block] = centred
    return points
