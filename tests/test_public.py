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


def test_a_round_on_stored_features_waits_for_no_encoder(project_root: Path) -> None:
    """To train, measure and choose needs neither torch nor scikit-learn, which take longer to load than that takes."""
    code = (
        "import sys; from annotate_select.project import Project\n"
        "with Project.open(sys.argv[1]) as project: print(len(project.select(5).picks), project.train().number, "
        "project.evaluate().model, sorted({'torch', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(project_root)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", "2", "2", "[]"]


def test_importing_takes_little_more_than_what_it_stands_on() -> None:
    """Processor time, best of five in turn, against the libraries that no command does without: machines differ."""
    code = "import resource, {0}; u = resource.getrusage(resource.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    taken: dict[str, float] = {}
    for _ in range(5):
        for modules in ("sqlalchemy, pydantic, click", "annotate_select", "annotate_select.cli"):
            command = [sys.executable, "-c", code.format(modules)]
            seconds = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            taken[modules] = min(seconds, taken.get(modules, seconds))
    stands_on = taken["sqlalchemy, pydantic, click"]
    assert taken["annotate_select.cli"] < 2 * stands_on, taken
    assert taken["annotate_select"] < 0.3 * stands_on, taken


def test_version_agrees_everywhere() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert annotate_select.__version__ == declared == newest.group(1)
