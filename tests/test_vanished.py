"""`add` run again: images whose files are gone leave the pool, and come back; a drive that is away changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select import Project
from annotate_select.cli import cli
from annotate_select.errors import SourceError


def picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), (grey,) * 3).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 6 small images, two of them in a folder of their own."""
    for number in range(6):
        picture(tmp_path / "photos" / ("day" if number > 3 else "") / f"{number}.png", 40 * number)
    return tmp_path / "photos"


@pytest.fixture
def project(tmp_path: Path, photos: Path) -> Project:
    return Project.create(tmp_path / "project", ["a", "b"], images=photos)


def test_images_whose_files_are_gone_leave_the_pool_and_come_back_with_their_labels(
    project: Project, photos: Path, tmp_path: Path
) -> None:
    project.annotate({"1.png": "a", "2.png": "b"}, annotator="ana")
    for name in ("1.png", "3.png"):
        (photos / name).rename(tmp_path / name)
    report = project.add(photos)
    assert (report.gone, report.unreadable, report.unchanged) == (["1.png", "3.png"], [], 4)
    assert "2 images left the pool, for the files are gone; back with them comes all that was said" in report.text()
    assert report.text().endswith("1.png, 3.png")
    assert (project.status().images, project.status().left_out) == (4, {"unreadable": 2})
    assert project.labels() == {"1.png": "a", "2.png": "b"}
    assert "labels    2 (a 1, b 1); 1 of images that left the pool" in project.status().text()
    assert project.add().gone == []  # said once
    for name in ("1.png", "3.png"):
        shutil.move(tmp_path / name, photos / name)
    assert sorted(project.add().added) == ["1.png", "3.png"]
    assert (project.status().images, project.labels()) == (6, {"1.png": "a", "2.png": "b"})


def test_nobody_is_asked_to_label_what_is_gone(project: Project, photos: Path) -> None:
    rng = np.random.default_rng(0)
    for path in photos.rglob("*.png"):  # with something to see in it
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path)
    project.add()
    project.embed(dim=4, image_size=32)
    (exam,) = project.exam(1).to_label
    (pick,) = (one.image for one in project.select(1).picks)
    assert project.status().to_label == 2
    for key in (exam, pick):
        (photos / key).unlink()
    project.add()
    assert project.queue("ana", 9) == []
    assert project.status().to_label == 0
    ran = CliRunner().invoke(cli, ["-q", "--json", "-p", str(project.root), "embed"])
    assert json.loads(ran.output)["images"] == 4


def test_files_that_moved_take_all_that_was_said_along(project: Project, photos: Path) -> None:
    project.annotate({"1.png": "a"}, annotator="ana")
    (photos / "day").rename(photos / "night")
    (photos / "1.png").rename(photos / "night" / "1.png")
    (photos / "0.png").unlink()
    report = project.add()
    now = ["night/1.png", "night/4.png", "night/5.png"]
    assert sorted(report.moved) == list(zip(["1.png", "day/4.png", "day/5.png"], now, strict=True))
    assert (report.gone, report.added) == (["0.png"], [])
    assert "3 images moved, with all that was said of them: " in report.text()
    assert "1.png to night/1.png" in report.text()
    assert project.labels() == {"night/1.png": "a"}
    assert (project.status().images, project.status().left_out) == (5, {"unreadable": 1})


def test_a_renamed_file_keeps_its_place_in_exam_and_queue_without_a_label(project: Project, photos: Path) -> None:
    project.exam(2)
    project.add_batch(["day/4.png"], "a person asked")
    before = project.image_ids(["day/4.png"])
    exam = set(project.exam_keys())
    for path in [*photos.glob("*.png"), *photos.glob("day/*.png")]:
        path.rename(path.with_name(f"new-{path.name}"))
    report = project.add()
    assert (len(report.moved), report.added, report.gone) == (6, [], [])
    renamed = dict(report.moved)
    assert set(project.exam_keys()) == {renamed[key] for key in exam}
    assert [pick.key for pick in project.picks(1)] == ["day/new-4.png"]
    assert project.image_ids(["day/new-4.png"])["day/new-4.png"] == before["day/4.png"]


def test_a_copy_that_is_still_there_takes_the_place_of_its_original(project: Project, photos: Path) -> None:
    project.annotate({"2.png": "b"}, annotator="ana")
    shutil.copy(photos / "2.png", photos / "copy.png")
    assert project.add().duplicates == [("copy.png", "2.png")]
    (photos / "2.png").unlink()
    assert project.add().gone == ["2.png"]
    assert (project.status().images, project.labels()) == (6, {"copy.png": "b"})


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "links that lead nowhere"])
def test_a_source_that_is_away_as_a_whole_changes_nothing(project: Project, photos: Path, left: str) -> None:
    photos.rename(photos.parent / "unplugged")
    if left != "nothing":
        photos.mkdir()
    if left.startswith("links"):
        (photos / "1.png").symlink_to(photos / "not mounted" / "1.png")
    with pytest.raises(SourceError, match="the pool keeps the 6 images it has of it; mount or bring back"):
        project.add(photos)
    with pytest.raises(SourceError, match="the pool keeps the 6 images"):
        project.add()
    assert (project.status().images, project.status().left_out) == (6, {})


def test_what_a_listing_passes_over_is_not_gone(project: Project, photos: Path) -> None:
    picture(photos / "7.png", 250)
    project.add(photos / "7.png")
    (photos / "1.png").unlink()
    assert project.add(photos / "7.png").gone == []  # whoever names a file asks for that file
    (photos / "project.toml").touch()
    (photos / "day").rename(photos / "models")
    project.add()  # day/4.png is gone, and models is a project's own folder now
    assert sorted(project.labels()) == []
    assert project.status().images == 4
