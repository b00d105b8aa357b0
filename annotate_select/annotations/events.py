"""What was said, event by event, and what it comes to: append-only, idempotent, undo included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.classes import all_changes, resolve_name
from annotate_select.annotations.database import Database
from annotate_select.annotations.fold import NO_JUDGEMENT, fold, undone
from annotate_select.annotations.soundness import malformed

__all__ = [
    "CurrentAnnotation",
    "Event",
    "RecordOutcome",
    "StoredEvent",
    "all_events",
    "current_annotations",
    "history",
    "known_uids",
    "recent",
    "record",
]

CHUNK = 500  # values asked for in one statement; SQLite allows no more than 999 variables in old builds
_events = schema.events.c
_said = (
    _events.uid, _events.id, _events.image_id, _events.annotator, _events.kind, _events.label, _events.target_uid,
    _events.note,
)  # fmt: skip
T = TypeVar("T", str, int)


@dataclass(frozen=True)
class Event:
    """One thing an annotator said of one image, or the undo of one; `uid` is made where it was said.

    `kind` is label, skip (later), unsure, reject (none of the classes), flag (look at this, says the note; nothing of
    the class), final (a reviewer's last word: a class, or none for a rejection) or undo.
    """

    uid: str
    image_id: int
    annotator: str
    kind: str
    label: str | None = None
    target_uid: str | None = None
    said_at: str | None = None
    shown_ms: int | None = None
    batch: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class RecordOutcome:
    """Uids that are on the disk, and (uid, reason) of those that never will be."""

    acked: list[str]
    refused: list[tuple[str, str]]


@dataclass(frozen=True)
class StoredEvent:
    """An event as it is stored; `label` as it was said, `undone` when a later event took it back."""

    id: int
    uid: str
    image_id: int
    key: str
    annotator: str
    kind: str
    label: str | None
    target_uid: str | None
    said_at: str | None
    at: str
    shown_ms: int | None
    batch: int | None
    note: str | None
    undone: bool


@dataclass(frozen=True)
class CurrentAnnotation:
    """What an annotator says of an image now; `label` under today's class name, `event_id` in order of arrival."""

    image_id: int
    annotator: str
    kind: str
    label: str | None
    at: str
    uid: str
    event_id: int
    note: str | None = None


@dataclass(frozen=True)
class _Said:
    """What of an event makes it another event; `id` is None until it is stored."""

    id: int | None
    image_id: int
    annotator: str
    kind: str
    label: str | None
    target_uid: str | None
    note: str | None


def record(db: Database, events: Sequence[Event]) -> RecordOutcome:
    """Store events in one transaction; when this returns, the acknowledged ones are on the disk.

    A uid that is stored already is acknowledged again, unless it comes with another meaning. The order of arrival
    decides which of an annotator's events on an image is the latest.
    """
    acked: list[str] = []
    refused: list[tuple[str, str]] = []
    with db.write() as connection:
        judge = _Judge(connection, events)
        fresh = []
        for event in events:
            reason = judge.objection(event)
            if reason is not None:
                refused.append((event.uid, reason))
                continue
            acked.append(event.uid)
            if judge.is_new(event):
                fresh.append(event)
                judge.accept(event)
        _store(connection, fresh)
    return RecordOutcome(acked, refused)


def known_uids(db: Database, uids: Iterable[str]) -> set[str]:
    """Return those of some uids that are stored."""
    with db.read() as connection:
        return {
            row[0]
            for some in _chunks(uids)
            for row in connection.execute(select(_events.uid).where(_events.uid.in_(some)))
        }


def history(
    db: Database,
    *,
    image_id: int | None = None,
    annotator: str | None = None,
    kind: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> list[StoredEvent]:
    """Return stored events, of one image, annotator or kind where given."""
    query = _stored().order_by(_events.id.desc() if newest_first else _events.id)
    if image_id is not None:
        query = query.where(_events.image_id == image_id)
    if annotator is not None:
        query = query.where(_events.annotator == annotator)
    if kind is not None:
        query = query.where(_events.kind == kind)
    with db.read() as connection:
        return [_event(row) for row in connection.execute(query.limit(limit) if limit is not None else query)]


def recent(db: Database, annotator: str, n: int) -> list[StoredEvent]:
    """Return what an annotator said last and did not take back, newest first, under today's class names."""
    query = _stored().where(_events.annotator == annotator, _events.kind != "undo", ~undone())
    with db.read() as connection:
        changes = all_changes(connection)
        rows = connection.execute(query.order_by(_events.id.desc()).limit(n)).fetchall()
    return [_event(row, resolve_name(changes, row.label, row.id) if row.label else None) for row in rows]


def all_events(db: Database) -> Iterator[StoredEvent]:
    """Yield every event in the order of arrival."""
    with db.read() as connection:
        rows = connection.execution_options(yield_per=1000).execute(_stored().order_by(_events.id))
        for row in rows:
            yield _event(row)


def current_annotations(db: Database, moment: int | None = None) -> list[CurrentAnnotation]:
    """Return what every annotator says of every image now, by image.

    Classes have today's names, or those of a `moment`, a `classes.last_change`.
    """
    current = schema.current.c
    query = (
        select(
            current.image_id, current.annotator, current.kind, current.label, _events.at, _events.uid, _events.id,
            _events.said_at, _events.note,
        )
        .join(schema.events, _events.id == current.event_id)
        .order_by(current.image_id, current.annotator)
    )  # fmt: skip
    with db.read() as connection:
        changes = [one for one in all_changes(connection) if moment is None or one.id <= moment]
        rows = connection.execute(query).fetchall()
    return [
        CurrentAnnotation(
            image_id=row.image_id,
            annotator=row.annotator,
            kind=row.kind,
            label=resolve_name(changes, row.label, row.id) if row.label is not None else None,
            at=row.said_at or row.at,
            uid=row.uid,
            event_id=row.id,
            note=row.note,
        )
        for row in rows
    ]


class _Judge:
    """Decides which events can be stored, knowing all that is stored already and what was accepted meanwhile."""

    def __init__(self, connection: Connection, events: Sequence[Event]) -> None:
        sound = [event for event in events if malformed(event) is None]
        uids = {event.uid for event in sound} | {event.target_uid for event in sound if event.target_uid}
        self._images = _known_images(connection, {event.image_id for event in sound})
        self._stored = _known_events(connection, uids)
        self._changes = all_changes(connection)

    def is_new(self, event: Event) -> bool:
        return event.uid not in self._stored

    def accept(self, event: Event) -> None:
        said = (event.image_id, event.annotator, event.kind, event.label, event.target_uid, event.note)
        self._stored[event.uid] = _Said(None, *said)

    def objection(self, event: Event) -> str | None:
        """Return why an event cannot be recorded, None when it can or is already."""
        reason = malformed(event)
        if reason is not None:
            return reason
        before = self._stored.get(event.uid)
        if before is not None:
            return None if self._same(before, event) else "another event has this uid already"
        if event.image_id not in self._images:
            return f"the pool has no image with the id {event.image_id}"
        return self._wrong_undo(event) if event.kind == "undo" else None

    def _same(self, before: _Said, event: Event) -> bool:
        """Compare with what is stored; a class renamed between two sends of one event is no difference."""
        names = {before.label}
        if before.label is not None and before.id is not None:
            names.add(resolve_name(self._changes, before.label, before.id))
        was = (before.image_id, before.annotator, before.kind, before.target_uid)
        if was != (event.image_id, event.annotator, event.kind, event.target_uid) or event.label not in names:
            return False
        return event.kind != "flag" or before.note == event.note  # a flag is its note

    def _wrong_undo(self, event: Event) -> str | None:
        """Let an undo of something unknown pass: what it takes back was refused, or is still on its way."""
        target = self._stored.get(event.target_uid or "")
        if target is None:
            return None
        if target.annotator != event.annotator:
            return "only who said it can take it back"
        if target.image_id != event.image_id:
            return "what it takes back was said of another image"
        return "an undo cannot be taken back" if target.kind == "undo" else None


def _store(connection: Connection, events: Sequence[Event]) -> None:
    """Insert events in their order, fold them, and free the leases of what they settle."""
    if not events:
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(insert(schema.events), [{**vars(event), "at": at} for event in events])
    fold(connection, dict.fromkeys((event.image_id, event.annotator) for event in events))
    lease = schema.leases.c
    judged = [event for event in events if event.kind not in NO_JUDGEMENT]
    said = dict.fromkeys((event.image_id, event.annotator) for event in judged)
    if said:
        freed = delete(schema.leases).where(
            lease.image_id == bindparam("of_image"), lease.annotator == bindparam("of_annotator")
        )
        connection.execute(freed, [{"of_image": image_id, "of_annotator": name} for image_id, name in said])


def _known_images(connection: Connection, ids: Iterable[int]) -> set[int]:
    known = schema.images.c.id
    return {row[0] for some in _chunks(ids) for row in connection.execute(select(known).where(known.in_(some)))}


def _known_events(connection: Connection, uids: Iterable[str]) -> dict[str, _Said]:
    rows = (row for some in _chunks(uids) for row in connection.execute(select(*_said).where(_events.uid.in_(some))))
    return {row[0]: _Said(*row[1:]) for row in rows}


def _chunks(values: Iterable[T]) -> Iterator[list[T]]:
    following = iter(values)
    while some := list(islice(following, CHUNK)):
        yield some


def _stored() -> Select[tuple[object, ...]]:
    """Ask for events with the key of their image and whether they were undone."""
    return select(schema.events, schema.images.c.key, undone().label("undone")).join(
        schema.images, schema.images.c.id == _events.image_id
    )


def _event(row: Row[tuple[object, ...]], label: str | None = None) -> StoredEvent:
    return StoredEvent(
        id=row.id,
        uid=row.uid,
        image_id=row.image_id,
        key=row.key,
        annotator=row.annotator,
        kind=row.kind,
        label=label or row.label,
        target_uid=row.target_uid,
        said_at=row.said_at,
        at=row.at,
        shown_ms=row.shown_ms,
        batch=row.batch,
        note=row.note,
        undone=bool(row.undone),
    )
