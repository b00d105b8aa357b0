"""Does selection look at all of the pool, or does it feed on itself? Round by round, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.errors import ExamError, FeaturesError, LearningError, SelectionError
from annotate_select.features.store import Features
from annotate_select.progress import Progress, silent
from annotate_select.steps.class_map import class_map
from annotate_select.steps.crowding import PolicyRounds, Round, chance_for, policy_rounds, rounds
from annotate_select.steps.evaluate import audit
from annotate_select.steps.home import Home
from annotate_select.steps.models import models
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.audit import AuditReport
from annotate_select.trust.picks import Spread, runaway, spread
from annotate_select.words import counted, named

__all__ = ["ClassShare", "PicksReport", "RoundPicks", "Unvisited", "check_picks"]

MOST = 100  # of a list
NOTABLE = 0.05  # share of a class by which picks and pool must differ to be named


@dataclass(frozen=True)
class RoundPicks:
    """The picks of one batch, audits left out, against the pool."""

    batch: int
    strategy: str
    spread: Spread


@dataclass(frozen=True)
class ClassShare:
    """How much of all picks, and of the pool, the newest model takes for a class; shares of 1."""

    label: str
    picks: float
    pool: float


@dataclass(frozen=True)
class Unvisited:
    """A kind of image of which none has a label: its share of the pool, and an image of it."""

    share: float
    key: str


@dataclass(frozen=True)
class PicksReport:
    """How picks lie in the pool; `runaway` where they crowd in the same few kinds for three rounds.

    `chance` is the share of the next batch that `auto` leaves to chance for that reason.

    `audit` says whether picks teach more than chance, and is None, with `note`, where that cannot be measured.
    """

    rounds: list[RoundPicks]
    runaway: bool
    chance: float
    classes: list[ClassShare]
    unseen: list[str]
    kinds: int
    unvisited: list[Unvisited]
    audit: AuditReport | None
    note: str | None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        lines = [self._head(), *(_round(one) for one in self.rounds[-5:])]
        lines += [
            f"the model takes {one.picks:.0%} of the picks for {one.label}, and {one.pool:.0%} of the pool"
            for one in self.classes
            if abs(one.picks - one.pool) >= NOTABLE
        ][:3]
        lines.append(self.audit.verdict if self.audit is not None else f"{self.note}")
        if self.unseen:
            lines.append(f"no image has the label {named(self.unseen)}")
        if self.unvisited:
            share = sum(one.share for one in self.unvisited)
            lines.append(
                f"{len(self.unvisited)} of {counted(self.kinds, 'kind')} of images, {share:.0%} of the pool, have no "
                f"label yet, such as {named((one.key for one in self.unvisited), most=3)}"
            )
        return "\n".join(lines)

    def _head(self) -> str:
        many = counted(len(self.rounds), "round")
        if self.runaway:
            remedy = "choose with auto, or a larger --audit"
            if self.chance:
                remedy = f"auto draws {self.chance:.0%} of the next batch by chance, unless audits speak for the picks"
            return f"picks crowd in the same few kinds of images for three rounds, and may feed on themselves: {remedy}"
        crowded = sum(one.spread.crowded for one in self.rounds)
        if crowded:
            return (
                f"in {crowded} of {many} picks crowd in few kinds of images, but not in the same ones for three rounds"
            )
        return f"picks are spread over the kinds of images in {many}"


def check_picks(home: Home, features: str | None = None, *, progress: Progress = silent) -> PicksReport:
    """Compare the picks of every round with the pool; nothing is changed by it.

    Raises FeaturesError without features, SelectionError where no batch was chosen yet.
    """
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    found = rounds(home, state)
    if not found:
        raise SelectionError("no batch was chosen yet; choose one with `annotate-select select`")
    cells = policy_rounds(home, opened, state, found)
    feeding = runaway(list(cells.picks), cells.pool, home.config.seed)
    progress("comparing", 1, 2, "")
    compared, note = _audit(home)
    progress("comparing", 2, 2, "")
    names = home.config.classes
    return PicksReport(
        rounds=_rounds(home, found, cells),
        runaway=feeding,
        chance=chance_for(home, opened, state) if feeding else 0.0,
        classes=_classes(home, opened, state, found),
        unseen=[names[one] for one in range(len(names)) if not np.any(state.labels == one)],
        kinds=int(np.count_nonzero(cells.pool)),
        unvisited=_unvisited(opened, state, cells)[:MOST],
        audit=compared,
        note=note,
    )


def _rounds(home: Home, found: list[Round], cells: PolicyRounds) -> list[RoundPicks]:
    rng = np.random.default_rng(home.config.seed)
    return [
        RoundPicks(one.batch.number, one.batch.strategy, spread(counts, cells.pool, rng))
        for one, counts in zip(found, cells.picks, strict=True)
        if counts.sum()
    ]


def _audit(home: Home) -> tuple[AuditReport | None, str | None]:
    try:
        return audit(home), None
    except (ExamError, FeaturesError, LearningError) as error:
        return None, f"whether picks teach more than chance is not known: {error}"


def _classes(home: Home, features: Features, state: Standing, found: list[Round]) -> list[ClassShare]:
    """Return the classes whose shares differ most first; nothing where no model fits."""
    fitting = [one for one in models(home) if one.features_digest == features.digest]
    names = home.config.classes
    today = class_map(home, fitting[-1]) if fitting else None
    if today is None or not today.fits(names):
        return []
    said = today.of(fitting[-1].head.probabilities(features.array)).argmax(axis=1)
    picked = np.concatenate([one.rows for one in found])
    if len(picked) == 0:
        return []
    here = np.bincount(said[picked], minlength=len(names)) / len(picked)
    free = state.in_pool & ~state.exam
    there = np.bincount(said[free], minlength=len(names)) / max(1, free.sum())
    order = np.argsort(-np.abs(here - there), kind="stable").tolist()
    return [ClassShare(names[one], float(here[one]), float(there[one])) for one in order]


def _unvisited(features: Features, state: Standing, cells: PolicyRounds) -> list[Unvisited]:
    """Return the kinds without a label outside the exam, the most frequent first."""
    free = np.flatnonzero(state.in_pool & ~state.exam)
    number = cells.cells.number(features.array, free)
    visited = set(number[state.labels[free] != UNLABELLED].tolist())
    sizes = np.bincount(number, minlength=len(cells.pool))
    return [
        Unvisited(float(sizes[one] / len(free)), state.keys[free[np.flatnonzero(number == one)[0]]])
        for one in np.argsort(-sizes, kind="stable").tolist()
        if sizes[one] and one not in visited
    ]


def _round(one: RoundPicks) -> str:
    found = one.spread
    return (
        f"  batch {one.batch} ({one.strategy}): {counted(found.n, 'pick')} of {found.kinds:.1f} kinds, where chance "
        f"has {found.by_chance:.1f}{'; crowded' if found.crowded else ''}; {found.distance:.2f} away from the pool, "
        f"where chance stays within {found.usual:.2f}"
    )
