"""A database of the first version, as its users have it, opened by this one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, history, record
from annotate_select.annotations.exam import Draw, active_exam, chances, draws, kept_ids
from annotate_select.annotations.fold import verify_current
from annotate_select.errors import DatabaseError

ROOT = Path(__file__).parents[2]
OLD = (Path(__file__).parent / "schema_1.sql").read_text()
TABLES = ("settings", "images", "events", "current", "leases", "batches", "picks", "exam", "class_changes")
EVENTS = [
    ("u1", 1, "ana", "label", "cat", None, "2026-01-01T00:00:00.123+00:00", "t1", 800, 1, None),
    ("u2", 1, "ben", "label", "dog", None, None, "t2", None, None, "odd; 'quoted'"),
    ("u3", 2, "ana", "skip", None, None, None, "t3", 5, None, None),
    ("u4", 2, "ana", "reject", None, None, None, "t4", None, None, "blurred é🙂"),
    ("u5", 2, "ana", "undo", None, "u4", None, "t5", None, None, None),
    ("u6", 3, "eva", "unsure", None, None, None, "t6", None, None, None),
]
CURRENT = [(1, "ana", 1, "label", "cat"), (1, "ben", 2, "label", "dog"), (2, "ana", 3, "skip", None)]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of version 1 with images, events, what they come to, a batch, an exam and a renamed class."""
    path = tmp_path / "annotations.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executemany("INSERT INTO settings VALUES (?, ?)", [("secret", "s" * 32), ("project", "p" * 32)])
        connection.executemany(
            "INSERT INTO images VALUES (?, ?, 's', ?, ?, 1, 2, 3, 4, NULL, NULL, '{}', ?, NULL, NULL, 'then')",
            [(i, f"k{i}", f"k{i}", f"{i:032x}", "ok" if i < 4 else "unreadable") for i in range(1, 5)],
        )
        connection.executemany(
            "INSERT INTO events (uid, image_id, annotator, kind, label, target_uid, said_at, at, shown_ms, batch, note)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            EVENTS,
        )
        connection.executemany("INSERT INTO current VALUES (?,?,?,?,?)", [*CURRENT, (3, "eva", 6, "unsure", None)])
        connection.execute("INSERT INTO batches VALUES (1,'then','auto',0,1,0.1,NULL,NULL,NULL,'{}','')")
        connection.execute("INSERT INTO picks VALUES (1, 0, 1, 'pick', 0.5, 'far')")
        connection.execute("INSERT INTO exam VALUES (3, 0, 'then', 0)")
        connection.execute("INSERT INTO class_changes VALUES (1, 'then', 'rename', 'cat', 'lion', 6, 1)")
        connection.execute("INSERT INTO leases VALUES (2, 'ana', 1.5)")
        connection.commit()
    return path


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


def shape(path: Path) -> dict[str, str]:
    """Return what defines each table, index and trigger, without spaces and quotes."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: "".join(sql.replace('"', "").replace("IF NOT EXISTS", "").split()) for name, sql in rows}


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_an_old_database_is_brought_up_to_date_and_loses_nothing(old: Path) -> None:
    before = contents(old)
    db = Database.open(old)
    assert contents(old) == before
    assert version(old) == schema.SCHEMA_VERSION
    assert db.check() is None
    assert verify_current(db)
    assert [(one.image_id, one.annotator, one.kind, one.label) for one in current_annotations(db)] == [
        (1, "ana", "label", "lion"),
        (1, "ben", "label", "dog"),
        (2, "ana", "skip", None),
        (3, "eva", "unsure", None),
    ]
    assert [event.uid for event in history(db) if event.undone] == ["u4"]
    db.close()
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_afterwards_it_is_built_like_a_new_one(old: Path, tmp_path: Path) -> None:
    Database.open(old).close()
    Database.create(tmp_path / "new.db").close()
    assert shape(old) == shape(tmp_path / "new.db")


def test_afterwards_it_takes_the_new_kinds_and_still_refuses_changes(old: Path) -> None:
    db = Database.open(old)
    said = [Event("n1", 1, "eva", "flag", note="look"), Event("n2", 1, "eva", "final", "dog")]
    assert record(db, said).acked == ["n1", "n2"]
    assert [event.id for event in history(db)] == list(range(1, 9))
    db.close()
    with closing(sqlite3.connect(old)) as connection:
        for change in ("UPDATE events SET label = 'x'", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                connection.execute(change)
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute("INSERT INTO events (uid, image_id, annotator, kind, at) VALUES ('z', 1, 'a', 'o', 't')")


KILLED = """
import os, signal, sys
from pathlib import Path
from annotate_select.annotations import migrations
from annotate_select.annotations.database import Database

def killed(connection):
    class Counting:
        done = 0
        def execute(self, statement):
            if self.done == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            self.done += 1
            return connection.execute(statement)
    migrations.to_version_2(Counting())

Database.open(Path(sys.argv[1]), migrations=[(2, killed)])
"""


@pytest.mark.parametrize("statements", [1, 4, 5, 6, 12])
def test_killed_in_the_middle_it_is_as_it_was(old: Path, statements: int) -> None:
    before = contents(old), shape(old)
    done = subprocess.run([sys.executable, "-c", KILLED, str(old), str(statements)], cwd=ROOT, env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert (contents(old), shape(old), version(old)) == (*before, 1)
    Database.open(old).close()
    assert contents(old) == before[0]
    assert version(old) == schema.SCHEMA_VERSION


def test_what_cannot_be_written_is_read_as_it_is(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    db = Database.open(old)
    assert [one.label for one in current_annotations(db)] == ["lion", "dog", None, None]
    assert (kept_ids(db), active_exam(db)) == ([3], None)  # of a table it does not have
    assert (draws(db), chances(db)) == ([Draw("then", 0, 1)], [])
    with pytest.raises(DatabaseError, match="read-only"):
        record(db, [Event("n1", 1, "eva", "skip")])
    db.close()
    assert version(old) == 1
