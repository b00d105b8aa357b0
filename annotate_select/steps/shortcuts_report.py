"""What `check shortcuts` found, in words that need no statistics."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from annotate_select.errors import listed
from annotate_select.trust.leaning import Leaning
from annotate_select.trust.shortcuts import FEWEST, FEWEST_OF_CLASS
from annotate_select.words import counted, named, plain

__all__ = ["SHOWN", "Finding", "ShortcutsReport", "Side", "ToldClass", "WeakSpot", "percent"]

SHOWN = 5  # findings in words and images


@dataclass(frozen=True)
class ToldClass:
    """A class that one nuisance tells from the rest, in which share of cases, and how it differs, in words."""

    name: str
    accuracy: float
    how: str


@dataclass(frozen=True)
class Side:
    """Images of one class at one end of a nuisance, by key."""

    words: str
    keys: list[str]


@dataclass(frozen=True)
class Finding:
    """Something besides the thing itself that predicts the label; `p` is corrected for how many were looked at."""

    name: str
    words: str
    accuracy: float
    chance: float
    p: float
    classes: list[ToldClass]
    sides: list[Side]
    text: str


@dataclass(frozen=True)
class WeakSpot:
    """Exam images that look alike and on which the model fails more often than on the rest, mistakes first."""

    keys: list[str]
    n: int
    right: int
    text: str


@dataclass(frozen=True)
class ShortcutsReport:
    """What predicts the label besides the thing itself, whether the model leans on it, and where the model fails.

    `missing` labels of images that can be read are lacking before anything can be said; `looked_at` names what was,
    `damaged` images could not be measured, `naming` are columns that have the class in their words, and `slices_note`
    says how it is with the slices.
    """

    labelled: int
    missing: int
    left_out: list[str]
    naming: list[str]
    looked_at: list[str]
    findings: list[Finding]
    leaning: Leaning | None
    weak_spots: list[WeakSpot]
    slices_note: str
    damaged: dict[str, str]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        leaning = self.leaning.as_dict() if self.leaning else None
        return {**asdict(self), "leaning": leaning, "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        return "\n".join([*self.about_labels(), *self.about_model(), *self.about_slices(), *self._about_files()])

    def about_labels(self) -> list[str]:
        """Say what predicts the label."""
        if self.missing and self.damaged:
            away, there = len(self.damaged), self.labelled + len(self.damaged)
            return [
                f"shortcuts cannot be looked for: {away:,} of {counted(there, 'labelled image')} could not be read; "
                f"put the files back, or label {self.missing:,} more"
            ]
        if self.missing:
            return [
                f"too early to look for shortcuts: it takes at least {FEWEST} labels, of two classes {FEWEST_OF_CLASS} "
                f"each; {self.missing:,} more {'is' if self.missing == 1 else 'are'} missing"
            ]
        without = f" ({named(self.left_out)} left out: fewer than {FEWEST_OF_CLASS} labels)" if self.left_out else ""
        images = f"{counted(self.labelled, 'labelled image')}{without}"
        looked = f"the {len(self.looked_at)} things known of {images} besides what they show"
        naming = [f"{one} has the name of the class in it, and was left out" for one in self.naming]
        if not self.findings:
            return [f"nothing besides the thing itself predicts the label: none of {looked}", *naming]
        head = (
            f"{len(self.findings)} of {looked} {'predicts' if len(self.findings) == 1 else 'predict'} the label; each "
            "is a shortcut the model can take, or it is the thing itself: look at the images"
        )
        first = self.findings[0]
        return [
            head,
            *(f"  {one.text}" for one in self.findings[:SHOWN]),
            *([f"  and {listed([one.words for one in self.findings[SHOWN:]])}"] if len(self.findings) > SHOWN else []),
            f"if {first.words} is a shortcut, break it: `annotate-select select --balance {first.name}` picks equally "
            f"many of usual and of unusual {first.words} in each class",
            *naming,
        ]

    def about_model(self) -> list[str]:
        """Say whether the model leans on it."""
        found = self.leaning
        if found is None:
            return []
        lines = [
            f"all of it together tells the class in {percent(found.probe)} of cases (chance "
            f"{percent(found.chance)}), the model in {percent(found.model)}: {percent(found.explained)} of what the "
            "model knows beyond chance can be known without looking at the thing"
        ]
        if found.with_it is not None and found.against_it is not None and found.interval is not None:
            points = [f"{100 * end:+.0f}" for end in (found.interval.low, found.interval.high)]
            verdict = (
                "it leans on it, or these images are harder for another reason"
                if found.leans
                else "no proof that it leans on it"
            )
            lines.append(
                f"where it points to another class ({counted(found.n_against)}) the model is right on "
                f"{percent(found.against_it)}, elsewhere on {percent(found.with_it)} (difference within classes "
                f"{100 * (found.difference or 0):+.0f} points, 95 % interval {points[0]} to {points[1]}): {verdict}"
            )
        return lines

    def about_slices(self) -> list[str]:
        """Say where the model fails."""
        return [self.slices_note, *(f"  {one.text}" for one in self.weak_spots)]

    def _about_files(self) -> list[str]:
        if not self.damaged:
            return []
        some = [f"{plain(key)} ({why})" for key, why in self.damaged.items()]
        return [f"could not be measured: {listed(some, most=3)}"]


def percent(share: float) -> str:
    """Write a share of 1 in whole per cent."""
    return f"{100 * share:.0f} %"
