"""What the form of a new project is turned into."""

from __future__ import annotations

import io
from pathlib import Path

import creation
import pytest

from annotate_select.project import Project


class Upload(io.BytesIO):
    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("ok\ncrack\n\n  dent ", ["ok", "crack", "dent"]),
        ("ok, crack,dent", ["ok", "crack", "dent"]),
        ("ok, fine\ncrack", ["ok, fine", "crack"]),  # on lines of their own, commas belong to the names
        ("  \n ", []),
    ],
)
def test_classes_are_read_one_a_line(text: str, classes: list[str]) -> None:
    assert creation.class_names(text) == classes


def test_images_are_counted_by_suffix_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.PNG", "notes.txt", ".hidden.jpg", "sub/c.webp", ".cache/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert creation.count_images(tmp_path) == (3, True)


def test_counting_stops_at_the_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "MOST_COUNTED", 2)
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    assert creation.count_images(tmp_path) == (2, False)


@pytest.mark.parametrize(("name", "folder"), [("My defects!", "My-defects"), ("../..", "project"), ("µ-CT", "µ-CT")])
def test_a_project_is_put_under_a_plain_name(name: str, folder: str) -> None:
    assert creation.beside(name) == Path.home() / "annotate-select" / folder


def test_uploads_stay_in_the_project_and_do_not_overwrite_each_other(project: Project) -> None:
    uploads = [Upload("a.jpg", b"one"), Upload("../../a.jpg", b"two"), Upload("a.jpg", b"three")]
    folder = creation.save_uploads(project, uploads)
    assert folder == project.root / "images"
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "a.jpg": b"one",
        "a-2.jpg": b"two",
        "a-3.jpg": b"three",
    }


@pytest.mark.parametrize(
    ("images", "batch", "exam"), [(1, "1", "1"), (4, "1", "1"), (60, "22", "15"), (160, "50", "40"), (9999, "50", "40")]
)
def test_small_projects_get_a_small_exam_and_batch(images: int, batch: str, exam: str) -> None:
    assert creation.prepare_command(images) == ["prepare", "--batch", batch, "--exam", exam]
