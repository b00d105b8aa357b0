"""Which image an annotator sees next: open picks and open exam images, nobody's twice, nobody else's at the moment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Label,
    Select,
    Subquery,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
)

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database
from annotate_select.annotations.fold import judges

__all__ = [
    "RELABEL",
    "QueueItem",
    "QueueProgress",
    "hold",
    "next_images",
    "not_for_groups",
    "progress_counts",
    "release",
]

CHUNK = 500  # values asked for in one statement; SQLite allows no more than 999 variables in old builds
RELABEL = "relabel"  # the role of a pick for a second opinion
SETTLING = ("label", "unsure", "reject", "final")  # a skip leaves the image open

_picks, _exam, _active, _images = schema.picks.c, schema.exam.c, schema.active_exam.c, schema.images.c
_current, _leases, _events = schema.current.c, schema.leases.c, schema.events.c


@dataclass(frozen=True)
class QueueItem:
    """An image to show; exam images have neither batch nor reason, and the screen must not tell them apart.

    `role` is exam, or that of the pick: pick, audit or relabel. `suggestion` is what a model takes it for, with its
    `certainty`, a probability; never there for the exam, audits and second opinions.
    """

    image_id: int
    key: str
    batch: int | None
    reason: str | None
    is_exam: bool
    role: str = "pick"
    suggestion: str | None = None
    certainty: float | None = None


@dataclass(frozen=True)
class QueueProgress:
    """How far the newest batch is, how many images are left for this annotator, and labels in all and by them."""

    batch_done: int
    batch_total: int
    left: int
    labelled_total: int
    by_me: int


def next_images(
    db: Database, annotator: str, n: int, *, overlap: int = 1, lease_seconds: int = 600, now: float | None = None
) -> list[QueueItem]:
    """Return up to `n` images for this annotator and lease them, so that nobody else gets them meanwhile.

    First what the annotator took back, then the queue, last what they skipped. `overlap` annotators see each image, and
    one more for every time it was picked for a second opinion; one that a reviewer decided on is shown to nobody.
    The same call again gives the same images: a reload changes nothing.
    """
    at = time.time() if now is None else now
    mine = delete(schema.leases).where((_leases.annotator == annotator) | (_leases.expires <= at))
    with db.write() as connection:
        rows = connection.execute(_open(annotator, overlap, at).limit(n)).fetchall()
        connection.execute(mine)
        if rows:
            leased = {"annotator": annotator, "expires": at + lease_seconds}
            connection.execute(insert(schema.leases), [{"image_id": row.image_id, **leased} for row in rows])
    return [QueueItem(row.image_id, row.key, row.batch, row.reason, row.batch is None, row.role) for row in rows]


def release(db: Database, annotator: str) -> None:
    """Give back every image leased to an annotator."""
    with db.write() as connection:
        connection.execute(delete(schema.leases).where(_leases.annotator == annotator))


def hold(
    db: Database, annotator: str, ids: Iterable[int], *, lease_seconds: int = 600, now: float | None = None
) -> list[int]:
    """Lease these images to an annotator instead of what they had, and return those that can be had, in their order.

    Not to be had is what is not in the pool, and what `not_for_groups` names.
    """
    at = time.time() if now is None else now
    with db.write() as connection:
        connection.execute(delete(schema.leases).where((_leases.annotator == annotator) | (_leases.expires <= at)))
        closed = {row[0] for row in connection.execute(_not_for_groups(annotator, at))}
        wanted = [image_id for image_id in dict.fromkeys(ids) if image_id not in closed]
        known = _in_pool(connection, wanted)
        free = [image_id for image_id in wanted if image_id in known]
        if free:
            leased = {"annotator": annotator, "expires": at + lease_seconds}
            connection.execute(insert(schema.leases), [{"image_id": image_id, **leased} for image_id in free])
    return free


def not_for_groups(db: Database, annotator: str | None = None, *, now: float | None = None) -> list[int]:
    """Return the images that must not be labelled many at once, by this annotator if one is named.

    These are the exam, what somebody settled, what others are looking at, and every audit pick: an audit is a random
    sample, and whoever labels it among look-alikes, prompted by what they are, no longer measures chance.
    """
    at = time.time() if now is None else now
    with db.read() as connection:
        return [row[0] for row in connection.execute(_not_for_groups(annotator, at))]


def progress_counts(db: Database, annotator: str, *, overlap: int = 1, now: float | None = None) -> QueueProgress:
    """Count what is done and what is left; `labelled_total` counts images, `by_me` this annotator's labels."""
    at = time.time() if now is None else now
    newest = select(func.max(schema.batches.c.number)).scalar_subquery()
    of_batch = select(_picks.image_id).join(schema.images, _images.id == _picks.image_id)
    of_batch = of_batch.where(_picks.batch == newest, _picks.role != RELABEL, _images.status == "ok")
    images_said = select(func.count(_current.image_id.distinct()))
    labels = select(func.count()).select_from(schema.current).where(_current.label.is_not(None))
    left = select(func.count()).select_from(_open(annotator, overlap, at, ranked=False).subquery())
    with db.read() as connection:
        return QueueProgress(
            batch_done=_count(
                connection, images_said.where(_current.kind.in_(SETTLING), _current.image_id.in_(of_batch))
            ),
            batch_total=_count(connection, select(func.count()).select_from(of_batch.subquery())),
            left=_count(connection, left),
            labelled_total=_count(connection, images_said.where(_current.label.is_not(None))),
            by_me=_count(connection, labels.where(_current.annotator == annotator)),
        )


