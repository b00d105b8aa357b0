"""The tables, and their version. Events are facts: never updated, never deleted, and the database itself refuses to."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "READABLE_SINCE",
    "SCHEMA_VERSION",
    "TRIGGERS",
    "active_exam",
    "batches",
    "class_changes",
    "current",
    "events",
    "exam",
    "exam_chances",
    "images",
    "leases",
    "metadata",
    "picks",
    "settings",
]

SCHEMA_VERSION = 4
READABLE_SINCE = 1  # what is read-only cannot be brought up to date, and can be read as it is from this version on

metadata = MetaData()

settings = Table("settings", metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))

images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("path", Text, nullable=False),  # relative to the source's root
    Column("fingerprint", String(32), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("group_name", Text),
    Column("captured_at", Text),
    Column("metadata", Text, nullable=False, server_default="{}"),
    Column(
        "status", String(12), CheckConstraint("status IN ('ok','unreadable','duplicate','replaced')"), nullable=False
    ),
    Column("problem", Text),
    Column("duplicate_of", Integer, ForeignKey("images.id")),
    Column("added_at", String(32), nullable=False),
    Index("images_by_fingerprint", "fingerprint"),
    Index("images_by_path", "source", "path"),
    Index("images_by_original", "duplicate_of"),
    Index("images_by_status", "status"),  # counting a million images reads no other column
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uid", Text, nullable=False, unique=True),  # made by the client: what is sent twice is stored once
    Column("image_id", Integer, ForeignKey("images.id"), nullable=False),
    Column("annotator", Text, nullable=False),
    Column(
        "kind",
        String(8),
        CheckConstraint("kind IN ('label','skip','unsure','reject','flag','final','undo')"),
        nullable=False,
    ),
    Column("label", Text),  # the class as it was called when this was said
    Column("target_uid", Text),  # what an undo takes back
    Column("said_at", String(40)),  # the client's clock
    Column("at", String(32), nullable=False),  # ours
    Column("shown_ms", Integer),
    Column("batch", Integer),
    Column("note", Text),
    Index("events_by_image", "image_id", "annotator"),
    Index("events_by_annotator", "annotator", "id"),
    Index("events_by_target", "target_uid"),
    sqlite_autoincrement=True,
)

# What each annotator says of each image now: the fold of the events, kept up in their transaction.
current = Table(
    "current",
    metadata,
    Column("image_id", Integer, ForeignKey("images.id"), primary_key=True),
    Column("annotator", Text, primary_key=True),
    Column("event_id", Integer, ForeignKey("events.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("label", Text),
)

leases = Table(
    "leases",
    metadata,
    Column("image_id", Integer, ForeignKey("images.id"), primary_key=True),
    Column("annotator", Text, primary_key=True),
    Column("expires", Float, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("created_at", String(32), nullable=False),
    Column("strategy", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("audit", Float, nullable=False),
    Column("features_name", Text),
    Column("features_digest", Text),
    Column("model", Integer),
    Column("settings", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)

picks = Table(
    "picks",
    metadata,
    Column("batch", Integer, ForeignKey("batches.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("image_id", Integer, ForeignKey("images.id"), nullable=False),
    Column("role", String(8), nullable=False),
    Column("score", Float, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("batch", "image_id"),
    Index("picks_by_image", "image_id"),
)

exam = Table(
    "exam",
    metadata,
    Column("image_id", Integer, ForeignKey("images.id"), primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("drawn_at", String(32), nullable=False),
    Column("seed", Integer, nullable=False),
)

# By which chance each exam image was drawn: `chance` of the `pool` images that were free then; where by strata, from
# which of how many, of which features. Images of one `population`, a digest, are in one order of drawing. Of an exam
# drawn by an older version nothing stands here.
exam_chances = Table(
    "exam_chances",
    metadata,
    Column("image_id", Integer, ForeignKey("images.id"), primary_key=True),
    Column("draw", Integer, nullable=False),
    Column("pool", Integer, nullable=False),
    Column("chance", Float, nullable=False),
    Column("population", String(64), nullable=False),
    Column("stratum", Integer),
    Column("strata", Integer),
    Column("features", Text),
    Column("features_digest", String(64)),
)

# Exams drawn where a model may err: each image with the chance it was drawn by, and how likely the model was wrong.
active_exam = Table(
    "active_exam",
    metadata,
    Column("draw", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("image_id", Integer, ForeignKey("images.id"), nullable=False),
    Column("chance", Float, nullable=False),
    Column("error", Float, nullable=False),
    Column("pool", Integer, nullable=False),
    Column("model", Integer, nullable=False),
    Column("drawn_at", String(32), nullable=False),
    Column("seed", Integer, nullable=False),
    UniqueConstraint("draw", "image_id"),
    Index("active_exam_by_image", "image_id"),
)

class_changes = Table(
    "class_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("after_event", Integer, nullable=False),  # the change speaks of events up to this one: no clock decides
    Column("applied", Integer, nullable=False),  # 1 once project.toml carries it
    sqlite_autoincrement=True,
)

TRIGGERS = [
    f"CREATE TRIGGER IF NOT EXISTS events_are_never_{what.lower()}d BEFORE {what} ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are never changed'); END"
    for what in ("UPDATE", "DELETE")
]
