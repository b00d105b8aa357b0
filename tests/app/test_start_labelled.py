"""The project page where every image has a label already, such as after an import."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import write_coded
from page_tools import nothing_open, opened

from annotate_select.project import Project

__all__ = ["nothing_open"]  # a fixture that every test here uses


def looks(project: Project) -> tuple[str, set[str | None], set[str]]:
    """Return what the page says, the keys of its buttons, and the labels of its links."""
    at = opened(project=project)
    assert not at.exception, at.exception
    links = {one.proto.label for one in at.get("page_link")}
    return "\n".join(one.value for one in at.markdown), {one.key for one in at.button}, links


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project", ["ok", "dent"], images=write_coded(tmp_path / "photos", 4))


def test_a_project_with_images_to_label_is_prepared(fresh: Project) -> None:
    fresh.annotate({"0000.png": "ok", "0001.png": "dent"})
    _, buttons, _ = looks(fresh)
    assert "prepare" in buttons


def test_a_fully_labelled_project_is_not_prepared_for_labelling(fresh: Project) -> None:
    fresh.annotate({f"{number:04}.png": ("ok", "dent")[number % 2] for number in range(4)})
    said, buttons, links = looks(fresh)
    assert "Every image has a label." in said
    assert "Next: add images below, or go on with the labels there are:" in said
    assert "An exam, which says how good a model is, is drawn from images that nobody has labelled" in said
    assert not {"prepare", "go_on"} & buttons
    assert links >= {"Review doubtful labels", "Export the labels"}
    assert "Measure the model" not in links  # there is none


def test_where_models_can_be_trained_that_is_offered(fresh: Project) -> None:
    fresh.annotate({f"{number:04}.png": ("ok", "dent")[number % 2] for number in range(4)})
    fresh.embed(dim=4, image_size=16)
    _, buttons, links = looks(fresh)
    assert "prepare" not in buttons
    assert "Train a model" in links
