"""Whether a job that has not begun is still to be waited for: its own process tells, and no other."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from annotate_select.steps import jobs


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Start jobs of programs that stand for Python, and end those that are left."""
    monkeypatch.setattr(jobs, "_children", {})

    def starting(root: Path, program: Path) -> jobs.Job:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(program))
            return jobs.start(root, ["train"])

    yield starting
    for child in jobs._children.values():
        child.kill()
        child.wait()


@pytest.fixture
def waits(tmp_path: Path) -> Path:
    """A program that does nothing for a while."""
    program = tmp_path / "waits"
    program.write_text("#!/bin/sh\nexec sleep 100\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def ends() -> Path:
    """A program that ends at once."""
    return Path(str(shutil.which("true")))


def wait_for(root: Path, state: str) -> None:
    deadline = time.monotonic() + 30
    while (now := jobs.newest(root)) is None or now.state != state:
        assert time.monotonic() < deadline, now
        time.sleep(0.01)


def roots(folder: Path) -> tuple[Path, Path]:
    one, two = folder / "one", folder / "two"
    for root in (one, two):
        (root / "jobs").mkdir(parents=True)
    return one, two


def test_a_job_that_ended_is_not_waited_for_because_another_goes_on(begin, waits, ends, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    one, two = roots(tmp_path)
    begin(one, waits)
    begin(two, ends)
    wait_for(two, "failed")
    wait_for(one, "running")


def test_a_job_of_another_process_is_not_ended_with_those_of_this(begin, ends, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    one, two = roots(tmp_path)
    mine = begin(one, ends)
    wait_for(one, "failed")
    others = replace(mine, started_at=time.time())
    jobs._write(two / "jobs" / f"{others.id}.json", others)
    wait_for(two, "running")
