"""How images of the pool look: read once, kept by their bytes, and read again when the file that keeps it is lost."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from annotate_select.annotations.images import pool_table
from annotate_select.pool.looks import LOOKS, looks_of_files
from annotate_select.progress import Progress
from annotate_select.project import Project
from annotate_select.steps import appearance
from annotate_select.steps.appearance import Appearance


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the files that are read, call by call."""
    counts: list[int] = []

    def counted(paths: Sequence[Path], side: int, progress: Progress, fingerprints: Sequence[str]) -> np.ndarray:
        counts.append(len(paths))
        return looks_of_files(paths, side, progress, fingerprints)

    monkeypatch.setattr(appearance, "looks_of_files", counted)
    return counts


def test_a_file_is_read_once_at_each_size(project_root: Path, read: list[int]) -> None:
    with Project.open(project_root) as project:
        ids = project.features().ids
        first = Appearance(project._home, ids)(np.arange(10))
        again = Appearance(project._home, ids)(np.arange(5, 20))
        assert read == [10, 10]
        np.testing.assert_array_equal(again[:5], first[5:])
        assert np.isfinite(first).all()
        assert len(np.unique(first[:, 0])) > 5
        other = Appearance(project._home, ids, side=32)(np.arange(10))
        assert read == [10, 10, 10]
        assert not np.array_equal(other, first)


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_what_cannot_be_trusted_is_read_again(project_root: Path, read: list[int], damage: bytes | None) -> None:
    with Project.open(project_root) as project:
        ids, kept = project.features().ids, project_root / "looks-64.npz"
        first = Appearance(project._home, ids)(np.arange(10))
        with np.load(kept) as stored:
            arrays = dict(stored)
        if damage is None:  # of another version
            np.savez(kept, **{**arrays, "version": np.array(appearance.VERSION + 1)})
        else:
            kept.write_bytes(damage)
        np.testing.assert_array_equal(Appearance(project._home, ids)(np.arange(10)), first)
        assert read == [10, 10]
        assert np.load(kept)["looks"].shape == (10, len(LOOKS))


def test_predict_reads_the_pool_once(project_root: Path, read: list[int]) -> None:
    with Project.open(project_root) as project:
        project.train()
        image = next((Path(__file__).parents[1] / "sample_data" / "images").iterdir())
        found = [project.predict([image])[0].novelty for _ in range(2)]
        assert found[0] == found[1]
        assert len(read) == 1


def test_a_file_of_other_bytes_by_now_is_not_read(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    some = sorted((Path(__file__).parents[1] / "sample_data" / "images").iterdir())[:4]
    for file in some:
        shutil.copy(file, photos)
    with Project.create(tmp_path / "other", classes=["a", "b"]) as project:
        project.add(photos)
        shutil.copy(some[1], photos / some[0].name)
        table = pool_table(project._home.db)
        found = Appearance(project._home, table.ids)(np.arange(4))
        np.testing.assert_array_equal(np.isnan(found).all(axis=1), [key == some[0].name for key in table.keys])
