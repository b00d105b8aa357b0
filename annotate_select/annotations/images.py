"""The images of the pool, as the database knows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from sqlalchemy import func, select, update

from annotate_select.annotations import schema
from annotate_select.annotations.adding import AddOutcome, ImageRecord, add_one
from annotate_select.annotations.database import Database

__all__ = [
    "AddOutcome",
    "Away",
    "Image",
    "ImageRecord",
    "Known",
    "PoolTable",
    "add_images",
    "added_at",
    "away",
    "bring_back",
    "column",
    "contents",
    "counts",
    "image",
    "keys_by_fingerprint",
    "keys_of",
    "known",
    "mark_unreadable",
    "metadata_of_pool",
    "pool_ids",
    "pool_table",
    "resolve",
]

CHUNK = 500  # keys asked for in one statement; SQLite allows no more than 999 variables in old builds
UNREACHABLE = "cannot be read: "  # begins the reason where it is the file system that failed, not the file
_images = schema.images.c
T = TypeVar("T")


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


@dataclass(frozen=True)
class Away:
    """An image that left the pool when its file could not be reached."""

    id: int
    source: str
    path: str
    size_bytes: int


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
            add_one(connection, record, outcome)
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


def metadata_of_pool(db: Database) -> dict[int, dict[str, str]]:
    """Return the metadata columns of every image that can be labelled, by id; images without any are left out."""
    with db.read() as connection:
        rows = connection.execute(select(_images.id, _images.metadata).where(_images.status == "ok"))
        return {row[0]: found for row in rows if (found := json.loads(row[1]))}


def resolve(db: Database, keys: Iterable[str]) -> dict[str, int]:
    """Return the id behind each key, for a duplicate that of its original; unknown keys are left out."""
    found: dict[str, int] = {}
    query = select(_images.key, func.coalesce(_images.duplicate_of, _images.id))
    with db.read() as connection:
        for some in _chunks(keys):
            found.update((row[0], row[1]) for row in connection.execute(query.where(_images.key.in_(some))))
    return found


def keys_by_fingerprint(db: Database, fingerprints: Iterable[str]) -> dict[str, str]:
    """Return the key of the image of the pool that has each content; those that it does not have are left out."""
    found: dict[str, str] = {}
    query = select(_images.fingerprint, _images.key).where(_images.status == "ok")
    with db.read() as connection:
        for some in _chunks(fingerprints):
            rows = connection.execute(query.where(_images.fingerprint.in_(some)))
            found.update((row[0], row[1]) for row in rows)
    return found


def keys_of(db: Database, ids: Iterable[int], *, in_pool: bool = False) -> dict[int, str]:
    """Return the key of each id; unknown ids are left out, and `in_pool` those that cannot be labelled."""
    found: dict[int, str] = {}
    query = select(_images.id, _images.key)
    if in_pool:
        query = query.where(_images.status == "ok")
    with db.read() as connection:
        for some in _chunks(ids):
            rows = connection.execute(query.where(_images.id.in_(some)))
            found.update((row[0], row[1]) for row in rows)
    return found


def contents(db: Database, ids: Iterable[int]) -> dict[int, tuple[str, str | None]]:
    """Return the fingerprint and the group of each id, whether or not it can be labelled; unknown ids are left out."""
    found: dict[int, tuple[str, str | None]] = {}
    query = select(_images.id, _images.fingerprint, _images.group_name)
    with db.read() as connection:
        for some in _chunks(ids):
            found.update((row[0], (row[1], row[2])) for row in connection.execute(query.where(_images.id.in_(some))))
    return found


def added_at(db: Database) -> dict[int, str]:
    """Return when each image that can be labelled was added, ISO 8601 in UTC, by id."""
    with db.read() as connection:
        rows = connection.execute(select(_images.id, _images.added_at).where(_images.status == "ok"))
        return {row[0]: row[1] for row in rows}


def column(db: Database, name: str) -> dict[int, str]:
    """Return a metadata column of the images that can be labelled, by id; without a value an image is left out."""
    query = select(_images.id, _images.metadata).where(_images.status == "ok", _images.metadata != "{}")
    with db.read() as connection:
        said = ((row[0], json.loads(row[1]).get(name)) for row in connection.execute(query))
        return {image_id: value for image_id, value in said if value}


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


def pool_ids(db: Database) -> np.ndarray:
    """Return the ids (n,) of every image that can be labelled, ascending."""
    with db.read() as connection:
        rows = connection.execute(select(_images.id).where(_images.status == "ok").order_by(_images.id))
        return np.fromiter((row[0] for row in rows), np.int64)


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


def away(db: Database) -> list[Away]:
    """Return the images that `mark_unreadable` took out of the pool because their files could not be reached."""
    columns = (_images.id, _images.source, _images.path, _images.size_bytes)
    marked = (_images.status == "unreadable", _images.mtime_ns == 0, _images.problem.like(f"{UNREACHABLE}%"))
    with db.read() as connection:
        return [Away(*row) for row in connection.execute(select(*columns).where(*marked).order_by(_images.id))]


def bring_back(db: Database, ids: Iterable[int]) -> None:
    """Put images back into the pool whose files are there again, but for a content that another image stands for."""
    with db.write() as connection:
        for image_id in ids:
            row = connection.execute(select(_images.fingerprint).where(_images.id == image_id)).one()
            same = (_images.fingerprint == row.fingerprint, _images.status == "ok")
            if connection.execute(select(_images.id).where(*same).limit(1)).first() is None:
                values = {"status": "ok", "problem": None}
                connection.execute(update(schema.images).where(_images.id == image_id).values(values))


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    following = iter(items)
    while some := list(islice(following, CHUNK)):
        yield some
