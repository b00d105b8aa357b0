"""How a file that was found enters the images, so that what was said stays with the picture it was said of.

A row stands for a content (its fingerprint); the key and the path say where that content lies. When a file comes to
hold something else, the row keeps its content: it moves to a duplicate's place if there is one, and is set aside
otherwise if anything was said of it. When the content of a row that lies nowhere is found again, the row takes that
place: a file that was renamed keeps its labels, and its place in the queue and in the exam.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update

from annotate_select.annotations import schema

__all__ = ["AddOutcome", "ImageRecord", "add_one"]

_images = schema.images.c
_PLACE = ("source", "path", "size_bytes", "mtime_ns", "group_name", "captured_at", "metadata")
_CONTENT = ("fingerprint", "width", "height")
_Row = Row[tuple[object, ...]]

# made once: building a statement costs more than running it
_BY_KEY = select(schema.images).where(_images.key == bindparam("of_key"))
_BY_FINGERPRINT = select(schema.images).where(_images.fingerprint == bindparam("of_fingerprint")).order_by(_images.id)
_INSERT = insert(schema.images)


@dataclass(frozen=True)
class ImageRecord:
    """An image as it was found in a source; `problem` says why it cannot be used.

    `captured_at` is what a manifest says, `taken_at` what the file itself does, both ISO 8601.
    """

    key: str
    source: str
    path: str
    fingerprint: str
    size_bytes: int
    mtime_ns: int
    width: int
    height: int
    group: str | None = None
    captured_at: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None
    taken_at: str | None = None


@dataclass
class AddOutcome:
    """What became of records; names are keys."""

    added: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)  # from a file that is not there, to this one
    updated: int = 0


def add_one(connection: Connection, record: ImageRecord, outcome: AddOutcome) -> None:
    """Record one image and tell `outcome` what became of it."""
    if not _is_text(record.key + record.path):
        name = record.key.encode(errors="replace").decode()
        outcome.unreadable.append((name, "its name is not valid Unicode; rename the file"))
        return
    before = connection.execute(_BY_KEY, {"of_key": record.key}).first()
    if before is None:
        _insert(connection, record, outcome)
    elif record.problem is None and before.fingerprint == record.fingerprint:
        _write(connection, record, before, outcome)
    else:
        _lost(connection, record, before, outcome)


def _lost(connection: Connection, record: ImageRecord, before: _Row, outcome: AddOutcome) -> None:
    """Record that a file no longer holds the content its row stands for, or cannot be read."""
    changed = record.problem is None
    speaks = _has_events(connection, before.id)
    twin = connection.execute(_duplicates_of(before.id).limit(1)).first()
    if twin is not None:
        before = _swap(connection, before, twin)
    if changed and (_has_events(connection, before.id) or _resting(connection, record.fingerprint) is not None):
        _set_aside(connection, before)
        _insert(connection, record, AddOutcome())
    else:
        _write(connection, record, before, AddOutcome() if changed and speaks else outcome)
    if changed and speaks:
        outcome.replaced.append(record.key)


def _insert(connection: Connection, record: ImageRecord, outcome: AddOutcome) -> None:
    resting = _resting(connection, record.fingerprint) if record.problem is None else None
    values = {"key": record.key, **_values(connection, record, resting)}
    if resting is not None:
        connection.execute(update(schema.images).where(_images.id == resting.id).values(values))
    else:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        blank = {"group_name": None, "captured_at": None, "metadata": "{}"}
        connection.execute(_INSERT, {**blank, **values, "added_at": at})
    if resting is not None and resting.status == "unreadable":
        outcome.moved.append((resting.key, record.key))
    else:
        _tell(connection, record, values, outcome)


def _write(connection: Connection, record: ImageRecord, before: _Row, outcome: AddOutcome) -> None:
    """Bring the row of a known key up to date."""
    values = _values(connection, record, before)
    connection.execute(update(schema.images).where(_images.id == before.id).values(values))
    if values["status"] == "duplicate":
        adopted = update(schema.images).where(_images.duplicate_of == before.id)
        connection.execute(adopted.values(duplicate_of=values["duplicate_of"]))
    if before.status != values["status"] or values["status"] == "unreadable":
        _tell(connection, record, values, outcome)
    elif any(before._mapping[name] != values[name] for name in (*_said(record, before), "fingerprint")):
        outcome.updated += 1


def _values(connection: Connection, record: ImageRecord, before: _Row | None) -> dict[str, object]:
    values: dict[str, object] = {"source": record.source, "path": record.path}
    values |= {"size_bytes": record.size_bytes, "mtime_ns": record.mtime_ns}
    values |= {"fingerprint": record.fingerprint, "width": record.width, "height": record.height}
    values |= _said(record, before)
    values |= {"status": "ok", "problem": record.problem, "duplicate_of": None}
    if record.problem is not None:
        # a broken file says nothing of what the row stands for
        kept = {name: before._mapping[name] for name in _CONTENT} if before is not None and before.fingerprint else {}
        return {**values, **kept, "status": "unreadable"}
    original = _original(connection, record.fingerprint, before.id if before is not None else None)
    return {**values, "status": "duplicate", "duplicate_of": original} if original is not None else values


def _said(record: ImageRecord, before: _Row | None) -> dict[str, object]:
    """Return only what the source really says, so that a folder does not wipe out what a manifest told."""
    said = {"group_name": record.group, "captured_at": record.captured_at or _taken(record, before)}
    said |= {"metadata": json.dumps(dict(record.metadata)) if record.metadata else None}
    return {name: value for name, value in said.items() if value is not None}


def _taken(record: ImageRecord, before: _Row | None) -> str | None:
    """Return the file's own time, where the row does not know one of this very content, from a manifest perhaps."""
    known = before is not None and before.captured_at is not None and before.fingerprint == record.fingerprint
    return None if known else record.taken_at


