"""Labels fed back into an encoder: which of them may, and how far they stretch a space in closed form.

The directions that tell the labelled classes apart, by ridge regression on the labels, are stretched; all other
directions keep their spread, so that what has no label yet does not collapse. How far depends on how well these very
directions foresee labels that they have not seen: labels that say nothing change nothing.
"""

from __future__ import annotations

import numpy as np

from annotate_select.errors import FeaturesError

__all__ = ["FEWEST", "UNLABELLED", "directions", "stretch", "usable"]

UNLABELLED = -1
FEWEST = 5  # labels a class needs to enter: below, its mean is mostly chance
RIDGES = np.logspace(-3, 2, 11)  # times the mean squared singular value: from hardly to very smooth


def usable(labels: np.ndarray, n: int) -> np.ndarray:
    """Return labels (n,) renumbered 0, 1, ... with the classes that have too few of them UNLABELLED.

    Raises FeaturesError for another shape or type, and unless two classes have FEWEST labels.
    """
    labels = np.asarray(labels)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer) or (n and labels.min() < UNLABELLED):
        raise FeaturesError(
            f"labels must be one whole number for each of the {n} images, -1 for none, got {labels.dtype} "
            f"{labels.shape}" + (f" from {labels.min()}" if labels.size else "")
        )
    sizes = np.bincount(labels[labels != UNLABELLED], minlength=1)
    enough = np.flatnonzero(sizes >= FEWEST)
    if len(enough) < 2:
        raise FeaturesError(
            f"labels enter the features once two classes have {FEWEST} of them outside the exam, got "
            f"{len(enough)} such classes; label more, or embed without labels"
        )
    numbers = np.full(len(sizes), UNLABELLED)
    numbers[enough] = np.arange(len(enough))
    return np.where(labels == UNLABELLED, UNLABELLED, numbers[labels])


def directions(points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return orthonormal directions (d, r) that tell classes apart in points (l, d), and their skill, 0 to 1.

    Ridge regression on the classes, each class weighing the same; its strength is the best, and its skill the balanced
    accuracy above chance, with each point left out in turn (Allen's PRESS, Technometrics 1974).
    """
    classes, sizes = np.unique(labels, return_counts=True)
    weights = (len(labels) / (len(classes) * sizes))[np.searchsorted(classes, labels)][:, None]  # (l, 1)
    root = np.sqrt(weights)
    wanted = (labels[:, None] == classes) - 1 / len(classes)  # (l, C), of weighted mean 0
    points = points.astype(np.float64)
    centred = root * (points - (weights * points).mean(axis=0))
    left, singular, right = np.linalg.svd(centred, full_matrices=False)  # (l, k), (k,), (k, d)
    target = left.T @ (root * wanted)  # (k, C)
    least, best, skill = np.inf, target, 0.0
    for ridge in RIDGES * (singular**2).mean():
        kept = singular**2 / (singular**2 + ridge) if ridge > 0 else np.zeros_like(singular)
        own = (left**2 @ kept)[:, None] + weights / len(labels)  # (l, 1) what a point says of itself
        error = (root * wanted - left @ (kept[:, None] * target)) / np.maximum(1 - own, 1e-3)  # left out, (l, C)
        if (squares := float((error**2).sum())) < least:
            right_ones = (wanted - error / root).argmax(axis=1) == np.searchsorted(classes, labels)
            accuracy = float((weights[:, 0] * right_ones).mean())
            least, best = squares, (kept / np.maximum(singular, 1e-12))[:, None] * target
            skill = max(0.0, (accuracy - 1 / len(classes)) / (1 - 1 / len(classes)))
    found, length, _ = np.linalg.svd(right.T @ best, full_matrices=False)
    return found[:, : len(classes) - 1][:, length[: len(classes) - 1] > 1e-9 * max(length[0], 1e-12)], skill


def stretch(points: np.ndarray, labels: np.ndarray, weight: float, dim: int) -> np.ndarray:
    """Return the map (d, dim) that stretches points (n, d) of mean 0 and keeps the `dim` directions that vary most.

    What tells the labelled ones apart becomes 1 + weight x skill times as long.
    """
    known = labels != UNLABELLED
    found, skill = directions(points[known], labels[known])
    longer = np.eye(points.shape[1]) + weight * skill * (found @ found.T)  # (d, d)
    covariance = points.T.astype(np.float64) @ points / len(points)
    _, axes = np.linalg.eigh(longer @ covariance @ longer)
    chosen: np.ndarray = longer @ axes[:, ::-1][:, :dim]
    return chosen
