"""Ways in which new images can differ from old ones, each computed for many labellings at once.

Labellings (b, n) bool say which of n rows are called new. Everything here depends on them only at the end, so that a
thousand cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate_select.trust.strangers import Neighbours, strangers

__all__ = ["classifier_auc", "divergence", "excess", "g_statistic", "kernel_distance", "rank_shifts", "stranger_share"]

FOLDS = 5
FREQUENCIES, PAIRS = 256, 2_000


def counts(labellings: np.ndarray, number: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many new rows each cell has under each labelling (b, k), and how many rows in all (k,)."""
    members = np.zeros((len(number), k), dtype=np.float32)
    members[np.arange(len(number)), number] = 1
    return (labellings.astype(np.float32) @ members).astype(np.float64), members.sum(axis=0, dtype=np.float64)


def g_statistic(labellings: np.ndarray, number: np.ndarray, k: int) -> np.ndarray:
    """Return (b,) the likelihood ratio statistic of new and old rows against k cells; number (n,) from 0 to k - 1."""
    new, both = counts(labellings, number, k)
    share = new.sum(axis=1, keepdims=True) / len(number)
    return np.asarray(2 * (_entropy(new, share * both) + _entropy(both - new, (1 - share) * both)).sum(axis=1))


def divergence(new: np.ndarray, number: np.ndarray, k: int) -> float:
    """Return the Jensen-Shannon divergence, 0 (the same) to 1 (nothing in common), of the cells of new and old rows."""
    here = np.bincount(number[new], minlength=k) / new.sum()
    there = np.bincount(number[~new], minlength=k) / (~new).sum()
    middle = (here + there) / 2
    return float((_entropy(here, middle) + _entropy(there, middle)).sum() / (2 * np.log(2)))


def excess(labellings: np.ndarray, number: np.ndarray, k: int) -> np.ndarray:
    """Return (b, k) by how many standard deviations of chance each cell has more new rows than its share."""
    new, both = counts(labellings, number, k)
    share = new.sum(axis=1, keepdims=True) / len(number)
    left = 1 - both / len(number)  # without replacement
    return np.asarray((new - share * both) / np.sqrt(np.maximum(share * (1 - share) * both * left, 1e-12)))


def classifier_auc(labellings: np.ndarray, points: np.ndarray, units: np.ndarray, seed: int) -> np.ndarray:
    """Return (b,) how well a linear classifier tells new rows from old it has not seen: .5 by chance, 1 always.

    Fisher's discriminant by ridge regression: its answers are linear in the labels, so that all labellings share one
    factorisation a fold. `units` (n,) are never torn between folds.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.stats import rankdata

    values = np.asarray(points, dtype=np.float64)
    said = (labellings - labellings.mean(axis=1, keepdims=True)).T  # (n, b)
    fold = np.random.default_rng(seed).permutation(int(units.max()) + 1)[units] % FOLDS
    answers = np.zeros(said.shape)
    for one in range(FOLDS):
        rest, asked = values[fold != one], values[fold == one]
        strength = max(len(rest) / values.shape[1], 1e-6)  # the mean eigenvalue: directions have length 1
        factor = cho_factor(rest.T @ rest + strength * np.eye(values.shape[1]))
        answers[fold == one] = asked @ cho_solve(factor, rest.T @ said[fold != one])
    ranks = rankdata(np.round(answers, 12), axis=0).T  # (b, n); of equals the mean
    n_new = labellings.sum(axis=1)
    sums = np.einsum("bn,bn->b", ranks, labellings)
    return np.asarray((sums - n_new * (n_new + 1) / 2) / np.maximum(n_new * (labellings.shape[1] - n_new), 1))


def stranger_share(labellings: np.ndarray, near: Sequence[Neighbours], expected: float) -> np.ndarray:
    """Return (b,) the share of new rows that are strangers among the old ones; `near` by each measure of distance."""
    return np.array([strangers(near, ~new, expected)[new].mean() for new in labellings])


def kernel_distance(labellings: np.ndarray, points: np.ndarray, seed: int) -> np.ndarray:
    """Return (b,) the squared distance of the mean new from the mean old row in the space of a Gaussian kernel.

    Maximum mean discrepancy (Gretton et al., JMLR 13, 2012) by random Fourier features (Rahimi and Recht, NIPS 2007);
    the kernel is as wide as rows usually are apart. Points (n, d).
    """
    rng = np.random.default_rng(seed)
    values = np.asarray(points, dtype=np.float64)
    first, second = rng.integers(len(values), size=(2, PAIRS))
    apart = np.linalg.norm(values[first] - values[second], axis=1)
    width = float(np.median(apart[apart > 0])) if np.any(apart > 0) else 1.0
    phases = values @ rng.normal(size=(values.shape[1], FREQUENCIES)) / width
    waves = np.hstack([np.cos(phases), np.sin(phases)]) / np.sqrt(FREQUENCIES)  # (n, 2 F)
    waves -= waves.mean(axis=0)
    n_new = labellings.sum(axis=1, keepdims=True)
    sums = labellings.astype(np.float64) @ waves  # what is left of all rows, which sum to 0, is minus that
    return np.asarray(((sums / n_new + sums / (labellings.shape[1] - n_new)) ** 2).sum(axis=1))


def rank_shifts(labellings: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (b, l) by how many standard deviations of chance new rows rank above old ones in each column of (n, l).

    Wilcoxon's rank sum; a missing value, NaN, ranks in the middle.
    """
    from scipy.stats import rankdata

    ranks = np.nan_to_num(rankdata(values, axis=0, nan_policy="omit"), nan=0.0)  # (n, l), 0 of what is missing
    known = np.isfinite(values)
    ranks = np.where(known, ranks - ranks.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    n, n_new = len(values), labellings.sum(axis=1, keepdims=True)
    spread = np.sqrt(np.square(ranks).sum(axis=0) / max(n - 1, 1) * n_new * (n - n_new) / n)  # without replacement
    return np.asarray(labellings.astype(np.float64) @ ranks / np.maximum(spread, 1e-12))


def _entropy(seen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return seen * log(seen / expected), 0 where nothing was seen."""
    found: np.ndarray = seen * np.log(np.where(seen > 0, seen, 1.0) / np.where(seen > 0, expected, 1.0))
    return found
