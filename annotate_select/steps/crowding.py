"""The rounds of a project as cells of its pool: for `check picks`, and for what `auto` leaves to chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import batches
from annotate_select.annotations.batches import StoredBatch
from annotate_select.features.store import Features
from annotate_select.steps.batches import BY_HAND
from annotate_select.steps.home import Home
from annotate_select.steps.standing import Standing
from annotate_select.trust.cells import Cells
from annotate_select.trust.picks import ROUNDS, runaway

__all__ = ["CHANCE", "PolicyRounds", "Round", "chance_for", "policy_rounds", "rounds"]

CHANCE = 0.25  # of a batch, drawn at random where picks crowd together
MOST_ROWS = 20_000  # of the pool, that picks are compared with


@dataclass(frozen=True, eq=False)
class Round:
    """A batch that a strategy chose, and the rows of its picks, audits left out."""

    batch: StoredBatch
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class PolicyRounds:
    """The cells of the pool, how many of its rows each has (k,), and how many picks of each round (r, k)."""

    cells: Cells
    pool: np.ndarray
    picks: np.ndarray


def rounds(home: Home, state: Standing) -> list[Round]:
    """Return the batches that were not chosen by hand, oldest first."""
    place = {int(image_id): row for row, image_id in enumerate(state.ids.tolist())}
    found = []
    for batch in batches.batches(home.db):
        if batch.strategy != BY_HAND:
            picks = batches.picks_of(home.db, batch.number)
            rows = [place[one.image_id] for one in picks if one.role == "pick" and one.image_id in place]
            found.append(Round(batch, np.array(rows, dtype=np.int64)))
    return found


def policy_rounds(home: Home, features: Features, state: Standing, some: list[Round]) -> PolicyRounds:
    """Count the cells of some rounds; the pool is a sample of it, without the exam."""
    free = np.flatnonzero(state.in_pool & ~state.exam)
    sample = np.sort(free[np.argsort(state.tokens[free], kind="stable")[:MOST_ROWS]])
    cells = Cells.of(features.array, sample, home.config.seed)
    k = len(cells.centres)
    picks = [np.bincount(cells.number(features.array, one.rows), minlength=k) for one in some]
    pool = np.bincount(cells.number(features.array, sample), minlength=k)
    return PolicyRounds(cells, pool, np.array(picks, dtype=np.int64).reshape(len(some), k))


def chance_for(home: Home, features: Features, state: Standing) -> float:
    """Return the share of its next batch that `auto` leaves to chance because its last picks crowd; 0 is the rule."""
    last = rounds(home, state)[-ROUNDS:]
    if len(last) < ROUNDS or not all(one.batch.strategy.startswith("auto") for one in last):
        return 0.0
    counted = policy_rounds(home, features, state, last)
    return CHANCE if runaway(list(counted.picks), counted.pool, home.config.seed) else 0.0
