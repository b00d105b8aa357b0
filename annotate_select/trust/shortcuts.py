"""What besides the thing itself predicts the label? Each nuisance alone, against chance, and corrected for how many.

A nuisance is cut into cells without looking at labels; a held-out image is taken for the class that its cell has most
of, relative to the size of the class. How often that is right, each class counting the same, is compared with the same
of labels dealt anew to the images: whole groups of images change labels, and the folds keep groups together, so that
what holds for a patient is no proof about patients. A nuisance that tells one class of twenty is found too: the figure
of every class against the rest is among those compared, by their largest (Westfall and Young, 1993, max-T). Over all
nuisances the share of false finds is held at 5 % (Benjamini and Hochberg, 1995).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.trust.false_finds import corrected
from annotate_select.trust.nuisances import GROUP, Cells, Nuisance, cells

__all__ = ["FEWEST", "FEWEST_OF_CLASS", "Association", "Told", "associations", "enough", "permuted", "usual"]

FEWEST = 30  # labels
FEWEST_OF_CLASS = 8
SURPRISING = 0.05
PERMUTATIONS = 999  # enough for one find among forty
FIRST, HOPELESS = 200, 0.2  # after so many, a p above this is not going to be small
MOST_LABELS = 4000  # more, and a random part of them is looked at: enough for what matters
FEWEST_CELLS = 4  # so that a class in the middle, or at both ends, is seen
MOST_CELLS, IN_A_CELL = 12, 30  # of a number or colour, and labels in one: more cells tell no more from so few labels
MOST_VALUES, OF_A_VALUE = 20, 10  # of a category
FOLDS = 10
AT_ONCE = 2**18  # numbers held at a time
SAME = 1e-6  # of float32


@dataclass(frozen=True)
class Told:
    """A class that a nuisance tells from the rest, and in which share of cases: mean of hit rate and rejection rate."""

    number: int
    accuracy: float


@dataclass(frozen=True, eq=False)
class Association:
    """What one nuisance alone says of the label: `accuracy` with every class counting the same, chance is 1 / C.

    `p` is how often labels dealt anew are told as well, `corrected` the same for the number of nuisances. `told` are
    the class that is told best and all others that are told beyond luck, the best first.
    """

    nuisance: Nuisance
    cells: Cells
    accuracy: float
    chance: float
    p: float
    corrected: float
    told: tuple[Told, ...]

    @property
    def found(self) -> bool:
        """Say whether it predicts the label, beyond luck."""
        return self.corrected <= SURPRISING

    @property
    def strength(self) -> float:
        """How well the best class is told, 0.5 to 1."""
        return max([one.accuracy for one in self.told], default=0.5)


def enough(labels: np.ndarray, n_classes: int) -> tuple[np.ndarray, int]:
    """Return the classes (C,) bool with labels enough to be looked at, and how many more labels it takes in all.

    It takes two classes of FEWEST_OF_CLASS labels, and FEWEST labels together.
    """
    sizes = np.bincount(labels, minlength=n_classes)
    usable = sizes >= FEWEST_OF_CLASS
    largest = np.sort(sizes)[::-1][:2]
    of_two = int(np.maximum(FEWEST_OF_CLASS - largest, 0).sum()) + FEWEST_OF_CLASS * (2 - len(largest))
    then = int(sizes[usable].sum()) if usable.sum() >= 2 else int(np.maximum(largest, FEWEST_OF_CLASS).sum())
    return usable, of_two + max(FEWEST - then, 0)


def associations(
    nuisances: Sequence[Nuisance],
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> list[Association]:
    """Return what each nuisance of n images says of their labels (n,), the strongest find first.

    `labels` are class numbers; classes that have none are passed over. `groups` (n,) integers keep images together. A
    nuisance that is the same of all images says nothing and is left out. The one called `group` is looked at image by
    image: that a group has one label is what it would show.
    """
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.permutation(len(labels))[:MOST_LABELS])
    seen, y = np.unique(labels[kept], return_inverse=True)
    units = np.arange(len(y)) if groups is None else np.unique(groups[kept], return_inverse=True)[1]
    dealt, folds = permuted(y, units, permutations, rng), _folds(units, rng)
    alone = np.arange(len(y))
    found = []
    for one in nuisances:
        cut = cells(one.at(kept), _most(one, len(y)), seed)
        if len(cut.names) < 2:
            continue
        if one.name == GROUP:
            scores = _in_turn(cut.number, _folds(alone, rng), permuted(y, alone, permutations, rng), len(seen))
        else:
            scores = _in_turn(cut.number, folds, dealt, len(seen))
        p, beyond = _surprise(scores)
        told = [Told(int(seen[c]), float(scores[0, 1 + c])) for c in np.flatnonzero(beyond[1:])]
        told.sort(key=lambda told: -told.accuracy)
        found.append((one, cut, float(scores[0, 0]), p, tuple(told)))
    chances = corrected([p for _, _, _, p, _ in found]).tolist()
    rows = [
        Association(one, cut, accuracy, 1 / len(seen), p, q, told)
        for (one, cut, accuracy, p, told), q in zip(found, chances, strict=True)
    ]
    return sorted(rows, key=lambda row: (not row.found, -row.strength, row.p, row.nuisance.name))


def usual(one: Nuisance, labels: np.ndarray, n_classes: int, seed: int = 0) -> np.ndarray:
    """Return (n, C) whether a nuisance of n images is what it usually is with each class, by those that have labels.

    `labels` (n,) are class numbers, -1 for none. A class usually lies in the cells that have at least as large a part
    of it as of all others together.
    """
    known = labels >= 0
    cell = cells(one, _most(one, int(known.sum())), seed).number
    counts = np.zeros((int(cell.max(initial=0)) + 1, n_classes), dtype=np.int64)
    np.add.at(counts, (cell[known], labels[known]), 1)
    sizes = counts.sum(axis=0)
    rest = counts.sum(axis=1, keepdims=True) - counts
    found: np.ndarray = (counts * (sizes.sum() - sizes) >= rest * sizes)[cell]
    return found


def permuted(labels: np.ndarray, units: np.ndarray, times: int, rng: np.random.Generator) -> np.ndarray:
    """Return (1 + times, n) labels: those given (n,), then dealt anew, a whole unit taking those of another unit.

    A unit that is larger than the one it takes from repeats them, a smaller one gets some of them.
    """
    order = np.argsort(units, kind="stable")
    sizes = np.bincount(units)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    unit, rank = units[order], np.arange(len(labels)) - starts[units[order]]
    out = np.empty((1 + times, len(labels)), dtype=np.int64)
    out[0] = labels
    mixed = labels[order]
    for at in range(1, 1 + times):
        if len(sizes) < len(labels):  # within a unit in any order
            mixed = labels[order[np.lexsort((rng.random(len(labels)), unit))]]
        other = rng.permutation(len(sizes))[unit]
        out[at, order] = mixed[starts[other] + rank % sizes[other]]
    return out


def _most(one: Nuisance, n: int) -> int:
    """Return into how many cells n labels let a nuisance be cut."""
    if one.kind == "category":
        return int(np.clip(n // OF_A_VALUE, FEWEST_CELLS, MOST_VALUES))
    return int(np.clip(n // IN_A_CELL, FEWEST_CELLS, MOST_CELLS))


def _folds(units: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal units to folds by chance alone: folds made by the labels would fit these better than labels dealt anew."""
    count = int(units.max()) + 1
    found: np.ndarray = rng.permutation(count)[units] % min(FOLDS, count)
    return found


