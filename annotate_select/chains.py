"""A graph of look-alikes, and how far a label reaches along it.

Two images of one kind may look little alike and still be joined by a chain of images that do. Straight distances miss
that; diffusion along a graph of nearest neighbours sees it.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

__all__ = ["NEIGHBOURS", "SHORTEST", "passed_on", "reach", "reach_from"]

NEIGHBOURS = 15
ALPHA = 0.9  # how much of a label's reach each step along the graph passes on
NOTHING = 1e-6  # a reach too small to say anything
SHORTEST = 1e-3  # a neighbourhood of copies has no width of its own
UNSOLVED = "the graph of look-alikes cannot be solved"  # no finite features lead here


def reach(rows: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Return (m, m) float32, how well each of m points stands for each: 1 for itself, down to 0.

    `rows` (m, k) and `cosines` (m, k) are of the 16 nearest neighbours of each point, the nearest first, itself among
    them. The kernel (I - alpha S)^-1 of Zhou et al. ("Learning with local and global consistency", NIPS 2003), scaled
    to a diagonal of 1; S is the normalised graph of each point's 15 nearest neighbours, with weights that follow the
    local scale (Zelnik-Manor and Perona, "Self-tuning spectral clustering", NIPS 2004). It holds m x m numbers and
    costs about m^3 operations, so m should be some thousands at most.
    """
    if len(rows) < 2:
        return np.ones((len(rows), len(rows)), dtype=np.float32)
    inverse, failed = lapack.spotri(_factor(rows, cosines), overwrite_c=1)
    if failed:
        raise ArithmeticError(UNSOLVED)
    kernel = np.triu(inverse)
    kernel += np.triu(kernel, 1).T
    scale = 1 / np.sqrt(np.diag(kernel))
    kernel *= scale[:, None]
    kernel *= scale
    return np.asarray(np.clip(kernel, 0.0, 1.0))


def reach_from(rows: np.ndarray, cosines: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return (m, s) float32, how well each of the points `sources` (s,) stands for each of m points.

    Columns of `reach`, at a third of the cost where they are few; each row lacks a factor of its own, which the shares
    of `passed_on` do not depend on.
    """
    if len(rows) < 2:
        return np.ones((len(rows), len(sources)), dtype=np.float32)
    at = np.arange(len(sources))
    wanted = np.zeros((len(rows), len(sources)), dtype=np.float32, order="F")
    wanted[sources, at] = 1.0
    columns, failed = lapack.spotrs(_factor(rows, cosines), wanted, overwrite_b=1)
    if failed:
        raise ArithmeticError(UNSOLVED)
    columns /= np.sqrt(columns[sources, at])
    return np.asarray(np.maximum(columns, 0.0))


def _factor(rows: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor (m, m) of I - alpha S, above the diagonal."""
    system = -ALPHA * _normalised(_graph(rows, cosines))
    system[np.diag_indices_from(system)] += 1.0  # positive definite, as S has no eigenvalue above 1
    factor, failed = lapack.spotrf(system.T, overwrite_a=1)  # symmetric: its transpose is it, in Fortran's order
    if failed:
        raise ArithmeticError(UNSOLVED)
    return np.asarray(factor)


def passed_on(kernel: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (m, C) the share of each class in the labels that reach each point.

    `kernel` (m, l) is `reach` between the points and the labelled ones, `labels` (l,) are their class numbers. Each
    class counts the same however many labels it has; where no label reaches, all classes are as likely.
    """
    sizes = np.bincount(labels, minlength=n_classes)
    each = np.zeros((len(labels), n_classes), dtype=np.float32)
    each[np.arange(len(labels)), labels] = 1 / sizes[labels]
    shares = kernel @ each + NOTHING
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)


def _graph(rows: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Return symmetric weights (m, m) between near neighbours, 0 elsewhere."""
    m, k = rows.shape
    squared = np.maximum(2 - 2 * cosines, 0.0)  # (m, k)
    width = np.maximum(np.sqrt(squared[:, -1]), SHORTEST)  # (m,)
    starts, ends = np.repeat(np.arange(m), k), rows.ravel()
    weights = np.zeros((m, m), dtype=np.float32)
    weights[starts, ends] = np.exp(-squared.ravel() / (width[starts] * width[ends]))
    np.fill_diagonal(weights, 0.0)
    return np.maximum(weights, weights.T)


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Return D^-1/2 W D^-1/2; a point without neighbours keeps a row of zeros."""
    degree = weights.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1e-20)), 0.0).astype(np.float32)
    weights *= scale[:, None]
    weights *= scale
    return weights
