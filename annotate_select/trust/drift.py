"""Is the world still the one that was labelled? New images against old ones, with one controlled rate of false alarms.

Four to six statistics look at new and old images without regard to labels: how many new images are farther from all
old ones than 95 in 100 old ones are from each other (kNN distance: Sun et al., ICML 2022), how far apart the two are on
average under a kernel (Gretton et al., JMLR 2012), how they fill k-means cells (likelihood ratio), how well a linear
classifier tells them apart (Lopez-Paz and Oquab, ICLR 2017), what a model takes them for (Rabanser, Guennemann and
Lipton, NeurIPS 2019), and how they look besides: light, colour, detail (rank sums). They share one permutation test, so
that in a world that did not change at most 5 checks in 100 raise an alarm, all statistics together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from annotate_select.errors import LearningError
from annotate_select.progress import Progress, silent
from annotate_select.trust import drift_statistics as measure
from annotate_select.trust.cells import centres_of, nearest
from annotate_select.trust.relabelling import corrected, possible, relabellings, units_of
from annotate_select.trust.strangers import EXPECTED, KTH, LISTED, Space, known_looks, limit_of, neighbours
from annotate_select.words import counted

__all__ = ["ALARM", "Cell", "Drift", "Evidence", "LookShift", "Shift", "drift"]

ALARM = 0.05
TIMES = 999  # labellings by chance
MOST_OLD, MOST_NEW = 3_000, 1_500  # images compared; more sharpen nothing that matters, and cost time
FEWEST_OLD, FEWEST_NEW = 30, 10
FEWEST_WAYS = 100  # of calling units new: of fewer, chance alone cannot be told from drift
EXAMPLES = 4
OUTSKIRTS = 0.05  # of the old images, beyond which new ones are counted: more are there to count than strangers
_BLOCK = 8_192


@dataclass(frozen=True)
class Evidence:
    """One statistic: its name, its value, what it would be by chance, and its p value corrected for the others."""

    name: str
    value: float
    by_chance: float
    p: float


@dataclass(frozen=True)
class Cell:
    """A kind of image of which there are more than before: shares of new and old images, and rows of new examples."""

    new: float
    old: float
    p: float
    examples: tuple[int, ...]


@dataclass(frozen=True)
class Shift:
    """How often the model takes new and old images for a class, by its number; shares of 1."""

    label: int
    new: float
    old: float


@dataclass(frozen=True)
class LookShift:
    """How images look by one number, given by its place: the share of new ones above the old median, .5 by chance."""

    look: int
    above: float
    p: float


@dataclass(frozen=True, eq=False)
class Drift:
    """New images against old ones.

    `rows` (w,) are the new rows, `far` (w,) which of them are unlike all old images, of which `expected` (a share) are
    so by chance, `distance` (w,) how far each is from old images relative to that limit. `ground` (w,) marks new
    ground: where there is drift, what is far, and what is of a kind that has grown. `units` counts what was exchanged
    as one: new and old groups, or images. `cells` have grown, and `looks` shifted, the surest first.
    """

    n_old: int
    n_new: int
    compared: tuple[int, int]
    units: tuple[int, int]
    p: float
    evidence: tuple[Evidence, ...]
    rows: np.ndarray
    far: np.ndarray
    distance: np.ndarray
    ground: np.ndarray
    expected: float
    cells: tuple[Cell, ...]
    shifts: tuple[Shift, ...]
    looks: tuple[LookShift, ...]

    @property
    def drifted(self) -> bool:
        """Say whether new images differ from old ones beyond chance."""
        return self.p <= ALARM


def drift(
    features: np.ndarray,
    new: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    n_classes: int = 0,
    looks: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
    times: int = TIMES,
    progress: Progress = silent,
) -> Drift:
    """Compare the rows `new` (n,) bool of features (n, d) with the others.

    `groups` (n,) integers, negative for none, are what images of one patient, camera or video share: they are exchanged
    as one. `predicted` (n,) are the classes a model takes the rows for, of `n_classes`. `looks` gives, of some rows
    (m,), how the images look besides (m, l), NaN where that is not known; where too many are not, none count. At most
    3,000 old and 1,500 new rows are compared, drawn by chance; `far` is found for all new ones. Raises LearningError
    where there is too little to compare, or features are not finite.
    """
    new = np.asarray(new, dtype=bool)
    _require(features, new, groups, predicted)
    rng = np.random.default_rng(seed)
    sample = _sampled(features, new, groups, looks, seed, rng)
    labellings = relabellings(sample.new, sample.units, times, rng)
    names, columns = _statistics(sample, labellings, seed, progress)
    if predicted is not None:
        names.append("classes")
        columns.append(measure.g_statistic(labellings, predicted[sample.rows], n_classes))
    moved = None if sample.looks is None else measure.rank_shifts(labellings, sample.looks)
    if moved is not None:
        names.append("looks")
        columns.append(np.abs(moved).max(axis=1))
    p, each = corrected(np.column_stack(columns))
    rows = np.flatnonzero(new)
    distance, cell, expected = _placed(features, rows, sample, None if sample.looks is None else looks)
    cells, grown = _grown(labellings, sample, rows, cell, distance) if p <= ALARM else ((), np.empty(0, dtype=np.int64))
    return Drift(
        n_old=int((~new).sum()),
        n_new=len(rows),
        compared=(int((~sample.new).sum()), int(sample.new.sum())),
        units=(len(np.unique(sample.units[~sample.new])), len(np.unique(sample.units[sample.new]))),
        p=p,
        evidence=tuple(
            Evidence(name, float(column[0]), float(np.median(column[1:])), own)
            for name, column, own in zip(names, columns, each, strict=True)
        ),
        rows=rows,
        far=distance > 1,
        distance=distance,
        ground=((distance > 1) | np.isin(cell, grown)) & (p <= ALARM),
        expected=expected,
        cells=cells,
        shifts=() if predicted is None else _shifts(predicted, new, n_classes),
        looks=_look_shifts(moved, sample) if moved is not None and p <= ALARM else (),
    )


@dataclass(frozen=True, eq=False)
class _Sample:
    """The m rows that are compared: which are new, what is exchanged as one, where they lie, and their k cells."""

    rows: np.ndarray
    new: np.ndarray
    units: np.ndarray
    space: Space
    looks: np.ndarray | None  # (m, l)
    points: np.ndarray  # (m, d) directions
    towards: np.ndarray  # (m, d or d + l) the same, and looks beside them
    apart: np.ndarray  # (m, d) centred, the usual length 1
    centres: np.ndarray  # (k, d)
    cell: np.ndarray  # (m,)


def _sampled(
    features: np.ndarray,
    new: np.ndarray,
    groups: np.ndarray | None,
    looks: Callable[[np.ndarray], np.ndarray] | None,
    seed: int,
    rng: np.random.Generator,
) -> _Sample:
    rows = np.sort(np.concatenate([_some(~new, MOST_OLD, rng), _some(new, MOST_NEW, rng)]))
    units = units_of(new[rows], None if groups is None else groups[rows])
    _require_ways(new[rows], units)
    if not np.isfinite(features[rows]).all():
        raise LearningError("features must be finite, got NaN or infinity; make the features again")
    seen = None if looks is None else known_looks(looks(rows))
    space = Space.of(features[rows], seen)
    points = space.directions(features[rows])
    towards, apart = space.places(features[rows], seen)
    centres = centres_of(points, seed)
    return _Sample(rows, new[rows], units, space, seen, points, towards, apart, centres, nearest(points, centres))


def _some(which: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    rows = np.flatnonzero(which)
    return rows if len(rows) <= most else rng.choice(rows, most, replace=False)


def _statistics(
    sample: _Sample, labellings: np.ndarray, seed: int, progress: Progress
) -> tuple[list[str], list[np.ndarray]]:
    near = [neighbours(one, one, LISTED, (sample.units, sample.units)) for one in (sample.towards, sample.apart)]
    columns = [measure.stranger_share(labellings, near, OUTSKIRTS)]
    progress("comparing", 1, 3, "")
    # By direction: images that an encoder learned from lie a little farther out than others of their kind.
    columns.append(measure.kernel_distance(labellings, sample.towards, seed))
    columns.append(measure.g_statistic(labellings, sample.cell, len(sample.centres)))
    progress("comparing", 2, 3, "")
    columns.append(measure.classifier_auc(labellings, sample.points, sample.units, seed))
    progress("comparing", 3, 3, "")
    return ["strangers", "kernel", "cells", "classifier"], columns


def _placed(
    features: np.ndarray, rows: np.ndarray, sample: _Sample, looks: Callable[[np.ndarray], np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return how far some rows are from the old sample, in units of the limit, their cells, and the share expected."""
    units = sample.units[~sample.new]
    old = [one[~sample.new] for one in (sample.towards, sample.apart)]
    known = [neighbours(one, one, KTH, (units, units)).distances[:, -1] for one in old]
    limits = [limit_of(one, EXPECTED / len(old)) for one in known]
    distance, cell = np.zeros(len(rows)), np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        places = sample.space.places(features[rows[part]], None if looks is None else looks(rows[part]))
        for place, before, (limit, _) in zip(places, old, limits, strict=True):
            apart = neighbours(place, before, KTH, None).distances[:, -1]
            distance[part] = np.maximum(distance[part], apart / limit if limit > 0 else 2.0 * (apart > 0))
        cell[part] = nearest(places[0][:, : features.shape[1]], sample.centres)
    return distance, cell, min(1.0, sum(share for _, share in limits))


