"""The house stands as drawn: who may import whom, and who alone may import the heavy libraries."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "annotate_select"
ROOMS = sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py"))

PROJECT = {path.stem for path in PACKAGE.glob("project_*.py")}
CLI = {path.stem for path in PACKAGE.glob("cli_*.py")}

# Rows from the bottom up; a module may import from its own row and from the rows below.
ROWS = [
    {"chains", "errors", "config", "files", "likeness", "problems", "progress", "places", "recent", "words"},
    {"selection", "learning", "trust"},
    {"exchange", "features", "annotations", "pool"},
    {"steps", "simulate", "curves"},
    {"checks"},
    {"project", *PROJECT},
    {"cli", *CLI, "bar", "demo", "__main__", "__init__"},
]
PURE = {"selection", "learning", "trust"}
ONLY_IN = {
    "faiss": {"selection", "features"},
    "sqlalchemy": {"annotations"},
    "streamlit": set(),
    "click": {"cli", *CLI},
    "tqdm": {"bar"},
}


def unit_of(path: Path) -> str:
    """Name the room or the top-level module a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """List every module a file imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def units_imported(path: Path) -> set[str]:
    own = {name.split(".")[1] for name in imported(path) if name.startswith("annotate_select.")}
    return {name for name in own if name in known_units()}


def known_units() -> set[str]:
    return {unit_of(path) for path in PACKAGE.rglob("*.py")}


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "app" not in path.relative_to(PACKAGE).parts[:1]]


def row_of(unit: str) -> int:
    return next(number for number, row in enumerate(ROWS) if unit in row)


def test_every_module_has_its_row() -> None:
    assert known_units() - set().union(*ROWS) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_row_and_below(path: Path) -> None:
    unit = unit_of(path)
    above = {name for name in units_imported(path) if row_of(name) > row_of(unit)}
    # the public names of __init__ point upwards by design; they are loaded when first used
    assert unit == "__init__" or above == set()


@pytest.mark.parametrize("path", [p for p in FILES if unit_of(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_pure_rooms_know_neither_each_other_nor_files(path: Path) -> None:
    assert units_imported(path) - {unit_of(path), "chains", "errors", "likeness", "progress", "words"} == set()
    assert imported(path) & {"pathlib", "os", "sqlite3", "tempfile", "shutil"} == set()


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_heavy_library_stays_in_its_room(library: str) -> None:
    users = {unit_of(path) for path in FILES if any(name.split(".")[0] == library for name in imported(path))}
    assert users <= ONLY_IN[library]


def test_the_app_is_user_interface_only() -> None:
    files = sorted((ROOT / "app").rglob("*.py"))
    assert files
    for path in files:
        modules = {name.split(".")[0] for name in imported(path)}
        assert modules & {"sqlalchemy", "sqlite3", "torch", "faiss", "sklearn"} == set(), path
    for path in (ROOT / "app" / "app_pages").glob("*.py"):
        assert len(path.read_text().splitlines()) < 120, path


def test_nothing_is_unpickled() -> None:
    for path in FILES:
        modules = {name.split(".")[0] for name in imported(path)}
        assert modules & {"pickle", "joblib", "dill", "cloudpickle", "shelve"} == set(), path
        assert "allow_pickle=True" not in path.read_text(), path
