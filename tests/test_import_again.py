"""What is imported last holds, what is imported twice is recorded once, and the report says which was which."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from image_tools import flat_images

from annotate_select.cli import cli
from annotate_select.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project", ["a", "b"], images=flat_images(tmp_path / "images", 3))


def written(path: Path, *rows: str, columns: str = "image,label") -> Path:
    path.write_text("\n".join([columns, *rows, ""]))
    return path


def test_a_label_given_back_by_a_third_file_holds(project: Project, tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", "0.png,a", "1.png,a")
    second = written(tmp_path / "2.csv", "0.png,b")
    for file in (first, second, first, second, first):
        report = project.import_annotations(file)
    assert project.labels() == {"0.png": "a", "1.png": "a"}
    assert (report.rows, report.recorded, report.before) == (2, 1, 1)
    again = project.import_annotations(first)
    assert (again.recorded, again.before) == (0, 2)


def test_what_has_a_time_is_not_said_again(project: Project, tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", "0.png,a,2026-01-01T00:00:00+00:00", columns="image,label,at")
    project.import_annotations(first)
    project.import_annotations(written(tmp_path / "2.csv", "0.png,b"))
    report = project.import_annotations(first)
    assert (report.recorded, report.before) == (0, 1)
    assert project.labels() == {"0.png": "b"}


def test_another_annotators_word_changes_nothing(project: Project, tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", "0.png,a")
    project.import_annotations(first, annotator="ana")
    project.annotate({"0.png": "b"}, annotator="ben")
    assert project.import_annotations(first, annotator="ana").recorded == 0


def test_a_renamed_class_is_no_new_word(project: Project, tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", "0.png,a")
    project.import_annotations(first)
    project.rename_class("a", "c")
    report = project.import_annotations(first)
    assert (report.recorded, report.before) == (0, 1)
    assert project.labels() == {"0.png": "c"}


def test_the_command_says_what_was_recorded_before(project: Project, tmp_path: Path) -> None:
    first = written(tmp_path / "1.csv", "0.png,a", "1.png,b")
    ran = [CliRunner().invoke(cli, ["-p", str(project.root), "import", str(first)]).output for _ in range(2)]
    assert ran == ["recorded 2 of 2 rows\n", "recorded 0 of 2 rows; 2 rows recorded before\n"]
