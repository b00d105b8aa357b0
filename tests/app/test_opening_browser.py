"""In a real Chromium: the word that a page is opening is not left on a page that ends early."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Server
from playwright.sync_api import BrowserContext, expect

from annotate_select.project import Project

pytestmark = pytest.mark.browser
SAID = {
    "map": "There is no map yet",
    "label": "Who is labelling?",
    "model": "No model yet",
    "bulk": "Who is labelling?",
}


def test_nothing_is_opening_on_the_pages_of_a_new_project(
    shared: Server, project: Project, visit: Callable[[], BrowserContext]
) -> None:
    shared.knows(project.root)
    visitor = visit()
    pages = {name: visitor.new_page() for name in SAID}
    for name, page in pages.items():
        page.goto(f"{shared.url}/{name}")
        expect(page.get_by_text(SAID[name])).to_be_visible(timeout=90_000)  # the first visit loads libraries
    page.wait_for_timeout(1500)  # it is hidden for the first 0.8 s in any case
    for page in pages.values():
        expect(page.get_by_text("Opening")).to_have_count(0)