def _grown(
    labellings: np.ndarray, sample: _Sample, rows: np.ndarray, cell: np.ndarray, distance: np.ndarray
) -> tuple[tuple[Cell, ...], np.ndarray]:
    """Return the cells with more new rows than chance gives any of them, and their numbers."""
    k = len(sample.centres)
    over = measure.excess(labellings, sample.cell, k)
    largest = over.max(axis=1)
    chances = np.array([np.mean(largest >= own - 1e-9) for own in over[0]])
    grown = [int(one) for one in np.lexsort((-over[0], chances)) if chances[one] <= ALARM]
    old = np.bincount(sample.cell[~sample.new], minlength=k) / (~sample.new).sum()
    found = [
        Cell(float(np.mean(cell == one)), float(old[one]), float(chances[one]), _examples(rows, cell == one, distance))
        for one in grown
    ]
    return tuple(found), np.array(grown, dtype=np.int64)


def _examples(rows: np.ndarray, inside: np.ndarray, distance: np.ndarray) -> tuple[int, ...]:
    """Return a few of the rows, the least like old ones first."""
    at = np.flatnonzero(inside)
    return tuple(int(rows[one]) for one in at[np.argsort(-distance[at], kind="stable")][:EXAMPLES])


def _shifts(predicted: np.ndarray, new: np.ndarray, n_classes: int) -> tuple[Shift, ...]:
    """Return every class's shares, the largest change first."""
    here = np.bincount(predicted[new], minlength=n_classes) / new.sum()
    there = np.bincount(predicted[~new], minlength=n_classes) / (~new).sum()
    order = np.argsort(-np.abs(here - there), kind="stable").tolist()
    return tuple(Shift(one, float(here[one]), float(there[one])) for one in order)


