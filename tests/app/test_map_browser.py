"""The map in a real Chromium: what a lasso chooses is verified by the positions, what is labelled by the database."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from harness import Server, stored
from label_tools import wait_saved
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from annotate_select.annotations.events import StoredEvent
from annotate_select.project import Project
from annotate_select.steps.layout import Layout

pytestmark = pytest.mark.browser
Visit = Callable[[], BrowserContext]


@pytest.fixture
def known(measured: Project, telling: Server) -> Project:
    """A project that the server finds: 48 labelled images, of which 12 are the exam's, and a model."""
    telling.knows(measured.root)
    return measured


@pytest.fixture
def page(known: Project, telling: Server, visit: Visit) -> Page:
    """Ana's map."""
    return opened(visit().new_page(), telling, known)


def opened(page: Page, server: Server, project: Project, annotator: str = "ana") -> Page:
    page.goto(f"{server.url}/map?project={project.id}&annotator={annotator}")
    page.wait_for_function("window.__map?.view.drawn > 0")
    return page


def on_screen(page: Page, layout: Layout) -> np.ndarray:
    """Return where each image lies on the page, in pixels (n, 2)."""
    box = page.locator("canvas.over").bounding_box()
    assert box is not None
    look = page.evaluate("window.__map.view.look")
    return np.asarray(layout.points * look["scale"] + [look["x"] + box["x"], look["y"] + box["y"]])


def lasso(page: Page, centre: np.ndarray, radius: float, *, shift: bool = False) -> np.ndarray:
    """Draw a circle by the mouse; return its corners (k, 2)."""
    turns = np.linspace(0, 2 * math.pi, 40)
    corners = centre + radius * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    if shift:
        page.keyboard.down("Shift")
    page.mouse.move(*corners[0])
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(x, y)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")
    return corners


