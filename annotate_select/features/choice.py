"""Which of several spaces to select in, from what a sample of images showed of each, and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from annotate_select.errors import listed
from annotate_select.features.health import FLAT, HUBS
from annotate_select.words import counted

__all__ = ["Choice", "Trial", "decided", "in_doubt", "standard_error"]


@dataclass(frozen=True)
class Trial:
    """What a sample showed of one encoder."""

    encoder: str  # as `--encoder` takes it, or "NAME (stored)"
    seconds: float  # that the whole pool would take, estimated
    agreement: float  # of neighbours when images are cropped and recoloured, 0 (chance) to 1
    rank: float  # how many dimensions are in use (RankMe) ...
    most_rank: int  # ... of so many that these images could show
    hubness: float  # how unevenly images are neighbours of others: 0 is even
    accuracy: float | None = None  # of neighbours, where there are labels
    linear: float | None = None  # of a linear model on labels held out
    labels: int = 0

    @property
    def right(self) -> float | None:
        """Return the mean of both accuracies, or the only one."""
        known = [one for one in (self.accuracy, self.linear) if one is not None]
        return sum(known) / len(known) if known else None

    @property
    def poor(self) -> bool:
        """Say whether distances hardly tell images apart: few dimensions in use, or a few images near to all."""
        return self.rank < FLAT * self.most_rank or self.hubness > HUBS


@dataclass(frozen=True)
class Choice:
    """The encoder that was chosen, why, in one line, and all that was tried."""

    encoder: str
    because: str
    trials: list[Trial]


def decided(trials: Sequence[Trial], seconds: float) -> Choice:
    """Choose among those that are quick enough, the quickest if none is.

    By accuracy, where every trial has one; by neighbours that stay, where it has not, or where the best are within one
    standard error: then a space in which distances hardly tell images apart gives way to others.
    """
    quick = [one for one in trials if one.seconds <= seconds] or [min(trials, key=lambda one: one.seconds)]
    equal = in_doubt(quick)
    best = max(equal, key=lambda one: (not one.poor, one.agreement))
    said = [_said(one) + ("" if one in quick else f", but it would take {_time(one.seconds)}") for one in trials]
    return Choice(best.encoder, f"{best.encoder} is used{_why(best, equal, quick)}. {'; '.join(said)}", list(trials))


def in_doubt(trials: Sequence[Trial]) -> list[Trial]:
    """Return those whose accuracy is within a standard error of the best; all, unless every one has an accuracy."""
    known = [(one.right, one) for one in trials if one.right is not None]
    if len(known) < len(trials):
        return list(trials)
    most, best = max(known, key=lambda pair: pair[0])
    return [one for right, one in known if most - right <= standard_error(best, one)]


def standard_error(one: Trial, other: Trial) -> float:
    """Return that of the difference of two accuracies, as if of different images: too wide rather than too narrow."""
    variances = [(one.right or 0.0) * (1 - (one.right or 0.0)) / max(1, one.labels) for one in (one, other)]
    return sqrt(sum(variances))


def _why(best: Trial, equal: Sequence[Trial], quick: Sequence[Trial]) -> str:
    if len(quick) == 1:
        return ""
    poor = [one.encoder for one in equal if one.poor and one.agreement > best.agreement and not best.poor]
    by = "more of its neighbours stay than of the others'" if not poor else f"distances in {listed(poor)} tell little"
    if best.right is None or any(one.right is None for one in quick):
        return f": {by}"
    if len(equal) == 1:
        return ": it is right most often"
    others = listed(one.encoder for one in equal if one is not best)
    return f": {counted(best.labels, 'label')} cannot tell it from {others}, and {by}"


def _said(one: Trial) -> str:
    """Say the figures of a trial."""
    said = []
    if one.accuracy is not None:
        also = "" if one.linear is None else f", a linear model names {_percent(one.linear)}"
        said.append(f"{_percent(one.accuracy)} of {counted(one.labels, 'label')} have neighbours of their class{also}")
    said.append(f"{_percent(one.agreement)} of neighbours stay when images are cropped and recoloured")
    said.append(
        f"{one.rank:.0f} of {one.most_rank} dimensions are in use"
        + (", few" if one.rank < FLAT * one.most_rank else "")
    )
    said.append(f"hubness {one.hubness:.1f}" + (", a few images are near to all" if one.hubness > HUBS else ""))
    return f"{one.encoder}: {', '.join(said)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _time(seconds: float) -> str:
    return counted(round(seconds / 60), "minute")
