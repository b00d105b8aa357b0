"""The word that a page is opening goes when it is there, also where the page ends early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import APP
from page_tools import nothing_open, opened

from annotate_select.project import Project

__all__ = ["nothing_open"]  # a fixture that every test here uses
PAGES = ["start", "label", "bulk", "map", "batch", "model", "review", "trust", "export"]


def htmls(block: Any) -> Iterator[str]:
    """Yield what stands on the page as HTML, wherever in it."""
    for child in getattr(block, "children", {}).values():
        yield from htmls(child)
    if getattr(block, "type", "") == "html":
        yield block.proto.body


def shown(page: str, project: Project | None, annotator: str = "") -> str:
    at = opened(page, project, annotator)
    assert not at.exception, at.exception
    return "\n".join(htmls(at.main))


@pytest.mark.parametrize("page", PAGES)
def test_without_a_project_nothing_is_opening_any_more(page: str) -> None:
    assert "Opening" not in shown(page, None)


@pytest.mark.parametrize("annotator", ["", "ana"])
@pytest.mark.parametrize("page", PAGES)
def test_in_a_new_project_nothing_is_opening_any_more(page: str, annotator: str, project: Project) -> None:
    assert "Opening" not in shown(page, project, annotator)


@pytest.mark.parametrize("page", ["batch", "label", "map"])
def test_in_a_project_without_a_batch_nothing_is_opening_any_more(page: str, tmp_path: Path) -> None:
    with Project.create(tmp_path / "empty", ["ok", "dent"]) as made:
        assert "Opening" not in shown(page, made, "ana")


def test_no_page_is_ended_in_a_way_that_leaves_it() -> None:
    """`st.stop` refuses whatever is to be shown after it, even where the page is tidied up."""
    assert [path.name for path in APP.rglob("*.py") if "st.stop(" in path.read_text(encoding="utf-8")] == []
