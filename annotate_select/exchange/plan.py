"""Decide what a file of annotations would record, before any of it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from annotate_select.annotations.events import Event
from annotate_select.errors import DuplicateRows, UnknownClasses, UnknownImages, did_you_mean, listed
from annotate_select.exchange.rows import AnnotationRow
from annotate_select.files import digest
from annotate_select.words import counted, named, plain

__all__ = ["ImportPlan", "plan_import"]

LONGEST_CLASS = 100  # characters, as project.toml allows


@dataclass(frozen=True)
class ImportPlan:
    """What an import would record; `new_classes`, `unknown_images` and `duplicates` (keys) follow the file.

    `timeless` are the uids of judgements of which the file says neither when nor which they are: the same row in a
    later file may say the same again.
    """

    events: list[Event]
    new_classes: list[str]
    unknown_images: list[str]
    duplicates: list[str]
    n_rows: int
    timeless: frozenset[str]


def plan_import(
    rows: Sequence[AnnotationRow],
    *,
    resolve: Callable[[list[str]], dict[str, int]],
    classes: Sequence[str],
    annotator: str,
    create_classes: bool = False,
    skip_unknown: bool = False,
    skip_duplicates: bool = False,
) -> ImportPlan:
    """Turn rows into events; `resolve` gives the ids of the keys that are in the pool.

    `annotator` is who said the rows that name nobody. Of two times of one image the later comes later, wherever it
    stands in the file. An event's uid depends on nothing but its row, so importing a file again records nothing twice.
    Raises UnknownImages, UnknownClasses or DuplicateRows, listing all of them.
    """
    ids = resolve(list(dict.fromkeys(row.image for row in rows)))
    unknown = list(dict.fromkeys(row.image for row in rows if row.image not in ids))
    if unknown and not skip_unknown:
        raise UnknownImages(
            f"{counted(len(unknown), 'image', ('is', 'are'))} not in the pool: {named(unknown)}; "
            "add them with `annotate-select add`, or leave them out with --skip-unknown"
        )
    known = [row for row in rows if row.image in ids]
    kept, duplicates = _distinct(known, ids, annotator)
    if duplicates and not skip_duplicates:
        raise DuplicateRows(
            f"{counted(len(duplicates), 'row', ('repeats', 'repeat'))} an image of the same annotator: "
            f"{listed(f'{plain(row.image)} (line {row.line})' for row in duplicates)}; "
            "delete all but one of each, give each its own time `at`, or keep the first with --skip-duplicates"
        )
    new = _new_classes(kept, classes, create_classes)
    events = [_event(row, ids[row.image], annotator) for row in _in_time(kept)]
    timeless = frozenset(
        event.uid for event in events if event.said_at is None and event.kind not in ("flag", "undo")
    ) - {row.uid for row in kept if row.uid}
    return ImportPlan(events, new, unknown, [row.image for row in duplicates], len(rows), timeless)


def _new_classes(rows: Sequence[AnnotationRow], classes: Sequence[str], create: bool) -> list[str]:
    """Return the labels that are no classes yet, as they appear; refuse them unless they may be created."""
    new = [label for label in dict.fromkeys(row.label for row in rows) if label is not None and label not in classes]
    if new and not create:
        lacking = listed(f"{label!r}{did_you_mean(label, classes)}" for label in new)
        raise UnknownClasses(
            f"the project does not have the classes {lacking}; it has {named(classes)}; "
            "mend the labels, or add the classes with --create-classes"
        )
    wrong = [label for label in new if label != label.strip() or not 0 < len(label) <= LONGEST_CLASS]
    if wrong:
        raise UnknownClasses(
            f"cannot make the classes {listed(map(repr, wrong))}: a class has 1 to {LONGEST_CLASS} characters "
            "and no spaces around them; mend the labels"
        )
    return new


def _distinct(
    rows: Sequence[AnnotationRow], ids: dict[str, int], annotator: str
) -> tuple[list[AnnotationRow], list[AnnotationRow]]:
    """Keep the rows that say something of their own; of the others, return those that are a problem.

    Two rows of one image and one annotator are apart when each has a uid or a time and these differ. Two keys of one
    image (exact copies of a file) that carry the same label are no problem: one of them is enough. A flag is
    apart from all that does not say the same.
    """
    uids: set[str] = set()
    said: dict[tuple[int, str, str | None], dict[str | None, AnnotationRow]] = {}
    kept: list[AnnotationRow] = []
    duplicates: list[AnnotationRow] = []
    for row in rows:
        flagged = row.note if row.kind == "flag" else None
        earlier = said.setdefault((ids[row.image], row.annotator or annotator, flagged), {})
        first = _clash(row, earlier)
        if row.uid in uids or (first is not None and not _agree(first, row)):
            duplicates.append(row)
        elif first is None:
            kept.append(row)
            if row.uid is not None:
                uids.add(row.uid)
            if row.kind != "undo":
                earlier[row.uid or row.at] = row
    return kept, duplicates


def _clash(row: AnnotationRow, earlier: dict[str | None, AnnotationRow]) -> AnnotationRow | None:
    """Return the earlier row of the same image and annotator that nothing tells from this one."""
    mark = row.uid or row.at
    if row.kind == "undo" or not earlier:
        return None
    if mark is None:
        return next(iter(earlier.values()))
    return earlier.get(mark) or earlier.get(None)


def _agree(first: AnnotationRow, row: AnnotationRow) -> bool:
    return first.image != row.image and (first.kind, first.label) == (row.kind, row.label)


def _in_time(rows: Sequence[AnnotationRow]) -> list[AnnotationRow]:
    """Put rows in the order of their times, because what is recorded last counts; a history has its order already."""
    if any(row.uid for row in rows):
        return list(rows)
    return sorted(rows, key=lambda row: _time(row.at))


def _time(at: str | None) -> datetime:
    """Read a time; what names no zone is UTC, none at all is before all others."""
    time = datetime.fromisoformat(at) if at else datetime.min
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _event(row: AnnotationRow, image_id: int, annotator: str) -> Event:
    who = row.annotator or annotator
    said = [row.image, row.kind, row.label, who, row.at, row.target, *([row.note] if row.kind == "flag" else [])]
    return Event(
        uid=row.uid or digest(said, size=16),
        image_id=image_id,
        annotator=who,
        kind=row.kind,
        label=row.label,
        target_uid=row.target,
        said_at=row.at,
        note=row.note,
    )
