"""Classes of two projects: copies are traced to where they parted, strangers go by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate_select.annotations.classes import record_change
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, record
from annotate_select.annotations.images import ImageRecord, add_images
from annotate_select.steps.foreign_words import matched

Changes = list[tuple[str, str, str]]


def made(path: Path, uid: str) -> Database:
    """A database of one image with one label."""
    db = Database.create(path)
    add_images(db, [ImageRecord("1", "s", "1", "f" * 32, 1, 1, 1, 1)])
    record(db, [Event(uid, 1, "ana", "label", "a")])
    return db


@pytest.fixture
def pair(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Database, Database]]:
    """Two copies of a database in which `old` became `a`, or (by request) two that have nothing in common."""
    here = made(tmp_path / "here.db", "one")
    record_change(here, "rename", "old", "a")
    if getattr(request, "param", "copies") == "copies":
        here.close()
        shutil.copy(tmp_path / "here.db", tmp_path / "there.db")
        here, there = Database.open(tmp_path / "here.db"), Database.open(tmp_path / "there.db")
    else:
        there = made(tmp_path / "there.db", "two")
    yield here, there
    here.close()
    there.close()


@pytest.mark.parametrize(
    ("changed_here", "changed_there", "theirs", "expected"),
    [
        ([], [], ["b", "a"], ["b", "a"]),
        ([("rename", "a", "x")], [], ["a", "b"], ["x", "b"]),
        ([], [("rename", "a", "x")], ["x", "b"], ["a", "b"]),
        ([("rename", "a", "x")], [("rename", "a", "y")], ["y", "b"], ["x", "b"]),
        ([("rename", "a", "x"), ("rename", "b", "a")], [], ["a", "b"], ["x", "a"]),  # the name went to another class
        ([], [("rename", "a", "x"), ("rename", "b", "a")], ["x", "a"], ["a", "b"]),
        ([], [("rename", "a", "x")], ["x", "a"], ["a", "a (theirs)"]),  # and there to one that was made since
        ([("merge", "b", "a")], [], ["a", "b"], ["a", "a"]),
        ([], [("merge", "b", "a")], ["a"], ["a"]),
        ([], [("merge", "a", "c"), ("merge", "b", "c")], ["c"], ["c"]),
        ([("rename", "c", "d")], [("rename", "a", "x"), ("merge", "b", "x")], ["x"], ["x (theirs)"]),
        ([], [], ["a", "new", "newer"], ["a", "new (theirs)", "newer (theirs)"]),
    ],
)
def test_copies(
    pair: tuple[Database, Database],
    changed_here: Changes,
    changed_there: Changes,
    theirs: list[str],
    expected: list[str],
) -> None:
    change_both(pair, changed_here, changed_there)
    mine = ["a", "b", "c"]
    for kind, old, new in changed_here:
        mine = [new if name == old else name for name in mine] if kind == "rename" else [n for n in mine if n != old]
    assert named(*pair, mine, theirs) == expected


@pytest.mark.parametrize("pair", ["strangers"], indirect=True)
@pytest.mark.parametrize(
    ("changed_here", "changed_there", "theirs", "expected"),
    [
        ([("rename", "b", "x")], [], ["b", "c"], ["b", "c"]),  # another b than the one of before
        ([], [("rename", "z", "b")], ["b"], ["b"]),
        ([], [("rename", "b", "z")], ["z"], ["b"]),
        ([], [], ["old"], ["a"]),
    ],
)
def test_strangers(
    pair: tuple[Database, Database],
    changed_here: Changes,
    changed_there: Changes,
    theirs: list[str],
    expected: list[str],
) -> None:
    change_both(pair, changed_here, changed_there)
    assert named(*pair, ["a", "b", "c", "x"], theirs) == expected


def change_both(pair: tuple[Database, Database], changed_here: Changes, changed_there: Changes) -> None:
    for db, changes in zip(pair, (changed_here, changed_there), strict=True):
        for change in changes:
            record_change(db, *change)


def named(here: Database, there: Database, mine: list[str], theirs: list[str]) -> list[str]:
    found = matched(here, there, mine, theirs)
    assert found.classes[: len(mine)] == mine
    return [found.classes[at] + (" (theirs)" if at >= len(mine) else "") for at in found.places.tolist()]
