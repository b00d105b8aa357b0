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
    "Chance",
    "Draw",
    "Drawing",
    "active_exam",
    "add_active",
    "add_to_exam",
    "chances",
    "draws",
    "exam_ids",
    "kept_ids",
]


@dataclass(frozen=True)
class Draw:
    """One drawing of exam images: when, by which seed, and how many.

    `chance` is that of each of the `pool` images that could be drawn then; `strata` of how many strata, of which
    features. None is what an older version did not record, or what a drawing by chance alone has not.
    """

    at: str
    seed: int
    images: int
    pool: int | None = None
    chance: float | None = None
    strata: int | None = None
    features: str | None = None
    features_digest: str | None = None

    def text(self) -> str:
        """Say how, or nothing where it is not known."""
        if self.pool is None or self.chance is None:
            return ""
        kinds = "" if self.strata is None else f", evenly over {self.strata:,} strata of the features {self.features}"
        return f"drawn at random{kinds}: {self.images:,} of {self.pool:,}, each with a chance of {self.chance:.2%}"


@dataclass(frozen=True)
class Drawing:
    """How images are drawn: from `pool` free ones of a `population`, a digest; where by strata, from which each."""

    pool: int
    population: str
    stratum: Sequence[int] | None = None
    strata: int | None = None
    features: str | None = None
    features_digest: str | None = None


@dataclass(frozen=True)
class Chance:
    """How an exam image was drawn: in which drawing, by which chance, of which population, from which stratum."""

    image_id: int
    draw: int
    pool: int
    chance: float
    population: str
    stratum: int | None


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


def add_to_exam(db: Database, ids: Sequence[int], seed: int, how: Drawing | None = None) -> None:
    """Add images to the exam, in the order they were drawn, with the chance `how` gives them.

    Those in it already are left as they are.
    """
    table = schema.exam.c
    stratum = {} if how is None or how.stratum is None else dict(zip(ids, how.stratum, strict=True))
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
        if rows and how is not None:
            draw = connection.execute(select(func.coalesce(func.max(schema.exam_chances.c.draw), 0))).scalar_one() + 1
            same = {name: value for name, value in vars(how).items() if name != "stratum"}
            chance = len(fresh) / how.pool
            drawn = [{**same, "image_id": i, "draw": draw, "chance": chance, "stratum": stratum.get(i)} for i in fresh]
            connection.execute(insert(schema.exam_chances), drawn)


def chances(db: Database) -> list[Chance]:
    """Return how each exam image was drawn, in the order they were; those of older versions are left out."""
    table = schema.exam_chances.c
    columns = (table.image_id, table.draw, table.pool, table.chance, table.population, table.stratum)
    with db.read() as connection:
        joined = schema.exam_chances.join(schema.exam, schema.exam.c.image_id == table.image_id)
        rows = connection.execute(select(*columns).select_from(joined).order_by(schema.exam.c.position))
        return [Chance(*row) for row in rows]


def exam_ids(db: Database) -> list[int]:
    """Return the exam's images in the order they were drawn."""
    with db.read() as connection:
        rows = connection.execute(select(schema.exam.c.image_id).order_by(schema.exam.c.position))
        return [row[0] for row in rows]


def draws(db: Database) -> list[Draw]:
    """Return every drawing of the exam, oldest first."""
    table, how = schema.exam.c, schema.exam_chances.c
    same = (how.pool, how.chance, how.strata, how.features, how.features_digest)
    with db.read() as connection:
        rows = connection.execute(
            select(table.drawn_at, table.seed, func.count(), *same)
            .select_from(schema.exam.outerjoin(schema.exam_chances, how.image_id == table.image_id))
            .group_by(table.drawn_at, table.seed, how.draw, *same)
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
