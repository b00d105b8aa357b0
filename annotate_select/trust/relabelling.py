"""Permutation tests of "these are no different from those", several at once, with one rate of false alarms.

Whatever is computed without knowing which images are new may be computed again with the word "new" given to others by
chance: if new images are as the old ones, the true labelling is just one of these. What may be given to others is a
unit, all of it: images of one patient are alike, and dealing them out one by one would find "drift" in any new patient.
"""

from __future__ import annotations

from math import comb

import numpy as np

__all__ = ["corrected", "possible", "relabellings", "units_of"]


def units_of(new: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Number, from 0, what is exchanged as one: an image, or a group; new (n,) bool, groups (n,) integers.

    A group that has old and new images is two units. They are alike and yet stand on both sides, which makes the sides
    more alike than chance would: the test then errs towards silence. A negative group is no group.
    """
    if groups is None:
        return np.arange(len(new))
    groups = np.where(groups < 0, groups.max(initial=-1) + 1 + np.arange(len(new)), groups)
    return np.asarray(np.unique(2 * groups + new, return_inverse=True)[1].reshape(-1))


def possible(new: np.ndarray, units: np.ndarray) -> int:
    """Return how many ways there are to call as many units new as are new."""
    total = int(units.max(initial=-1)) + 1
    return comb(total, len(np.unique(units[new])))


def relabellings(new: np.ndarray, units: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Return (times + 1, n) bool: the true labelling first, then as many units called new by chance."""
    total = int(units.max(initial=-1)) + 1
    true = np.zeros(total, dtype=bool)
    true[units[new]] = True
    dealt = np.array([true, *(rng.permutation(true) for _ in range(times))])
    return np.asarray(dealt[:, units])


def corrected(statistics: np.ndarray) -> tuple[float, list[float]]:
    """Return the p value of all statistics (times + 1, t) together, and one of each, corrected for there being t.

    The first row is the truth, and large values speak against chance. Every row gets its smallest p among the t; the
    share of rows whose smallest is as small as the truth's is a p value whatever the statistics have to do with each
    other. Source: Westfall and Young, Resampling-Based Multiple Testing (1993), section 2.3, single step.
    """
    rounded = np.round(np.asarray(statistics, dtype=np.float64), 9)  # what differs by rounding alone is equal
    rows = len(rounded)
    ordered = np.sort(rounded, axis=0)
    below = np.array([np.searchsorted(ordered[:, t], rounded[:, t], side="left") for t in range(rounded.shape[1])])
    smallest = (1 - below / rows).T  # (rows, t): the share of rows at least as large
    best = smallest.min(axis=1)
    each = [float(np.mean(best <= own + 1e-12)) for own in smallest[0]]
    return min(each), each
