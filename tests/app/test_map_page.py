"""The map's page, run by Streamlit without a browser: what it offers, and what it gives to the component."""

from __future__ import annotations

import json

import projects
import pytest
from page_tools import opened
from PIL import Image
from streamlit.testing.v1 import AppTest

from annotate_select.project import Project


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What pages start in the background, instead of starting it."""
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(projects, "_open", {})
    monkeypatch.setattr(Project, "start", lambda self, *command: commands.append(command))
    return commands


def map_of(project: Project, annotator: str = "ana") -> AppTest:
    at = opened("map", project, annotator)
    assert not at.exception, at.exception
    return at


def given(at: AppTest) -> dict[str, object]:
    [component] = at.get("bidi_component")
    return dict(json.loads(component.proto.json))


def test_without_features_they_can_be_computed(project: Project, started: list[tuple[str, ...]]) -> None:
    at = map_of(project)
    assert len(at.get("bidi_component")) == 0
    at.button(key="map_embed").click().run()
    assert started == [("embed",)]


def test_the_component_gets_a_token_and_no_points(measured: Project, started: list[tuple[str, ...]]) -> None:
    data = given(map_of(measured))
    project_id, _, token = str(data["token"]).partition(".")
    assert project_id == measured.id
    assert measured.annotator_of(token) == "ana"
    assert data["classes"] == list(data["colors"]) == measured.classes  # type: ignore[call-overload]
    assert (data["features"], data["method"], data["models"]) == ("autoencoder", "pca", True)


def test_the_better_layout_is_computed_in_the_background_and_then_shown(
    measured: Project, started: list[tuple[str, ...]]
) -> None:
    at = map_of(measured)
    at.button(key="map_better").click().run()
    assert started == [("map", "--features", "autoencoder")]
    measured.layout(method="tsne")
    at = map_of(measured)
    assert given(at)["method"] == "tsne"
    assert not [button for button in at.button if button.key == "map_better"]


def test_features_that_miss_an_image_are_one_warning(measured: Project, started: list[tuple[str, ...]]) -> None:
    Image.new("RGB", (20, 20), "red").save(measured.root.parent / "photos" / "new.png")
    measured.add()
    at = map_of(measured)
    assert "1 of 49 images has no features 'autoencoder' yet" in at.warning[0].value
    at.button(key="map_embed").click().run()
    assert started == [("embed",)]


def test_without_a_name_there_is_a_way_to_give_one(measured: Project, started: list[tuple[str, ...]]) -> None:
    at = map_of(measured, annotator="")
    assert given(at)["annotator"] == ""
    assert "Give your name" in at.get("page_link")[0].proto.label
