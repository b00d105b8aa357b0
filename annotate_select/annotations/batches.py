"""Batches: what was chosen, in which order, why, and from what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = ["StoredBatch", "StoredPick", "batches", "newest", "picked_ids", "picks_of", "store_batch"]


@dataclass(frozen=True)
class StoredPick:
    """One chosen image, with the role `pick`, `audit`, or `relabel` for a second opinion."""

    image_id: int
    role: str
    score: float
    reason: str


@dataclass(frozen=True)
class StoredBatch:
    """How a batch was made."""

    number: int
    created_at: str
    strategy: str
    seed: int
    n: int
    audit: float
    features_name: str | None
    features_digest: str | None
    model: int | None
    settings: dict[str, object]
    note: str


def store_batch(
    db: Database,
    *,
    strategy: str,
    seed: int,
    audit: float,
    features_name: str | None,
    features_digest: str | None,
    model: int | None,
    settings: Mapping[str, object],
    note: str,
    picks: Sequence[StoredPick],
) -> int:
    """Store a batch and its picks, in their order, whole or not at all; return its number."""
    with db.write() as connection:
        done = connection.execute(
            insert(schema.batches).values(
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                strategy=strategy,
                seed=seed,
                n=len(picks),
                audit=audit,
                features_name=features_name,
                features_digest=features_digest,
                model=model,
                settings=json.dumps(dict(settings)),
                note=note,
            )
        )
        number = int(done.lastrowid)
        rows = [{"batch": number, "position": position, **vars(pick)} for position, pick in enumerate(picks)]
        if rows:
            connection.execute(insert(schema.picks), rows)
    return number


def batches(db: Database) -> list[StoredBatch]:
    """Return every batch, oldest first."""
    with db.read() as connection:
        rows = connection.execute(select(schema.batches).order_by(schema.batches.c.number)).mappings().fetchall()
    return [StoredBatch(**{**row, "settings": json.loads(row["settings"])}) for row in rows]


def newest(db: Database) -> StoredBatch | None:
    """Return the batch made last, None while there is none."""
    return next(reversed(batches(db)), None)


def picked_ids(db: Database) -> set[int]:
    """Return every image that is in a batch."""
    with db.read() as connection:
        return {row[0] for row in connection.execute(select(schema.picks.c.image_id).distinct())}


def picks_of(db: Database, number: int) -> list[StoredPick]:
    """Return the picks of a batch, best first."""
    table = schema.picks.c
    query = select(table.image_id, table.role, table.score, table.reason).where(table.batch == number)
    with db.read() as connection:
        return [StoredPick(*row) for row in connection.execute(query.order_by(table.position))]
