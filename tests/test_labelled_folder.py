"""`import FOLDER`: labels by the folders that images lie in, whatever the files are called there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from image_tools import flat_images
from PIL import Image

from annotate_select.cli import cli
from annotate_select.errors import DuplicateRows, ExchangeError, SourceError, UnknownClasses, UnknownImages
from annotate_select.project import Project


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = flat_images(tmp_path / "photos", 4)
    shutil.copy(folder / "0.png", folder / "z-copy.png")
    return folder


@pytest.fixture
def project(tmp_path: Path, photos: Path) -> Project:
    return Project.create(tmp_path / "project", ["cat", "dog"], images=photos)


@pytest.fixture
def sorted_(tmp_path: Path, photos: Path) -> Path:
    """Copies under other names, one of them deeper."""
    folder = tmp_path / "sorted"
    for number, to in enumerate(("cat/x.png", "cat/2024/march/y.png", "dog/z.png")):
        (folder / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photos / f"{number}.png", folder / to)
    return folder


def test_the_folder_names_the_class_and_the_bytes_the_image(project: Project, sorted_: Path) -> None:
    report = project.import_annotations(sorted_, annotator="ana")
    assert (report.rows, report.recorded, report.before) == (3, 3, 0)
    assert project.labels() == {"0.png": "cat", "1.png": "cat", "2.png": "dog"}
    assert {item.annotator for item in project.recent("ana", 5)} == {"ana"}
    assert project.import_annotations(sorted_, annotator="ana").before == 3


def test_what_is_exported_as_folders_comes_back(project: Project, sorted_: Path, tmp_path: Path, photos: Path) -> None:
    project.import_annotations(sorted_)
    project.export(tmp_path / "out")
    other = Project.create(tmp_path / "other", ["cat", "dog"], images=photos)
    ran = CliRunner().invoke(cli, ["-p", str(other.root), "import", str(tmp_path / "out")])
    assert ran.output == "recorded 3 of 3 rows\n"
    assert other.labels() == project.labels()


def test_files_the_pool_does_not_have(project: Project, sorted_: Path) -> None:
    Image.new("RGB", (8, 8), (0, 0, 99)).save(sorted_ / "dog/new.png")
    with pytest.raises(UnknownImages, match=r"of 4 images in .* the pool lacks 1: dog/new.png; add them with"):
        project.import_annotations(sorted_)
    assert project.labels() == {}
    report = project.import_annotations(sorted_, skip_unknown=True)
    assert (report.rows, report.recorded, report.unknown_images) == (4, 3, ["dog/new.png"])


def test_one_image_in_two_classes(project: Project, sorted_: Path) -> None:
    shutil.copy(sorted_ / "cat/x.png", sorted_ / "cat/same.png")  # twice in one class is no matter
    assert project.import_annotations(sorted_).recorded == 3
    shutil.copy(sorted_ / "cat/x.png", sorted_ / "dog/x.png")
    with pytest.raises(DuplicateRows, match=r"two classes lie 1 image: cat/same.png and dog/x.png; delete"):
        project.import_annotations(sorted_)


def test_images_in_no_class(project: Project, photos: Path) -> None:
    with pytest.raises(ExchangeError, match=r"in no class's folder lie 5 images in .*photos: .*give the folder above"):
        project.import_annotations(photos)


def test_classes_the_project_lacks(project: Project, sorted_: Path) -> None:
    (sorted_ / "dog").rename(sorted_ / "wolf")
    with pytest.raises(UnknownClasses, match=r"'wolf'.*--create-classes"):
        project.import_annotations(sorted_)
    assert project.import_annotations(sorted_, create_classes=True).new_classes == ["wolf"]


def test_a_file_that_is_empty_and_a_folder_without_images(project: Project, sorted_: Path, tmp_path: Path) -> None:
    (sorted_ / "dog/empty.png").touch()
    with pytest.raises(ExchangeError, match=r"1 image cannot be read: dog/empty.png \(zero bytes\); mend or"):
        project.import_annotations(sorted_)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match="nothing"):
        project.import_annotations(tmp_path / "nothing")
