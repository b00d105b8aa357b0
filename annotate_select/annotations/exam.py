"""Which images are the exam: only ever more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = ["Draw", "add_to_exam", "draws", "exam_ids"]


@dataclass(frozen=True)
class Draw:
    """One drawing of exam images: when, by which seed, and how many."""

    at: str
    seed: int
    images: int


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
