"""A wheel, used away from the checkout, has everything: the app, the sample images, the whole loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What tests/conftest.py does for the others: that a wheel has all of the loop is seen with a small encoder as well.
SMALL_ENCODER = """
from functools import partial
from annotate_select.steps import embed
embed.AutoencoderConfig = partial(embed.AutoencoderConfig, atoms=40, epochs=1, image_size=32)
from annotate_select.cli import main
main()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it: what an installation puts into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def environment(installed: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(installed), "PYTHONUNBUFFERED": "1"}


def test_it_holds_nothing_that_was_generated(installed: Path) -> None:
    files = [path for path in installed.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".pyc" or "demo-project" in path.parts]
    assert (installed / "annotate_select" / "py.typed").exists()
    assert sum(path.stat().st_size for path in files) < 5_000_000


def test_the_demo_runs_from_it(installed: Path, environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_ENCODER, "--json", "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert Path(result["next_set"]).is_relative_to(tmp_path)
    assert len(Path(result["next_set"]).read_text().splitlines()) == 61
    assert [one["labels"] for one in result["rounds"]] == [60, 120]
    toml = (tmp_path / "demo-project" / "project.toml").read_text()
    assert str(installed / "annotate_select" / "sample_data") in toml
    again = subprocess.run(
        [sys.executable, "-m", "annotate_select", "-p", "demo-project", "status"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "label the 60 images in the queue" in again.stdout


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "annotate_select", "app", "--port", "0", "--no-browser"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.terminate()
    process.communicate()


def test_the_app_opens_from_it(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    line = server.stdout.readline()
    url = next(word for word in line.split() if word.startswith("http"))
    base = url.split("?")[0].rstrip("/")
    with urllib.request.urlopen(f"{base}/api/ping", timeout=60) as answer:
        assert answer.headers["content-type"].startswith("application/json")
    with urllib.request.urlopen(base, timeout=60) as answer:
        assert b'<div id="root">' in answer.read()
