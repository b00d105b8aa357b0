"""What a reviewer should look at: disputes, doubts, and what annotators could not tell, rejected or flagged.

A reviewer's `final` ends it: what one decides is on no list any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from annotate_select.annotations import events, exam, images
from annotate_select.annotations.consensus import Consensus, consensus
from annotate_select.annotations.events import CurrentAnnotation, StoredEvent
from annotate_select.errors import AnnotationError, UnknownImages, did_you_mean, listed
from annotate_select.steps.evidence import Against, contradicted
from annotate_select.steps.home import Home
from annotate_select.steps.opinions import Opinion, opinions, withheld
from annotate_select.steps.rules import rule_breakers

__all__ = ["LISTS", "ReviewItem", "Said", "review", "review_counts", "review_item"]

LISTS = ("rules", "disputed", "doubtful", "unsure", "flagged", "rejected")
NOTHING = Consensus(None, "waiting", {})
USUAL = 0.9  # share of labels that is right


@dataclass(frozen=True)
class Said:
    """What one annotator says of one image now; `label` for a label, and for a final that is no rejection."""

    annotator: str
    kind: str
    label: str | None
    at: str
    note: str | None


@dataclass(frozen=True)
class ReviewItem:
    """An image to review, as it stands: its `state` and `label`, who said what, and the flags on it.

    `final`: a reviewer has decided. `suggestion` is what a model that had not learned from this label takes the image
    for, with its `certainty`; never there for the exam. `doubt` in 0..1 orders a list. `rule` is what the label breaks.
    """

    image_id: int
    key: str
    state: str
    label: str | None
    votes: dict[str, int]
    said: list[Said]
    flags: list[Said]
    final: bool
    suggestion: str | None
    certainty: float | None
    doubt: float
    rule: str | None = None


@dataclass(frozen=True)
class _Facts:
    """All that is said in a project: annotations and standing flags of each image, what they come to, the exam."""

    said: dict[int, list[CurrentAnnotation]]
    flags: dict[int, list[StoredEvent]]
    decided: dict[int, Consensus]
    exam: set[int]


def review(home: Home, what: str, n: int = 50, offset: int = 0) -> list[ReviewItem]:
    """Return a list to review, the largest doubt first, from `offset` on; of equal doubts the latest comes first.

    `rules`: a label that breaks a rule of the project's, the exam's included. `disputed`: no class has most of the
    votes. `doubtful`: a label that is less likely than another class to the newest model and the look-alikes, which had
    not learned from it; the worse its odds, the larger the doubt; never of the exam. `unsure` and `rejected`: by all
    who said anything, or by more than said anything else. `flagged`: with a note that stands. Raises AnnotationError
    for others.
    """
    if what not in LISTS:
        raise AnnotationError(f"there is no list {what!r} to review{did_you_mean(what, LISTS)}; choose {listed(LISTS)}")
    facts = _facts(home)
    ids = _of_list(home, facts)[what]
    found = _doubtful(home, facts, ids) if what == "doubtful" else _items(home, facts, ids)
    if what == "rules":
        words = rule_breakers(home)
        found = [replace(item, rule=words.get(item.image_id)) for item in found]
    newest = {one: max((event.event_id for event in facts.said.get(one, [])), default=0) for one in ids}
    ordered = sorted(found, key=lambda item: (-item.doubt, -newest[item.image_id], item.image_id))
    return ordered[offset : offset + n]


def review_counts(home: Home) -> dict[str, int]:
    """Return how many images each list holds; without a model, nothing is doubtful."""
    return {what: len(ids) for what, ids in _of_list(home, _facts(home)).items()}


def review_item(home: Home, image_id: int) -> ReviewItem:
    """Return one image as a reviewer sees it, whether or not it is on a list. Raises UnknownImages."""
    facts = _facts(home)
    doubtful = image_id in _of_list(home, facts)["doubtful"]  # that list says it already
    found = _doubtful(home, facts, [image_id]) if doubtful else _items(home, facts, [image_id])
    if not found:
        raise UnknownImages(f"the pool has no image with the id {image_id}")
    return replace(found[0], rule=rule_breakers(home).get(image_id))


def _facts(home: Home) -> _Facts:
    current = events.current_annotations(home.db)
    said: defaultdict[int, list[CurrentAnnotation]] = defaultdict(list)
    for one in current:
        said[one.image_id].append(one)
    flags: defaultdict[int, list[StoredEvent]] = defaultdict(list)
    for event in events.history(home.db, kind="flag"):
        if not event.undone:
            flags[event.image_id].append(event)
    return _Facts(dict(said), dict(flags), consensus(current), set(exam.kept_ids(home.db)))


def _of_list(home: Home, facts: _Facts) -> dict[str, list[int]]:
    """Return the images of each list: those in the pool that no reviewer decided on."""
    waiting = {one: found for one, found in facts.decided.items() if not found.final}
    lists = {what: [one for one, found in waiting.items() if found.state == what] for what in LISTS}
    lists["rules"] = list(rule_breakers(home))
    lists["flagged"] = [one for one in facts.flags if not facts.decided.get(one, NOTHING).final]
    labels = {one: found.label for one, found in waiting.items() if found.label is not None and one not in facts.exam}
    lists["doubtful"] = list(contradicted(home, labels))
    known = images.keys_of(home.db, {one for ids in lists.values() for one in ids}, in_pool=True)
    return {what: [one for one in ids if one in known] for what, ids in lists.items()}


def _items(home: Home, facts: _Facts, ids: Sequence[int]) -> list[ReviewItem]:
    """Describe images; a tenth has no suggestion, so that the exam's are not the only ones."""
    keys = images.keys_of(home.db, ids, in_pool=True)
    suggested = opinions(home, ids) or {}
    hidden = {one for one, gap in zip(ids, withheld(home, ids), strict=True) if gap} | facts.exam
    opinion_of = {one: suggested.get(one) if one not in hidden else None for one in keys}
    return [
        _item(facts, one, key, opinion_of[one], _doubt(facts.decided.get(one, NOTHING), opinion_of[one]))
        for one, key in keys.items()
    ]


