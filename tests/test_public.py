"""The public surface: names, version, and how little it costs to import."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import annotate_select

ROOT = Path(__file__).parents[1]
HEAVY = ["torch", "faiss", "streamlit", "sklearn", "pandas", "matplotlib"]


def test_all_is_sorted_and_every_name_is_there() -> None:
    assert annotate_select.__all__ == sorted(annotate_select.__all__)
    for name in annotate_select.__all__:
        assert getattr(annotate_select, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'slect'"):
        annotate_select.slect  # noqa: B018


def test_every_module_lists_its_names() -> None:
    for path in (ROOT / "annotate_select").glob("*.py"):
        if path.stem not in ("__main__", "cli"):
            assert "__all__ = [" in path.read_text(), path


@pytest.mark.parametrize(
    "code",
    [
        "import annotate_select",
        "from annotate_select.cli import cli; cli(['--help'], standalone_mode=False)",
        "import annotate_select.project",
    ],
)
def test_importing_loads_nothing_heavy(code: str) -> None:
    check = f"{code}\nimport sys, json; print('\\n' + json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_help_and_import_take_under_half_a_second_of_processor_time() -> None:
    # processor time, best of three: the machine may be busy with other things
    code = "import resource, {0}; u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    for module in ("annotate_select", "annotate_select.cli"):
        runs = [
            float(subprocess.run([sys.executable, "-c", code.format(module)], capture_output=True, text=True).stdout)
            for _ in range(3)
        ]
        assert min(runs) < 0.5, (module, runs)


def test_version_agrees_everywhere() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert annotate_select.__version__ == declared == newest.group(1)
