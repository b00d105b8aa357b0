"""Long commands in a process of their own, whose progress anybody can read from a file.

The app starts them, so that a labeller is never blocked and closing the app stops nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from annotate_select.errors import AnnotateSelectError, BusyError
from annotate_select.files import write_whole
from annotate_select.progress import Progress

__all__ = ["Job", "newest", "running", "start"]

STARTING_SECONDS = 60.0  # how long a job may take to import what it needs and take its lock
KILLED = "it was ended before it was done; start it again, it goes on where it was"
WRITE_EVERY = 0.5  # seconds between two writes of a job's progress
_children: dict[Path, subprocess.Popen[bytes]] = {}  # by the file of the job


@dataclass(frozen=True)
class Job:
    """One background command; `rate` in units a second, `seconds_left` where it can be told."""

    id: str
    command: list[str]
    state: str
    pid: int
    started_at: float
    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    rate: float | None = None
    seconds_left: float | None = None
    message: str = ""


def start(root: Path, command: Sequence[str]) -> Job:
    """Run `annotate-select --project ROOT COMMAND...` in the background.

    Raises BusyError when a job of this project is running.
    """
    current = newest(root)
    if current is not None and current.state == "running":
        raise BusyError(f"`{' '.join(current.command)}` is running in this project; wait until it is done")
    identity = f"{time.time():.3f}"
    file = _file(root, identity)
    job = Job(identity, list(command), "running", 0, time.time(), stage="starting")
    _write(file, job)
    process = subprocess.Popen(
        [sys.executable, "-m", "annotate_select", "--project", str(root), "--quiet", "--job", str(file), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, daemon=True).start()  # takes note of its end, whoever asks for the job then
    _children[file] = process
    return job


def newest(root: Path) -> Job | None:
    """Return the job started last, with what became of it; None when there never was one."""
    for file in sorted(_folder(root).glob("*.json"), reverse=True):
        with suppress(OSError, ValueError, TypeError):
            job = Job(**json.loads(file.read_text()))
            if _alive(root, job):
                return job
            job = Job(**json.loads(file.read_text()))  # its last words may have come since the file was read
            return replace(job, state="failed", message=KILLED) if job.state == "running" else job
    return None


@contextmanager
def running(root: Path, file: Path) -> Iterator[Progress]:
    """In the job's own process: hold the lock, write progress to `file`, and at the end what came of it."""
    held = FileLock(_folder(root) / "running.lock", timeout=0)
    with held:
        job = replace(Job(**json.loads(file.read_text())), pid=os.getpid())
        writer = _Writer(file, job)
        try:
            yield writer
        except AnnotateSelectError as error:
            writer.finish("failed", str(error))
            raise
        except BaseException as error:
            writer.finish("failed", f"{type(error).__name__}: {error}")
            raise
        writer.finish("done", "")


class _Writer:
    """Progress that goes to a file, twice a second at most."""

    def __init__(self, file: Path, job: Job) -> None:
        self.file, self.job = file, job
        self.stage_began = self.written = time.monotonic()
        _write(file, job)

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        at = time.monotonic()
        changed = stage != self.job.stage
        if changed:
            self.stage_began = at
        spent = at - self.stage_began
        rate = done / spent if spent > 0.5 and done else None
        left = (total - done) / rate if rate else None
        self.job = replace(self.job, stage=stage, done=done, total=total, note=note, rate=rate, seconds_left=left)
        if changed or at - self.written >= WRITE_EVERY:
            self.written = at
            _write(self.file, self.job)

    def finish(self, state: str, message: str) -> None:
        _write(self.file, replace(self.job, state=state, message=message, seconds_left=None))


def _alive(root: Path, job: Job) -> bool:
    """Tell whether a job that says it runs has a process: it holds the lock, or has only just been started."""
    if job.state != "running":
        return False
    if _locked(root):
        return True
    return job.stage == "starting" and time.time() - job.started_at < STARTING_SECONDS and not _ended(root, job)


def _ended(root: Path, job: Job) -> bool:
    """Tell whether the job's process is gone; of one that another process started, nobody here can tell."""
    child = _children.get(_file(root, job.id))
    return child is not None and child.poll() is not None


def _locked(root: Path) -> bool:
    try:
        with FileLock(_folder(root) / "running.lock", timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _write(file: Path, job: Job) -> None:
    write_whole(file, json.dumps(asdict(job)))


def _file(root: Path, identity: str) -> Path:
    return _folder(root) / f"{identity}.json"


def _folder(root: Path) -> Path:
    return root / "jobs"
