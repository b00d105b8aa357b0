"""Has the world changed: new images against old ones, in words; and the new ground that the next batch attends to."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.annotations import exam
from annotate_select.errors import listed
from annotate_select.features.store import Features
from annotate_select.pool.looks import LOOKS
from annotate_select.progress import Progress, silent
from annotate_select.steps.appearance import Appearance
from annotate_select.steps.class_map import class_map
from annotate_select.steps.home import Home
from annotate_select.steps.labels import saw_labels
from annotate_select.steps.models import models
from annotate_select.steps.new_ground import remember
from annotate_select.steps.opinions import said_labels
from annotate_select.steps.standing import Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.steps.window import dates, window
from annotate_select.trust.drift import ALARM, Drift, Evidence, LookShift, drift
from annotate_select.words import counted, named

__all__ = ["ClassShift", "DriftReport", "Kind", "LookChange", "Period", "check_drift"]

MOST = 100  # of a list
PERIODS = 31  # shown at most
LEARNED = (
    "these features learned from labels, which only old images have, and that alone can make them differ; ask of "
    "features that did not, by --features"
)
NOTABLE = 0.05  # change of a class's share that is worth a line


@dataclass(frozen=True)
class Kind:
    """A kind of image of which there is more than before: its shares of new and old images, and new ones of it."""

    new: float
    old: float
    p: float
    keys: list[str]


@dataclass(frozen=True)
class ClassShift:
    """How often the model takes new and old images for a class; shares of 1."""

    label: str
    new: float
    old: float


@dataclass(frozen=True)
class LookChange:
    """How new images look besides what they show: `words` such as "darker", and the share of them that are so.

    That is, more so than half of the old images; by chance the share is .5.
    """

    look: str
    words: str
    share: float
    p: float


@dataclass(frozen=True)
class Period:
    """A day, month or year (`when`, as in 2026-03) of `n` new images, of which `strangers` are like nothing before."""

    when: str
    n: int
    strangers: int


@dataclass(frozen=True)
class DriftReport:
    """New images against old ones; `p` is that of all statistics together, and drift means p of at most .05.

    `strangers` of the new images are unlike all old ones, where `expected` would be by chance; `stranger_keys` are the
    hundred strangest; `over_time` has them by when they were captured, or added. `ground` counts images of new ground.
    `exam_new` of the exam's `exam` images are new. `note` says what makes all this doubtful, if anything.
    """

    window: str
    features: str
    new: int
    old: int
    drifted: bool
    p: float
    strangers: int
    expected: float
    stranger_keys: list[str]
    over_time: list[Period]
    kinds: list[Kind]
    looks: list[LookChange]
    classes: list[ClassShift]
    evidence: list[Evidence]
    new_groups: int | None
    old_groups: int | None
    ground: int
    exam: int
    exam_new: int
    note: str | None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        groups = (
            f", of {self.new_groups:,} and {counted(self.old_groups or 0, 'group')}"
            if self.new_groups is not None
            else ""
        )
        lines = [f"{counted(self.new, 'new image')} ({self.window}) against {counted(self.old, 'old one')}{groups}"]
        odds = f"p {self.p:.3f}; in a world that did not change, {100 * ALARM:.0f} checks in 100 find drift"
        lines.append(f"the world has changed ({odds})" if self.drifted else f"no drift is shown ({odds})")
        such = f", such as {named(self.stranger_keys, most=3)}" if self.stranger_keys else ""
        lines.append(
            f"of {counted(self.new, 'new image')} {self.strangers:,} {'is' if self.strangers == 1 else 'are'} unlike "
            f"anything before ({self.expected:.1f} would be expected){such}"
        )
        if self.strangers and len(self.over_time) > 1:
            most = max(self.over_time, key=lambda one: (one.strangers, one.when))
            lines.append(f"most of these in {most.when}: {most.strangers:,} of {counted(most.n, 'new image')}")
        lines += [_kind(one) for one in self.kinds[:3]]
        if self.looks:
            told = listed([f"{one.words} ({one.share:.0%})" for one in self.looks], most=3)
            lines.append(f"new images look different: {told}; so are 50% of the old ones")
        lines += [_apart(one) for one in self.evidence if one.name == "classifier" and self.drifted]
        moved = next((one for one in self.evidence if one.name == "classes"), None)
        if moved is not None and moved.p <= ALARM:
            lines += [_shift(one) for one in self.classes[:3] if abs(one.new - one.old) >= NOTABLE]
        return "\n".join(lines + (self._advice() if self.drifted else []) + ([self.note] if self.note else []))

    def _advice(self) -> list[str]:
        lines = []
        if self.ground:
            lines.append(
                f"{counted(self.ground)} of new ground will weigh more in the next batches, until they have their "
                "share of the labels"
            )
        if self.exam and self.exam_new / self.exam < self.new / (self.new + self.old):
            lines.append(
                f"{self.exam_new:,} of the exam's {counted(self.exam)} {'is' if self.exam_new == 1 else 'are'} new, "
                "so it measures the old world: `annotate-select exam --new-ground` gives new images their share"
            )
        return lines


def check_drift(
    home: Home,
    features: str | None = None,
    *,
    since: str | None = None,
    by: str | None = None,
    progress: Progress = silent,
) -> DriftReport:
    """Compare new images with old ones, and keep what is new ground for `select` and `exam`.

    What is new: see `window`. Raises FeaturesError without features, LearningError where nothing can be compared.
    """
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    rows = np.flatnonzero(state.in_pool)
    new = window(home, state.ids[rows], since, by)
    predicted = _predicted(home, opened)
    looks = Appearance(home, state.ids[rows], progress=progress)
    found = drift(
        opened.array if len(rows) == len(opened.ids) else opened.array[rows],
        new.new,
        groups=None if state.groups is None else state.groups[rows],
        predicted=None if predicted is None else predicted[rows],
        n_classes=len(home.config.classes),
        looks=looks,
        seed=home.config.seed,
        progress=progress,
    )
    report = _report(home, opened, state, rows, found, new.words, looks.unreadable)
    remember(home, report.as_dict(), state.ids[rows[new.new]], state.ids[rows[found.rows[found.ground]]])
    return report


def _predicted(home: Home, features: Features) -> np.ndarray | None:
    """Return the class that the newest model takes every row for; None where no model fits, or it cannot be fair.

    Of images it learned from, that is what cross-validation said: a model knows its own labels, which only old images
    have, and that would pass for drift. The only one of its class cannot be held out: without it the model would not
    know the class, and take it for the next likeliest.
    """
    fitting = [one for one in models(home) if one.features_digest == features.digest]
    today = class_map(home, fitting[-1]) if fitting else None
    if today is None or not today.fits(home.config.classes) or fitting[-1].features_saw_labels:
        return None
    said = said_labels(home, fitting[-1].number)
    if said is None or len(home.config.classes) < 2:
        return None
    probabilities = today.of(fitting[-1].head.probabilities(features.array))
    found: np.ndarray = probabilities.argmax(axis=1)
    ids, labels = said
    at = np.minimum(np.searchsorted(ids, features.ids), len(ids) - 1)
    there = ids[at] == features.ids
    found[there] = np.where(labels[at[there]] < 0, -1, today.places[labels[at[there]]])
    alone = np.flatnonzero(found < 0)
    found[alone] = np.argsort(probabilities[alone], axis=1)[:, -2]
    return found


def _report(
    home: Home,
    features: Features,
    state: Standing,
    rows: np.ndarray,
    found: Drift,
    words: str,
    unreadable: int,
) -> DriftReport:
    keys = [state.keys[row] for row in rows.tolist()]
    strangest = np.argsort(-found.distance, kind="stable")[: min(MOST, int(found.far.sum()))]
    examined = set(exam.exam_ids(home.db))
    in_exam = np.array([one in examined for one in state.ids[rows].tolist()], dtype=bool)
    grouped = state.groups is not None
    return DriftReport(
        window=words,
        features=features.name,
        new=found.n_new,
        old=found.n_old,
        drifted=found.drifted,
        p=round(found.p, 4),
        strangers=int(found.far.sum()),
        expected=found.expected * found.n_new,
        stranger_keys=[keys[row] for row in found.rows[strangest].tolist()],
        over_time=_over_time(dates(home, state.ids[rows[found.rows]]), found.far),
        kinds=[Kind(one.new, one.old, one.p, [keys[row] for row in one.examples]) for one in found.cells],
        looks=[_look_change(one) for one in found.looks],
        classes=[ClassShift(home.config.classes[one.label], one.new, one.old) for one in found.shifts],
        evidence=list(found.evidence),
        new_groups=found.units[1] if grouped else None,
        old_groups=found.units[0] if grouped else None,
        ground=int(found.ground.sum()),
        exam=int(in_exam.sum()),
        exam_new=int(in_exam[found.rows].sum()),
        note=_note(saw_labels(home.store(), features.name), unreadable),
    )


def _over_time(days: list[str], far: np.ndarray) -> list[Period]:
    """Count by days where there are few of them, else by months, else by years."""
    whens = next((cut for length in (10, 7) if len(set(cut := [day[:length] for day in days])) <= PERIODS), None)
    whens = [day[:4] for day in days] if whens is None else whens
    return [
        Period(when, whens.count(when), sum(bool(one) for one, at in zip(far, whens, strict=True) if at == when))
        for when in sorted(set(whens))
    ]


def _kind(one: Kind) -> str:
    return f"a kind that has grown: {one.new:.0%} of the new images, {one.old:.0%} of the old, like {one.keys[0]}"


def _look_change(one: LookShift) -> LookChange:
    look = LOOKS[one.look]
    more = one.above >= 0.5
    return LookChange(look.name, look.more if more else look.less, one.above if more else 1 - one.above, one.p)


def _note(learned: bool, unreadable: int) -> str | None:
    files = (
        f"{counted(unreadable, 'file')} could not be read; where that is more than 1%, how images look was not compared"
        if unreadable
        else ""
    )
    return "\n".join(one for one in (LEARNED if learned else "", files) if one) or None


def _apart(one: Evidence) -> str:
    return f"a linear classifier tells new from old images with an AUC of {one.value:.2f} (.50 is chance)"


def _shift(one: ClassShift) -> str:
    return f"the model takes {one.new:.0%} of the new images for {one.label}, {one.old:.0%} of the old"
