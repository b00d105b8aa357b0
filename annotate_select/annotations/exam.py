"""Which images are the exam, or an exam drawn where a model may err: only ever more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = [
    "ActiveExam",
    "ActiveImage",
    "Draw",
    "active_exam",
    "add_active",
    "add_to_exam",
    "draws",
    "exam_ids",
    "kept_ids",
]


@dataclass(frozen=True)
class Draw:
    """One drawing of exam images: when, by which seed, and how many."""

    at: str
    seed: int
    images: int


@dataclass(frozen=True)
class ActiveImage:
    """An image drawn where a model may err: the chance it was drawn by, and how likely the model is wrong."""

    image_id: int
    chance: float
    error: float


@dataclass(frozen=True)
class ActiveExam:
    """One such drawing, its images in the order they were drawn from `pool` images by the doubts of `model`."""

    number: int
    model: int
    pool: int
    at: str
    seed: int
    images: tuple[ActiveImage, ...]


def add_to_exam(db: Database, ids: Sequence[int], seed: int) -> None:
    """Add images to the exam, in the order they were drawn; those in it already are left as they are."""
    table = schema.exam.c
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with db.write() as connection:
        have = {row[0] for row in connection.execute(select(table.image_id))}
        position = connection.execute(select(func.coalesce(func.max(table.position), -1))).scalar_one()
        fresh = [image_id for image_id in dict.fromkeys(ids) if image_id not in have]
        rows = [
            {"image_id": image_id, "position": position + number, "drawn_at": at, "seed": seed}
            for number, image_id in enumerate(fresh, start=1)
        ]
        if rows:
            connection.execute(insert(schema.exam), rows)


def exam_ids(db: Database) -> list[int]:
    """Return the exam's images in the order they were drawn."""
    with db.read() as connection:
        rows = connection.execute(select(schema.exam.c.image_id).order_by(schema.exam.c.position))
        return [row[0] for row in rows]


def draws(db: Database) -> list[Draw]:
    """Return every drawing of the exam, oldest first."""
    table = schema.exam.c
    with db.read() as connection:
        rows = connection.execute(
            select(table.drawn_at, table.seed, func.count())
            .group_by(table.drawn_at, table.seed)
            .order_by(func.min(table.position))
        )
        return [Draw(*row) for row in rows]


def kept_ids(db: Database) -> list[int]:
    """Return every image that measures and is kept from training, ascending: the exam's, and those drawn by doubt."""
    with db.read() as connection:
        rows = connection.execute(select(schema.exam.c.image_id).union(select(schema.active_exam.c.image_id)))
        return sorted(row[0] for row in rows)


def add_active(db: Database, drawn: Sequence[ActiveImage], *, pool: int, model: int, seed: int) -> int:
    """Store a drawing by the doubts of a model, whole or not at all; return its number."""
    table = schema.active_exam.c
    with db.write() as connection:
        number = int(connection.execute(select(func.coalesce(func.max(table.draw), 0))).scalar_one()) + 1
        same = {"draw": number, "pool": pool, "model": model, "seed": seed}
        at = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [{**vars(one), **same, "position": place, "drawn_at": at} for place, one in enumerate(drawn)]
        connection.execute(insert(schema.active_exam), rows)
    return number


def active_exam(db: Database) -> ActiveExam | None:
    """Return the newest drawing by the doubts of a model; None where there is none."""
    table = schema.active_exam.c
    with db.read() as connection:
        newest = select(func.max(table.draw)).scalar_subquery()
        rows = connection.execute(select(schema.active_exam).where(table.draw == newest).order_by(table.position)).all()
    if not rows:
        return None
    images = tuple(ActiveImage(row.image_id, row.chance, row.error) for row in rows)
    return ActiveExam(rows[0].draw, rows[0].model, rows[0].pool, rows[0].drawn_at, rows[0].seed, images)
