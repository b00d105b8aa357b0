"""Threads, processes, kills: nothing that was acknowledged is lost, nothing is stored twice, nobody is locked out."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from annotate_select.annotations.batches import StoredPick, store_batch
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, history, record
from annotate_select.annotations.fold import verify_current
from annotate_select.annotations.queue import next_images

ROOT = Path(__file__).parents[2]

WRITER = """
import sys
import time
from pathlib import Path
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, record
db = Database.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    event = Event(f"{sys.argv[2]}-{number}", number % 6 + 1, sys.argv[2], "label", "cat")
    for uid in record(db, [event]).acked:
        print(uid, flush=True)
    time.sleep(0.001)  # SQLite's locks are not fair: without a breath one writer can be done before the other is let in
"""


def writer(path: Path, annotator: str, n: int) -> subprocess.Popen[str]:
    """Start a process that is ready to write n labels, and prints each uid once it is acknowledged."""
    command = [sys.executable, "-W", "error", "-c", WRITER, str(path), annotator, str(n)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_write_a_thousand_labels_each(db: Database) -> None:
    processes = [writer(db.path, name, 1000) for name in ("ana", "bob")]
    for process in processes:
        go(process)
    for name, process in zip(("ana", "bob"), processes, strict=True):
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.split() == [f"{name}-{number}" for number in range(1000)]
    stored = [event.uid for event in history(db)]
    assert len(stored) == len(set(stored)) == 2000
    first_half = Counter(uid.split("-")[0] for uid in stored[:1000])
    assert min(first_half.values()) < 1000  # they really ran at once
    assert len(current_annotations(db)) == 12
    assert verify_current(db)


@pytest.mark.parametrize("after", [1, 40])
def test_a_killed_process_loses_nothing_it_acknowledged(db: Database, after: int) -> None:
    process = writer(db.path, "ana", 100_000)
    go(process)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline().strip() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    acknowledged += [line for line in out.split("\n")[:-1] if line]
    assert process.returncode == -signal.SIGKILL
    db.close()
    again = Database.open(db.path)
    stored = [event.uid for event in history(again)]
    assert stored[: len(acknowledged)] == acknowledged
    assert len(stored) - len(acknowledged) <= 1  # the one on its way
    assert again.check() is None
    assert verify_current(again)
    assert record(again, [Event("more", 1, "ana", "skip")]).acked == ["more"]
    again.close()


def test_threads_share_one_database(db: Database) -> None:
    def write(thread: int) -> int:
        events = [Event(f"{thread}-{i}", i % 6 + 1, f"person{thread}", "label", "cat") for i in range(25)]
        acked = sum(len(record(db, [event]).acked) for event in events)
        assert len(history(db, annotator=f"person{thread}")) == 25
        return acked

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(write, range(12))) == [25] * 12
    assert len(history(db)) == 300
    assert verify_current(db)


def test_threads_never_get_the_same_image(db: Database) -> None:
    picks = [StoredPick(image_id, "pick", 1.0, "r") for image_id in range(1, 7)]
    store_batch(
        db, strategy="s", seed=0, audit=0.0, features_name=None, features_digest=None, model=None, settings={},
        note="", picks=picks,
    )  # fmt: skip
    with ThreadPoolExecutor(6) as pool:
        handed = list(pool.map(lambda i: [item.image_id for item in next_images(db, f"p{i}", 1)], range(6)))
    assert sorted(image_id for ids in handed for image_id in ids) == [1, 2, 3, 4, 5, 6]


def test_a_forked_child_writes_with_connections_of_its_own(db: Database) -> None:
    record(db, [Event("before", 1, "ana", "skip")])
    with db.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one() == 1
        script = f"""
import os, sys
from pathlib import Path
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, history, record
db = Database.open(Path({str(db.path)!r}))
record(db, [Event("parent", 1, "ana", "skip")])
with db.read() as connection:
    parents = connection.connection.dbapi_connection
child = os.fork()
if child == 0:
    with db.read() as connection:
        if connection.connection.dbapi_connection is parents:
            os._exit(2)
    for number in range(20):
        record(db, [Event(f"child-{{number}}", 2, "bob", "skip")])
    os._exit(0 if len(history(db, annotator="bob")) == 20 else 1)
for number in range(20):
    record(db, [Event(f"parent-{{number}}", 1, "ana", "skip")])
assert os.waitpid(child, 0)[1] == 0
assert len(history(db)) == 42 and db.check() is None
db.close()
"""
        done = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(history(db)) == 42
