"""What each annotator says of each image now: the latest of their events on it that was not taken back; flags aside.

The table `current` holds it, kept up in the transaction of the events; it can be made again from the events alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, Exists, Select, and_, bindparam, delete, exists, func, insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = ["NO_JUDGEMENT", "fold", "judges", "rebuild_current", "undone", "verify_current"]

_events, _current = schema.events.c, schema.current.c
NO_JUDGEMENT = ("undo", "flag")  # kinds that say nothing of the class
_columns = ("image_id", "annotator", "event_id", "kind", "label")


def judges() -> ColumnElement[bool]:
    """Ask whether a row of events says something of the class."""
    return and_(*(_events.kind != kind for kind in NO_JUDGEMENT))  # IN would not go with many rows at once


def undone() -> Exists:
    """Ask whether a row of events was taken back by its own annotator, also by an undo that overtook it."""
    undo = schema.events.alias("undo")
    return exists().where(
        undo.c.target_uid == _events.uid,
        undo.c.kind == "undo",
        undo.c.annotator == _events.annotator,
        undo.c.image_id == _events.image_id,
    )


def fold(connection: Connection, pairs: Iterable[tuple[int, str]]) -> None:
    """Write what is said now by (image id, annotator) pairs that have new events."""
    rows = [{"of_image": image_id, "of_annotator": annotator} for image_id, annotator in pairs]
    if not rows:
        return
    mine = _events.image_id == bindparam("of_image"), _events.annotator == bindparam("of_annotator")
    latest = _standing().where(*mine).order_by(_events.id.desc()).limit(1)
    stale = delete(schema.current).where(
        _current.image_id == bindparam("of_image"), _current.annotator == bindparam("of_annotator")
    )
    connection.execute(stale, rows)
    connection.execute(insert(schema.current).from_select(_columns, latest), rows)


def rebuild_current(db: Database) -> None:
    """Fold all events again into what is said now."""
    with db.write() as connection:
        connection.execute(delete(schema.current))
        connection.execute(insert(schema.current).from_select(_columns, _folded()))


def verify_current(db: Database) -> bool:
    """Tell whether what is said now is what the events come to."""
    with db.read() as connection:
        stored = {tuple(row) for row in connection.execute(select(*(_current[name] for name in _columns)))}
        return stored == {tuple(row) for row in connection.execute(_folded())}


def _standing() -> Select[tuple[int, str, int, str, str | None]]:
    columns = (_events.image_id, _events.annotator, _events.id, _events.kind, _events.label)
    return select(*columns).where(judges(), ~undone())


def _folded() -> Select[tuple[int, str, int, str, str | None]]:
    latest = select(func.max(_events.id)).where(judges(), ~undone()).group_by(_events.image_id, _events.annotator)
    return _standing().where(_events.id.in_(latest))