def _tell(connection: Connection, record: ImageRecord, values: Mapping[str, object], outcome: AddOutcome) -> None:
    if values["status"] == "ok":
        outcome.added.append(record.key)
    elif values["status"] == "unreadable":
        outcome.unreadable.append((record.key, record.problem or ""))
    else:
        key = connection.execute(select(_images.key).where(_images.id == values["duplicate_of"])).scalar_one()
        outcome.duplicates.append((record.key, key))


def _swap(connection: Connection, row: _Row, twin: _Row) -> _Row:
    """Let a row and its duplicate change places; return the duplicate, which now stands where the row stood."""
    there = {"key": twin.key, **{name: twin._mapping[name] for name in _PLACE}}
    here = {"key": row.key, **{name: row._mapping[name] for name in _PLACE}}
    of_twin = update(schema.images).where(_images.id == twin.id)
    connection.execute(of_twin.values(key=secrets.token_hex(16)))  # keys are unique at every moment
    of_row = update(schema.images).where(_images.id == row.id)
    connection.execute(of_row.values(**there, status="ok", problem=None))
    connection.execute(of_twin.values(here))
    return connection.execute(select(schema.images).where(_images.id == twin.id)).one()


def _set_aside(connection: Connection, row: _Row) -> None:
    """Keep a row whose content is no file any more, under the key KEY@FINGERPRINT."""
    keys = (f"{row.key}@{row.fingerprint[:8]}", f"{row.key}@{row.fingerprint}", f"{row.key}@{row.id}")
    taken = {found[0] for found in connection.execute(select(_images.key).where(_images.key.in_(keys)))}
    key = next(key for key in keys if key not in taken)
    values = {"key": key, "status": "replaced", "duplicate_of": None}
    connection.execute(update(schema.images).where(_images.id == row.id).values(values))


def _resting(connection: Connection, fingerprint: str) -> _Row | None:
    """Find the row of a content that lies nowhere at present; of several one of which something was said."""
    rows = connection.execute(_BY_FINGERPRINT, {"of_fingerprint": fingerprint}).fetchall()
    if any(row.status == "ok" for row in rows):
        return None
    nowhere = [row for row in rows if row.status != "duplicate"]
    return next((row for row in nowhere if _has_events(connection, row.id)), nowhere[0] if nowhere else None)


def _original(connection: Connection, fingerprint: str, but: int | None) -> int | None:
    """Find the row, other than `but`, that stands in the pool for a content."""
    rows = connection.execute(_BY_FINGERPRINT, {"of_fingerprint": fingerprint})
    return next((int(row.id) for row in rows if row.status == "ok" and row.id != but), None)


def _duplicates_of(image_id: int) -> Select[tuple[object, ...]]:
    return select(schema.images).where(_images.duplicate_of == image_id).order_by(_images.id)


def _has_events(connection: Connection, image_id: int) -> bool:
    query = select(schema.events.c.id).where(schema.events.c.image_id == image_id).limit(1)
    return connection.execute(query).first() is not None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
