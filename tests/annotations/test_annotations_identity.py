"""A copied project folder is a project of its own; a moved one stays what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from annotate_select.annotations.tokens import annotator_of
from annotate_select.project import Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Project.create(tmp_path / "one", ["a", "b"]).close()
    return tmp_path / "one"


def opened(root: Path) -> tuple[str, str]:
    """Open a project; return its id and a token of it."""
    with Project.open(root) as project:
        return project.id, project.token("ana")


def test_a_copy_has_an_id_of_its_own_from_then_on(root: Path, tmp_path: Path) -> None:
    first, token = opened(root)
    shutil.copytree(root, tmp_path / "two")
    second, _ = opened(tmp_path / "two")
    assert second != first
    assert opened(tmp_path / "two")[0] == second
    assert opened(root) == (first, token)
    with Project.open(tmp_path / "two") as copy:
        assert annotator_of(copy._home.db, token) is None  # a page of the original cannot write into the copy


def test_a_moved_project_stays_the_same(root: Path, tmp_path: Path) -> None:
    before = opened(root)
    shutil.move(root, tmp_path / "elsewhere")
    assert opened(tmp_path / "elsewhere") == before
    root.mkdir()
    (root / "annotations.db").write_bytes(b"something else")
    shutil.move(tmp_path / "elsewhere", tmp_path / "third")
    assert opened(tmp_path / "third") == before


def test_another_path_to_the_same_folder_is_no_copy(root: Path, tmp_path: Path) -> None:
    before = opened(root)
    (tmp_path / "link").symlink_to(root)
    assert opened(tmp_path / "link") == before
    from annotate_select.annotations.database import Database
    from annotate_select.annotations.identity import settle

    db = Database.open(tmp_path / "link" / "annotations.db")
    settle(db)
    db.close()
    assert opened(root) == before