def _look_shifts(moved: np.ndarray, sample: _Sample) -> tuple[LookShift, ...]:
    """Return the looks that shifted more than chance shifts any of them, given shifts (b, l), the surest first."""
    assert sample.looks is not None
    far = np.abs(moved)
    largest = far.max(axis=1)
    chances = np.array([np.mean(largest >= own - 1e-9) for own in far[0]])
    found = []
    for one in np.lexsort((-far[0], chances)).tolist():
        new, old = (sample.looks[which, one] for which in (sample.new, ~sample.new))
        if chances[one] <= ALARM and np.isfinite(new).any() and np.isfinite(old).any():
            above = np.mean(new[np.isfinite(new)] > np.nanmedian(old))
            found.append(LookShift(one, float(above), float(chances[one])))
    return tuple(found)


def _require(features: np.ndarray, new: np.ndarray, groups: np.ndarray | None, predicted: np.ndarray | None) -> None:
    for name, values in (("new", new), ("groups", groups), ("predicted", predicted)):
        if values is not None and np.shape(values) != (len(features),):
            raise LearningError(f"{name} must be one for each of the {len(features)} rows, got {np.shape(values)}")
    n_new = int(new.sum())
    if n_new < FEWEST_NEW or len(new) - n_new < FEWEST_OLD:
        raise LearningError(
            f"{counted(n_new, 'new image')} against {counted(len(new) - n_new, 'old one')} are too few to tell drift "
            f"from chance: at least {FEWEST_NEW} and {FEWEST_OLD} are needed; choose another time or column, or add "
            "images"
        )


def _require_ways(new: np.ndarray, units: np.ndarray) -> None:
    ways = possible(new, units)
    if ways < FEWEST_WAYS:
        n_new, total = len(np.unique(units[new])), int(units.max()) + 1
        raise LearningError(
            f"the new images are of {n_new} of {counted(total, 'group')}, and images of a group are no independent "
            f"witnesses: there {'is only 1 way' if ways == 1 else f'are only {ways} ways'} to choose {n_new} of "
            f"{total}, at least {FEWEST_WAYS} are needed to tell drift from chance; wait for images of more groups"
        )
