"""How long what the app asks of a project takes when its pool is large: queue, progress, status, review, record.

    python benchmarks/app_database.py [--images 1000000] [--events 20000] [--picks 10000] [--keep FOLDER]

The rows are written in bulk, without image files; each call is made on a project opened anew, then again.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from annotate_select import Project
from annotate_select.annotations.events import Event
from annotate_select.annotations.fold import rebuild_current

CLASSES = ["ok", "crack", "dent", "stain"]
ANNOTATORS = ("ana", "ben", "eva")
BATCH = 100  # picks a batch
EXAM = 500
REPEATS = 5
NOW = "2026-01-01T00:00:00+00:00"


def main() -> None:
    """Build the database, time each call, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--picks", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="a folder to build the project in, or to use it again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = asked.keep or Path(folder) / "project"
        if not (root / "project.toml").exists():
            build(root, asked.images, asked.events, asked.picks)
        size = (root / "annotations.db").stat().st_size / 1e6
        print(f"{asked.images:,} images, {asked.events:,} events, {asked.picks:,} picks: {size:,.0f} MB\n")
        measure(root)


def build(root: Path, images: int, events: int, picks: int) -> None:
    """Fill a new project: every tenth image has a group, one in a hundred is a duplicate or unreadable."""
    Project.create(root, CLASSES).close()
    with closing(sqlite3.connect(root / "annotations.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO images (id, key, source, path, fingerprint, size_bytes, mtime_ns, width, height, group_name, "
            "captured_at, metadata, status, added_at) VALUES (?,?,'photos',?,?,200000,1,4000,3000,?,?,'{}',?,?)",
            image_rows(images),
        )
        connection.executemany(
            "INSERT INTO batches VALUES (?,?,'auto',0,?,0.1,NULL,NULL,NULL,'{}','')",
            ((number + 1, NOW, BATCH) for number in range(picks // BATCH)),
        )
        connection.executemany("INSERT INTO picks VALUES (?,?,?,?,0.5,?)", pick_rows(images, picks))
        connection.executemany(
            "INSERT INTO exam VALUES (?,?,?,0)", ((place(images, EXAM, i) + 1, i, NOW) for i in range(EXAM))
        )
        connection.executemany(
            "INSERT INTO events (uid, image_id, annotator, kind, label, at, note) VALUES (?,?,?,?,?,?,?)",
            event_rows(images, events, picks),
        )
    with Project.open(root) as project:
        rebuild_current(project._home.db)


def place(images: int, n: int, i: int) -> int:
    """Return the i-th of n images spread over all of them."""
    return i * (images // n)


def image_rows(n: int) -> Iterator[tuple[object, ...]]:
    """Yield the columns of n images."""
    for i in range(1, n + 1):
        key = f"camera-{i % 37:02}/2025-{i % 12 + 1:02}/IMG_{i:08}.jpg"
        status = "unreadable" if i % 200 == 199 else "duplicate" if i % 200 == 99 else "ok"
        yield i, key, key, f"{i * 2654435761 % 2**128:032x}", f"g{i % 5000}" if i % 10 == 0 else None, NOW, status, NOW


def pick_rows(images: int, n: int) -> Iterator[tuple[object, ...]]:
    """Yield n picks in batches, every tenth an audit."""
    for i in range(n):
        role = "audit" if i % 10 == 9 else "pick"
        yield i // BATCH + 1, i % BATCH, place(images, n, i) + 2, role, "uncertain: ok 0.51, crack 0.42"


def event_rows(images: int, events: int, picks: int) -> Iterator[tuple[object, ...]]:
    """Yield events on most picks first, then on images all over the pool; one in ten is no label."""
    for i in range(events):
        image = place(images, picks, i) + 2 if i < picks * 0.8 else place(images, events, i) + 3
        kind = {0: "skip", 1: "unsure", 2: "reject", 3: "flag", 4: "final"}.get(i % 50, "label")
        label = CLASSES[i % len(CLASSES)] if kind in ("label", "final") else None
        note = "two things" if kind == "flag" else None
        yield uuid4().hex, image, ANNOTATORS[i % len(ANNOTATORS)], kind, label, NOW, note


def measure(root: Path) -> None:
    """Time each call on a project just opened and again; print milliseconds, and the processor's, were it not busy."""
    print("| call | first ms | again, median ms | processor ms |\n|---|---|---|---|")
    for name, call in CALLS.items():
        with Project.open(root) as project:
            (first, _), *others = [timed(call, project) for _ in range(REPEATS + 1)]
        again, processor = (statistics.median(column) for column in zip(*others, strict=True))
        print(f"| {name} | {first:,.1f} | {again:,.1f} | {processor:,.1f} |")


def timed(call: Callable[[Project], object], project: Project) -> tuple[float, float]:
    """Return the milliseconds of one call, on the clock and of the processor."""
    start, start_of_processor = time.perf_counter(), time.process_time()
    call(project)
    return (time.perf_counter() - start) * 1000, (time.process_time() - start_of_processor) * 1000


def label_one(project: Project) -> None:
    """Record a label."""
    project.record([Event(uuid4().hex, 5, "ana", "label", "ok", shown_ms=800)])


CALLS: dict[str, Callable[[Project], object]] = {
    "queue(50)": lambda project: project.queue("ana", 50),
    "progress": lambda project: project.progress("ana"),
    "recent(50)": lambda project: project.recent("ana", 50),
    "record(1)": label_one,
    "status": lambda project: project.status(),
    "review_counts": lambda project: project.review_counts(),
    "review(flagged)": lambda project: project.review("flagged", 50),
}

if __name__ == "__main__":
    main()