def within(places: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Return the rows inside a circle; fails where one lies on its line, where a hand cannot tell either."""
    apart = np.linalg.norm(places - centre, axis=1)
    assert not ((apart > radius - 4) & (apart < radius + 4)).any()
    return np.flatnonzero(apart < radius)


def circle(places: np.ndarray, least: int) -> tuple[np.ndarray, float]:
    """Return the centre and radius of a circle round at least so many places that goes through none."""
    for row in range(len(places)):
        apart = np.sort(np.linalg.norm(places - places[row], axis=1))
        for i in range(least, len(places) - 5):
            if apart[i] - apart[i - 1] > 12:
                return places[row], float((apart[i] + apart[i - 1]) / 2)
    raise AssertionError("no such circle")


def chosen_ids(page: Page) -> list[int]:
    return list(page.evaluate("window.__map.chosen.map((row) => window.__map.points.ids[row])"))


def act(page: Page, name: str) -> None:
    """Press what is done to the chosen images, once they are on the screen."""
    page.wait_for_function("window.__map.shown !== null")
    page.locator(".act", has_text=name).click()


def by_ana(project: Project) -> list[StoredEvent]:
    return stored(project.root, "ana")


def test_a_project_without_features_says_what_to_do(project: Project, telling: Server, visit: Visit) -> None:
    telling.knows(project.root)
    page = visit().new_page()
    page.goto(f"{telling.url}/map?project={project.id}&annotator=ana")
    expect(page.get_by_text("There is no map yet")).to_be_visible()
    expect(page.get_by_role("button", name="Compute features")).to_be_visible()


def test_a_lasso_chooses_what_lies_inside_and_labels_exactly_that(page: Page, measured: Project) -> None:
    layout = measured.layout()
    places = on_screen(page, layout)
    centre, radius = circle(places, 8)
    rows = within(places, centre, radius)
    lasso(page, centre, radius)
    expect(page.get_by_text(f"{len(rows)} chosen", exact=True)).to_be_visible()
    ids = layout.ids[rows].tolist()
    assert sorted(chosen_ids(page)) == sorted(ids)
    assert page.locator(".thumb").count() == len(rows)

    act(page, "dent")
    wait_saved(page)
    said = by_ana(measured)
    assert sorted(one.image_id for one in said) == sorted(ids)
    assert {(one.kind, one.label) for one in said} == {("label", "dent")}
    assert len({one.uid for one in said}) == len(ids)
    expect(page.get_by_text(f"{len(rows)} images: dent")).to_be_visible()

    page.get_by_role("button", name="Undo").click()
    wait_saved(page)
    expect(page.get_by_text("taken back")).to_be_visible()
    said = by_ana(measured)
    assert all(one.undone for one in said if one.kind == "label")
    assert [one.kind for one in said].count("undo") == len(ids)
    assert sorted(chosen_ids(page)) == sorted(ids)  # ready for another class


def test_an_image_that_was_taken_out_is_left_alone(page: Page, measured: Project) -> None:
    layout = measured.layout()
    places = on_screen(page, layout)
    centre, radius = circle(places, 5)
    lasso(page, centre, radius)
    ids = layout.ids[within(places, centre, radius)].tolist()
    expect(page.locator(".thumb").first).to_be_visible()
    page.locator(".thumb").first.click()
    page.locator(".thumb").nth(1).click()
    page.locator(".thumb").nth(1).click()  # and back in again
    expect(page.get_by_text(f"{len(ids) - 1} chosen", exact=True)).to_be_visible()
    act(page, "Not usable")
    wait_saved(page)
    assert sorted(one.image_id for one in by_ana(measured)) == sorted(ids)[1:]
    assert {one.kind for one in by_ana(measured)} == {"reject"}


def test_shift_adds_and_the_legend_hides(page: Page, measured: Project) -> None:
    layout = measured.layout()
    places = on_screen(page, layout)
    centre, radius = circle(places, 3)
    first = set(within(places, centre, radius).tolist())
    lasso(page, centre, radius)
    far = int(np.linalg.norm(places - centre, axis=1).argmax())
    lasso(page, places[far], 9, shift=True)
    second = {int(row) for row in np.flatnonzero(np.linalg.norm(places - places[far], axis=1) < 9)}
    assert sorted(chosen_ids(page)) == sorted(layout.ids[sorted(first | second)].tolist())

    # what is hidden is no longer chosen, so that nothing is done to what nobody sees
    colours = measured.map_colours("label", layout)
    hidden = int(colours.values[far])
    page.locator(".entry", has_text=colours.groups[hidden].name).click()
    left = [row for row in sorted(first | second) if colours.values[row] != hidden]
    assert sorted(chosen_ids(page)) == sorted(layout.ids[left].tolist())
    lasso(page, places[far], 9)
    assert chosen_ids(page) == layout.ids[[row for row in sorted(second) if colours.values[row] != hidden]].tolist()
    page.get_by_role("button", name="Show all", exact=True).last.click()
    assert page.locator(".entry[aria-pressed=false]").count() == 0


def test_a_click_shows_the_image_and_what_is_most_like_it(page: Page, measured: Project) -> None:
    layout = measured.layout()
    places = on_screen(page, layout)
    alone = int(np.argmax([np.sort(np.linalg.norm(places - one, axis=1))[1] for one in places]))
    page.mouse.click(*places[alone])
    near = measured.neighbours(int(layout.ids[alone]))
    expect(page.get_by_text(layout.keys[alone], exact=True)).to_be_visible()
    expect(page.locator(".thumb")).to_have_count(12)
    titles = [page.locator(".thumb").nth(i).get_attribute("title") or "" for i in range(12)]
    assert [title.split(" · ")[0] for title in titles] == [one.key for one in near[1:]]
    page.wait_for_function(
        "[...document.querySelectorAll('*')].some((e) => e.shadowRoot?.querySelector('.large')?.naturalWidth)"
    )
    page.get_by_role("button", name="Choose all these").click()
    assert sorted(chosen_ids(page)) == sorted(one.image_id for one in near)


def test_the_exam_is_grey_and_no_word_gives_it_away(page: Page, measured: Project) -> None:
    layout = measured.layout()
    exam = {layout.ids[layout.keys.index(key)].item() for key in measured.exam_keys()}
    expect(page.locator(".entry", has_text="no label shown").locator(".n")).to_have_text("12")
    grey = page.evaluate("[...window.__map.points.ids].filter((_, row) => window.__map.points.group[row] === 0)")
    assert set(grey) == exam
    assert "exam" not in page.locator(".map").inner_text().lower()


def test_other_colours_and_a_colour_that_needs_a_model(page: Page, measured: Project) -> None:
    layout = measured.layout()
    for by in ("prediction", "certainty", "batch", "age"):
        page.locator("#map-by").select_option(by)
        page.wait_for_function("by => window.__map.by === by", arg=by)
        colours = measured.map_colours(by, layout)
        assert page.evaluate("[...window.__map.points.group]") == colours.values.tolist()


def test_chosen_images_go_into_the_queue(page: Page, measured: Project) -> None:
    layout = measured.layout()
    places = on_screen(page, layout)
    centre, radius = circle(places, 10)
    lasso(page, centre, radius)
    act(page, "Add to the queue")
    # all of them are labelled, picked or the exam's already
    expect(page.get_by_text("nothing added")).to_be_visible()
    assert len(measured.batches()) == 1
    assert by_ana(measured) == []


def test_the_keyboard_alone_is_enough(page: Page, measured: Project) -> None:
    layout = measured.layout()
    page.locator("canvas.over").focus()
    places = on_screen(page, layout)
    box = page.locator("canvas.over").bounding_box()
    assert box is not None
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    page.keyboard.press("s")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowLeft")
    frame = page.evaluate("window.__map.view.frame")
    assert (frame["w"], frame["h"]) == (160 + 6 * 20, 120 + 6 * 20)
    assert (frame["x"], frame["y"]) == pytest.approx((box["width"] / 2 - 20, box["height"] / 2), abs=0.01)
    away = np.abs(places - middle - [-20, 0])
    rows = np.flatnonzero((away[:, 0] < frame["w"] / 2) & (away[:, 1] < frame["h"] / 2))
    page.keyboard.press("Enter")
    assert sorted(chosen_ids(page)) == sorted(layout.ids[rows].tolist())
    page.locator(".act", has_text="crack").focus()
    page.wait_for_function("window.__map.shown !== null")
    page.keyboard.press("Enter")
    wait_saved(page)
    assert sorted(one.image_id for one in by_ana(measured)) == sorted(layout.ids[rows].tolist())
    # c and r would clear Streamlit's caches, or run the page again
    page.locator("canvas.over").focus()
    page.keyboard.press("c")
    page.keyboard.press("r")
    assert page.get_by_role("dialog").count() == 0


def test_zooming_and_moving_keep_the_lasso_true(page: Page, measured: Project) -> None:
    layout = measured.layout()
    box = page.locator("canvas.over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.get_by_role("button", name="Move").click()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2 + 30)
    page.mouse.up()
    page.get_by_role("button", name="Choose", exact=True).click()
    places = on_screen(page, layout)
    centre = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    apart = np.sort(np.linalg.norm(places - centre, axis=1))
    gaps = [(b - a, (a + b) / 2) for a, b in pairwise(apart) if 40 < (a + b) / 2 < 250]
    radius = max(gaps)[1]
    lasso(page, centre, radius)
    assert sorted(chosen_ids(page)) == sorted(layout.ids[within(places, centre, radius)].tolist())


def test_without_a_name_the_map_is_to_look_at(known: Project, telling: Server, visit: Visit) -> None:
    page = opened(visit().new_page(), telling, known, annotator="")
    places = on_screen(page, known.layout())
    lasso(page, *circle(places, 3))
    expect(page.get_by_text("Give your name on the Label page")).to_be_visible()
    assert page.locator(".act").count() == 0


def test_labels_wait_for_a_server_that_is_away(page: Page, measured: Project, telling: Server) -> None:
    layout = measured.layout()
    places = on_screen(page, layout)
    centre, radius = circle(places, 6)
    lasso(page, centre, radius)
    ids = layout.ids[within(places, centre, radius)].tolist()
    page.wait_for_function("window.__map.shown !== null")
    telling.stop()
    page.evaluate("window.__map.panel.body.querySelector('.act').click()")  # Streamlit covers the page meanwhile
    expect(page.locator(".saved")).to_contain_text("not saved yet")
    assert by_ana(measured) == []
    telling.start()
    wait_saved(page)
    assert sorted(one.image_id for one in by_ana(measured)) == sorted(ids)


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_points_are_drawn_in_the_colours_of_the_theme(
    known: Project, telling: Server, visit: Visit, colour_scheme: str, tmp_path: Path
) -> None:
    page = visit().new_page()
    page.emulate_media(color_scheme=colour_scheme)  # type: ignore[arg-type]
    opened(page, telling, known)
    page.wait_for_timeout(300)

    file = tmp_path / "map.png"
    page.screenshot(path=file)
    with Image.open(file) as shot:
        picture = np.asarray(shot.convert("RGB")).astype(int)
    layout = known.layout()
    colours = known.map_colours("label", layout)
    places = on_screen(page, layout).round().astype(int)
    ground = picture[places[:, 1].min() - 20, places[:, 0].min() - 20]
    assert (ground.mean() > 200) == (colour_scheme == "light")
    lonely = [i for i, one in enumerate(places) if np.sort(np.linalg.norm(places - one, axis=1))[1] > 16]
    assert lonely
    for row in lonely:
        red, green, blue = picture[places[row][1], places[row][0]]
        assert np.abs(picture[places[row][1], places[row][0]] - ground).sum() > 40  # there is a point
        grey = max(red, green, blue) - min(red, green, blue) < 20
        assert grey == (colours.groups[colours.values[row]].kind == "none")