def _count(connection: Connection, query: Select[int]) -> int:
    return int(connection.execute(query).scalar_one())


def _open(
    annotator: str, overlap: int, at: float, *, ranked: bool = True
) -> Select[int, str, int | None, str | None, str]:
    """Ask for (image_id, key, batch, reason, role) of what this annotator may be shown now; in order, if `ranked`.

    Ranking takes half the time of it all, and every label stored asks how many there are.
    """
    wanted = _wanted(ranked)
    mine = select(_current.kind).where(_current.image_id == wanted.c.image_id, _current.annotator == annotator)
    said = mine.scalar_subquery()
    touched = exists().where(_events.image_id == wanted.c.image_id, _events.annotator == annotator, judges())
    decided = exists().where(_current.image_id == wanted.c.image_id, _current.kind == "final")
    taken_back = and_(said.is_(None), touched)
    found = (
        select(wanted.c.image_id, _images.key, wanted.c.batch, wanted.c.reason, wanted.c.role)
        .join(schema.images, _images.id == wanted.c.image_id)
        .where(
            _images.status == "ok",
            ~mine.where(_current.kind.in_(SETTLING)).exists(),
            ~decided,
            _others(wanted.c.image_id, annotator, at) < overlap + wanted.c.again,
        )
    )
    turn = case((taken_back, 0), (said == "skip", 2), else_=1)
    return found.order_by(turn, wanted.c.place, wanted.c.image_id) if ranked else found


def _not_for_groups(annotator: str | None, at: float) -> CompoundSelect[int]:
    settled = select(_current.image_id).where(_current.kind.in_(SETTLING))
    looked_at = select(_leases.image_id).where(_leases.expires > at)
    if annotator is not None:
        looked_at = looked_at.where(_leases.annotator != annotator)
    audits = select(_picks.image_id).where(_picks.role == "audit")
    return settled.union(select(_exam.image_id), select(_active.image_id), looked_at, audits)


def _in_pool(connection: Connection, ids: Sequence[int]) -> set[int]:
    found: set[int] = set()
    for start in range(0, len(ids), CHUNK):
        some = _images.id.in_(ids[start : start + CHUNK])
        found.update(row[0] for row in connection.execute(select(_images.id).where(some, _images.status == "ok")))
    return found


def _others(image_id: ColumnElement[int], annotator: str, at: float) -> ColumnElement[int]:
    """Count the others who settled an image or are looking at it."""
    settled = _current.kind.in_(SETTLING)
    said = select(func.count()).select_from(schema.current)
    said = said.where(_current.image_id == image_id, _current.annotator != annotator, settled)
    and_said = exists().where(_current.image_id == _leases.image_id, _current.annotator == _leases.annotator, settled)
    looking = select(func.count()).select_from(schema.leases)
    looking = looking.where(
        _leases.image_id == image_id, _leases.annotator != annotator, _leases.expires > at, ~and_said
    )
    return said.scalar_subquery() + looking.scalar_subquery()


def _wanted(ranked: bool) -> Subquery:
    """Ask for all exam images and picks, each once; `place` in 0..1, if `ranked`, mixes the exams among the picks."""
    place_by = _place if ranked else _nowhere
    earlier = schema.picks.alias("earlier")
    repeated = exists().where(earlier.c.image_id == _picks.image_id, earlier.c.batch < _picks.batch)
    asked = schema.picks.alias("asked")  # for second opinions: of an image's picks the last of these counts
    counted = (asked.c.image_id, func.count().label("times"), func.max(asked.c.batch).label("last"))
    again = select(*counted).where(asked.c.role == RELABEL).group_by(asked.c.image_id).subquery("again")
    counts = case((again.c.last.is_not(None), _picks.batch == again.c.last), else_=~repeated)
    in_exam = or_(
        exists().where(_exam.image_id == _picks.image_id), exists().where(_active.image_id == _picks.image_id)
    )
    drawn = _exam_row(_exam.image_id, place_by([_exam.position]))
    before = schema.active_exam.alias("before")
    known = or_(
        exists().where(_exam.image_id == _active.image_id),
        exists().where(before.c.image_id == _active.image_id, before.c.draw < _active.draw),
    )
    doubted = _exam_row(_active.image_id, place_by([_active.draw, _active.position])).where(~known)
    place = place_by([_picks.batch, _picks.position])
    more = func.coalesce(again.c.times, 0).label("again")
    chosen = select(_picks.image_id, place, _picks.batch, _picks.reason, _picks.role, more)
    chosen = chosen.outerjoin(again, again.c.image_id == _picks.image_id).where(~in_exam, counts)
    return drawn.union_all(doubted, chosen).subquery("wanted")


def _exam_row(
    image_id: ColumnElement[int], place: Label[float | Decimal]
) -> Select[int, float | Decimal, None, None, str, int]:
    """Ask for exam images as `_wanted` has them: without what would tell them apart."""
    role, again = literal("exam").label("role"), literal(0).label("again")
    return select(image_id, place, null().label("batch"), null().label("reason"), role, again)


def _place(order: Sequence[ColumnElement[int]]) -> Label[float | Decimal]:
    number = func.row_number().over(order_by=order)
    return ((number - 0.5) / func.count().over()).label("place")


def _nowhere(order: Sequence[ColumnElement[int]]) -> Label[float | Decimal]:
    nothing: ColumnElement[float | Decimal] = literal(0.0)
    return nothing.label("place")
