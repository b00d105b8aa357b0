"""Classes that were renamed or merged: what was said stays as it was said, and is read under today's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select, update

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = [
    "ClassChange",
    "all_changes",
    "current_names",
    "last_change",
    "mark_applied",
    "names_since",
    "pending",
    "record_change",
    "resolve_name",
]

_changes = schema.class_changes.c


@dataclass(frozen=True)
class ClassChange:
    """Class `old` is called `new` from now on; speaks of events up to `after_event`."""

    id: int
    kind: str
    old: str
    new: str
    after_event: int
    applied: bool
    at: str = ""  # when, ISO 8601, UTC


def record_change(db: Database, kind: str, old: str, new: str) -> int:
    """Record a `rename` or a `merge`; return its id. It is pending until project.toml carries it."""
    with db.write() as connection:
        last = connection.execute(select(func.coalesce(func.max(schema.events.c.id), 0))).scalar_one()
        values = {"kind": kind, "old": old, "new": new, "after_event": last, "applied": 0}
        at = datetime.now(UTC).isoformat(timespec="seconds")
        done = connection.execute(insert(schema.class_changes).values(at=at, **values))
        return int(done.lastrowid)


def mark_applied(db: Database, change_id: int) -> None:
    """Note that project.toml carries a change."""
    with db.write() as connection:
        connection.execute(update(schema.class_changes).where(_changes.id == change_id).values(applied=1))


def pending(db: Database) -> list[ClassChange]:
    """Return the changes that project.toml does not carry yet, oldest first."""
    with db.read() as connection:
        return [change for change in all_changes(connection) if not change.applied]


def all_changes(connection: Connection) -> list[ClassChange]:
    """Return every change, oldest first."""
    columns = (
        _changes.id,
        _changes.kind,
        _changes.old,
        _changes.new,
        _changes.after_event,
        _changes.applied,
        _changes.at,
    )
    rows = connection.execute(select(*columns).order_by(_changes.id))
    return [ClassChange(*row[:5], applied=bool(row[5]), at=row[6]) for row in rows]


def resolve_name(changes: Sequence[ClassChange], name: str, event_id: int) -> str:
    """Return what a class named by event `event_id` is called now."""
    for change in changes:
        if change.old == name and change.after_event >= event_id:
            name = change.new
    return name


def last_change(db: Database) -> int:
    """Return the id of the last change, 0 before the first: the moment that names written down now belong to."""
    with db.read() as connection:
        return int(connection.execute(select(func.coalesce(func.max(_changes.id), 0))).scalar_one())


def names_since(db: Database, names: Sequence[str], moment: int | None, at: str) -> list[str]:
    """Return what classes of these names are called now, whoever has the names today.

    They were written down at `moment`, a `last_change`; where that is not known, `at` a time (ISO 8601, UTC), and a
    change of that very second counts as one before it.
    """
    with db.read() as connection:
        changes = all_changes(connection)
    later = [one for one in changes if (one.id > moment if moment is not None else one.at > at)]
    return [resolve_name(later, name, 0) for name in names]


def current_names(db: Database) -> dict[str, str]:
    """Return, of every name a class ever had and lost, what it is called now."""
    with db.read() as connection:
        changes = all_changes(connection)
    return {change.old: resolve_name(changes[number:], change.old, 0) for number, change in enumerate(changes)}
