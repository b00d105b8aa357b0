"""Does picking beat chance here? Asked of the labelled rows that chance chose, the audits.

What is learned from audits and from equally many picks is tried on other audits, which are as any image of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.selection.logistic import fitted
from annotate_select.selection.pool import Pool

__all__ = ["Proof", "prove"]

FEWEST = 30  # audits, and picks: of fewer the difference is luck
PARTS = 5
REPEATS = 4  # draws of as many picks as audits
STRENGTH = 100.0  # of the classifier, the inverse of its smoothing


@dataclass(frozen=True)
class Proof:
    """How many points more of the audits are right by picks than by equally many audits, and its standard error.

    The classes of the audits count the same.
    """

    difference: float
    error: float
    audits: int


def prove(pool: Pool) -> Proof | None:
    """Compare picks with audits; None where there are too few of either, or of one class only."""
    is_audit = np.isin(pool.labeled, pool.audits)
    is_pick = ~is_audit if pool.chosen is None else np.isin(pool.labeled, pool.chosen)
    audits, picks = (_by_hash(pool, np.flatnonzero(which)) for which in (is_audit, is_pick))
    if min(len(audits), len(picks)) < FEWEST or len(np.unique(pool.labels[audits])) < 2:
        return None
    part = np.arange(len(audits)) % PARTS  # dealt in the order of the hashes
    gained = np.zeros(len(audits))
    for one in range(PARTS):
        rest, asked = audits[part != one], audits[part == one]
        by_picks = np.mean(
            [_right(pool, np.roll(picks, -at * len(picks) // REPEATS)[: len(rest)], asked) for at in range(REPEATS)],
            axis=0,
        )
        gained[part == one] = by_picks - _right(pool, rest, asked)
    weights = 1 / np.bincount(pool.labels[audits], minlength=pool.n_classes)[pool.labels[audits]]
    weights /= weights.sum()
    difference = float(weights @ gained)
    error = float(np.sqrt(np.sum((weights * (gained - difference)) ** 2)))
    return Proof(difference, error, len(audits))


def _by_hash(pool: Pool, at: np.ndarray) -> np.ndarray:
    return at[np.argsort(pool.hashes[pool.labeled[at]], kind="stable")]


def _right(pool: Pool, taught: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return (a,) 1.0 where those asked are classed right by what is learned of others; positions in `labeled`."""
    labels = pool.labels[taught]
    if len(np.unique(labels)) < 2:
        return np.asarray(pool.labels[asked] == labels[0], dtype=np.float64)
    model = fitted(pool.features[pool.labeled[taught]], labels, STRENGTH)
    said = model.predict(pool.features[pool.labeled[asked]].astype(np.float64))
    return np.asarray(said == pool.labels[asked], dtype=np.float64)
