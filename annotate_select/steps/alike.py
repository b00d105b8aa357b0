"""Groups of unlabelled images that belong together, so that a person can give all of a group one class.

What is labelled by groups is no random sample, so nothing random is among it: neither the exam, nor what the exam
reserves (its groups and near-duplicates), nor the audit picks, which are labelled one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import time

import numpy as np

from annotate_select.annotations import images, queue
from annotate_select.errors import SelectionError, UnknownClasses, UnknownImages, did_you_mean, listed
from annotate_select.selection.groups import cosines_to, fullest, groups_of
from annotate_select.steps.ground import Ground, ground, opinion
from annotate_select.steps.home import Home
from annotate_select.words import named

__all__ = ["MOST_ALIKE", "WAYS", "Alike", "AlikeGroup", "AlikeImage", "alike"]

WAYS = ("cluster", "prediction", "similar")
MOST_ALIKE = 200  # images of a group: more are too many to look at
MOST_GROUPS = 20
LOOK = 8  # parts of the pool that groups are made of, and the best of them taken


@dataclass(frozen=True)
class AlikeImage:
    """An image of a group; `score` is its cosine to the middle or to the image asked of, or the model's probability."""

    image_id: int
    key: str
    score: float


@dataclass(frozen=True)
class AlikeGroup:
    """Images that belong together, the surest first; `label` is the class predicted, None where nothing is."""

    label: str | None
    images: list[AlikeImage]


@dataclass(frozen=True)
class Alike:
    """Groups, best first; how many images may be grouped in all, and by prediction how many of each class."""

    groups: list[AlikeGroup]
    left: int
    predicted: dict[str, int]


def alike(
    home: Home,
    by: str = "cluster",
    *,
    n: int = 60,
    of: str | None = None,
    features: str | None = None,
    seed: int | None = None,
    groups: int = 1,
    without: Iterable[int] = (),
    annotator: str | None = None,
    now: float | None = None,
) -> Alike:
    """Return up to `groups` groups of up to n unlabelled images.

    `by` is cluster, prediction (`of` a class, or of each class that has images), or similar (`of` an image, by key: its
    nearest by the cosine of selection). Left out are the ids `without`, and for an annotator what others are looking
    at. Raises SelectionError for values that cannot be, UnknownClasses, UnknownImages, FeaturesError when there are no
    features, and LearningError when a prediction is asked for and there is no model.
    """
    _check(by, n, of, groups)
    seed = home.config.seed if seed is None else seed
    here = ground(home, features, seed)
    free = here.free.copy()
    closed = [*queue.not_for_groups(home.db, annotator, now=time() if now is None else now), *without]
    free[np.isin(here.features.ids, np.array(closed, dtype=np.int64))] = False
    candidates = np.flatnonzero(free)
    predicted: dict[str, int] = {}
    if by == "cluster":
        found = _clusters(here, candidates, n, groups, seed)
    elif by == "similar":
        found = _similar(home, here, candidates, n, of or "", groups)
    else:
        found, predicted = _predicted(home, here, candidates, n, of, groups)
    return Alike(_named(home, here, found), len(candidates), predicted)


Found = tuple[str | None, np.ndarray, np.ndarray]  # the class predicted, rows (m,), their scores (m,)


def _clusters(here: Ground, candidates: np.ndarray, n: int, groups: int, seed: int) -> list[Found]:
    array = here.features.array
    found: list[Found] = [
        (None, *group)
        for rows in fullest(here.parts, candidates, n, max(LOOK, groups))
        for group in groups_of(array, rows, here.parts.mean, here.hashes, n, seed)
    ]
    return sorted(found, key=lambda one: -float(one[2].sum()))[:groups]


def _similar(home: Home, here: Ground, candidates: np.ndarray, n: int, key: str, groups: int) -> list[Found]:
    row = np.flatnonzero(here.features.ids == images.resolve(home.db, [key]).get(key, -1))
    if not len(row):
        raise UnknownImages(f"the pool has no image {key!r}; name it by its key, as it stands under an image")
    cosines = cosines_to(here.features.array, here.parts.mean, int(row[0]))[candidates]
    return _in_pieces(None, candidates, cosines, here.hashes, n, groups)


def _predicted(
    home: Home, here: Ground, candidates: np.ndarray, n: int, of: str | None, groups: int
) -> tuple[list[Found], dict[str, int]]:
    said = opinion(home, here)
    if of is not None and of not in said.classes:
        raise UnknownClasses(
            f"there is no class {of!r}{did_you_mean(of, said.classes)}; the classes are {named(said.classes)}"
        )
    number, probability = said.number[candidates], said.probability[candidates]
    counts = dict(zip(said.classes, np.bincount(number, minlength=len(said.classes)).tolist(), strict=True))
    found: list[Found] = []
    for place, name in enumerate(said.classes):
        if of in (None, name) and counts[name]:
            mine = number == place
            most = groups if of is not None else 1
            found += _in_pieces(name, candidates[mine], probability[mine], here.hashes, n, most)
    return found[:groups], counts


def _in_pieces(
    label: str | None, rows: np.ndarray, scores: np.ndarray, hashes: np.ndarray, n: int, groups: int
) -> list[Found]:
    """Cut rows (m,) into groups of n by their scores, the highest first."""
    most = n * groups
    if len(rows) > most:
        kept = np.argpartition(-scores, most - 1)[:most]
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((hashes[rows], -scores))
    return [(label, rows[part], scores[part]) for part in np.split(order, range(n, len(order), n)) if len(part)]


def _named(home: Home, here: Ground, found: Sequence[Found]) -> list[AlikeGroup]:
    ids = [here.features.ids[rows].tolist() for _, rows, _ in found]
    keys = images.keys_of(home.db, [one for some in ids for one in some])
    return [
        AlikeGroup(label, [AlikeImage(i, keys[i], score) for i, score in zip(some, scores.tolist(), strict=True)])
        for (label, _, scores), some in zip(found, ids, strict=True)
    ]


def _check(by: str, n: int, of: str | None, groups: int) -> None:
    if by not in WAYS:
        raise SelectionError(
            f"images cannot be grouped by {by!r}{did_you_mean(by, WAYS)}; choose one of {listed(WAYS)}"
        )
    if not 1 <= n <= MOST_ALIKE:
        raise SelectionError(f"n must be from 1 to {MOST_ALIKE} images a group, got {n}")
    if not 1 <= groups <= MOST_GROUPS:
        raise SelectionError(f"groups must be from 1 to {MOST_GROUPS}, got {groups}")
    if by == "similar" and not of:
        raise SelectionError("similar to which image? give its key as `of`")
    if by == "cluster" and of is not None:
        raise SelectionError(f"clusters are of all images; leave `of` out, got {of!r}")
