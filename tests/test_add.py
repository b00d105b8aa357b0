"""What `add` makes of files: new ones, ones that cannot be used, ones that are there already or have changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select import Project
from annotate_select.errors import FeaturesError


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    with Project.open(project_root) as opened:
        yield opened


def test_new_images_are_embedded_without_training_again(
    project: Project, truth: dict[str, str], tmp_path: Path
) -> None:
    before = project.features()
    more = tmp_path / "more"
    more.mkdir()
    sample = Path(__file__).parents[1] / "sample_data" / "images"
    for key in sorted(truth)[120:130]:
        shutil.copy(sample / key, more / key)
    project.add(more)
    with pytest.raises(FeaturesError, match=r"10 .*annotate-select embed"):
        project.select(5)
    after = project.embed()
    assert after.digest == before.digest
    assert after.array.shape == (130, 16)
    np.testing.assert_array_equal(after.array[:120], before.array)


def test_what_cannot_be_used_is_reported_and_never_fatal(project: Project, tmp_path: Path, photos: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    photo = sorted(photos.iterdir())[0]
    (mixed / "empty.jpg").touch()
    (mixed / "text.jpg").write_text("no image at all")
    (mixed / "half.jpg").write_bytes(photo.read_bytes()[:900])
    shutil.copy(photo, mixed / "copy.jpg")
    Image.fromarray((np.arange(64 * 64, dtype=np.uint16) % 4096).reshape(64, 64)).save(mixed / "xray.tif")
    report = project.add(mixed)
    assert report.added == ["xray.tif"]
    assert [key for key, _ in report.unreadable] == ["empty.jpg", "half.jpg", "text.jpg"]
    assert report.duplicates == [("copy.jpg", photo.name)]
    assert project.status().left_out == {"duplicate": 1, "unreadable": 3}
    again = project.add(mixed)
    assert again.added == []


def test_keys_that_repeat_get_the_source_in_front(project: Project, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "camera2"
    other.mkdir()
    name = sorted(photos.iterdir())[0].name
    Image.new("RGB", (40, 40), "red").save(other / name)
    report = project.add(other)
    assert report.added == [f"camera2/{name}"]
    assert "camera2/" in report.text()
    assert project.add(other).unchanged == 1


def test_a_folder_inside_a_known_one_adds_nothing_twice(tmp_path: Path) -> None:
    for place in ("a", "a/b"):
        (tmp_path / "photos" / place).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), "blue" if place == "a" else "green").save(tmp_path / "photos" / place / "x.png")
    with Project.create(tmp_path / "p", ["u", "v"], images=tmp_path / "photos") as project:
        report = project.add(tmp_path / "photos" / "a")
        assert (report.added, report.unchanged) == ([], 2)
        assert len(project.config.sources) == 1


def test_a_changed_file_keeps_its_labels_with_the_old_content(project: Project, photos: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    Image.new("RGB", (20, 20), "red").save(own / "part.png")
    project.add(own)
    project.annotate({"part.png": "Hat"}, annotator="ana")
    Image.new("RGB", (20, 20), "blue").save(own / "part.png")
    report = project.add(own)
    assert report.replaced == ["part.png"]
    out = tmp_path / "out.csv"
    project.export(out)
    assert "part.png@" in out.read_text()
    assert "part.png," not in out.read_text()
