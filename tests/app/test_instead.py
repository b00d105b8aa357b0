"""Who uses the app is told of pages and buttons, not of commands."""

from __future__ import annotations

import re

import projects
import pytest
from harness import APP
from instead import PLACES, instead
from page_tools import nothing_open, opened
from starlette.applications import Starlette
from starlette.testclient import TestClient
from trust_looks import sentence

from annotate_select.project import Project
from annotate_select.steps.models import TrainedModel

__all__ = ["nothing_open"]  # a fixture that every test here uses


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "3 labelled images left out (annotate-select check leaks)",
            '3 labelled images left out (see the Model page ("Show all that are left out"))',
        ),
        (
            "there is no model yet; train one with `annotate-select train`",
            'there is no model yet; train one on the Batch page ("Train and pick the next batch")',
        ),
        (
            "run `annotate-select add`, then this again",
            'go to the Project page ("Add images"), then this again',
        ),
        (
            "`annotate-select exam --new-ground` gives new images their share",
            'the Trust page, New images and picks ("Give new images their share of the exam") gives new images their '
            "share",
        ),
        ("the folder annotate-select is here", "the folder annotate-select is here"),
        ("mend it with `annotate-select features verify x`", "mend it with `annotate-select features verify x`"),
    ],
)
def test_a_command_becomes_a_page_and_its_button(text: str, said: str) -> None:
    assert instead(text) == said


def test_every_button_that_is_named_is_in_the_app() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in APP.rglob("*.py") if path.name != "instead.py")
    for _, place in PLACES:
        page = re.search(r"the (\w+) page", place)
        assert page is not None
        assert f'title="{page[1]}"' in source
        for button in re.findall(r'"([^"]+)"', place):
            assert button in source, button
        tab = re.search(r"page, ([^(]+) \(", place)
        assert tab is None or f'"{tab[1]}"' in source


def test_the_newest_models_left_out_images_are_looked_up_on_a_page(
    measured: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = TrainedModel.kept_out
    monkeypatch.setattr(TrainedModel, "kept_out", lambda self: "1 image left out (annotate-select check leaks)")
    for page in ("model", "batch"):
        at = opened(page, measured)
        assert not at.exception
        captions = "\n".join(one.value for one in at.caption)
        assert "annotate-select check" not in captions
        assert '1 image left out (see the Model page ("Show all that are left out")).' in captions
    assert said is not TrainedModel.kept_out


def test_no_error_is_shown_as_it_was_said_to_the_command_line() -> None:
    shown = re.compile(r"st\.(?:error|warning|info)\((?:f?\")?.*(?<!instead\()(?<!sentence\()str\(error\)")
    found = [
        f"{path.name}: {line.strip()}"
        for path in APP.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if shown.search(line)
    ]
    assert found == []
    assert sentence("draw one with `annotate-select exam`") == 'Draw one on the Trust page ("Draw the exam").'


def test_the_routes_answer_so_too(project: Project) -> None:
    from map_routes import map_routes

    projects.keep(project)
    client = TestClient(Starlette(routes=map_routes()))
    client.headers["x-annotate-token"] = f"{project.id}.{project.token('ana')}"
    answer = client.get("/api/map/points")
    assert answer.status_code == 409
    assert "annotate-select " not in answer.json()["error"]
    assert 'the Map page ("Compute features")' in answer.json()["error"]
