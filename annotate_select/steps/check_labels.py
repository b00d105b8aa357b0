"""Are the labels right: annotators' agreement and skill, look-alikes labelled differently, unlikely labels."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.annotations import events, images
from annotate_select.errors import AnnotationError, FeaturesError
from annotate_select.learning.head import mean_of
from annotate_select.likeness import SAME_PICTURE, likeness_limit
from annotate_select.steps.annotators import People, Skill, people
from annotate_select.steps.evidence import Evidence, evidence
from annotate_select.steps.home import Home
from annotate_select.steps.models import newest_model
from annotate_select.steps.review import ReviewItem, review, review_counts
from annotate_select.steps.second_opinions import worth_asking_again
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.agreement import Agreement, agreement
from annotate_select.trust.contradictions import contradictions
from annotate_select.trust.label_errors import confident
from annotate_select.trust.look_alikes import NEIGHBOURS
from annotate_select.words import counted, plain

__all__ = ["Competing", "Contradiction", "Doubt", "LabelsReport", "check_labels", "contradicting_classes"]

RELIABLE, TENTATIVE = 0.8, 0.667  # Krippendorff's own limits (Content Analysis, 2004, section 11.4.2)
MOST = 100  # of a list
SHARED = 20  # images labelled by several people, before which nothing says that labels are less sure than a model is


@dataclass(frozen=True)
class Contradiction:
    """Two images that are all but the same, and the different labels they have."""

    key: str
    label: str
    other_key: str
    other_label: str
    cosine: float

    def words(self) -> str:
        """Name the two images, each with its label."""
        return f"{plain(self.key)} {plain(self.label)}, {plain(self.other_key)} {plain(self.other_label)}"


@dataclass(frozen=True)
class Doubt:
    """A label that is unlikely to what had not learned from it: what it rather is, how likely that is, 0..1, and why.

    `quality` is how likely the label is right, 0..1, what its annotators said included; it orders the list.
    """

    key: str
    label: str
    suggestion: str
    certainty: float
    quality: float
    why: list[str]


@dataclass(frozen=True)
class Competing:
    """How many of the next `n` labels are `worth` more as second opinions than on new images; `keys` names these."""

    n: int
    worth: int
    keys: list[str]


@dataclass(frozen=True)
class LabelsReport:
    """What speaks against the labels; the lists hold the first hundred. `note` says what could not be looked at.

    `doubtful` labels are less likely than another class; of `confident` another class is as likely as it usually is of
    its own images (confident learning), None without a model that could say so. `second_opinions` is None without a
    model, or before several people labelled 20 of the images: until then nothing says how often a label is wrong.
    """

    labelled: int
    agreement: Agreement
    contradictions: list[Contradiction]
    doubtful: int
    confident: int | None
    doubts: list[Doubt]
    people: People
    second_opinions: Competing | None
    note: str | None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        lines = [_agreeing(self.agreement), *_pairs(self.agreement), *_people(self.people)]
        lines.append(_contradicting(self.contradictions))
        lines += [f"  {one.words()}" for one in self.contradictions[:5]]
        lines.append(_doubting(self))
        lines += [f"  {plain(one.key)} {plain(one.label)}: {'; '.join(one.why)}" for one in self.doubts[:5]]
        lines += _competing(self.second_opinions)
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
    known = evidence(home)
    note = "; ".join(one for one in (note, _untold(home)) if one) or None
    doubts = [_doubt(home, one, known) for one in review(home, "doubtful", MOST)]
    labelled = len(images.keys_of(home.db, {one.image_id for one in said}, in_pool=True))
    doubtful = review_counts(home)["doubtful"]
    sure = _confident(home, known)
    again = _second_opinions(home, features) if agreed.images >= SHARED else None
    return LabelsReport(labelled, agreed, pairs, doubtful, sure, doubts, people(home), again, note)


def _untold(home: Home) -> str:
    """Say it where the newest model cannot doubt the labels that its network has learned."""
    model = newest_model(home)
    if model is None or model.measured_on is None:
        return ""
    return (
        f"only {model.measured_on:,} of the {counted(model.labels, 'label')} that model {model.number} was trained on "
        "could be doubted: its network has learned the others; a linear model on other features can doubt all"
    )


def _second_opinions(home: Home, features: str | None) -> Competing | None:
    found = worth_asking_again(home, features)
    return None if found is None else Competing(found.n, len(found.keys), found.keys)


def contradicting_classes(home: Home) -> Counter[tuple[str, str]]:
    """Count, of each two classes, labels of one that are confidently the other, and look-alikes labelled as both."""
    known, names = evidence(home), home.config.classes
    pairs: list[tuple[str, str]] = []
    if known is not None:
        pairs += [(names[label], names[taken]) for label, taken in _taken(home, known).tolist()]
    with suppress(FeaturesError):  # several, and none is the project's: what the model knows is left
        pairs += [(one.label, one.other_label) for one in _contradictions(home, None)]
    return Counter((min(pair), max(pair)) for pair in pairs)


def _confident(home: Home, known: Evidence | None) -> int | None:
    """Count the labels that are confidently contradicted; None where nothing could say so."""
    return None if known is None or len(known.ids) == 0 else len(_taken(home, known))


def _taken(home: Home, known: Evidence) -> np.ndarray:
    """Return (k, 2) class numbers, of labels that are confidently contradicted and of what they are taken for.

    Audits, which chance chose, say what is usual.
    """
    state = standing(home, known.ids)
    rows = np.flatnonzero((state.labels != UNLABELLED) & state.in_pool & ~state.exam)
    if len(rows) == 0:
        return np.empty((0, 2), dtype=np.int64)
    labels = state.labels[rows]
    drawn = np.array([state.roles[row] == "audit" for row in rows.tolist()])
    found = confident(known.together[rows], labels, drawn)
    decided = [one.image_id for one in events.current_annotations(home.db) if one.kind == "final"]
    less = (known.together[rows].argmax(axis=1) != labels) & ~np.isin(state.ids[rows], decided)
    against = less & (found.taken >= 0) & (found.taken != labels)
    return np.stack([labels[against], found.taken[against]], axis=1)


def _doubt(home: Home, item: ReviewItem, known: Evidence | None) -> Doubt:
    """Say what speaks against a label: the model, the look-alikes, people."""
    suggestion, label = item.suggestion or "", item.label or ""
    why = []
    row = -1 if known is None else int(known.rows(np.array([item.image_id]))[0])
    if known is not None and row >= 0:
        number = home.config.classes.index(suggestion)
        model, alike = float(known.held_out[row, number]), round(NEIGHBOURS * float(known.neighbours[row, number]))
        why.append(f"to a model it is {suggestion} with {model:.0%}")
        why += [f"so {'is' if alike == 1 else 'are'} {alike} of {NEIGHBOURS} look-alikes"] if alike else []
    else:
        why.append(f"to a model it is {suggestion} with {item.certainty or 0:.0%}")
    others = sum(item.votes.values()) - item.votes.get(label, 0)
    why += [f"{others} of {sum(item.votes.values())} people said something else"] if others else []
    return Doubt(item.key, label, suggestion, item.certainty or 0.0, round(1 - item.doubt, 4), why)


def _contradictions(home: Home, features: str | None) -> list[Contradiction]:
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    rows = np.flatnonzero((state.labels != UNLABELLED) & state.in_pool)
    names, labels = home.config.classes, state.labels[rows]
    limit = likeness_limit(SAME_PICTURE, opened.alike.shape[1])
    return [
        Contradiction(state.keys[rows[a]], names[labels[a]], state.keys[rows[b]], names[labels[b]], round(cosine, 4))
        for a, b, cosine in contradictions(opened.alike[rows], labels, mean_of(opened.alike), limit, MOST)
    ]


def _agreeing(found: Agreement) -> str:
    if found.images == 0:
        return "no image was labelled by two people: how far they would agree is not known (queue.overlap = 2 asks two)"
    if found.alpha is None:
        return f"all labels of the {counted(found.images)} labelled by several people are of one class"
    word = "reliable" if found.alpha >= RELIABLE else "tentative" if found.alpha >= TENTATIVE else "not reliable"
    weak = [(alpha, name) for name, alpha in found.classes.items() if alpha is not None and alpha < RELIABLE]
    least = f"; least on {min(weak)[1]} ({min(weak)[0]:.2f})" if weak else ""
    return (
        f"people agree with alpha {found.alpha:.2f} on {counted(found.images)} labelled by several: {word} "
        f"(1 is full agreement, 0 chance; {RELIABLE} is called reliable){least}"
    )


def _pairs(found: Agreement) -> list[str]:
    return [f"  {one.first} and {one.second} agree on {one.same:,} of {counted(one.n)}" for one in found.pairs[:5]]


def _people(found: People) -> list[str]:
    lines = [_skilled(one) for one in found.skills if one.accuracy is not None]
    if len(lines) == 2:
        lines.append("  between two people it is mostly the model, where there is one, that tells whose mistake it was")
    if found.pointing:
        many = len(found.pointing)
        lines.append(
            f"on {counted(many)} what people said points, by how often each of them is right, "
            "to another class than the one that counts; nothing is changed, the Review page decides:"
        )
        lines += [
            f"  {plain(one.key)} {plain(one.label or 'disputed')}: {plain(one.consensus)} with "
            f"{_share(one.probability)}"
            for one in found.pointing[:5]
        ]
    return lines


def _share(probability: float) -> str:
    return "over 99%" if probability > 0.99 else f"{probability:.0%}"


def _skilled(one: Skill) -> str:
    takes = [f"calls {each.share:.0%} of {each.true} {each.said}" for each in one.confusions]
    return (
        f"  {one.annotator} is right on about {one.accuracy:.0%} ({one.low:.0%} to {one.high:.0%}), by "
        f"{counted(one.shared)} that others labelled, too" + (": " + ", ".join(takes) if takes else "")
    )


def _doubting(found: LabelsReport) -> str:
    sure = f", {found.confident:,} of them confidently" if found.confident and found.doubtful else ""
    said = (
        f"{found.doubtful:,} of {counted(found.labelled, 'label')} {'is' if found.doubtful == 1 else 'are'} less "
        f"likely than another class to a model and look-alikes that had not learned from them{sure}"
    )
    where = "; the Review page has them under Likely wrong, and a weak model doubts many that are right"
    return said + (where if found.doubtful else "")


def _competing(found: Competing | None) -> list[str]:
    if found is None or not found.worth:
        return []
    share = min(0.9, found.worth / found.n)
    return [
        f"of the next {counted(found.n, 'label')}, {found.worth:,} {'is' if found.worth == 1 else 'are'} worth more "
        f"as second opinions than on new images (ActiveLab); `annotate-select select --relabel {share:.2g}` asks for "
        "them"
    ]


def _contradicting(found: list[Contradiction]) -> str:
    if not found:
        return "no two images that are all but the same have different labels"
    least = "" if len(found) < MOST else "at least "
    many = counted(len(found), "pair")
    return f"{least}{many} of images that are all but the same {'has' if len(found) == 1 else 'have'} different labels:"
