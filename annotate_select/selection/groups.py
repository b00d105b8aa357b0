"""Rows that belong together, for labelling many at once.

The whole pool is cut once into parts of about two thousand rows; groups of a few look-alikes are made within a part,
when they are asked for. Cutting a million rows into groups of sixty at once would take minutes, and most are never
looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.likeness import MAYBE_SAME_PICTURE
from annotate_select.selection.clustering import assign, centroids
from annotate_select.selection.geometry import BLOCK, Workers

__all__ = ["Parts", "cosines_to", "fullest", "groups_of", "parts_of", "turned"]

PART = 2_000  # rows a part is to have
MOST_PARTS = 512
SAMPLE = 2**16  # rows that the parts are found on
ROUNDING = 1e-9  # lengths below are no direction


@dataclass(frozen=True, eq=False)
class Parts:
    """The pool cut up: `mean` (d,) float64 of all rows; of each row its part `number` (n,) int32, and `cosine` (n,)."""

    mean: np.ndarray
    number: np.ndarray
    cosine: np.ndarray


def turned(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return rows (b, d) as selection sees them: float32, from the mean (d,), of length 1; a row at the mean is 0."""
    centred = np.asarray(rows, dtype=np.float32) - mean.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    centred /= np.where(lengths > ROUNDING, lengths, np.inf)[:, None]
    return np.asarray(centred)


def parts_of(features: np.ndarray, mean: np.ndarray, hashes: np.ndarray, seed: int) -> Parts:
    """Cut features (n, d), read in blocks, into parts by k-means on at most 65,536 rows, those of the lowest hashes."""
    n = len(features)
    k = min(MOST_PARTS, max(1, round(n / PART)))
    some = np.sort(np.argsort(hashes, kind="stable")[:SAMPLE])
    sample = turned(features[some], mean)
    centres = centroids(sample, np.arange(len(sample)), k, hashes=hashes[some], seed=seed)
    number, cosine = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)

    def place(here: slice) -> None:
        block = turned(features[here], mean)
        number[here], cosine[here] = assign(block, np.arange(len(block)), centres)

    with Workers() as workers:
        workers.map(place, n, max(1, BLOCK // 4 // features.shape[1]))
    return Parts(mean, number, cosine)


def fullest(parts: Parts, candidates: np.ndarray, n: int, most: int) -> list[np.ndarray]:
    """Return the candidates (m,) of up to `most` parts: the tightest of those that can fill a group of n, then smaller.

    A group never has rows of two parts.
    """
    number = parts.number[candidates]
    sizes = np.bincount(number)
    sums = np.bincount(number, weights=parts.cosine[candidates])
    worth = sums / np.maximum(sizes, 1) * np.minimum(sizes, n)
    order = [int(part) for part in np.argsort(-worth, kind="stable") if sizes[part]]
    return [candidates[number == part] for part in order[:most]]


def groups_of(
    features: np.ndarray, rows: np.ndarray, mean: np.ndarray, hashes: np.ndarray, n: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut rows (m,) into groups of up to n look-alikes by k-means: (rows, cosines to the middle), the nearest first.

    The tightest full group comes first. Near-duplicates stand side by side. A cluster larger than n gives its n
    nearest; the others are left for another time.
    """
    points = turned(features[rows], mean)
    k = max(1, round(len(rows) / n))
    centres = centroids(points, np.arange(len(rows)), k, hashes=hashes[rows], seed=seed)
    number, cosine = assign(points, np.arange(len(rows)), centres)
    found = []
    for cluster in np.unique(number).tolist():
        members = np.flatnonzero(number == cluster)
        members = members[np.lexsort((hashes[rows[members]], -cosine[members]))][:n]
        members = members[_side_by_side(points[members])]
        found.append((rows[members], cosine[members]))
    return sorted(found, key=lambda one: -float(one[1].sum()))


def cosines_to(features: np.ndarray, mean: np.ndarray, row: int) -> np.ndarray:
    """Return (n,) float32 cosines of all features (n, d) to one row, read in blocks."""
    wanted = turned(features[row : row + 1], mean)[0]
    cosines = np.empty(len(features), dtype=np.float32)

    def compare(here: slice) -> None:
        cosines[here] = turned(features[here], mean) @ wanted

    with Workers() as workers:
        workers.map(compare, len(features), max(1, BLOCK // 4 // features.shape[1]))
    return cosines


def _side_by_side(points: np.ndarray) -> np.ndarray:
    """Return positions (m,) in which each of the points (m, d) is followed by its near-duplicates, else in order."""
    alike = points @ points.T > MAYBE_SAME_PICTURE
    placed = np.zeros(len(points), dtype=bool)
    order: list[int] = []
    for position in range(len(points)):
        if not placed[position]:
            twins = np.flatnonzero(alike[position] & ~placed)
            mine = [position, *twins[twins != position].tolist()]
            placed[mine] = True
            order += mine
    return np.array(order, dtype=np.int64)