def _in_turn(cell: np.ndarray, folds: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the scores of labels (P, n); only of the first, where these are enough to see that there is nothing."""
    scores = _scores(cell, folds, labels[:FIRST], n_classes)
    if len(labels) <= FIRST or _surprise(scores)[0] > HOPELESS:
        return scores
    return np.concatenate([scores, _scores(cell, folds, labels[FIRST:], n_classes)])


def _scores(cell: np.ndarray, folds: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (P, 1 + C): of labels (P, n) the accuracy, every class the same, and of each class against the rest."""
    shape = (n_classes, int(folds.max()) + 1, int(cell.max()) + 1)
    step = max(1, AT_ONCE // max(int(np.prod(shape)), len(cell)))
    parts = []
    for start in range(0, len(labels), step):
        some = labels[start : start + step]
        place = ((some * shape[1] + folds) * shape[2] + cell) * len(some) + np.arange(len(some))[:, None]
        counts = np.bincount(place.ravel(), minlength=int(np.prod(shape)) * len(some))
        parts.append(_told(counts.astype(np.float32).reshape(*shape, len(some))))
    return np.concatenate(parts)


def _told(held: np.ndarray) -> np.ndarray:
    """Return (P, 1 + C) of counts (C, F, K, P) in classes, folds and cells; each fold is told by all others."""
    learned = held.sum(axis=1, keepdims=True) - held
    of_class = learned.sum(axis=2, keepdims=True)  # (C, F, 1, P)
    in_cell = learned.sum(axis=0, keepdims=True)  # (1, F, K, P)
    lift = learned / np.maximum(of_class, 1)
    rest = (in_cell - learned) / np.maximum(of_class.sum(axis=0, keepdims=True) - of_class, 1)
    sizes = held.sum(axis=(1, 2))  # (C, P)
    best = lift >= lift.max(axis=0, keepdims=True) - SAME
    share = np.where(in_cell > 0, best / best.sum(axis=0, keepdims=True, dtype=np.float32), np.float32(1 / len(held)))
    recall = (held * share).sum(axis=(1, 2)) / np.maximum(sizes, 1)
    overall = recall.sum(axis=0) / (sizes > 0).sum(axis=0)
    says = 0.5 + 0.5 * np.sign(np.where(np.abs(lift - rest) > SAME, lift - rest, 0))
    hit = (held * says).sum(axis=(1, 2)) / np.maximum(sizes, 1)
    others = held.sum(axis=0, keepdims=True) - held
    refused = (others * (1 - says)).sum(axis=(1, 2)) / np.maximum(others.sum(axis=(1, 2)), 1)
    return np.concatenate([overall[None], (hit + refused) / 2]).T.astype(np.float64)


def _surprise(scores: np.ndarray) -> tuple[float, np.ndarray]:
    """Return p of the first row of scores (P, S) among all, by the largest of its standardised columns, and which
    columns (S,) are beyond what the largest reaches by luck, or the best of a class."""
    spread = scores.std(axis=0)
    standard = (scores - scores.mean(axis=0)) / np.where(spread > SAME, spread, np.inf)
    largest = standard.max(axis=1)
    p = float((largest >= largest[0] - SAME).mean())
    beyond = standard[0] > np.quantile(largest, 1 - SURPRISING)
    beyond[1 + int(standard[0, 1:].argmax())] = True
    return p, beyond
