"""Projects, a server and a real browser that may speak to that server alone."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import APP, CLASSES, PlainServer, Server, copy_of, make_project, write_coded
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from visitors import Visitors

from annotate_select.project import Project

sys.path.insert(0, str(APP))
expect.set_options(timeout=30_000)  # machines are busy: what comes late still comes

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",  # a camera that is always there, showing a moving picture
    "--use-fake-device-for-media-stream",
]


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what a user would have in the home folder inside the test's."""
    folder = tmp_path / "state"
    monkeypatch.setenv("ANNOTATE_SELECT_STATE", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANNOTATE_SELECT_PROJECT", raising=False)
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 90 coded photographs; nobody changes it."""
    return write_coded(tmp_path_factory.mktemp("pool") / "photos", 90)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs and a project of 12 images: 2 the exam's, 6 picked; tests use copies of it."""
    folder = tmp_path_factory.mktemp("template")
    make_project(folder / "project", write_coded(folder / "photos", 12), exam_size=2, picks=6).close()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Iterator[Project]:
    """A project of 12 images in `photos` beside it, of which 8 are in the queue."""
    copy_of(template, tmp_path)
    with Project.open(tmp_path / "project") as made:
        yield made


@pytest.fixture(scope="session")
def many_template(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A folder with a project of 90 images; tests use copies of it."""
    folder = tmp_path_factory.mktemp("many")
    make_project(folder / "project", photos, exam_size=10).close()
    return folder


@pytest.fixture
def many(many_template: Path, tmp_path: Path) -> Path:
    """A project of 90 images, all of them in the queue, 10 as the exam's."""
    return copy_of(many_template, tmp_path)


@pytest.fixture(scope="session")
def measured_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs and a project of 48 images, labelled by turns, trained, and measured on 12."""
    folder = tmp_path_factory.mktemp("measured")
    with make_project(folder / "project", write_coded(folder / "photos", 48), exam_size=12) as made:
        made.annotate({f"{number:04}.png": CLASSES[number % 3] for number in range(48)})
        made.embed()
        made.train()
        made.evaluate()
    return folder


@pytest.fixture
def measured(measured_template: Path, tmp_path: Path) -> Iterator[Project]:
    """A project with a model whose guesses are hardly better than chance: there are mistakes to look at."""
    copy_of(measured_template, tmp_path)
    with Project.open(tmp_path / "project") as made:
        yield made


@pytest.fixture
def server(state_folder: Path) -> Iterator[Server]:
    made = Server(state_folder)
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server") / "state")
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def shared(_shared: Server) -> Server:
    """One server for many tests: to start it and to load its first page takes as long as most of them do.

    A test may kill it and start it again; one that fails meanwhile takes no other with it.
    """
    return _running(_shared)


@pytest.fixture(scope="session")
def _telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("telling") / "state", debug=True)
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def telling(_telling: Server) -> Server:
    """One more such, whose pages tell what they hold and where it lies."""
    return _running(_telling)


@pytest.fixture(scope="session")
def _plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainServer]:
    made = PlainServer(tmp_path_factory.mktemp("plain") / "state", debug=True)
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def plain(_plain: PlainServer) -> Server:
    """One more such, without the app's routes."""
    return _running(_plain)


def _running(server: Server) -> Server:
    if not server.runs():
        server.start()
    return server


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


@pytest.fixture(scope="session")
def visitors(chromium: Browser) -> Visitors:
    return Visitors(chromium)


@pytest.fixture
def visit(visitors: Visitors) -> Iterator[Callable[[], BrowserContext]]:
    """Return what opens a browser of a new visitor; errors in a page and requests to elsewhere fail the test."""
    yield visitors.new
    assert visitors.leave() == []
