"""Labels that somebody has already come in by the Project page, run by Streamlit without a browser."""

from __future__ import annotations

import io
from pathlib import Path

import importing
import pytest
from page_tools import errors, nothing_open, opened, words
from streamlit.testing.v1 import AppTest

from annotate_select.errors import AnnotateSelectError, ExchangeError
from annotate_select.project import Project

__all__ = ["nothing_open"]  # a fixture that every test here uses


class Upload(io.BytesIO):
    """A file as a browser hands it over."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


def given(project: Project, path: object, *ticks: str, by: str = "import") -> AppTest:
    """Fill in the form, and press its button."""
    at = opened("start", project)
    at.text_input(key="labels_folder-0").set_value(str(path))
    at.text_input(key="labels_by").set_value(by)
    for tick in ticks:
        at.checkbox(key=tick).check()
    return at.run().button(key="labels_take").click().run()


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["image,label", *rows, ""]))
    return path


def test_a_table_is_taken_under_the_name_that_was_said(project: Project, tmp_path: Path) -> None:
    one, other = project.classes[:2]
    at = given(project, table(tmp_path / "labels.csv", f"0000.png,{one}", f"0001.png,{other}"), by="ana")
    assert errors(at) == []
    assert "recorded 2 of 2 rows" in words(at)
    assert project.labels() == {"0000.png": one, "0001.png": other}
    project.export(tmp_path / "said.csv")
    assert (tmp_path / "said.csv").read_text().count(",ana,") == 2
    assert at.text_input(key="labels_folder-1").value == ""  # ready for the next


def test_what_the_table_should_not_hold_is_one_error_that_names_the_tick(project: Project, tmp_path: Path) -> None:
    one = project.classes[0]
    path = table(tmp_path / "labels.csv", f"0000.png,{one}", "0001.png,brand new", f"gone.png,{one}")
    at = given(project, path)
    assert errors(at) == [
        '1 image is not in the pool: gone.png; add them on the Project page ("Add images"), or leave them '
        'out by the tick "Leave out images that are not in the project"'
    ]
    at = given(project, path, "labels_skip")
    assert 'or add the classes by the tick "Add classes that are new"' in errors(at)[0]
    assert project.labels() == {}
    assert at.text_input(key="labels_folder-0").value == str(path)  # nothing typed is lost
    at = given(project, path, "labels_skip", "labels_create")
    assert errors(at) == []
    assert "1 row of unknown images left out" in words(at)
    assert project.labels() == {"0000.png": one, "0001.png": "brand new"}


def test_a_folder_a_class_is_taken_too(project: Project, tmp_path: Path) -> None:
    one = project.classes[1]
    (tmp_path / "sorted" / one).mkdir(parents=True)
    (tmp_path / "sorted" / one / "other name.png").write_bytes((tmp_path / "photos" / "0003.png").read_bytes())
    at = given(project, tmp_path / "sorted")
    assert errors(at) == []
    assert project.labels() == {"0003.png": one}


def test_a_table_may_be_uploaded(project: Project) -> None:
    one = project.classes[0]
    at = opened("start", project)
    at.file_uploader(key="labels_table-0").upload("mine.csv", f"image,label\n0000.png,{one}\n".encode())
    at = at.run().button(key="labels_take").click().run()
    assert errors(at) == []
    assert project.labels() == {"0000.png": one}


def test_an_upload_counts_before_a_path_and_is_named_as_it_was_sent(project: Project) -> None:
    one = project.classes[0]
    report = importing.take(
        project, Upload("../mine.csv", f"image,label\n0000.png,{one}\n".encode()), "/no/such", "ana"
    )
    assert (report.recorded, project.labels()) == (1, {"0000.png": one})
    with pytest.raises(ExchangeError, match=r"^mine\.csv cannot be used, mend it"):
        importing.take(project, Upload("mine.csv", b"image,label\n0000.png\n"), "", "ana")


@pytest.mark.parametrize(
    ("folder", "by", "error"),
    [("labels.csv", "ana", "give the whole path"), ("/no/such.csv", "ana", "there is no file"), ("/x", " ", "whose")],
)
def test_wrong_input_is_one_error(project: Project, folder: str, by: str, error: str) -> None:
    with pytest.raises(AnnotateSelectError, match=error):
        importing.take(project, None, folder, by)
    assert project.labels() == {}


def test_a_project_without_images_asks_for_images_first(tmp_path: Path) -> None:
    with Project.create(tmp_path / "new", ["a", "b"]) as project:
        at = opened("start", project)
        assert "labels_take" not in [button.key for button in at.button]
