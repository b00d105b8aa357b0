"""Which labels are likely wrong: confident learning on what is said of images by what did not learn from them.

Source: Northcutt, Jiang and Chuang, Confident Learning: Estimating Uncertainty in Dataset Labels (JAIR 2021),
thresholds and the confident joint (equations 1 to 3). Images that were picked for being hard have low probabilities
whatever their label is, and thresholds made of them would suspect too many; they are made of images that chance chose,
where there are enough. Labels are ranked by odds: their own probability against that of the likeliest other class.
Mistakes of a careless hand are on clear images, where a margin finds them; mistakes of a careful eye are on images that
nothing is sure of, where the probability of the label alone does; odds find both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.errors import LearningError

__all__ = ["Confident", "as_frequent", "confident", "label_quality", "pooled"]

ENOUGH = 20  # random labels of a class that its threshold is made of; with fewer, all labels of it are
LEAST = 1e-3  # probabilities below say no more: a model is never that sure for a reason
TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Confident:
    """What l labels of C classes are confidently contradicted.

    `thresholds` (C,) are the probabilities from which an image counts as of a class; `from_random` (C,) tells of which
    classes they were made of images that chance chose. `taken` (l,) is the class each image counts as, -1 for none.
    `joint` (C, C) counts labels, the row the label given, the column what it counts as; each row is scaled to all the
    labels of the class. What the opinions themselves get wrong is in it, too: of weak ones it says little.
    """

    thresholds: np.ndarray
    from_random: np.ndarray
    taken: np.ndarray
    joint: np.ndarray


def confident(probabilities: np.ndarray, labels: np.ndarray, random: np.ndarray | None = None) -> Confident:
    """Count labels (l,) against probabilities (l, C) that did not learn from them.

    `random` (l,) bool marks images that chance chose. Raises LearningError for shapes that do not fit.
    """
    p, y = _checked(probabilities, labels)
    n_classes = p.shape[1]
    drawn = np.zeros(len(y), dtype=bool) if random is None else np.asarray(random, dtype=bool)
    from_random = np.bincount(y[drawn], minlength=n_classes) >= ENOUGH
    counted = drawn | ~from_random[y]
    own = p[np.arange(len(y)), y]
    many = np.bincount(y[counted], minlength=n_classes)
    thresholds = np.bincount(y[counted], weights=own[counted], minlength=n_classes) / np.maximum(many, 1)
    thresholds[many == 0] = np.inf  # what nobody calls an image does not count against a label
    taken = np.where(p >= thresholds, p, -1.0).argmax(axis=1)
    taken[~(p >= thresholds).any(axis=1)] = -1
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts, (y[taken >= 0], taken[taken >= 0]), 1)
    silent = np.flatnonzero(counts.sum(axis=1) == 0)
    counts[silent, silent] = 1.0
    joint = counts / counts.sum(axis=1, keepdims=True) * np.bincount(y, minlength=n_classes)[:, None]
    return Confident(thresholds, from_random, taken, joint)


def label_quality(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the odds of each label (l,) as a share, p / (p + q), where q is the likeliest other class, 0..1.

    `probabilities` (l, C) that did not learn from the labels. Below .5 something else is likelier; the smaller, the
    likelier is the label wrong.
    """
    p, y = _checked(probabilities, labels)
    rows = np.arange(len(y))
    others = p.copy()
    others[rows, y] = 0.0
    own, other = p[rows, y] + LEAST, others.max(axis=1) + LEAST
    return np.asarray(own / (own + other))


def pooled(opinions: list[np.ndarray], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a mixture (l, C) of several opinions (l, C), and the weight of each: those that make the labels likeliest.

    None may have learned from the label it speaks of. The likelihood has one maximum; it is climbed by expectation
    maximisation from equal weights.
    """
    stacked = np.stack([_checked(one, labels)[0] for one in opinions])  # (o, l, C)
    own = stacked[:, np.arange(len(labels)), labels] + TINY  # (o, l)
    weights = np.full(len(opinions), 1 / len(opinions))
    for _ in range(100):
        share = weights[:, None] * own
        weights = (share / share.sum(axis=0)).mean(axis=1)
    return np.asarray(np.einsum("o,olc->lc", weights, stacked)), weights


def as_frequent(probabilities: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return probabilities (l, C) of a model to which all classes were alike, for classes as frequent as these (C,)."""
    found = np.asarray(probabilities, dtype=np.float64) * frequencies
    whole = found.sum(axis=1, keepdims=True)
    return np.asarray(np.where(whole > 0, found / np.maximum(whole, TINY**2), frequencies / frequencies.sum()))


def _checked(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != (len(p),) or not len(p):
        raise LearningError(
            f"labels must be one for each of at least one row of probabilities, got {y.shape} for {p.shape}"
        )
    if not np.isfinite(p).all():
        raise LearningError("probabilities must be finite, got NaN or infinity; leave out rows without an opinion")
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise LearningError(f"labels must be class numbers from 0 to {p.shape[1] - 1}, got {y.min()} to {y.max()}")
    return p, y
