"""Photos taken in the browser become images of the project."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Server
from playwright.sync_api import BrowserContext, expect

from annotate_select.project import Project

pytestmark = pytest.mark.browser
# A camera's widget that shows a picture, and is not the one that took the photo before.
READY = """() => {
  const video = document.querySelector('video:not([data-used])');
  return video && video.videoWidth > 0 && video.readyState >= 2 && video.currentTime > 0;
}"""


def test_photos_from_a_webcam_join_the_pool(
    project: Project, shared: Server, visit: Callable[[], BrowserContext]
) -> None:
    shared.knows(project.root)
    page = visit().new_page()
    page.goto(f"{shared.url}/?project={project.id}")
    page.get_by_text("Add images").click()
    page.get_by_role("tab", name="Webcam").click()
    page.get_by_text("Use the webcam").click()
    for taken in (1, 2):
        page.wait_for_function(READY)
        page.evaluate("document.querySelector('video').dataset.used = 'yes'")
        page.get_by_role("button", name="Take Photo").click()
        expect(page.get_by_text(f"Add the photos ({taken} taken)")).to_be_visible()
    photos = list((project.root / "images").iterdir())
    assert len(photos) == 2  # on the disk before anything else is pressed
    others = len({photo.read_bytes() for photo in photos})  # this camera's picture comes back every second
    page.get_by_role("button", name="Add the photos").click()
    expect(page.get_by_text(f"added {others} image")).to_be_visible()
    assert project.status().images == 12 + others
