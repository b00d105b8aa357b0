"""Which labelled images a second opinion is worth more on than a new image is: what competes for the next label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import batches, events
from annotate_select.annotations.consensus import consensus
from annotate_select.annotations.queue import RELABEL
from annotate_select.errors import FeaturesError
from annotate_select.features.store import Features
from annotate_select.steps.class_map import class_map
from annotate_select.steps.evidence import Evidence, evidence
from annotate_select.steps.home import Home
from annotate_select.steps.labels import training_rows
from annotate_select.steps.models import TrainedModel, newest_model
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.activelab import activelab, worth_relabelling
from annotate_select.trust.label_errors import as_frequent

__all__ = ["REASON", "RELABEL", "SecondOpinions", "Worth", "free_rows", "second_opinions", "worth_asking_again"]

REASON = "a second opinion: worth more here than a new image"  # and nothing of why, which would suggest an answer


@dataclass(frozen=True, eq=False)
class SecondOpinions:
    """Rows (r,) among the next `n` images that a label is worth most on, the worst known first, and how well, 0..1.

    `people` is how many annotators there are: nobody gives a second opinion on their own label.
    """

    n: int
    rows: np.ndarray
    scores: np.ndarray
    people: int


@dataclass(frozen=True)
class Worth:
    """The images, by key, that are worth more as second opinions among the next `n` labels; the worst known first."""

    n: int
    keys: list[str]


def worth_asking_again(home: Home, features: str | None = None) -> Worth | None:
    """Compare labelled and new images for the next batch, as long as it is by default; None where nothing can tell."""
    try:
        opened = open_features(home, features)
    except FeaturesError:
        return None
    now = standing(home, opened.ids)
    model = newest_model(home)
    if model is None or model.features_digest != opened.digest:
        return None
    if not class_map(home, model).fits(home.config.classes):
        return None
    _, reserved = training_rows(opened, now)
    found = second_opinions(home, opened, now, model, home.config.select.n, free_rows(now, reserved))
    return None if found is None else Worth(found.n, [now.keys[row] for row in found.rows.tolist()])


def free_rows(now: Standing, reserved: np.ndarray) -> np.ndarray:
    """Return the rows (m,) that a batch may hold for the first time; `reserved` (n,) are those the exam keeps."""
    return np.flatnonzero((now.labels == UNLABELLED) & ~now.settled & ~now.waiting & ~reserved & now.in_pool)


def second_opinions(
    home: Home, features: Features, now: Standing, model: TrainedModel | None, n: int, free: np.ndarray
) -> SecondOpinions | None:
    """Compare labelled images outside the exam with the free rows (m,), none of them labelled, for the next n labels.

    None where nothing can tell: without the newest model's held-out opinion on these features. What a reviewer decided,
    or waits for such an opinion already, is left out.
    """
    known = evidence(home)
    newest = newest_model(home)
    if known is None or model is None or newest is None or newest.number != model.number:
        return None
    current, today = events.current_annotations(home.db), class_map(home, model)
    number = {name: at for at, name in enumerate(home.config.classes)}
    rows, place = _relabelled(home, now, known)
    row_of = {int(now.ids[row]): at for at, row in enumerate(rows.tolist())}
    said = [
        (row_of[one.image_id], one.annotator, number[one.label])
        for one in current
        if one.kind == "label" and one.label in number and one.image_id in row_of
    ]
    people = len({one.annotator for one in current if one.kind == "label"})
    if not said:
        return None
    found = activelab(
        np.array([one[0] for one in said]),
        [one[1] for one in said],
        np.array([one[2] for one in said]),
        now.labels[rows],
        known.held_out[place],
        as_frequent(today.of(model.head.probabilities(features.array[free])), known.held_out.mean(axis=0)),
    )
    chosen = worth_relabelling(found, n)
    return SecondOpinions(n, rows[chosen], found.labelled[chosen], people)


def _relabelled(home: Home, now: Standing, known: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of labels that may be asked for again, and where the evidence has them."""
    said, overlap = consensus(events.current_annotations(home.db)), home.config.queue.overlap
    asked: dict[int, int] = {}
    for batch in batches.batches(home.db):
        for pick in batches.picks_of(home.db, batch.number):
            if pick.role == RELABEL:
                asked[pick.image_id] = asked.get(pick.image_id, 0) + 1
    place = known.rows(now.ids)
    rows = np.flatnonzero((now.labels != UNLABELLED) & now.in_pool & ~now.exam & (place >= 0))
    closed = {one for one, found in said.items() if found.final}
    closed |= {one for one in asked if one in said and sum(said[one].votes.values()) < overlap + asked[one]}
    kept = rows[~np.isin(now.ids[rows], list(closed))]
    return kept, place[kept]
