"""The images of the pool, as the database knows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from sqlalchemy import Connection, Row, func, insert, select, update

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = [
    "AddOutcome",
    "Image",
    "ImageRecord",
    "Known",
    "PoolTable",
    "add_images",
    "counts",
    "image",
    "keys_of",
    "known",
    "mark_unreadable",
    "pool_table",
    "resolve",
]

CHUNK = 500  # keys asked for in one statement; SQLite allows no more than 999 variables in old builds
_images = schema.images.c
T = TypeVar("T")


@dataclass(frozen=True)
class ImageRecord:
    """An image as it was found in a source; `problem` says why it cannot be used."""

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


@dataclass(frozen=True)
class Image:
    """An image as it is stored; `status` is ok, unreadable, duplicate or replaced."""

    id: int
    key: str
    source: str
    path: str
    fingerprint: str
    width: int
    height: int
    group: str | None
    captured_at: str | None
    metadata: dict[str, str]
    status: str
    problem: str | None
    duplicate_of: int | None


@dataclass
class AddOutcome:
    """What became of records; names are keys."""

    added: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    updated: int = 0


class _Described(Protocol):
    @property
    def group(self) -> str | None: ...
    @property
    def captured_at(self) -> str | None: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Known:
    """What tells whether a file has to be opened again."""

    size_bytes: int
    mtime_ns: int
    status: str
    group: str | None
    captured_at: str | None
    metadata: str

    def matches(self, path: Path, said: _Described) -> bool:
        """Tell whether the file is unchanged, by size and time, and nothing new is said of it."""
        try:
            stat = path.stat()
        except OSError:
            return False
        return (
            (stat.st_size, stat.st_mtime_ns) == (self.size_bytes, self.mtime_ns)
            and said.group in (None, self.group)
            and said.captured_at in (None, self.captured_at)
            and (not said.metadata or json.loads(self.metadata) == dict(said.metadata))
        )


@dataclass(frozen=True, eq=False)
class PoolTable:
    """Columns of the n images with status ok, by id."""

    ids: np.ndarray
    keys: list[str]
    fingerprints: list[str]
    groups: list[str | None]
    captured_at: list[str | None]
    sources: list[str]
    paths: list[str]


def add_images(db: Database, records: Iterable[ImageRecord]) -> AddOutcome:
    """Record images in one transaction. Idempotent; an image whose bytes are known under another key is a duplicate.

    A key whose bytes changed is updated in place while nothing was said of it; otherwise the old image keeps its
    annotations under the key `KEY@FINGERPRINT`, and the key goes to the new one.
    """
    outcome = AddOutcome()
    with db.write() as connection:
        for record in records:
            before = connection.execute(select(schema.images).where(_images.key == record.key)).first()
            if before is None:
                _insert(connection, record, outcome)
            else:
                _again(connection, record, before, outcome)
    return outcome


def known(db: Database, source: str) -> dict[str, Known]:
    """Return what is known of every file of a source, by path."""
    columns = (
        _images.path,
        _images.size_bytes,
        _images.mtime_ns,
        _images.status,
        _images.group_name,
        _images.captured_at,
        _images.metadata,
    )
    with db.read() as connection:
        rows = connection.execute(select(*columns).where(_images.source == source, _images.status != "replaced"))
        return {row[0]: Known(*row[1:]) for row in rows}


def pool_table(db: Database) -> PoolTable:
    """Return the columns of every image that can be labelled."""
    columns = (
        _images.id,
        _images.key,
        _images.fingerprint,
        _images.group_name,
        _images.captured_at,
        _images.source,
        _images.path,
    )
    with db.read() as connection:
        query = select(*columns).where(_images.status == "ok").order_by(_images.id)
        rows = connection.execute(query).fetchall()
    ids, keys, fingerprints, groups, captured, sources, paths = zip(*rows, strict=True) if rows else ([],) * 7
    return PoolTable(
        np.array(ids, dtype=np.int64),
        list(keys),
        list(fingerprints),
        list(groups),
        list(captured),
        list(sources),
        list(paths),
    )


def resolve(db: Database, keys: Iterable[str]) -> dict[str, int]:
    """Return the id behind each key, for a duplicate that of its original; unknown keys are left out."""
    found: dict[str, int] = {}
    query = select(_images.key, func.coalesce(_images.duplicate_of, _images.id))
    with db.read() as connection:
        for some in _chunks(keys):
            found.update((row[0], row[1]) for row in connection.execute(query.where(_images.key.in_(some))))
    return found


def keys_of(db: Database, ids: Iterable[int]) -> dict[int, str]:
    """Return the key of each id; unknown ids are left out."""
    found: dict[int, str] = {}
    with db.read() as connection:
        for some in _chunks(ids):
            rows = connection.execute(select(_images.id, _images.key).where(_images.id.in_(some)))
            found.update((row[0], row[1]) for row in rows)
    return found


def image(db: Database, image_id: int) -> Image | None:
    """Return everything stored of one image, None when there is no such id."""
    with db.read() as connection:
        row = connection.execute(select(schema.images).where(_images.id == image_id)).first()
    if row is None:
        return None
    return Image(
        id=row.id,
        key=row.key,
        source=row.source,
        path=row.path,
        fingerprint=row.fingerprint,
        width=row.width,
        height=row.height,
        group=row.group_name,
        captured_at=row.captured_at,
        metadata=json.loads(row._mapping["metadata"]),
        status=row.status,
        problem=row.problem,
        duplicate_of=row.duplicate_of,
    )


def counts(db: Database) -> dict[str, int]:
    """Return how many images have each status."""
    with db.read() as connection:
        rows = connection.execute(select(_images.status, func.count()).group_by(_images.status))
        return {row[0]: row[1] for row in rows}


def mark_unreadable(db: Database, problems: Sequence[tuple[int, str]]) -> None:
    """Take images out of the pool whose file can no longer be decoded; (id, reason) each. Their annotations stay."""
    if not problems:
        return
    with db.write() as connection:
        for image_id, reason in problems:
            # mtime 0: the next `add` opens the file again, whatever its time
            values = {"status": "unreadable", "problem": reason, "mtime_ns": 0}
            connection.execute(update(schema.images).where(_images.id == image_id).values(values))


def _insert(connection: Connection, record: ImageRecord, outcome: AddOutcome) -> None:
    values: dict[str, object] = {**_file(record), **_status(connection, record, None), **_said(record)}
    values["key"] = record.key
    values |= {"added_at": datetime.now(UTC).isoformat(timespec="seconds")}
    connection.execute(insert(schema.images).values({"metadata": "{}", **values}))
    _tell(connection, record, values, outcome)


def _again(connection: Connection, record: ImageRecord, before: Row[tuple[object, ...]], outcome: AddOutcome) -> None:
    changed = bool(before.fingerprint) and before.fingerprint != record.fingerprint and record.problem is None
    if changed and before.status == "ok" and _has_events(connection, before.id):
        aside = {"status": "replaced", "key": f"{before.key}@{before.fingerprint[:8]}"}
        connection.execute(update(schema.images).where(_images.id == before.id).values(aside))
        _insert(connection, record, AddOutcome())
        outcome.replaced.append(record.key)
        return
    values: dict[str, object] = {**_file(record), **_status(connection, record, before.id), **_said(record)}
    connection.execute(update(schema.images).where(_images.id == before.id).values(values))
    if before.status != values["status"]:
        _tell(connection, record, values, outcome)
    elif values["status"] == "unreadable":
        outcome.unreadable.append((record.key, record.problem or ""))
    elif values["status"] == "ok":
        outcome.updated += 1


def _file(record: ImageRecord) -> dict[str, object]:
    names = ("source", "path", "fingerprint", "size_bytes", "mtime_ns", "width", "height")
    return {name: getattr(record, name) for name in names}


def _said(record: ImageRecord) -> dict[str, object]:
    """Return only what the source really says, so that a folder does not wipe out what a manifest told."""
    said = {"group_name": record.group, "captured_at": record.captured_at}
    said |= {"metadata": json.dumps(dict(record.metadata)) if record.metadata else None}
    return {name: value for name, value in said.items() if value is not None}


def _status(connection: Connection, record: ImageRecord, own_id: int | None) -> dict[str, object]:
    if record.problem is not None:
        return {"status": "unreadable", "problem": record.problem, "duplicate_of": None}
    same = select(_images.id).where(_images.fingerprint == record.fingerprint, _images.status == "ok")
    if own_id is not None:
        same = same.where(_images.id != own_id)
    original = connection.execute(same.order_by(_images.id).limit(1)).scalar()
    if original is not None:
        return {"status": "duplicate", "problem": None, "duplicate_of": original}
    return {"status": "ok", "problem": None, "duplicate_of": None}


def _tell(connection: Connection, record: ImageRecord, values: Mapping[str, object], outcome: AddOutcome) -> None:
    if values["status"] == "ok":
        outcome.added.append(record.key)
    elif values["status"] == "unreadable":
        outcome.unreadable.append((record.key, record.problem or ""))
    else:
        key = connection.execute(select(_images.key).where(_images.id == values["duplicate_of"])).scalar_one()
        outcome.duplicates.append((record.key, key))


def _has_events(connection: Connection, image_id: int) -> bool:
    query = select(schema.events.c.id).where(schema.events.c.image_id == image_id).limit(1)
    return connection.execute(query).first() is not None


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    following = iter(items)
    while some := list(islice(following, CHUNK)):
        yield some
