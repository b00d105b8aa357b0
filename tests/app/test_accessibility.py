"""Every page of the app, light and dark, looked at by axe-core: nothing serious stands in the way of anybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import APP, CLASSES, Server, make_project
from playwright.sync_api import BrowserContext, Page, expect

from annotate_select.annotations.events import Event
from annotate_select.project import Project

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ["", *re.findall(r'url_path="(\w+)"', (APP / "streamlit_app.py").read_text(encoding="utf-8"))]
READY = {"label": ".hero img", "review": ".hero img"}  # what is there when the page is


def findings(page: Page) -> list[str]:
    """Return what axe calls serious or critical: the rule, and where it is broken."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A project in which every page has something to show: a batch, a model, two opinions, a flag and a guideline."""
    root = tmp_path_factory.mktemp("prepared") / "project"
    with make_project(root, photos, exam_size=12) as made:
        keys = list(dict.fromkeys([*made.exam_keys(), *(f"{number:04}.png" for number in range(50))]))
        made.annotate({key: CLASSES[i % 3] for i, key in enumerate(keys)})
        made.embed()
        made.layout()
        made.train()
        made.evaluate()
        made.describe_class("crack", guideline="Longer than 1 mm.", examples=["0001.png"])
        image = made.image_ids(keys)[keys[-1]]
        said = [Event(f"u{who}", image, who, "label", label) for who, label in (("eva", "ok"), ("ben", "dent"))]
        made.record([*said, Event("flag", image, "ben", "flag", note="two objects")])
    return root


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_finding(
    prepared: Path, shared: Server, visit: Callable[[], BrowserContext], theme: str
) -> None:
    if not AXE.is_file():
        pytest.skip("the packages of tests/app/frontend are not installed: run `make frontend`")
    shared.knows(prepared)
    with Project.open(prepared) as project:
        who = f"?project={project.id}&annotator=ana"
    page = visit().new_page()
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    found: list[str] = []
    for name in PAGES:
        page.goto(f"{shared.url}/{name}{who}")
        expect(page.get_by_test_id("stMainBlockContainer")).to_be_visible()
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
        if name in READY:
            expect(page.locator(READY[name])).to_be_visible()
        page.wait_for_load_state("networkidle")
        if name == "label":
            for key in "gbn":
                page.keyboard.press(key)
        found += [f"{name or 'start'}: {one}" for one in findings(page)]
    assert found == [], "\n".join(found)
