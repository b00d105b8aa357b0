"""The one file in which a project remembers: SQLite, safe between threads and processes, synced at every commit."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError as SqlError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool, QueuePool

from annotate_select.annotations import schema
from annotate_select.annotations.migrations import MIGRATIONS, Migration, migrate
from annotate_select.errors import DatabaseError, StorageError
from annotate_select.files import whole_file

__all__ = ["Database"]

BUSY_SECONDS = 30


class Database:
    """An opened database; `read()` and `write()` give connections, each block one transaction."""

    def __init__(self, path: Path, engine: Engine, read_only: bool = False) -> None:
        """Take an engine; use `create` or `open` instead."""
        self.path = path
        self.read_only = read_only
        self._engine = engine
        self._process = os.getpid()
        self._inherited: list[Pool] = []

    @classmethod
    def create(cls, path: Path) -> Database:
        """Make a new database with empty tables; a kill meanwhile leaves none.

        Raises DatabaseError when the file is there already or cannot be made.
        """
        path = path.absolute()
        if path.exists():
            raise DatabaseError(f"{path} is there already; open it, or move it away")
        try:
            with whole_file(path) as temporary:
                _fill(temporary)
        except StorageError as error:
            raise DatabaseError(str(error)) from error
        return cls(path, _engine(path))

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        read_only: bool = False,
        newest: int = schema.SCHEMA_VERSION,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> Database:
        """Open a database and bring it up to date; where it cannot or shall not be written, open it to read as it is.

        Raises DatabaseError when it is missing, damaged, or made by a newer version of this program.
        """
        path = path.absolute()
        if not path.is_file():
            raise DatabaseError(f"there is no {path}; put it back from a backup, or make a new project")
        writable = not read_only and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        db = cls(path, _engine(path) if writable else _reading_engine(path), read_only=not writable)
        try:
            db._bring_up_to(newest, migrations)
        except BaseException:
            db.close()
            raise
        return db

    def _bring_up_to(self, newest: int, migrations: Sequence[Migration]) -> None:
        with self.read() as connection:
            version = _version(connection)
        if version == 0:
            raise DatabaseError(f"{self.path} is not a database of this program; put it back from a backup")
        if version > newest:
            raise DatabaseError(
                f"{self.path} was made by a newer version (schema {version}, this one knows {newest}); "
                "update annotate-select"
            )
        if self.read_only and version >= schema.READABLE_SINCE:
            return
        if version < newest:
            with self.write() as connection:
                # asked again: another process may have done it while this one waited
                reached = migrate(connection, _version(connection), migrations)
                connection.execute(text(f"PRAGMA user_version = {reached}"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection on a consistent view of the data."""
        with _explained(self.path), self._own_engine().connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside BEGIN IMMEDIATE; leaving the block commits and syncs, an error undoes all of it.

        Raises DatabaseError when the database cannot be written.
        """
        if self.read_only:
            raise DatabaseError(f"cannot write {self.path}: it is read-only; change its permissions")
        with _explained(self.path), self._own_engine().connect() as connection:
            writing = connection.execution_options(annotate_select_write=True)
            with writing.begin():
                yield writing

    def check(self) -> str | None:
        """Return what SQLite finds wrong with the file, None when it is sound."""
        try:
            with self.read() as connection:
                found = str(connection.execute(text("PRAGMA quick_check(1)")).scalar_one())
        except DatabaseError as error:
            return str(error)
        return None if found == "ok" else found

    def _own_engine(self) -> Engine:
        """Leave a parent's connections alone: a forked child that used or closed one would harm the parent."""
        parent, self._process = self._process, os.getpid()
        if parent != self._process:
            self._inherited.append(self._engine.pool)
            self._engine.dispose(close=False)
        return self._engine


def _fill(path: Path) -> None:
    """Write the tables, the triggers and the project's secrets into an empty file."""
    db = Database(path, _engine(path))
    try:
        with db.write() as connection:
            schema.metadata.create_all(connection)
            for trigger in schema.TRIGGERS:
                connection.execute(text(trigger))
            for key in ("secret", "project"):
                connection.execute(insert(schema.settings), {"key": key, "value": secrets.token_hex(16)})
            connection.execute(text(f"PRAGMA user_version = {schema.SCHEMA_VERSION}"))
    finally:
        db.close()


def _version(connection: Connection) -> int:
    return int(connection.execute(text("PRAGMA user_version")).scalar_one())


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=-1,
        pool_use_lifo=True,  # the one used last first: each fills a cache of its own, so let few of them do
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _reading_engine(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # SQLite wants to write beside the file to read a WAL database, unless told that nobody changes it; that is
        # only true while no log holds newer transactions.
        log = path.with_name(f"{path.name}-wal")
        still = "" if log.exists() and log.stat().st_size else "&immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro{still}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _complete(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _complete(connection: sqlite3.Connection) -> None:
    """Give a file of an older version that cannot be brought up to date what it lacks: tables, empty, in memory."""
    connection.execute("PRAGMA temp_store = MEMORY")
    for table in (schema.active_exam, schema.exam_chances):
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table.name]).fetchone()
        if known is None:
            connection.execute(f"CREATE TEMP TABLE {table.name} ({', '.join(table.c.keys())})")


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Take transactions out of the driver's hands, and let a commit mean that the disk has it."""
    if not isinstance(connection, sqlite3.Connection):
        return
    try:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        with suppress(sqlite3.OperationalError):  # a file that became read-only keeps the journal it has
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise


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
    if "unable to open" in low:
        return f"cannot open {path} and the log beside it; make its folder writable, or copy it to one that is"
    if "constraint failed" in low or "never changed" in low:
        return f"{path} refused a change that would break its rules ({reason}); nothing was changed"
    return f"cannot use {path}: {reason}; check the disk and the file's permissions"
