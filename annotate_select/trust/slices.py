"""Slices: kinds of exam images on which a model fails more often than on the rest.

The exam's features are cut into cells by k-means, which knows nothing of mistakes, so each cell may be tested: are so
few right answers in so many images luck? (exact, hypergeometric; corrected for the number of cells by Benjamini and
Hochberg). The practical version of Domino (Eyuboglu et al., ICLR 2022) for exams of some hundred images.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.trust.groups import worst_groups
from annotate_select.trust.intervals import Interval

__all__ = ["FEWEST", "Slice", "Slices", "slices"]

FEWEST = 60  # labelled exam images
IN_A_CELL = 20  # on average; a cell of fewer than ten is not tested
MOST_CELLS = 40
TRIES = 4  # of k-means


@dataclass(frozen=True)
class Slice:
    """Exam images that look alike, `rows` of those given, and on how many the model is right; `p` is corrected.

    `label` is their commonest class, `predicted` what the mistakes among them are taken for most, as class numbers.
    """

    rows: tuple[int, ...]
    right: int
    accuracy: float
    interval: Interval
    p: float
    label: int
    predicted: int


@dataclass(frozen=True)
class Slices:
    """Slices that stand out among `cells` of `n` exam images, the surest first; `missing`: labels it takes to look."""

    n: int
    cells: int
    missing: int
    found: tuple[Slice, ...]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)


def slices(features: np.ndarray, labels: np.ndarray, predicted: np.ndarray, *, seed: int = 0) -> Slices:
    """Return where a model fails; features (n, d), labels and predicted classes (n,) of the labelled exam images."""
    n = len(labels)
    if n < FEWEST:
        return Slices(n, 0, FEWEST - n, ())
    from sklearn.cluster import KMeans

    right = predicted == labels
    k = min(MOST_CELLS, max(2, n // IN_A_CELL))
    points = _directions(np.asarray(features, dtype=np.float64))
    k = min(k, len(np.unique(points.round(9), axis=0)))
    cell = KMeans(k, n_init=TRIES, random_state=seed).fit(points).labels_ if k > 1 else np.zeros(n, dtype=np.int64)
    tested = worst_groups(right, {"cell": [str(one) for one in cell.tolist()]})
    found = []
    for one in tested:
        if one.worse:
            rows = np.flatnonzero(cell == int(one.value))
            wrong = rows[~right[rows]]
            found.append(
                Slice(
                    rows=tuple(np.concatenate([wrong, rows[right[rows]]]).tolist()),
                    right=int(right[rows].sum()),
                    accuracy=one.accuracy,
                    interval=one.interval,
                    p=one.p,
                    label=int(np.bincount(labels[rows]).argmax()),
                    predicted=int(np.bincount(predicted[wrong]).argmax()),
                )
            )
    return Slices(n, len(tested), 0, tuple(found))


def _directions(points: np.ndarray) -> np.ndarray:
    """Return points (n, d) centred and of length 1, as selection and training see them."""
    centred = points - points.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    found: np.ndarray = centred / np.where(lengths > 0, lengths, 1.0)
    return found
