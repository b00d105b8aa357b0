from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from annotate_select.annotations import database as module
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, record
from annotate_select.annotations.images import ImageRecord, add_images, pool_table
from annotate_select.annotations.schema import SCHEMA_VERSION
from annotate_select.errors import DatabaseError

ROOT = Path(__file__).parents[2]


def version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return int(found)


def damage(path: Path, change: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(change)
    connection.close()


def fill(db: Database, n: int = 3) -> None:
    add_images(db, [ImageRecord(f"k{i}", "s", f"k{i}", f"{i:032x}", 1, 1, 1, 1) for i in range(n)])


def test_a_new_database_is_durable_and_strict(empty: Database) -> None:
    assert version(empty.path) == SCHEMA_VERSION
    with empty.read() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    assert empty.check() is None


def test_a_database_is_not_made_twice(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there already"):
        Database.create(empty.path)
    assert [path for path in tmp_path.iterdir() if "tmp" in path.name] == []


def test_a_database_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot write"):
        Database.create(tmp_path / "file" / "a.db")

    def dies(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_fill", dies)
    with pytest.raises(KeyboardInterrupt):
        Database.create(tmp_path / "a.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.parametrize("name", ["a b#1?mode=ro&x=%41.db", "é🙂.db", "a'b\"c.db"])
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    db = Database.create(Path(name))
    monkeypatch.chdir("/")
    fill(db)
    db.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    again = Database.open(tmp_path / name)
    assert (again.read_only, len(pool_table(again).ids)) == (True, 3)
    again.close()


def test_a_missing_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"there is no .*x\.db"):
        Database.open(tmp_path / "x.db")
    with pytest.raises(DatabaseError, match="there is no"):
        Database.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\x89PNG\r\n" + bytes(5000)])
def test_not_a_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match=r"a\.db is damaged .* backup"):
        Database.open(path)
    assert path.read_bytes() == content


def test_somebody_elses_database(tmp_path: Path) -> None:
    damage(tmp_path / "a.db", "CREATE TABLE t (x)")
    (tmp_path / "b.db").touch()
    for name in ("a.db", "b.db"):
        with pytest.raises(DatabaseError, match="not a database of this program"):
            Database.open(tmp_path / name)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_database(empty: Database, kept: float) -> None:
    fill(empty, 2000)
    empty.close()
    content = empty.path.read_bytes()
    empty.path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DatabaseError, match="damaged"):
        Database.open(empty.path)


def test_damage_in_the_middle_is_found_by_check(empty: Database) -> None:
    fill(empty, 2000)
    empty.close()
    content = bytearray(empty.path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = b"\xff" * 8192
    empty.path.write_bytes(bytes(content))
    db = Database.open(empty.path)
    assert db.check() is not None
    with pytest.raises(DatabaseError, match="damaged"):
        list(pool_table(db).keys)
    db.close()


def test_a_newer_database_is_left_alone(empty: Database) -> None:
    empty.close()
    damage(empty.path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = empty.path.read_bytes()
    with pytest.raises(DatabaseError, match=rf"schema {SCHEMA_VERSION + 1}, .* knows {SCHEMA_VERSION}.*update"):
        Database.open(empty.path)
    assert empty.path.read_bytes() == before


def old_database(path: Path) -> None:
    """Make what a first version might have left: a note table with its text under an old name."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "CREATE TABLE notes (words TEXT); INSERT INTO notes VALUES ('kept'); PRAGMA user_version = 1;"
    )
    connection.close()


def rename(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE notes RENAME COLUMN words TO text"))


def extend(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE notes ADD COLUMN length INTEGER"))
    connection.execute(text("UPDATE notes SET length = length(text)"))


def fail(connection: Connection) -> None:
    connection.execute(text("DROP TABLE notes"))
    connection.execute(text("SELECT * FROM nowhere"))


def test_an_older_database_is_brought_up_to_date_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    old_database(path)
    for _ in range(2):  # the second time there is nothing left to do
        db = Database.open(path, newest=3, migrations=[(3, extend), (2, rename)])
        with db.read() as connection:
            assert connection.execute(text("SELECT text, length FROM notes")).fetchall() == [("kept", 4)]
        db.close()
        assert version(path) == 3


def test_a_migration_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    old_database(path)
    with pytest.raises(DatabaseError, match="nowhere"):
        Database.open(path, newest=3, migrations=[(2, rename), (3, fail)])
    assert version(path) == 1
    db = Database.open(path, newest=1)
    with db.read() as connection:
        assert connection.execute(text("SELECT words FROM notes")).fetchall() == [("kept",)]
    db.close()


def test_a_full_disk_is_said_and_changes_nothing(empty: Database) -> None:
    fill(empty)

    def until_full() -> None:
        with empty.write() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {pages + 2}"))
            connection.execute(text("INSERT INTO settings VALUES ('big', zeroblob(100000))"))

    with pytest.raises(DatabaseError, match=r"no space left to write .*free some space"):
        until_full()
    empty.close()
    assert record(empty, [Event("u", 1, "ana", "skip")]).acked == ["u"]


def test_a_database_somebody_keeps_locked(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0)
    other = sqlite3.connect(empty.path, isolation_level=None)
    empty.close()
    db = Database.open(empty.path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="busy"):
        fill(db)
    assert len(pool_table(db).ids) == 0  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    fill(db)
    db.close()


READER = """
import os, sys, tempfile
from pathlib import Path
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, record
from annotate_select.errors import DatabaseError
with tempfile.TemporaryDirectory() as folder:  # loads all that is loaded late
    db = Database.create(Path(folder) / "a.db")
    record(db, [Event("w", 1, "bob", "label", "no")]), current_annotations(db), db.close()
if os.geteuid() == 0:
    os.setuid(65534)
try:
    db = Database.open(Path(sys.argv[1]))
    print(db.read_only, [one.label for one in current_annotations(db)])
    record(db, [Event("w", 1, "bob", "label", "no")])
    print("written")
except DatabaseError as error:
    print("DatabaseError", error)
"""


def read_as_nobody(path: Path) -> list[str]:
    """Open a database in a process that root's rights do not help; return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder with a database and one label; the test makes it read-only."""
    folder = Path(tempfile.mkdtemp(prefix="annotate-select-"))
    db = Database.create(folder / "a.db")
    fill(db)
    record(db, [Event("u", 1, "ana", "label", "cat")])
    db.close()
    yield folder
    folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def test_a_read_only_project_can_be_read(locked: Path) -> None:
    (locked / "a.db").chmod(0o444)
    locked.chmod(0o555)
    opened, refused = read_as_nobody(locked / "a.db")
    assert opened == "True ['cat']"
    assert refused.startswith("DatabaseError cannot write")
    assert "read-only" in refused
    assert [path.name for path in locked.iterdir()] == ["a.db"]


def test_a_read_only_project_with_a_writer_shows_the_newest_labels(locked: Path) -> None:
    writer = Database.open(locked / "a.db")
    record(writer, [Event("v", 2, "ana", "label", "dog")])
    for path in locked.iterdir():
        path.chmod(0o444)
    locked.chmod(0o555)
    assert read_as_nobody(locked / "a.db")[0] == "True ['cat', 'dog']"
    writer.close()


def test_labels_in_a_log_that_cannot_be_read_are_not_passed_over(locked: Path) -> None:
    writer = Database.open(locked / "a.db")
    record(writer, [Event("v", 2, "ana", "label", "dog")])
    copy = locked / "copy"
    copy.mkdir()
    for name in ("a.db", "a.db-wal"):  # as a copy of a folder in use might be
        shutil.copy(locked / name, copy / name)
        (copy / name).chmod(0o444)
    writer.close()
    locked.chmod(0o755)
    copy.chmod(0o555)
    lines = read_as_nobody(copy / "a.db")
    copy.chmod(0o755)
    assert len(lines) == 1
    assert lines[0].startswith("DatabaseError cannot open")


def test_nothing_stays_open(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        db = Database.create(tmp_path / "a.db")
        fill(db)
        db.close()
        db.close()
        path = tmp_path / "bad.db"
        path.write_bytes(b"no" * 1000)
        with pytest.raises(DatabaseError):
            Database.open(path)
        del db
        gc.collect()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.db", "bad.db"]  # no log left behind


def test_a_closed_database_opens_itself_again(db: Database) -> None:
    db.close()
    record(db, [Event("u", 1, "ana", "skip")])
    assert len(current_annotations(db)) == 1


def test_what_is_opened_to_be_read_is_not_written(tmp_path: Path) -> None:
    Database.create(tmp_path / "a.db").close()
    before = {one.name: one.stat().st_mtime_ns for one in tmp_path.iterdir()}
    db = Database.open(tmp_path / "a.db", read_only=True)
    assert len(pool_table(db).ids) == 0
    with pytest.raises(DatabaseError, match="it is read-only"):
        add_images(db, [])
    db.close()
    assert {one.name: one.stat().st_mtime_ns for one in tmp_path.iterdir()} == before
