"""A project of photographs that say which they are, and the app in a process of its own."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from functools import cache
from pathlib import Path
from secrets import token_hex

import pytest
from PIL import Image, ImageDraw

from annotate_select.annotations import batches, exam, images
from annotate_select.annotations.events import StoredEvent, history
from annotate_select.project import Project
from annotate_select.recent import remember

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

CLASSES = ["ok", "crack", "dent"]
BLOCK = 16  # pixels of one block of the strip
BITS = 10


def write_coded(folder: Path, n: int) -> Path:
    """Write n photographs 320 x 240 whose first rows say, in blocks, which number they have: a red block, ten black or
    white ones, a green one."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        (folder / f"{number:04}.png").write_bytes(_coded(number))
    return folder


@cache  # many tests write the same ones, and to pack one takes longer than all else
def _coded(number: int) -> bytes:
    photos = sorted((ROOT / "sample_data" / "images").glob("*.jpg"))
    picture = Image.open(photos[number % len(photos)]).convert("RGB").resize((320, 240))
    draw = ImageDraw.Draw(picture)
    colours = ["red", *("white" if number >> bit & 1 else "black" for bit in range(BITS)), "lime"]
    for place, colour in enumerate(colours):
        draw.rectangle((place * BLOCK, 0, (place + 1) * BLOCK - 1, BLOCK - 1), fill=colour)
    packed = io.BytesIO()
    picture.save(packed, "png")
    return packed.getvalue()


def make_project(root: Path, folder: Path, exam_size: int, picks: int | None = None) -> Project:
    """Make a project with an exam and a first batch, of all other images by default, without the cost of features."""
    project = Project.create(root, CLASSES, images=folder)
    project.exam(exam_size)
    db = project._home.db
    drawn = set(exam.exam_ids(db))
    ids = [int(one) for one in images.pool_table(db).ids if int(one) not in drawn]
    batches.store_batch(
        db,
        strategy="kmeans",
        seed=0,
        audit=0.0,
        features_name=None,
        features_digest=None,
        model=None,
        settings={},
        note="",
        picks=[batches.StoredPick(one, "pick", 0.5, "stands for many images") for one in ids[:picks]],
    )
    return project


def copy_of(template: Path, folder: Path) -> Path:
    """Copy a folder with a closed project in it, and return the project's, of an id of its own.

    A server that knows several copies would otherwise find the first of them.
    """
    shutil.copytree(template, folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(folder / "project" / "annotations.db")) as db, db:
        db.execute("UPDATE settings SET value = ? WHERE key = 'project'", [token_hex(16)])
    return folder / "project"


def stored(root: Path, annotator: str | None = None) -> list[StoredEvent]:
    """Return every event in the database, in the order of arrival."""
    with Project.open(root) as opened:
        return history(opened._home.db, annotator=annotator)


class Server:
    """The app in a process of its own; with `debug`, its pages tell what they hold and where it lies."""

    def __init__(self, state: Path, debug: bool = False) -> None:
        self.state, self.debug = state, debug
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        state.mkdir(exist_ok=True)
        self.log = state.parent / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, project: Path | None = None) -> None:
        """Start it, and wait until it answers."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANNOTATE_SELECT_STATE": str(self.state)}
        if self.debug:
            environment["ANNOTATE_SELECT_DEBUG"] = "1"
        command = self._command() + (["--project", str(project)] if project else [])
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        until = time.monotonic() + 90
        while not self._answers():
            assert self.process.poll() is None, f"the server ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"the server does not answer: {self.log.read_text()}"
            time.sleep(0.1)

    def knows(self, root: Path) -> None:
        """Let it find a project whose id an address names; where none is named, this is the last one opened."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANNOTATE_SELECT_STATE", str(self.state))
            remember(root)

    def runs(self) -> bool:
        """Return whether it was started, and neither stopped nor ended."""
        return self.process is not None and self.process.poll() is None

    def _command(self) -> list[str]:
        return [sys.executable, str(APP / "launch.py"), "--port", str(self.port), "--no-browser"]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/ping", timeout=5) as answer:
                return answer.headers.get_content_type() == "application/json"
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End this process, by its id, and wait for it."""
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class PlainServer(Server):
    """The app's pages without its routes: started by Streamlit itself, with Streamlit's own settings."""

    def _command(self) -> list[str]:
        settings = ["--server.headless=true", "--browser.gatherUsageStats=false", f"--server.port={self.port}"]
        return [sys.executable, "-m", "streamlit", "run", str(APP / "streamlit_app.py"), *settings]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
