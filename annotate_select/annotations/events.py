"""What was said, event by event, and what it comes to: append-only, idempotent, undo included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, Row, Select, delete, exists, insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.classes import all_changes, resolve_name
from annotate_select.annotations.database import Database

__all__ = [
    "CurrentAnnotation",
    "Event",
    "RecordOutcome",
    "StoredEvent",
    "all_events",
    "current_annotations",
    "history",
    "rebuild_current",
    "recent",
    "record",
    "verify_current",
]

KINDS = ("label", "skip", "unsure", "reject", "undo")
_events = schema.events.c
_undone = exists().where(schema.events.alias("undo").c.target_uid == _events.uid).correlate(schema.events)


@dataclass(frozen=True)
class Event:
    """One thing an annotator said of one image, or the undo of one; `uid` is made where it was said."""

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
    """What an annotator says of an image now; `label` under today's class name."""

    image_id: int
    annotator: str
    kind: str
    label: str | None
    at: str
    uid: str
    note: str | None = None


class _Latest(NamedTuple):
    id: int
    kind: str
    label: str | None


def record(db: Database, events: Sequence[Event]) -> RecordOutcome:
    """Store events in one transaction; when this returns, the acknowledged ones are on the disk.

    A uid that is stored already is acknowledged again, unless it comes with another meaning. The order of arrival
    decides which of an annotator's events on an image is the latest.
    """
    acked: list[str] = []
    refused: list[tuple[str, str]] = []
    with db.write() as connection:
        for event in events:
            reason = _store(connection, event)
            if reason is None:
                acked.append(event.uid)
            else:
                refused.append((event.uid, reason))
    return RecordOutcome(acked, refused)


def history(
    db: Database,
    *,
    image_id: int | None = None,
    annotator: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> list[StoredEvent]:
    """Return stored events, of one image or annotator where given."""
    query = _stored().order_by(_events.id.desc() if newest_first else _events.id)
    if image_id is not None:
        query = query.where(_events.image_id == image_id)
    if annotator is not None:
        query = query.where(_events.annotator == annotator)
    with db.read() as connection:
        return [_event(row) for row in connection.execute(query.limit(limit) if limit is not None else query)]


def recent(db: Database, annotator: str, n: int) -> list[StoredEvent]:
    """Return what an annotator said last and did not take back, newest first, under today's class names."""
    query = _stored().where(_events.annotator == annotator, _events.kind != "undo", ~_undone)
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


def current_annotations(db: Database) -> list[CurrentAnnotation]:
    """Return what every annotator says of every image now, by image."""
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
        changes = all_changes(connection)
        rows = connection.execute(query).fetchall()
    return [
        CurrentAnnotation(
            image_id=row.image_id,
            annotator=row.annotator,
            kind=row.kind,
            label=resolve_name(changes, row.label, row.id) if row.label is not None else None,
            at=row.said_at or row.at,
            uid=row.uid,
            note=row.note,
        )
        for row in rows
    ]


def rebuild_current(db: Database) -> None:
    """Fold all events again into what is said now."""
    with db.write() as connection:
        connection.execute(delete(schema.current))
        for image_id, annotator in _said_by(connection):
            _fold(connection, image_id, annotator)


def verify_current(db: Database) -> bool:
    """Tell whether what is said now is what the events come to."""
    columns = (schema.current.c.image_id, schema.current.c.annotator, schema.current.c.event_id)
    with db.read() as connection:
        stored = {(row[0], row[1]): row[2] for row in connection.execute(select(*columns))}
        folded = {}
        for image_id, annotator in _said_by(connection):
            latest = _latest(connection, image_id, annotator)
            if latest is not None:
                folded[image_id, annotator] = latest.id
    return stored == folded


def _store(connection: Connection, event: Event) -> str | None:
    """Store one event; return why not, where it cannot be."""
    before = connection.execute(select(schema.events).where(_events.uid == event.uid)).first()
    if before is not None:
        same = (before.image_id, before.annotator, before.kind, before.target_uid) == (
            event.image_id,
            event.annotator,
            event.kind,
            event.target_uid,
        )
        return None if same else "another event has this uid already"
    reason = _wrong(connection, event)
    if reason is not None:
        return reason
    at = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(insert(schema.events).values(**vars(event), at=at))
    _fold(connection, event.image_id, event.annotator)
    lease = schema.leases.c
    freed = delete(schema.leases).where(lease.image_id == event.image_id, lease.annotator == event.annotator)
    if event.kind != "undo":
        connection.execute(freed)
    return None


def _wrong(connection: Connection, event: Event) -> str | None:
    if event.kind not in KINDS:
        return f"unknown kind {event.kind!r}; allowed are {', '.join(KINDS)}"
    if not event.uid or not event.annotator:
        return "an event needs a uid and an annotator"
    if (event.kind == "label") != bool(event.label):
        return "a label needs a class" if event.kind == "label" else f"{event.kind} takes no class"
    image = schema.images.c.id
    if connection.execute(select(image).where(image == event.image_id)).first() is None:
        return f"the pool has no image with the id {event.image_id}"
    if event.kind == "undo":
        return _wrong_undo(connection, event)
    return None


def _wrong_undo(connection: Connection, event: Event) -> str | None:
    """An undo of something unknown is stored and does nothing: what it takes back may have been refused."""
    if not event.target_uid:
        return "an undo needs the uid it takes back"
    columns = (_events.annotator, _events.image_id, _events.kind)
    target = connection.execute(select(*columns).where(_events.uid == event.target_uid)).first()
    if target is None:
        return None
    if target.annotator != event.annotator:
        return "only who said it can take it back"
    if target.image_id != event.image_id:
        return "what it takes back was said of another image"
    return "an undo cannot be taken back" if target.kind == "undo" else None


def _fold(connection: Connection, image_id: int, annotator: str) -> None:
    """Write what the annotator says of the image now."""
    current = schema.current.c
    connection.execute(delete(schema.current).where(current.image_id == image_id, current.annotator == annotator))
    latest = _latest(connection, image_id, annotator)
    if latest is not None:
        values = {"event_id": latest.id, "kind": latest.kind, "label": latest.label}
        connection.execute(insert(schema.current).values(image_id=image_id, annotator=annotator, **values))


def _latest(connection: Connection, image_id: int, annotator: str) -> _Latest | None:
    query = (
        select(_events.id, _events.kind, _events.label)
        .where(_events.image_id == image_id, _events.annotator == annotator, _events.kind != "undo", ~_undone)
        .order_by(_events.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return _Latest(row[0], row[1], row[2]) if row is not None else None


def _said_by(connection: Connection) -> list[tuple[int, str]]:
    rows = connection.execute(select(_events.image_id, _events.annotator).distinct())
    return [(row[0], row[1]) for row in rows]


def _stored() -> Select[tuple[object, ...]]:
    """Ask for events with the key of their image and whether they were undone."""
    return select(schema.events, schema.images.c.key, _undone.label("undone")).join(
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
