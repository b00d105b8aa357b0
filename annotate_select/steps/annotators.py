"""How good each annotator is, and on which images that points to another class than the one that counts.

What counts stays the votes; a person decides, on the Review page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import events, exam, images
from annotate_select.annotations.consensus import consensus
from annotate_select.annotations.events import CurrentAnnotation
from annotate_select.errors import FeaturesError
from annotate_select.steps.evidence import evidence
from annotate_select.steps.home import Home
from annotate_select.steps.models import newest_model
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.consensus import Skills, dawid_skene
from annotate_select.trust.intervals import wilson
from annotate_select.trust.label_errors import as_frequent

__all__ = ["Confusion", "People", "Pointing", "Skill", "beforehand", "people"]

FEWEST = 10  # images shared with others that a skill is told of
OFTEN, SEVERAL = 0.1, 2.0  # share of a class, and expected number, of mistakes that are told


@dataclass(frozen=True)
class Confusion:
    """How often, 0..1, an annotator says `said` of what is `true`."""

    true: str
    said: str
    share: float


@dataclass(frozen=True)
class Skill:
    """An annotator's labels, how many are of images others labelled too, and by these how often they are right.

    `accuracy` 0..1 with its 95 % interval; None with fewer than ten shared images. `confusions`: the worst three.
    """

    annotator: str
    labels: int
    shared: int
    accuracy: float | None
    low: float
    high: float
    confusions: list[Confusion]


@dataclass(frozen=True)
class Pointing:
    """An image whose annotators, by their skill, point to another class than the one that counts (None: disputed)."""

    key: str
    label: str | None
    consensus: str
    probability: float
    said: dict[str, str]


@dataclass(frozen=True)
class People:
    """The annotators by name, and the images on which their skill changes the answer, the surest first."""

    skills: list[Skill]
    pointing: list[Pointing]


def people(home: Home) -> People:
    """Estimate everybody's skill from images that several labelled, with what the newest model says of these."""
    number = {name: at for at, name in enumerate(home.config.classes)}
    current = events.current_annotations(home.db)
    said = [one for one in current if one.kind == "label" and one.label in number]
    if not said:
        return People([], [])
    units = np.unique([one.image_id for one in said])
    found = dawid_skene(
        np.array([one.image_id for one in said]),
        [one.annotator for one in said],
        np.array([number[one.label] for one in said if one.label is not None]),
        len(number),
        probabilities=beforehand(home, units),
    )
    return People(_skills(found, home.config.classes), _pointing(home, found, current))


def beforehand(home: Home, ids: np.ndarray) -> np.ndarray:
    """Return what is known of images (n,) without their own labels: probabilities (n, C), NaN where nothing is.

    Of the exam nothing is: what a model says of it must not touch its labels.
    """
    out = np.full((len(ids), len(home.config.classes)), np.nan)
    known = evidence(home)
    if known is None or len(known.ids) == 0:
        return out
    rows = known.rows(ids)
    out[rows >= 0] = known.together[rows[rows >= 0]]
    model = newest_model(home)
    missing = ids[(rows < 0) & ~np.isin(ids, exam.kept_ids(home.db))]
    if model is None or model.classes != home.config.classes or not len(missing):
        return out
    try:
        opened = open_features(home, model.features)
    except FeaturesError:
        return out
    if opened.digest == model.features_digest:
        there = np.flatnonzero(np.isin(opened.ids, missing))
        p = as_frequent(model.head.probabilities(opened.array[there]), known.together.mean(axis=0))
        out[np.searchsorted(ids, opened.ids[there])] = p
    return out


def _skills(found: Skills, classes: list[str]) -> list[Skill]:
    skills = []
    for at, name in enumerate(found.annotators):
        shared, accuracy = int(found.shared[at]), float(found.accuracy[at])
        ends = wilson(accuracy * shared, shared)
        told = shared >= FEWEST
        skills.append(
            Skill(
                annotator=name,
                labels=int(found.labels[at]),
                shared=shared,
                accuracy=accuracy if told else None,
                low=ends.low if told else 0.0,
                high=ends.high if told else 1.0,
                confusions=_confusions(found.confusion[at], found.frequencies * shared, classes) if told else [],
            )
        )
    return skills


def _confusions(confusion: np.ndarray, seen: np.ndarray, classes: list[str]) -> list[Confusion]:
    """Name the mistakes (C, C) that are frequent, of classes seen about so often (C,)."""
    mistakes = confusion * (1 - np.eye(len(classes)))
    true, said = np.nonzero((mistakes >= OFTEN) & (mistakes * seen[:, None] >= SEVERAL))
    worst = sorted(zip(true.tolist(), said.tolist(), strict=True), key=lambda pair: -mistakes[pair] * seen[pair[0]])
    return [Confusion(classes[a], classes[b], round(float(mistakes[a, b]), 4)) for a, b in worst[:3]]


def _pointing(home: Home, found: Skills, current: list[CurrentAnnotation]) -> list[Pointing]:
    said: dict[int, dict[str, str]] = {}
    for annotation in current:
        if annotation.kind == "label" and annotation.label is not None:
            said.setdefault(annotation.image_id, {})[annotation.annotator] = annotation.label
    decided = consensus(current)
    row = {one: at for at, one in enumerate(found.images.tolist())}
    split = [one for one in row if len(set(said[one].values())) > 1]
    keys = images.keys_of(home.db, split, in_pool=True)
    number = {name: at for at, name in enumerate(home.config.classes)}
    pointing = []
    for one, key in keys.items():
        posterior, standing = found.posterior[row[one]], decided[one]
        named = {number[label]: label for label in said[one].values() if label in number}
        best = named[max(named, key=lambda at: float(posterior[at]))]  # a model alone overrules nobody
        likely = float(posterior[number[best]])
        if not standing.final and standing.state in ("labelled", "disputed") and best != standing.label:
            pointing.append(Pointing(key, standing.label, best, round(likely, 4), said[one]))
    return sorted(pointing, key=lambda one: (-one.probability, one.key))
