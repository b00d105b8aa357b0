"""The start page, run by Streamlit without a browser: projects are made and opened there, and classes described."""

from __future__ import annotations

import shutil
from pathlib import Path

import projects
import pytest
from page_tools import errors, fill, nothing_open, opened, words

from annotate_select.project import Project
from annotate_select.recent import recent_projects

__all__ = ["nothing_open"]  # a fixture that every test here uses


def test_the_way_on_is_labelling_only_while_something_waits_for_a_label(project: Project) -> None:
    at = opened("start", project)
    assert at.button(key="go_on").label == "Start labelling"
    picks = [pick.key for batch in project.batches() for pick in project.picks(batch.number)]
    project.annotate(dict.fromkeys([*project.exam_keys(), *picks], project.classes[0]), annotator="ana")
    assert project.status().to_label == 0
    at = at.run()
    assert at.button(key="go_on").label == "Train and pick the next batch"
    assert "Next batch" in words(at.button(key="go_on").click().run())


def test_where_every_image_has_a_label_the_way_on_is_to_add_some(measured: Project) -> None:
    at = opened("start", measured)
    assert "Next: add images, for every one has a label." in words(at)
    assert "go_on" not in [button.key for button in at.button]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"new_name": ""}, "the project needs a name"),
        ({"new_classes": "ok"}, "at least two classes"),
        ({"new_classes": "ok\nok"}, "distinct"),
        ({"new_images": ""}, "name the folder"),
        ({"new_images": "/no/such/folder"}, "there is no folder /no/such/folder"),
        ({"new_images": "EMPTY"}, "there are no images in"),
        ({"new_where": "relative"}, "whole path"),
        ({"new_where": "TAKEN"}, "there is a project in"),
    ],
)
def test_a_project_with_wrong_input_is_one_error_and_nothing_is_made(
    wrong: dict[str, str], error: str, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"EMPTY": str(tmp_path / "empty"), "TAKEN": str(project.root)}
    right = {
        "new_name": "demo",
        "new_classes": "ok\ncrack",
        "new_images": str(tmp_path / "photos"),
        "new_where": str(tmp_path / "demo"),
    }
    typed = {**right, **{key: places.get(value, value) for key, value in wrong.items()}}
    at = fill(opened(), **typed)
    assert len(errors(at)) == 1
    assert error in at.error[0].value
    assert not (tmp_path / "demo").exists()
    assert at.text_input(key="new_name").value == typed["new_name"]  # nothing typed is lost


def test_making_a_project_adds_its_images_and_prepares_it(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(Project, "start", lambda self, *command: started.append(command))
    where = tmp_path / "demo"
    at = opened()
    at = fill(at, new_name="demo", new_classes="ok, crack", new_images=str(tmp_path / "photos"), new_where=str(where))
    assert errors(at) == []
    assert started == [("prepare", "--batch", "4", "--exam", "3")]
    assert "added 12 images" in words(at)
    with Project.open(where) as made:
        assert made.classes == ["ok", "crack"]
        assert made.status().images == 12
        assert at.query_params["project"] == made.id


def test_the_sample_images_are_one_click_away(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(Project, "start", lambda self, *command: started.append(command))
    at = opened()
    at.button(key="samples").click().run()
    assert errors(at) == []
    assert started == [("prepare", "--batch", "50", "--exam", "40")]
    assert "sample images" in words(at)
    with Project.open(recent_projects()[0]) as made:
        assert made.status().images == 480
        assert len(made.classes) == 8


def test_the_last_project_is_opened(project: Project) -> None:
    projects.keep(project)
    at = opened(annotator="ana")
    assert errors(at) == []
    assert at.query_params["project"] == project.id
    assert at.query_params["annotator"] == "ana"
    at.button(key="close_project").click().run()
    assert "New project" in words(at)


def test_a_project_can_be_made_for_a_webcam(tmp_path: Path) -> None:
    at = opened()
    at.checkbox(key="new_camera").check()
    at = fill(at, new_name="demo", new_classes="ok, crack", new_where=str(tmp_path / "demo"))
    assert errors(at) == []
    with Project.open(tmp_path / "demo") as made:
        assert made.status().images == 0
    assert at.toggle(key="webcam_on").value is False


def test_a_project_whose_folder_is_gone_is_one_error(project: Project, tmp_path: Path) -> None:
    at = opened("start", project)
    shutil.rmtree(project.root)
    at.run()
    assert len(errors(at)) == 1
    assert "there is no project in" in at.error[0].value


def test_a_class_is_described_in_the_app(project: Project) -> None:
    project.annotate({"0003.png": "crack"})
    at = opened("start", project)
    at.pills(key="class_described").select("crack").run()
    assert errors(at) == []
    at.text_input(key="key-crack").set_value("k")
    at.text_area(key="text-crack").set_value("a line that is *not* a scratch")
    at.multiselect(key="examples-crack").select("0003.png")
    next(button for button in at.button if button.label == "Save").click().run()
    assert errors(at) == []
    crack = project.classes_about()[1]
    assert (crack.key, crack.guideline, crack.examples) == ("k", "a line that is *not* a scratch", ["0003.png"])


def test_classes_are_added_renamed_and_merged_in_the_app(project: Project) -> None:
    project.annotate({"0003.png": "crack"})
    at = opened("start", project)
    at.text_input(key="class_added-0").set_value("scratch").run()
    assert errors(at) == []
    at.pills(key="class_described").select("crack").run()
    at.text_input(key="rename-crack-0").set_value("fissure").run()
    assert errors(at) == []
    assert project.classes == ["ok", "fissure", "dent", "scratch"]
    at.pills(key="class_described").select("fissure").run()
    at.selectbox(key="merge-fissure").select("dent").run()
    at.button(key="merge-now-fissure").click().run()
    assert errors(at) == []
    assert project.classes == ["ok", "dent", "scratch"]
    assert project.labels() == {"0003.png": "dent"}


def test_a_class_that_is_there_already_is_one_error(project: Project) -> None:
    at = opened("start", project)
    at.text_input(key="class_added-0").set_value("dent").run()
    assert len(errors(at)) == 1
    assert "distinct" in at.error[0].value
