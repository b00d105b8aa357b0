"""The policy: coverage until the model knows something, then what it cannot tell, always spread out."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.both import margin_diverse
from annotate_select.selection.coverage import kmeans
from annotate_select.selection.pool import Chosen, Pool

__all__ = ["auto"]

LABELS_PER_CLASS = 5  # before, a model's opinion of a class is mostly noise
ENOUGH_PER_CLASS = 20  # labels in all, per class, at which classes that never turned up stop holding things back
TRUSTED = 0.6  # accuracy from which on a model's doubts are worth following alone


def auto(pool: Pool, n: int) -> Chosen:
    """Decide by the labels and the model there are: coverage first, later close calls; says which and why."""
    counts = np.bincount(pool.labels, minlength=max(1, pool.n_classes))
    poorest = int(counts.argmin())
    if pool.probabilities is None:
        return _because(kmeans(pool, n), "kmeans", "there is no model yet")
    if counts[poorest] < LABELS_PER_CLASS and len(pool.labels) < ENOUGH_PER_CLASS * len(counts):
        why = f"{pool.name(poorest)} has {counts[poorest]} labels, {LABELS_PER_CLASS} are needed before doubts count"
        return _because(kmeans(pool, n), "kmeans", why)
    if pool.accuracy is not None and pool.accuracy < TRUSTED:
        why = f"the model is right on {pool.accuracy:.0%} only, so half of the batch follows its doubts, half covers"
        return _because(_half_and_half(pool, n), "kmeans + margin_diverse", why)
    right = f"the model is right on {pool.accuracy:.0%}" if pool.accuracy is not None else "there is a model"
    return _because(margin_diverse(pool, n), "margin_diverse", f"{right} and every class has labels")


def _half_and_half(pool: Pool, n: int) -> Chosen:
    """Take from both in turn, each row once."""
    one, two = kmeans(pool, n), margin_diverse(pool, n)
    chosen: dict[int, tuple[float, str]] = {}
    for at in range(n):
        for answer in (one, two):
            chosen.setdefault(int(answer.rows[at]), (float(answer.scores[at]), answer.reasons[at]))
    rows = list(chosen)[:n]
    return Chosen(np.array(rows), np.array([chosen[row][0] for row in rows]), [chosen[row][1] for row in rows])


def _because(chosen: Chosen, strategy: str, why: str) -> Chosen:
    return chosen._replace(note=f"auto chose {strategy}: {why}")
