"""What the demo ends with: words that a shell understands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from annotate_select.demo import COMMAND, DemoResult


def told(project: Path) -> str:
    return DemoResult(project, [], project / "batches" / "0003.csv").text().splitlines()[-1]


def test_it_says_how_to_open_the_app_from_any_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").touch()
    (tmp_path / COMMAND).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    assert told(tmp_path).endswith(f"{tmp_path / COMMAND} --project {tmp_path} app")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert told(tmp_path).endswith(f"        {COMMAND} --project {tmp_path} app")
