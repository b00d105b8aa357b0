"""How an older database becomes today's: steps in order, each in the transaction that also writes its version."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, text

__all__ = ["MIGRATIONS", "Migration", "migrate"]

# (version it leads to, what to do)
Migration = tuple[int, Callable[[Connection], None]]

# As version 2 had it: what a migration writes never changes, whatever the tables become later.
EVENTS_2 = """
CREATE TABLE events_new (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL,
    image_id INTEGER NOT NULL,
    annotator TEXT NOT NULL,
    kind VARCHAR(8) NOT NULL CHECK (kind IN ('label','skip','unsure','reject','flag','final','undo')),
    label TEXT,
    target_uid TEXT,
    said_at VARCHAR(40),
    at VARCHAR(32) NOT NULL,
    shown_ms INTEGER,
    batch INTEGER,
    note TEXT,
    UNIQUE (uid),
    FOREIGN KEY(image_id) REFERENCES images (id)
)
"""
EVENT_COLUMNS = "id, uid, image_id, annotator, kind, label, target_uid, said_at, at, shown_ms, batch, note"


def to_version_2(connection: Connection) -> None:
    """Allow the kinds flag and final, and count images by their status quickly.

    SQLite changes no constraint in place, so the events move to a new table. What points at them, `current`, is put
    aside meanwhile: dropping a table that rows point at is refused.
    """
    for statement in (
        "CREATE TABLE current_aside AS SELECT * FROM current",
        "DELETE FROM current",
        EVENTS_2,
        f"INSERT INTO events_new ({EVENT_COLUMNS}) SELECT {EVENT_COLUMNS} FROM events",
        "DROP TABLE events",
        "ALTER TABLE events_new RENAME TO events",
        "CREATE INDEX events_by_image ON events (image_id, annotator)",
        "CREATE INDEX events_by_annotator ON events (annotator, id)",
        "CREATE INDEX events_by_target ON events (target_uid)",
        *(
            f"CREATE TRIGGER events_are_never_{what.lower()}d BEFORE {what} ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are never changed'); END"
            for what in ("UPDATE", "DELETE")
        ),
        "INSERT INTO current SELECT * FROM current_aside",
        "DROP TABLE current_aside",
        "CREATE INDEX images_by_status ON images (status)",
    ):
        connection.execute(text(statement))


# As version 3 had it.
ACTIVE_EXAM_3 = """
CREATE TABLE active_exam (
    draw INTEGER NOT NULL,
    position INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    chance FLOAT NOT NULL,
    error FLOAT NOT NULL,
    pool INTEGER NOT NULL,
    model INTEGER NOT NULL,
    drawn_at VARCHAR(32) NOT NULL,
    seed INTEGER NOT NULL,
    PRIMARY KEY (draw, position),
    UNIQUE (draw, image_id),
    FOREIGN KEY(image_id) REFERENCES images (id)
)
"""


def to_version_3(connection: Connection) -> None:
    """Make room for exams that are drawn where a model may err."""
    connection.execute(text(ACTIVE_EXAM_3))
    connection.execute(text("CREATE INDEX active_exam_by_image ON active_exam (image_id)"))


# As version 4 had it.
EXAM_CHANCES_4 = """
CREATE TABLE exam_chances (
    image_id INTEGER NOT NULL,
    draw INTEGER NOT NULL,
    pool INTEGER NOT NULL,
    chance FLOAT NOT NULL,
    population VARCHAR(64) NOT NULL,
    stratum INTEGER,
    strata INTEGER,
    features TEXT,
    features_digest VARCHAR(64),
    PRIMARY KEY (image_id),
    FOREIGN KEY(image_id) REFERENCES images (id)
)
"""


def to_version_4(connection: Connection) -> None:
    """Make room for the chance by which each image of the exam was drawn; of those drawn before it is not known."""
    connection.execute(text(EXAM_CHANCES_4))


MIGRATIONS: list[Migration] = [(2, to_version_2), (3, to_version_3), (4, to_version_4)]


def migrate(connection: Connection, version: int, steps: Sequence[Migration] = MIGRATIONS) -> int:
    """Run the steps that lead beyond `version`, in order; return the version reached."""
    for target, step in sorted(steps, key=lambda one: one[0]):
        if target > version:
            step(connection)
            version = target
    return version
