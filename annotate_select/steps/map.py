"""What the map of the pool shows of each image: a group by label, prediction, certainty, batch or age of the label.

The exam is never given away: its images look like those without a label, and what was said of them is not shown. Both
are one group, whose name is true of either.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from annotate_select.annotations import batches, events, exam, images
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import ExchangeError, LearningError, SelectionError, UnknownImages, did_you_mean, listed
from annotate_select.features.plane import alike
from annotate_select.files import whole_file, write_whole
from annotate_select.steps.class_map import class_map
from annotate_select.steps.home import Home
from annotate_select.steps.layout import Layout
from annotate_select.steps.models import models
from annotate_select.steps.stored_features import open_features

__all__ = ["COLOURINGS", "Group", "MapColours", "Neighbour", "map_colours", "neighbours", "write_map"]

CERTAIN = (0.5, 0.7, 0.9, 0.99)  # where one group of certainty ends and the next begins
AGES = ((1, "today"), (7, "this week"), (31, "this month"))  # days
NO_LABEL = "no label shown"  # there is none, or it is the exam's
MOST_BATCHES = 8  # shown one by one, the newest; older ones are one group


@dataclass(frozen=True)
class Group:
    """One entry of the legend; `kind` is none (nothing is known), class, state (of a label), or step of a scale."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class MapColours:
    """Which group each of the n images of a layout belongs to."""

    by: str
    groups: list[Group]
    values: np.ndarray  # (n,) uint16, positions in `groups`


@dataclass(frozen=True)
class Neighbour:
    """An image that looks like another; `label` is None where it has none or is not to be seen."""

    image_id: int
    key: str
    cosine: float
    label: str | None


def map_colours(home: Home, by: str, made: Layout) -> MapColours:
    """Return the groups of a layout's images by one of COLOURINGS.

    Raises SelectionError for another, LearningError for prediction and certainty when there is no model.
    """
    if by not in COLOURINGS:
        known = list(COLOURINGS)
        raise SelectionError(
            f"a map cannot be coloured by {by!r}{did_you_mean(by, known)}; choose one of {listed(known)}"
        )
    groups, found = COLOURINGS[by](home)
    values = np.array([found.get(one, 0) for one in made.ids.tolist()], dtype=np.uint16)
    return MapColours(by, groups, values)


def neighbours(home: Home, image_id: int, k: int = 12, features: str | None = None) -> list[Neighbour]:
    """Return an image itself and the k most like it, by the cosine that selection uses, exactly; the nearest first.

    Raises UnknownImages when no image of the pool has that id.
    """
    opened = open_features(home, features)
    in_pool = np.isin(opened.ids, images.pool_table(home.db).ids)
    found = np.flatnonzero((opened.ids == image_id) & in_pool)
    if not len(found):
        raise UnknownImages(f"the pool has no image with the id {image_id}")
    gone = int((~in_pool).sum())
    rows, cosines = alike(opened.array, int(found[0]), k + gone)
    near = [(row, cosine) for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True) if in_pool[row]][:k]
    shown = _labels_shown(home)
    return [
        Neighbour(int(opened.ids[row]), opened.keys[row], cosine, shown.get(int(opened.ids[row])))
        for row, cosine in [(int(found[0]), 1.0), *near]
    ]


def write_map(home: Home, made: Layout, output: Path) -> None:
    """Write a layout as .csv (image,x,y) or .png, coloured by label; whole or not at all.

    Raises ExchangeError for another suffix.
    """
    if output.suffix == ".csv":
        write_whole(output, _csv(made))
    elif output.suffix == ".png":
        _draw(map_colours(home, "label", made), made, output)
    else:
        raise ExchangeError(f"a map is written as .png or .csv, got {output.name!r}")


Colouring = Callable[[Home], tuple[list[Group], dict[int, int]]]  # the groups, and the group of an id; 0 where absent


def _by_label(home: Home) -> tuple[list[Group], dict[int, int]]:
    classes = home.config.classes
    states = {"rejected": "not usable", "disputed": "disputed", "unsure": "unsure"}
    groups = [Group(NO_LABEL, "none"), *(Group(name, "class") for name in classes)]
    groups += [Group(name, "state") for name in states.values()]
    place = {name: number for number, name in enumerate(classes, start=1)}
    place_of_state = {state: len(classes) + number for number, state in enumerate(states, start=1)}
    hidden = set(exam.kept_ids(home.db))
    found = {
        image_id: place.get(one.label, 0) if one.label is not None else place_of_state.get(one.state, 0)
        for image_id, one in consensus(events.current_annotations(home.db)).items()
        if image_id not in hidden
    }
    return groups, found


