"""The one file in which a project remembers: SQLite, safe between threads and processes, synced at every commit."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError as SqlError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, QueuePool

from annotate_select.annotations import schema
from annotate_select.annotations.migrations import MIGRATIONS, Migration, migrate
from annotate_select.errors import DatabaseError

__all__ = ["Database"]

BUSY_SECONDS = 30


class Database:
    """An opened database; `read()` and `write()` give connections, each block one transaction."""

    def __init__(self, path: Path, engine: Engine, read_only: bool = False) -> None:
        """Take an engine; use `create` or `open` instead."""
        self.path = path
        self.read_only = read_only
        self._engine = engine

    @classmethod
    def create(cls, path: Path) -> Database:
        """Make a new database with empty tables.

        Raises DatabaseError when the file is there already or cannot be made.
        """
        if path.exists():
            raise DatabaseError(f"{path} is there already; open it, or move it away")
        db = cls(path, _engine(path))
        with db.write() as connection:
            schema.metadata.create_all(connection)
            for trigger in schema.TRIGGERS:
                connection.execute(text(trigger))
            for key in ("secret", "project"):
                connection.execute(insert(schema.settings), {"key": key, "value": secrets.token_hex(16)})
            connection.execute(text(f"PRAGMA user_version = {schema.SCHEMA_VERSION}"))
        return db

    @classmethod
    def open(
        cls, path: Path, *, newest: int = schema.SCHEMA_VERSION, migrations: Sequence[Migration] = MIGRATIONS
    ) -> Database:
        """Open a database and bring it up to date.

        Raises DatabaseError when it is missing, damaged, or made by a newer version of this program.
        """
        if not path.exists():
            raise DatabaseError(f"there is no {path}; put it back from a backup, or make a new project")
        db = cls._opened(path)
        try:
            with db.read() as connection:
                version = int(connection.execute(text("PRAGMA user_version")).scalar_one())
            if version > newest:
                raise DatabaseError(
                    f"{path} was made by a newer version (schema {version}, this one knows {newest}); "
                    "update annotate-select"
                )
            if version == 0:
                raise DatabaseError(f"{path} is not a database of this program; put it back from a backup")
            if version < newest:
                with db.write() as connection:
                    version = int(connection.execute(text("PRAGMA user_version")).scalar_one())
                    reached = migrate(connection, version, migrations)
                    connection.execute(text(f"PRAGMA user_version = {reached}"))
        except BaseException:
            db.close()
            raise
        return db

    @classmethod
    def _opened(cls, path: Path) -> Database:
        """Open for writing; where the file or its folder is read-only, for reading what is in the file now."""
        db = cls(path, _engine(path))
        try:
            with db.read() as connection:
                connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
            if _writable(path):
                return db
        except DatabaseError as error:
            if _writable(path) or not _read_only_problem(error):
                db.close()
                raise
        db.close()
        return cls(path, _engine(path, immutable=True), read_only=True)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection on a consistent view of the data."""
        with _explained(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside BEGIN IMMEDIATE; leaving the block commits and syncs, an error undoes all of it.

        Raises DatabaseError when the database cannot be written.
        """
        if self.read_only:
            raise DatabaseError(f"cannot write {self.path}: it is read-only; change its permissions")
        with _explained(self.path), self._engine.connect() as connection:
            writing = connection.execution_options(annotate_select_write=True)
            with writing.begin():
                yield writing

    def check(self) -> str | None:
        """Return what SQLite finds wrong with the file, None when it is sound."""
        with self.read() as connection:
            found = str(connection.execute(text("PRAGMA quick_check(1)")).scalar_one())
        return None if found == "ok" else found


def _engine(path: Path, immutable: bool = False) -> Engine:
    if immutable:
        uri = f"sqlite:///file:{path}?mode=ro&immutable=1&uri=true"
        return create_engine(uri, poolclass=NullPool)
    engine = create_engine(
        f"sqlite:///{path}", poolclass=QueuePool, pool_size=8, max_overflow=56, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Take transactions out of the driver's hands, and let a commit mean that the disk has it."""
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    with suppress(sqlite3.OperationalError):  # a read-only file keeps the journal it has
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _begin(connection: Connection) -> None:
    """Begin writing at once: a transaction that turns into a writer later fails as locked instead of waiting."""
    writing = connection.get_execution_options().get("annotate_select_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except SqlError as error:
        raise DatabaseError(_explanation(path, str(error.orig))) from error


def _explanation(path: Path, reason: str) -> str:
    low = reason.lower()
    if "readonly" in low or "read-only" in low:
        return f"cannot write {path}: it is read-only; change its permissions"
    if "full" in low:
        return f"no space left to write {path}: free some space, then run this again (nothing was changed)"
    if "malformed" in low or "not a database" in low:
        return f"{path} is damaged ({reason}); put it back from a backup"
    if "locked" in low:
        return f"{path} has been busy for {BUSY_SECONDS} seconds; stop what writes to it, then run this again"
    return f"cannot use {path}: {reason}; check the disk and the file's permissions"


def _read_only_problem(error: DatabaseError) -> bool:
    return any(words in str(error) for words in ("read-only", "unable to open"))


def _writable(path: Path) -> bool:
    import os

    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
