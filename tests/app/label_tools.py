"""What a person does on the labelling page, and what was on screen then: read from the pixels of the shown image."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Iterable
from pathlib import Path

from harness import CLASSES, Server, stored
from playwright.sync_api import Page, expect

from annotate_select.annotations.events import StoredEvent
from annotate_select.project import Project

log = logging.getLogger(__name__)


def label_page(page: Page, server: Server, root: Path, annotator: str = "ana") -> Page:
    with Project.open(root) as project:
        page.goto(f"{server.url}/label?project={project.id}&annotator={annotator}")
    wait_shown(page)
    return page


def wait_shown(page: Page, other_than: int | None = None) -> int:
    """Wait until an image is on screen, another one if one is named, and return its number."""
    page.wait_for_function("other => window.__probe.shown !== null && window.__probe.shown !== other", arg=other_than)
    return seen(page)


def wait_number(page: Page, number: int) -> None:
    """Wait until the image of a number is on screen."""
    page.wait_for_function("number => window.__probe.shown === number", arg=number)
    seen(page)


def wait_fetched(page: Page, n: int) -> None:
    """Wait until n images came from the server, those ahead of the one on screen too."""
    page.wait_for_function(
        "n => performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/image/')).length >= n",
        arg=n,
    )


def seen(page: Page) -> int:
    """Give a person's eye two frames to see what is shown, and return its number."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return shown(page)


def shown(page: Page) -> int:
    return int(page.evaluate("window.__probe.shown"))


def press_each(page: Page, keys: Iterable[str]) -> list[int]:
    """Press each key when the next image is on screen, again where it was refused; return the images' numbers."""
    numbers = [wait_shown(page)]
    for key in keys:
        numbers.append(press_until_next(page, key, numbers[-1]))
    return numbers[:-1]


def press_until_next(page: Page, key: str, number: int) -> int:
    """Press a key until the next image is on screen; return its number."""
    press_away(page, key, number)
    page.wait_for_function("window.__probe.shown !== null")
    return shown(page)


def press_away(page: Page, key: str, number: int) -> None:
    """Press a key until the image of this number is gone from the screen, again where it was refused."""
    while True:
        before = refused(page)
        page.keyboard.press(key)
        page.wait_for_function(
            """([number, before]) => {
                const { shown, hero } = window.__probe;
                const refused = Number(hero().closest(".labeller").dataset.refusedKeys);
                return shown !== number || refused > before;
            }""",
            arg=[number, before],
        )
        if refused(page) == before:
            return


def there_is_more(page: Page) -> bool:
    """Wait until an image is on screen, or none is left."""
    page.wait_for_function("window.__probe.shown !== null || !window.__probe.hero().querySelector('img')")
    return page.locator(".hero img").count() > 0


def wait_saved(page: Page) -> None:
    expect(page.locator(".saved")).to_have_text("all saved", timeout=60_000)


def refused(page: Page) -> int:
    return int(page.locator(".labeller").get_attribute("data-refused-keys") or 0)


def pressed(page: Page) -> list[tuple[int, str]]:
    """Return (number on screen, class) of every digit that was pressed and was no repeat."""
    keys = page.evaluate("window.__probe.keys")
    return [
        (key["number"], CLASSES[int(key["key"]) - 1])
        for key in keys
        if key["key"] in ("1", "2", "3") and not key["repeat"]
    ]


def labels_of(events: Iterable[StoredEvent]) -> list[tuple[int, str]]:
    return [(number_of(one), one.label or "") for one in events if one.kind == "label"]


def number_of(event: StoredEvent) -> int:
    return int(Path(event.key).stem)


def standing(root: Path, annotator: str | None = None) -> dict[int, str]:
    """Return what stands of each image, undone events left out."""
    events = stored(root, annotator)
    return {number_of(one): one.label or one.kind for one in events if one.kind != "undo" and not one.undone}


def assert_on_the_image_seen(page: Page, root: Path) -> None:
    """Every stored label is one key press on the image that was on screen then; every other press was refused."""
    presses, labels = pressed(page), labels_of(stored(root))
    assert len(labels) == len(presses) - refused(page)
    following = iter(presses)
    assert all(label in following for label in labels), (presses, labels)


def latencies(page: Page) -> list[float]:
    """Return the milliseconds from each key press to the paint of the next image."""
    probe = page.evaluate("({ keys: __probe.keys, frames: __probe.frames })")
    found = []
    for key in probe["keys"]:
        later = [f["t"] for f in probe["frames"] if f["t"] > key["t"] and f["number"] not in (None, key["number"])]
        if later and key["number"] is not None:
            found.append(min(later) - key["t"])
    return found


def report(page: Page, most: float = 500.0) -> None:
    """Log how long an image takes to follow a key; only a grossly slow median fails, for machines are busy."""
    times = sorted(latencies(page))
    median, p95 = statistics.median(times), times[int(0.95 * (len(times) - 1))]
    log.info("key to paint: median %.0f ms, p95 %.0f ms, %d keys, %d refused", median, p95, len(times), refused(page))
    assert median < most
