"""The app's pages, run by Streamlit without a browser, always through the entry file."""

from __future__ import annotations

from pathlib import Path

import projects
import pytest
from streamlit.testing.v1 import AppTest

from annotate_select.project import Project

ENTRY = str(Path(projects.__file__).with_name("streamlit_app.py"))


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "_open", {})


def opened(page: str = "start", project: Project | None = None, annotator: str = "") -> AppTest:
    at = AppTest.from_file(ENTRY, default_timeout=60)
    if project is not None:
        projects.keep(project)
        at.query_params["project"] = project.id
    if annotator:
        at.query_params["annotator"] = annotator
    at.run()
    return at if page == "start" else at.switch_page(f"app_pages/{page}.py").run()


def words(at: AppTest) -> str:
    kinds = (at.markdown, at.caption, at.info, at.subheader, at.success, at.error, at.warning)
    bars = [element.proto.text for element in at.get("progress")]
    return "\n".join([*(str(element.value) for kind in kinds for element in kind), *bars])


def errors(at: AppTest) -> list[str]:
    assert not at.exception, at.exception
    return [error.value for error in at.error]


def fill(at: AppTest, **values: str) -> AppTest:
    for key, value in values.items():
        (at.text_area if key == "new_classes" else at.text_input)(key=key).set_value(value)
    return at.button(key="make").click().run()