def _by_prediction(home: Home) -> tuple[list[Group], dict[int, int]]:
    classes, ids, probabilities = _opinion(home)
    groups = [Group("not predicted", "none"), *(Group(name, "class") for name in classes)]
    return groups, dict(zip(ids.tolist(), (probabilities.argmax(axis=1) + 1).tolist(), strict=True))


def _by_certainty(home: Home) -> tuple[list[Group], dict[int, int]]:
    _, ids, probabilities = _opinion(home)
    names = [f"under {CERTAIN[0]:.0%}"]
    names += [f"{low:.0%} to {high:.0%}" for low, high in pairwise(CERTAIN)]
    groups = [Group("not predicted", "none"), *(Group(name, "step") for name in [*names, f"over {CERTAIN[-1]:.0%}"])]
    values = np.searchsorted(CERTAIN, probabilities.max(axis=1), side="right") + 1
    return groups, dict(zip(ids.tolist(), values.tolist(), strict=True))


def _by_batch(home: Home) -> tuple[list[Group], dict[int, int]]:
    numbers = [one.number for one in batches.batches(home.db)]
    older, shown = numbers[:-MOST_BATCHES], numbers[-MOST_BATCHES:]
    names = [*(["older batches"] if older else []), *(f"batch {number}" for number in shown)]
    first = 2 if older else 1
    found: dict[int, int] = {}
    for number in numbers:  # an image picked again counts for the batch that picked it first
        place = shown.index(number) + first if number in shown else 1
        for pick in batches.picks_of(home.db, number):
            found.setdefault(pick.image_id, place)
    for image_id in exam.kept_ids(home.db):
        found.pop(image_id, None)
    return [Group("not picked", "none"), *(Group(name, "step") for name in names)], found


def _by_age(home: Home) -> tuple[list[Group], dict[int, int]]:
    hidden = set(exam.kept_ids(home.db))
    newest: dict[int, datetime] = {}
    for one in events.current_annotations(home.db):
        if one.label is not None and one.image_id not in hidden and (at := _time(one.at)) is not None:
            newest[one.image_id] = max(at, newest.get(one.image_id, at))
    now = datetime.now(UTC)
    found = {image_id: 1 + sum((now - at).days >= days for days, _ in AGES) for image_id, at in newest.items()}
    names = [*(name for _, name in AGES), "older"]
    return [Group(NO_LABEL, "none"), *(Group(name, "step") for name in names)], found


COLOURINGS: dict[str, Colouring] = {
    "label": _by_label,
    "prediction": _by_prediction,
    "certainty": _by_certainty,
    "batch": _by_batch,
    "age": _by_age,
}


def _opinion(home: Home) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return what the newest model's classes are today, and of each row of its features id and shares (n, C)."""
    trained = models(home)
    if not trained:
        raise LearningError("there is no model yet; train one with `annotate-select train`")
    features = open_features(home, trained[-1].features)
    if features.digest != trained[-1].features_digest:
        raise LearningError(
            f"model {trained[-1].number} was trained on features that were replaced since; train a new one"
        )
    today = class_map(home, trained[-1])
    return today.classes, features.ids, today.of(trained[-1].head.probabilities(features.array))


def _time(text: str) -> datetime | None:
    """Read a time as a browser or a file wrote it; None for what is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _labels_shown(home: Home) -> dict[int, str]:
    hidden = set(exam.kept_ids(home.db))
    said = consensus(events.current_annotations(home.db)).items()
    return {image_id: one.label for image_id, one in said if one.label is not None and image_id not in hidden}


def _csv(made: Layout) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "x", "y"])
    writer.writerows([key, f"{x:.5f}", f"{y:.5f}"] for key, (x, y) in zip(made.keys, made.points, strict=True))
    return text.getvalue()


def _draw(colours: MapColours, made: Layout, output: Path) -> None:
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(9, 7), layout="constrained")
        axes = figure.add_subplot(1, 1, 1, aspect="equal")
        for number, group in enumerate(colours.groups):
            rows = colours.values == number
            if rows.any():
                colour = "0.75" if group.kind == "none" else f"C{number - 1}"
                x, y = made.points[rows].T
                axes.scatter(x, y, s=4, lw=0, color=colour, label=f"{group.name} ({rows.sum():,})")
        axes.set_axis_off()
        figure.legend(loc="outside right upper", markerscale=3, frameon=False)
        with whole_file(output) as temporary:
            figure.savefig(temporary, format="png", dpi=120)
