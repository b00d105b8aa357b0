"""Do annotators agree beyond chance, on which classes, and who with whom?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from annotate_select.errors import AnnotationError

__all__ = ["Agreement", "PairAgreement", "agreement", "krippendorff_alpha"]


@dataclass(frozen=True)
class PairAgreement:
    """How often two annotators say the same of the `n` images both have labelled, and Krippendorff's alpha of that."""

    first: str
    second: str
    n: int
    same: int
    alpha: float | None


@dataclass(frozen=True)
class Agreement:
    """Agreement on the `images` that at least two annotators labelled.

    `alpha` is Krippendorff's: 1 for full agreement, 0 for what chance would give, negative below; None where nobody
    shares an image, or where all say one class only. `classes` holds it of each class against all others.
    """

    images: int
    alpha: float | None
    classes: dict[str, float | None]
    pairs: tuple[PairAgreement, ...]


def agreement(images: np.ndarray, annotators: list[str], labels: np.ndarray, class_names: list[str]) -> Agreement:
    """Measure agreement of k labels: their images (k,), annotators (k), and class numbers (k,).

    An annotator labels an image once. Raises AnnotationError for columns of different lengths.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if not len(images) == len(annotators) == len(labels):
        raise AnnotationError(
            f"images, annotators and labels must be as many, got {len(images)}, {len(annotators)} and {len(labels)}"
        )
    _, counts = np.unique(images, return_counts=True)
    said_by: dict[str, dict[int, int]] = {}
    for image, who, label in zip(images.tolist(), annotators, labels.tolist(), strict=True):
        said_by.setdefault(who, {})[image] = label
    pairs = [_pair(a, b, said_by, len(class_names)) for a, b in combinations(sorted(said_by), 2)]
    return Agreement(
        images=int((counts > 1).sum()),
        alpha=krippendorff_alpha(images, labels, len(class_names)),
        classes={
            name: krippendorff_alpha(images, (labels == number).astype(np.int64), 2)
            for number, name in enumerate(class_names)
        },
        pairs=tuple(sorted((one for one in pairs if one.n), key=lambda one: (-one.n, one.first, one.second))),
    )


def krippendorff_alpha(images: np.ndarray, labels: np.ndarray, n_classes: int) -> float | None:
    """Return Krippendorff's alpha for nominal data: k labels (k,), class numbers, of images (k,); any may be missing.

    None where no image has two labels, or where these are all of one class: then nothing could have disagreed.
    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    names, unit = np.unique(np.asarray(images), return_inverse=True)
    table = np.zeros((len(names), n_classes))  # (images, classes) how often each was said
    np.add.at(table, (unit, np.asarray(labels)), 1)
    said = table.sum(axis=1)
    table, said = table[said > 1], said[said > 1]
    totals = table.sum(axis=0)
    n = totals.sum()
    expected = n * n - (totals**2).sum()
    if n == 0 or expected == 0:
        return None
    observed = ((said**2 - (table**2).sum(axis=1)) / (said - 1)).sum()  # pairs that differ, each image by its weight
    return float(1 - (n - 1) * observed / expected)


def _pair(first: str, second: str, said_by: dict[str, dict[int, int]], n_classes: int) -> PairAgreement:
    a, b = said_by[first], said_by[second]
    both = sorted(a.keys() & b.keys())
    same = sum(a[one] == b[one] for one in both)
    labels = np.array([a[one] for one in both] + [b[one] for one in both], dtype=np.int64)
    return PairAgreement(first, second, len(both), same, krippendorff_alpha(np.array(both * 2), labels, n_classes))
