-- The database as version 0.1 made it (schema 1).
CREATE TABLE settings (
    "key" VARCHAR NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY ("key")
);
CREATE TABLE images (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" TEXT NOT NULL,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    fingerprint VARCHAR(32) NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    group_name TEXT,
    captured_at TEXT,
    metadata TEXT DEFAULT '{}' NOT NULL,
    status VARCHAR(12) NOT NULL CHECK (status IN ('ok','unreadable','duplicate','replaced')),
    problem TEXT,
    duplicate_of INTEGER,
    added_at VARCHAR(32) NOT NULL,
    UNIQUE ("key"),
    FOREIGN KEY(duplicate_of) REFERENCES images (id)
);
CREATE INDEX images_by_path ON images (source, path);
CREATE INDEX images_by_original ON images (duplicate_of);
CREATE INDEX images_by_fingerprint ON images (fingerprint);
CREATE TABLE batches (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    created_at VARCHAR(32) NOT NULL,
    strategy TEXT NOT NULL,
    seed INTEGER NOT NULL,
    n INTEGER NOT NULL,
    audit FLOAT NOT NULL,
    features_name TEXT,
    features_digest TEXT,
    model INTEGER,
    settings TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE TABLE class_changes (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at VARCHAR(32) NOT NULL,
    kind VARCHAR(8) NOT NULL,
    old TEXT NOT NULL,
    new TEXT NOT NULL,
    after_event INTEGER NOT NULL,
    applied INTEGER NOT NULL
);
CREATE TABLE events (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL,
    image_id INTEGER NOT NULL,
    annotator TEXT NOT NULL,
    kind VARCHAR(8) NOT NULL CHECK (kind IN ('label','skip','unsure','reject','undo')),
    label TEXT,
    target_uid TEXT,
    said_at VARCHAR(40),
    at VARCHAR(32) NOT NULL,
    shown_ms INTEGER,
    batch INTEGER,
    note TEXT,
    UNIQUE (uid),
    FOREIGN KEY(image_id) REFERENCES images (id)
);
CREATE INDEX events_by_target ON events (target_uid);
CREATE INDEX events_by_image ON events (image_id, annotator);
CREATE INDEX events_by_annotator ON events (annotator, id);
CREATE TABLE leases (
    image_id INTEGER NOT NULL,
    annotator TEXT NOT NULL,
    expires FLOAT NOT NULL,
    PRIMARY KEY (image_id, annotator),
    FOREIGN KEY(image_id) REFERENCES images (id)
);
CREATE TABLE picks (
    batch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    role VARCHAR(8) NOT NULL,
    score FLOAT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (batch, position),
    UNIQUE (batch, image_id),
    FOREIGN KEY(batch) REFERENCES batches (number),
    FOREIGN KEY(image_id) REFERENCES images (id)
);
CREATE INDEX picks_by_image ON picks (image_id);
CREATE TABLE exam (
    image_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    drawn_at VARCHAR(32) NOT NULL,
    seed INTEGER NOT NULL,
    PRIMARY KEY (image_id),
    FOREIGN KEY(image_id) REFERENCES images (id),
    UNIQUE (position)
);
CREATE TABLE current (
    image_id INTEGER NOT NULL,
    annotator TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    kind VARCHAR(8) NOT NULL,
    label TEXT,
    PRIMARY KEY (image_id, annotator),
    FOREIGN KEY(image_id) REFERENCES images (id),
    FOREIGN KEY(event_id) REFERENCES events (id)
);
CREATE TRIGGER IF NOT EXISTS events_are_never_updated BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_are_never_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
PRAGMA user_version = 1;
