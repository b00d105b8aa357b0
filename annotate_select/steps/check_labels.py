"""Are the labels right: agreement of annotators, look-alikes with different labels, and labels a model contradicts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.annotations import events, images
from annotate_select.errors import AnnotationError, FeaturesError
from annotate_select.learning.head import mean_of
from annotate_select.likeness import SAME_PICTURE, likeness_limit
from annotate_select.steps.embed import open_features
from annotate_select.steps.home import Home
from annotate_select.steps.review import review, review_counts
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.trust.agreement import Agreement, agreement
from annotate_select.trust.contradictions import contradictions

__all__ = ["Contradiction", "Doubt", "LabelsReport", "check_labels"]

RELIABLE, TENTATIVE = 0.8, 0.667  # Krippendorff's own limits (Content Analysis, 2004, section 11.4.2)
MOST = 100  # of a list


@dataclass(frozen=True)
class Contradiction:
    """Two images that are all but the same, and the different labels they have."""

    key: str
    label: str
    other_key: str
    other_label: str
    cosine: float


@dataclass(frozen=True)
class Doubt:
    """A label that a model contradicts which had not learned from it, and how sure it is, 0..1."""

    key: str
    label: str
    suggestion: str
    certainty: float


@dataclass(frozen=True)
class LabelsReport:
    """What speaks against the labels; the lists hold the first hundred. `note` says what could not be looked at."""

    labelled: int
    agreement: Agreement
    contradictions: list[Contradiction]
    doubtful: int
    doubts: list[Doubt]
    note: str | None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        lines = [_agreeing(self.agreement), *_pairs(self.agreement), _contradicting(self.contradictions)]
        lines += [f"  {one.key} {one.label}, {one.other_key} {one.other_label}" for one in self.contradictions[:5]]
        lines.append(
            f"{self.doubtful:,} of {self.labelled:,} labels are contradicted by a model that had not learned from them"
            + ("; the Review page has them under Likely wrong" if self.doubtful else "")
        )
        lines += [f"  {one.key} {one.label}: {one.suggestion}, {one.certainty:.0%} sure" for one in self.doubts[:5]]
        return "\n".join(lines + ([self.note] if self.note else []))


def check_labels(home: Home, features: str | None = None) -> LabelsReport:
    """Look for what speaks against the labels; nothing is changed by it. Raises AnnotationError without any label."""
    names = home.config.classes
    number = {name: index for index, name in enumerate(names)}
    said = [one for one in events.current_annotations(home.db) if one.kind == "label" and one.label in number]
    if not said:
        raise AnnotationError("no image has a label yet; label some in the app, or import them")
    agreed = agreement(
        np.array([one.image_id for one in said]),
        [one.annotator for one in said],
        np.array([number[one.label] for one in said if one.label is not None]),
        names,
    )
    try:
        pairs, note = _contradictions(home, features), None
    except FeaturesError as error:
        pairs, note = [], f"look-alikes with different labels could not be looked for: {error}"
    doubts = [
        Doubt(one.key, one.label or "", one.suggestion, one.certainty or 0.0)
        for one in review(home, "doubtful", MOST)
        if one.suggestion is not None
    ]
    labelled = len(images.keys_of(home.db, {one.image_id for one in said}, in_pool=True))
    return LabelsReport(labelled, agreed, pairs, review_counts(home)["doubtful"], doubts, note)


def _contradictions(home: Home, features: str | None) -> list[Contradiction]:
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    rows = np.flatnonzero((state.labels != UNLABELLED) & state.in_pool)
    names, labels = home.config.classes, state.labels[rows]
    limit = likeness_limit(SAME_PICTURE, opened.array.shape[1])
    return [
        Contradiction(state.keys[rows[a]], names[labels[a]], state.keys[rows[b]], names[labels[b]], round(cosine, 4))
        for a, b, cosine in contradictions(opened.array[rows], labels, mean_of(opened.array), limit, MOST)
    ]


def _agreeing(found: Agreement) -> str:
    if found.images == 0:
        return "no image was labelled by two people: how far they would agree is not known (queue.overlap = 2 asks two)"
    if found.alpha is None:
        return f"all labels of the {found.images:,} images labelled by several people are of one class"
    word = "reliable" if found.alpha >= RELIABLE else "tentative" if found.alpha >= TENTATIVE else "not reliable"
    weak = [(alpha, name) for name, alpha in found.classes.items() if alpha is not None and alpha < RELIABLE]
    least = f"; least on {min(weak)[1]} ({min(weak)[0]:.2f})" if weak else ""
    return (
        f"people agree with alpha {found.alpha:.2f} on {found.images:,} images labelled by several: {word} "
        f"(1 is full agreement, 0 chance; {RELIABLE} is called reliable){least}"
    )


def _pairs(found: Agreement) -> list[str]:
    return [f"  {one.first} and {one.second} agree on {one.same:,} of {one.n:,} images" for one in found.pairs[:5]]


def _contradicting(found: list[Contradiction]) -> str:
    if not found:
        return "no two images that are all but the same have different labels"
    many = f"{len(found):,}" if len(found) < MOST else f"at least {MOST}"
    return f"{many} pairs of images that are all but the same have different labels:"
