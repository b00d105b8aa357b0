"""Photos of a camera carry their time into a project, where no manifest says it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select.annotations.images import pool_table
from annotate_select.errors import LearningError
from annotate_select.project import Project
from annotate_select.steps.add import inspect_many
from annotate_select.steps.window import dates, window

TAKEN, EXIF_IFD = 0x9003, 0x8769


def shoot(path: Path, taken: str | None, colour: int = 0) -> None:
    exif = Image.Exif()
    if taken is not None:
        exif.get_ifd(EXIF_IFD)[TAKEN] = taken
    rng = np.random.default_rng([colour, *path.name.encode()])
    Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path, exif=exif)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with six photos: two of May, two of June, one without a time and one with a clock never set."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, taken in enumerate(
        ["2019:05:30 10:00:00", "2019:05:31 10:00:00", "2019:06:01 10:00:00", "2019:06:02 10:00:00", None]
    ):
        shoot(folder / f"{number}.jpg", taken)
    shoot(folder / "5.jpg", "0000:00:00 00:00:00")
    return Project.create(tmp_path / "project", ["a", "b"], images=folder)


def times(project: Project) -> dict[str, str | None]:
    table = pool_table(project._home.db)
    return dict(zip(table.keys, table.captured_at, strict=True))


def test_the_camera_s_time_is_stored_and_found_again(project: Project) -> None:
    assert times(project) == {
        "0.jpg": "2019-05-30T10:00:00",
        "1.jpg": "2019-05-31T10:00:00",
        "2.jpg": "2019-06-01T10:00:00",
        "3.jpg": "2019-06-02T10:00:00",
        "4.jpg": None,
        "5.jpg": None,
    }
    again = project.add()
    assert (again.unchanged, again.updated) == (6, 0)


def test_a_manifest_has_the_first_word_and_keeps_it(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "all.csv").write_text("image,captured_at\n0.jpg,2021-01-01\n1.jpg,\n")
    assert project.add(folder / "all.csv").updated == 1
    assert (times(project)["0.jpg"], times(project)["1.jpg"]) == ("2021-01-01", "2019-05-31T10:00:00")
    os.utime(folder / "0.jpg", (1, 1))  # the file is read again, and has said nothing new
    assert project.add(folder).updated == 0
    assert times(project)["0.jpg"] == "2021-01-01"
    # another picture under the same name has a time of its own, as long as the manifest is not read again
    shoot(folder / "0.jpg", "2022:02:02 02:02:02", colour=1)
    project.add(folder)
    assert times(project)["0.jpg"] == "2022-02-02T02:02:02"
    project.add(folder / "all.csv")
    assert times(project)["0.jpg"] == "2021-01-01"


def test_an_image_added_before_gets_its_time_once_its_file_is_read_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project._home.db.write() as connection:
        connection.exec_driver_sql("UPDATE images SET captured_at = NULL")
    opened: list[str] = []

    def look(paths: list[Path]) -> object:
        opened.extend(path.name for path in paths)
        return inspect_many(paths)

    monkeypatch.setattr("annotate_select.steps.add.inspect_many", look)
    os.utime(tmp_path / "photos" / "3.jpg", (1, 1))
    report = project.add()
    assert (opened, report.updated) == (["3.jpg"], 1)
    assert [key for key, at in times(project).items() if at] == ["3.jpg"]


def test_new_is_by_capture_where_at_least_half_know_it(project: Project, tmp_path: Path) -> None:
    ids = pool_table(project._home.db).ids
    found = window(project._home, ids, "2019-06-01")
    assert found.words == "captured since 2019-06-01, 2 without that time by adding"
    assert found.new.tolist() == [False, False, True, True, True, True]
    assert dates(project._home, ids)[:4] == ["2019-05-30", "2019-05-31", "2019-06-01", "2019-06-02"]


def test_a_few_photos_with_a_time_among_many_without_decide_nothing(project: Project, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for number in range(10):
        shoot(tmp_path / "scans" / f"scan-{number}.png", None)
    project.add(tmp_path / "scans")
    home, ids = project._home, pool_table(project._home.db).ids
    with pytest.raises(LearningError, match="all of the 16 images are new \\(added since 2019-06-01\\)"):
        window(home, ids, "2019-06-01")
    assert window(home, ids, "2019-06-01", "captured_at").new.sum() == 14
    assert len(set(dates(home, ids))) == 1  # the day of adding, for all of them
    assert len(set(dates(home, ids[:6]))) == 5
