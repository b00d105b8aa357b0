"""Deal labelled rows into folds, so that every fold has its share of each class and no group is torn apart."""

from __future__ import annotations

import numpy as np

__all__ = ["deal"]

FOLDS = 5


def deal(labels: np.ndarray, groups: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (l,) in which each row is held out; -1 for rows that always stay in training.

    `labels` (l,) class numbers; `groups` (l,) integers, negative for a row on its own. A class seen in one row or one
    group only stays in training, since a model that never saw it could only be wrong about it. Up to five folds; all
    rows are -1 when there are too few to compare models on (under ten, or fewer than two classes to hold out).
    """
    units = _units(groups, len(labels))
    counts = np.zeros((units.max() + 1, labels.max() + 1), dtype=np.int64)  # (units, C)
    np.add.at(counts, (units, labels), 1)
    spread = (counts > 0).sum(axis=0)  # (C,) in how many units each class is seen
    counts[:, spread < 2] = 0
    folds = np.full(len(labels), -1, dtype=np.int64)
    if counts.sum() < 2 * FOLDS or (spread >= 2).sum() < 2:
        return folds
    held_out = (spread >= 2)[labels]
    folds[held_out] = _fold_of_unit(counts, rng)[units[held_out]]
    return folds


def _units(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Number what must stay together 0..u-1: each group, and each row without one."""
    if groups is None:
        return np.arange(n)
    own = np.where(groups >= 0, groups, groups.max(initial=-1) + 1 + np.arange(n))
    return np.unique(own, return_inverse=True)[1]


def _fold_of_unit(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal units, the largest first, each to the fold that has least of the classes it brings; counts (units, C)."""
    order = rng.permutation(len(counts))
    main = counts.argmax(axis=1)
    # Same-class units side by side, so that single rows are dealt like cards and each class is spread evenly.
    order = order[np.lexsort((main[order], -counts[order].sum(axis=1)))]
    shares = counts / np.maximum(counts.sum(axis=0), 1)  # (units, C) share of each class, so that rare ones count
    held = np.zeros((FOLDS, counts.shape[1]))
    fold_of_unit = np.zeros(len(counts), dtype=np.int64)
    sizes = np.zeros(FOLDS)
    for unit in order:
        crowding = held @ shares[unit]
        fold = int(np.lexsort((sizes, np.round(crowding, 12)))[0])
        held[fold] += shares[unit]
        sizes[fold] += counts[unit].sum()
        fold_of_unit[unit] = fold
    return fold_of_unit