def _doubtful(home: Home, facts: _Facts, ids: Sequence[int]) -> list[ReviewItem]:
    """Describe images whose labels are contradicted, each with what contradicts it."""
    keys = images.keys_of(home.db, ids, in_pool=True)
    decided = {one: facts.decided[one] for one in keys}
    against = contradicted(home, {one: found.label for one, found in decided.items() if found.label is not None})
    return [
        _item(facts, one, keys[one], Opinion(what.suggestion, what.certainty), _contradicted(decided[one], what))
        for one, what in against.items()
    ]


def _item(facts: _Facts, one: int, key: str, opinion: Opinion | None, doubt: float) -> ReviewItem:
    decided = facts.decided.get(one, NOTHING)
    return ReviewItem(
        image_id=one,
        key=key,
        state=decided.state,
        label=decided.label,
        votes=decided.votes,
        said=[Said(a.annotator, a.kind, a.label, a.at, a.note) for a in facts.said.get(one, [])],
        flags=[
            Said(flag.annotator, flag.kind, None, flag.said_at or flag.at, flag.note)
            for flag in facts.flags.get(one, [])
        ],
        final=decided.final,
        suggestion=opinion.label if opinion else None,
        certainty=opinion.probability if opinion else None,
        doubt=doubt,
    )


def _contradicted(decided: Consensus, against: Against) -> float:
    """Say how likely a label is wrong, in 0..1: its odds, times those of every vote beyond the first."""
    votes = decided.votes.get(decided.label or "", 1)
    beyond = 2 * votes - sum(decided.votes.values()) - 1  # those for it, less those against it
    wrong = (1 - against.quality) * (1 - USUAL) ** max(beyond, 0) * USUAL ** max(-beyond, 0)
    right = against.quality * USUAL ** max(beyond, 0) * (1 - USUAL) ** max(-beyond, 0)
    return wrong / (wrong + right)


def _doubt(decided: Consensus, opinion: Opinion | None) -> float:
    """Say how little can be relied on what was decided, in 0..1.

    Votes that are split doubt each other. A model doubts another class than its own, and a rejection, by how sure it
    is. Of what nobody could tell, what it cannot tell either comes first.
    """
    if decided.state == "disputed":
        return 1 - max(decided.votes.values()) / sum(decided.votes.values())
    if opinion is None:
        return 0.0
    if decided.state == "unsure":
        return 1 - opinion.probability
    return opinion.probability if opinion.label != decided.label else 0.0
