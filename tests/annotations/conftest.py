"""A database with a few images in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate_select.annotations.adding import ImageRecord
from annotate_select.annotations.database import Database
from annotate_select.annotations.images import add_images

N = 6  # images of the fixture `db`: keys a0.jpg .. a5.jpg, ids 1 .. 6


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    database = Database.create(tmp_path / "annotations.db")
    yield database
    database.close()


@pytest.fixture
def db(empty: Database) -> Database:
    records = [ImageRecord(f"a{i}.jpg", "s", f"a{i}.jpg", f"{i:032x}", 10, 20, 30, 40) for i in range(N)]
    assert len(add_images(empty, records).added) == N
    return empty
