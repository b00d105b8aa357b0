"""A project with images, a server of its own in a process of its own, and a real browser that may speak to it alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from annotate_select.annotations import batches, exam, images
from annotate_select.annotations.events import StoredEvent, history
from annotate_select.project import Project

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
sys.path.insert(0, str(APP))

CLASSES = ["ok", "crack", "dent"]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=30_000)  # machines are busy: what comes late still comes
BLOCK = 16  # pixels of one block of the strip
BITS = 10


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what a user would have in the home folder inside the test's."""
    folder = tmp_path / "state"
    monkeypatch.setenv("ANNOTATE_SELECT_STATE", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANNOTATE_SELECT_PROJECT", raising=False)
    return folder


def write_coded(folder: Path, n: int) -> Path:
    """Write n photographs 320 x 240 whose first rows say, in blocks, which number they have: a red block, ten black or
    white ones, a green one."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = sorted((ROOT / "sample_data" / "images").glob("*.jpg"))
    for number in range(n):
        picture = Image.open(photos[number % len(photos)]).convert("RGB").resize((320, 240))
        draw = ImageDraw.Draw(picture)
        colours = ["red", *("white" if number >> bit & 1 else "black" for bit in range(BITS)), "lime"]
        for place, colour in enumerate(colours):
            draw.rectangle((place * BLOCK, 0, (place + 1) * BLOCK - 1, BLOCK - 1), fill=colour)
        picture.save(folder / f"{number:04}.png")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 90 coded photographs; nobody changes it."""
    return write_coded(tmp_path_factory.mktemp("pool") / "photos", 90)


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


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs and a project of 12 images: 2 the exam's, 6 picked; tests use copies of it."""
    folder = tmp_path_factory.mktemp("template")
    make_project(folder / "project", write_coded(folder / "photos", 12), exam_size=2, picks=6).close()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Iterator[Project]:
    """A project of 12 images in `photos` beside it, of which 8 are in the queue."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    with Project.open(tmp_path / "project") as made:
        yield made


def stored(root: Path, annotator: str | None = None) -> list[StoredEvent]:
    """Return every event in the database, in the order of arrival."""
    with Project.open(root) as opened:
        return history(opened._home.db, annotator=annotator)


class Server:
    """The app in a process of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        state.mkdir(exist_ok=True)
        self.log = state.parent / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, project: Path | None = None) -> None:
        """Start it, and wait until it answers."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANNOTATE_SELECT_STATE": str(self.state)}
        command = [sys.executable, str(APP / "launch.py"), "--port", str(self.port), "--no-browser"]
        command += ["--project", str(project)] if project else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        until = time.monotonic() + 90
        while not self._answers():
            assert self.process.poll() is None, f"the server ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"the server does not answer: {self.log.read_text()}"
            time.sleep(0.1)

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


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.fixture
def server(state_folder: Path) -> Iterator[Server]:
    made = Server(state_folder)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.fail(f"these tests need a browser: install one of {', '.join(names)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


PROBE = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """Return what opens a browser of a new visitor; errors in a page and requests to elsewhere fail the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))

    def new() -> BrowserContext:
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
        context.set_default_timeout(60_000)
        context.add_init_script(PROBE)
        context.on("page", watch)
        context.on("request", lambda request: _elsewhere(request.url) and wrong.append(f"request to {request.url}"))
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()
    assert wrong == []


def _elsewhere(url: str) -> bool:
    return url.startswith(("http:", "https:", "ws:", "wss:")) and "://127.0.0.1:" not in url
