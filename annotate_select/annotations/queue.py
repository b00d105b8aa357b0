"""Which image an annotator sees next: open picks and open exam images, nobody's twice, nobody else's at the moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = ["QueueItem", "QueueProgress", "next_images", "progress_counts", "release"]

SETTLING = ("label", "unsure", "reject")  # a skip leaves the image open

_picks, _exam, _images = schema.picks.c, schema.exam.c, schema.images.c
_current, _leases, _events = schema.current.c, schema.leases.c, schema.events.c


@dataclass(frozen=True)
class QueueItem:
    """An image to show; exam images have neither batch nor reason, and the screen must not tell them apart."""

    image_id: int
    key: str
    batch: int | None
    reason: str | None
    is_exam: bool


@dataclass(frozen=True)
class QueueProgress:
    """How far the newest batch is, how many images are left for this annotator, and labels in all and by them."""

    batch_done: int
    batch_total: int
    left: int
    labelled_total: int
    by_me: int


@dataclass(frozen=True)
class _Wanted:
    """An image somebody should look at; `place` in 0..1 mixes exam images evenly among the picks."""

    image_id: int
    place: float
    batch: int | None
    reason: str | None


def next_images(
    db: Database, annotator: str, n: int, *, overlap: int = 1, lease_seconds: int = 600, now: float | None = None
) -> list[QueueItem]:
    """Return up to `n` images for this annotator and lease them, so that nobody else gets them meanwhile.

    First what the annotator took back, then the queue, last what they skipped. `overlap` annotators see each image.
    The same call again gives the same images: a reload changes nothing.
    """
    at = time.time() if now is None else now
    with db.write() as connection:
        open_ones = _ordered(connection, annotator, _open(connection, annotator, overlap, at))[:n]
        ids = [one.image_id for one in open_ones]
        mine = delete(schema.leases).where((_leases.annotator == annotator) | (_leases.expires <= at))
        connection.execute(mine)
        if ids:
            rows = [{"image_id": i, "annotator": annotator, "expires": at + lease_seconds} for i in ids]
            connection.execute(insert(schema.leases), rows)
        keys = _keys(connection, ids)
    return [QueueItem(one.image_id, keys[one.image_id], one.batch, one.reason, one.batch is None) for one in open_ones]


def release(db: Database, annotator: str) -> None:
    """Give back every image leased to an annotator."""
    with db.write() as connection:
        connection.execute(delete(schema.leases).where(_leases.annotator == annotator))


def progress_counts(db: Database, annotator: str, *, overlap: int = 1, now: float | None = None) -> QueueProgress:
    """Count what is done and what is left."""
    at = time.time() if now is None else now
    with db.read() as connection:
        newest = connection.execute(select(func.max(_picks.batch))).scalar()
        of_batch = select(_picks.image_id).where(_picks.batch == newest)
        total = connection.execute(select(func.count()).select_from(of_batch.subquery())).scalar_one()
        settled = select(func.count(_current.image_id.distinct())).where(_current.kind.in_(SETTLING))
        done = connection.execute(settled.where(_current.image_id.in_(of_batch))).scalar_one()
        labelled = connection.execute(
            select(func.count(_current.image_id.distinct())).where(_current.kind == "label")
        ).scalar_one()
        by_me = select(func.count()).select_from(schema.current).where(_current.annotator == annotator)
        mine = connection.execute(by_me.where(_current.kind == "label")).scalar_one()
        left = len(_open(connection, annotator, overlap, at))
    return QueueProgress(done, total, left, labelled, mine)


def _open(connection: Connection, annotator: str, overlap: int, at: float) -> list[_Wanted]:
    """Return what this annotator may be shown now, in the order of `place`."""
    mine = select(_current.image_id).where(_current.annotator == annotator, _current.kind.in_(SETTLING))
    closed = {row[0] for row in connection.execute(mine)}
    taken = _taken_by_others(connection, annotator, at)
    wanted = _wanted(connection)
    return [one for one in wanted if one.image_id not in closed and taken.get(one.image_id, 0) < overlap]


def _taken_by_others(connection: Connection, annotator: str, at: float) -> dict[int, int]:
    """Count, of each image, the others who settled it or are looking at it."""
    said = select(_current.image_id, _current.annotator).where(
        _current.annotator != annotator, _current.kind.in_(SETTLING)
    )
    looking = select(_leases.image_id, _leases.annotator).where(_leases.annotator != annotator, _leases.expires > at)
    others = said.union(looking).subquery()
    counted = select(others.c.image_id, func.count()).group_by(others.c.image_id)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _wanted(connection: Connection) -> list[_Wanted]:
    exam = select(_exam.image_id).join(schema.images, _images.id == _exam.image_id)
    drawn = connection.execute(exam.where(_images.status == "ok").order_by(_exam.position)).fetchall()
    picks = select(_picks.image_id, _picks.batch, _picks.reason).join(schema.images, _images.id == _picks.image_id)
    chosen = connection.execute(picks.where(_images.status == "ok").order_by(_picks.batch, _picks.position)).fetchall()
    found = [_Wanted(row[0], (i + 0.5) / len(drawn), None, None) for i, row in enumerate(drawn)]
    seen = {one.image_id for one in found}
    for i, (image_id, batch, reason) in enumerate(chosen):
        if image_id not in seen:
            seen.add(image_id)
            found.append(_Wanted(image_id, (i + 0.5) / len(chosen), batch, reason))
    return sorted(found, key=lambda one: (one.place, one.image_id))


def _ordered(connection: Connection, annotator: str, wanted: Sequence[_Wanted]) -> list[_Wanted]:
    """Put what was taken back first and what was skipped last; the rest stays as it is."""
    ids = {one.image_id for one in wanted}
    said = select(_events.image_id).where(_events.annotator == annotator).distinct()
    touched = {row[0] for row in connection.execute(said)} & ids
    skips = select(_current.image_id).where(_current.annotator == annotator, _current.kind == "skip")
    skipped = {row[0] for row in connection.execute(skips)}
    rank = {image_id: 2 if image_id in skipped else 0 for image_id in touched}
    return sorted(wanted, key=lambda one: rank.get(one.image_id, 1))


def _keys(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        rows = connection.execute(select(_images.id, _images.key).where(_images.id.in_(ids[start : start + 500])))
        found.update({row[0]: row[1] for row in rows})
    return found
