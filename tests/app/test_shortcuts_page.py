"""The Trust page shows what gives a label away, with images of both ends, and offers to break it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import make_project, write_coded
from page_tools import errors, nothing_open, opened, words
from PIL import Image, ImageEnhance

from annotate_select.project import Project

__all__ = ["nothing_open"]  # a fixture that every test here uses


@pytest.fixture
def darkened(tmp_path: Path) -> Project:
    """A project of 60 photographs, labelled ok and crack, whose cracks are darker."""
    folder = write_coded(tmp_path / "photos", 60)
    for path in sorted(folder.iterdir())[::2]:
        with Image.open(path) as opened_image:
            darker = ImageEnhance.Brightness(opened_image).enhance(0.4)
        darker.save(path)
    made = make_project(tmp_path / "project", folder, exam_size=6)
    made.annotate({f"{number:04}.png": "ok" if number % 2 else "crack" for number in range(60)})
    return made


def test_a_shortcut_is_shown_with_images_and_broken_with_a_click(darkened: Project) -> None:
    with darkened:
        at = opened("trust", darkened)
        at.button(key="check_shortcuts").click().run()
        assert errors(at) == []
        said = words(at)
        assert "alone tells ok from crack in" in said
        assert "look at the images" in said
        assert "Crack, " in said
        assert "Ok, " in said
        assert "where a model fails is looked for once there is one" in said.casefold()
        assert said.count(".png") >= 8  # the lines under the images

        at.selectbox(key="balance_name").select("brightness").run()
        at.button(key="balance").click().run()
        assert errors(at) == []
        assert darkened.config.select.balance == "brightness"
        assert "whose **brightness** is usual" in words(at)
        at.button(key="balance_stop").click().run()
        assert darkened.config.select.balance is None


def test_too_few_labels_say_how_many_more(project: Project) -> None:
    at = opened("trust", project)
    assert at.button(key="check_shortcuts").disabled
    project.annotate({"0003.png": "crack"})
    at = opened("trust", project)
    at.button(key="check_shortcuts").click().run()
    assert errors(at) == []
    assert "more are missing" in words(at)
