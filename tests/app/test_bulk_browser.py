"""The bulk page in a real Chromium. Which images were labelled is read from the pixels, never from the app."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bulk_tools import bulk_page, cells, click, grid, grouped_project, on_screenshot, refused, seen, wait_painted
from harness import Server, stored
from label_tools import standing, wait_saved
from playwright.sync_api import BrowserContext, Page, expect

from annotate_select.project import Project

pytestmark = pytest.mark.browser

Visit = Callable[[], BrowserContext]


@pytest.fixture
def root(telling: Server, tmp_path: Path) -> Path:
    """A project of 36 images of three kinds of 12: photograph i is of kind i % 3."""
    grouped_project(tmp_path, 36, 3).close()
    telling.knows(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def ana(telling: Server, root: Path, visit: Visit) -> Page:
    """A page on which ana labels groups of 12."""
    return bulk_page(visit().new_page(), telling, root)


def test_a_key_labels_exactly_what_is_in(ana: Page, root: Path) -> None:
    first = wait_painted(ana, 12)
    assert len({number % 3 for number in first}) == 1
    click(ana, 3)
    click(ana, 7)
    expect(ana.locator(".heading .count")).to_have_text("10 of 12 in")
    out = {first[3], first[7]}
    assert {one["number"] for one in cells(ana) if one["out"]} == out
    ana.keyboard.press("2")
    second = wait_painted(ana, 12, other_than=first)
    wait_saved(ana)
    assert standing(root) == {number: "crack" for number in first if number not in out}
    ana.get_by_role("button", name="dent").click()
    wait_painted(ana, 12, other_than=first + second)
    wait_saved(ana)
    expected = {number: "crack" for number in first if number not in out} | dict.fromkeys(second, "dent")
    assert standing(root) == expected
    events = stored(root)
    assert len({one.uid for one in events}) == len(events) == 22
    assert all(one.kind == "label" and one.shown_ms is not None for one in events)


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (820, 1180), (600, 960)])
def test_what_counts_as_seen_is_on_the_screen(
    telling: Server, root: Path, visit: Visit, width: int, height: int
) -> None:
    page = visit().new_page()
    page.set_viewport_size({"width": width, "height": height})
    bulk_page(page, telling, root)
    page.get_by_label("Size of the images").fill("200")
    page.wait_for_function("() => window.__bulk?.grid.chosen.length > 0")
    page.wait_for_function("() => performance.now() - window.__bulk.shownAt > 1500")
    states = [(one["number"], one["state"] == "painted") for one in cells(page)]
    on_screen = on_screenshot(page)
    assert sum(painted for _, painted in states) >= 4
    assert [number for number, painted in states if painted] == [
        number for number, (_, painted) in zip(on_screen, states, strict=True) if painted
    ]


def test_undo_takes_the_whole_group_back_and_shows_it_as_it_was(ana: Page, root: Path) -> None:
    first = wait_painted(ana, 12)
    click(ana, 0)
    ana.keyboard.press("1")
    second = wait_painted(ana, 12, other_than=first)
    ana.keyboard.press("z")
    again = wait_painted(ana, 11)
    assert seen(ana) == first == again
    assert [one["number"] for one in cells(ana) if one["out"]] == [first[0]]
    wait_saved(ana)
    assert standing(root) == {}
    assert [one.kind for one in stored(root)] == ["label"] * 11 + ["undo"] * 11
    ana.keyboard.press("3")
    assert sorted(wait_painted(ana, 12, other_than=first)) == sorted(second)
    wait_saved(ana)
    assert standing(root) == dict.fromkeys(first[1:], "dent")


def test_what_was_left_out_comes_again_at_the_end(ana: Page, root: Path) -> None:
    out = set()
    before: list[int] = []
    for _ in range(3):
        before = wait_painted(ana, 12, other_than=before)
        click(ana, 5)
        out.add(before[5])
        ana.keyboard.press("1")
    again: set[int] = set()
    while len(again) < 3:  # in one group or in several
        ana.wait_for_function("() => window.__bulk.grid.chosen.length > 0")
        again |= set(wait_painted(ana, len(cells(ana))))
        ana.keyboard.press("2")
    assert again == out
    expect(ana.locator(".message")).to_contain_text("Nothing left to group")
    wait_saved(ana)
    assert standing(root) == {number: "crack" if number in out else "ok" for number in range(36)}


def test_a_group_left_for_later_comes_again_and_can_be_had_back(ana: Page, root: Path) -> None:
    first = wait_painted(ana, 12)
    ana.keyboard.press("s")
    second = wait_painted(ana, 12, other_than=first)
    ana.keyboard.press("z")
    assert wait_painted(ana, 12, other_than=second) == first
    assert stored(root) == []


def test_labels_wait_for_the_server_through_a_reload(ana: Page, root: Path) -> None:
    first = wait_painted(ana, 12)
    ana.route("**/api/annotations", lambda route: route.abort())
    ana.keyboard.press("1")
    wait_painted(ana, 12, other_than=first)
    expect(ana.locator(".saved")).to_have_text(re.compile("offline: 12 labels kept here|saving 12"))
    ana.evaluate("window.__bulk.outbox.sendLast = () => {}")  # as in a crash: there is no last attempt
    ana.reload()
    ana.wait_for_function("() => window.__bulk")
    wait_painted(ana, 12, other_than=first)
    assert stored(root) == []
    ana.unroute("**/api/annotations")
    wait_saved(ana)
    assert standing(root) == dict.fromkeys(first, "ok")
    assert len(stored(root)) == 12
    ana.keyboard.press("z")  # also after the reload
    assert wait_painted(ana, 12) == first
    wait_saved(ana)
    assert standing(root) == {}


def test_an_image_that_cannot_be_shown_is_not_labelled(telling: Server, root: Path, visit: Visit) -> None:
    (root.parent / "photos" / "0004.png").write_bytes(b"this is no image")
    page = bulk_page(visit().new_page(), telling, root)
    shown: list[int] = []
    labelled: set[int] = set()
    for _ in range(3):
        page.wait_for_function("() => window.__bulk.grid.cells.length === 12 && !window.__bulk.grid.unseen.length")
        broken = [one for one in cells(page) if one["state"] == "broken"]
        shown = wait_painted(page, 12 - len(broken), other_than=shown)
        if broken:
            expect(page.locator(".heading .count")).to_have_text("11 of 12 in, 1 cannot be labelled")
        labelled |= set(shown)
        page.keyboard.press("1")
    wait_saved(page)
    assert labelled == set(range(36)) - {4}
    assert standing(root) == dict.fromkeys(labelled, "ok")


def test_what_was_never_on_screen_is_not_labelled(telling: Server, root: Path, visit: Visit) -> None:
    page = bulk_page(visit().new_page(), telling, root)
    wait_painted(page, 12)
    page.get_by_label("Size of the images").fill("320")
    page.keyboard.press("s")  # the next group comes in that size
    page.wait_for_function("() => window.__bulk.grid.cells.length === 12 && window.__bulk.grid.chosen.length > 0")
    page.wait_for_function("() => performance.now() - window.__bulk.shownAt > 1500")
    box = grid(page).bounding_box()
    assert box is not None
    visible = grid(page).evaluate(
        """(root, bottom) => [...root.querySelectorAll(".cell")]
            .map((cell) => { const r = cell.getBoundingClientRect(); return (r.top + r.bottom) / 2 < bottom; })""",
        box["y"] + box["height"],
    )
    numbers = [one["number"] for one, inside in zip(cells(page), visible, strict=True) if inside]
    assert 0 < len(numbers) < 12
    expect(page.locator(".heading .count")).to_have_text(f"{len(numbers)} of 12 in, {12 - len(numbers)} not seen yet")
    page.keyboard.press("1")
    page.wait_for_function("n => window.__bulk.grid.cells.length === n", arg=12 - len(numbers))
    wait_saved(page)
    assert standing(root) == dict.fromkeys(numbers, "ok")


def test_a_second_press_at_once_or_a_held_key_labels_nothing_more(ana: Page, root: Path) -> None:
    first = wait_painted(ana, 12)
    ana.keyboard.press("1")
    ana.keyboard.press("1")
    ana.keyboard.down("2")
    for _ in range(20):
        ana.keyboard.down("2")  # auto-repeat
    ana.keyboard.up("2")
    assert refused(ana) == 2
    wait_painted(ana, 12, other_than=first)
    wait_saved(ana)
    assert standing(root) == dict.fromkeys(first, "ok")


def test_the_keyboard_alone_is_enough(ana: Page, root: Path) -> None:
    first = wait_painted(ana, 12)
    columns = int(ana.evaluate("window.__bulk.grid.columns"))
    ana.keyboard.press("ArrowRight")
    ana.keyboard.press("ArrowRight")
    ana.keyboard.press("Space")  # the third is out
    for key in ("Shift+ArrowRight", "Shift+ArrowRight"):
        ana.keyboard.press(key)  # and the next two
    ana.keyboard.press("End")
    ana.keyboard.press("Space")
    ana.keyboard.press("Space")  # out, and in again
    assert columns >= 12
    expect(ana.locator(".heading .count")).to_have_text("9 of 12 in")
    assert [one["number"] for one in cells(ana) if one["out"]] == first[2:5]
    assert ana.evaluate("document.activeElement.shadowRoot.activeElement.ariaLabel").startswith("12: ")
    ana.keyboard.press("1")
    wait_painted(ana, 12, other_than=first)
    wait_saved(ana)
    assert standing(root) == {number: "ok" for number in first if number not in first[2:5]}
    ana.keyboard.press("-")
    expect(ana.locator(".heading .count")).to_have_text("0 of 12 in")
    ana.keyboard.press("1")
    assert refused(ana) == 1
    ana.keyboard.press("+")
    expect(ana.locator(".heading .count")).to_have_text("12 of 12 in")
    ana.keyboard.press("?")
    expect(ana.get_by_text("all in, all out")).to_be_visible()
    ana.keyboard.press("1")  # closes the list, and is no label
    expect(ana.get_by_text("all in, all out")).to_be_hidden()
    wait_saved(ana)
    assert len(stored(root)) == 9


def test_a_click_with_shift_changes_a_range(ana: Page) -> None:
    first = wait_painted(ana, 12)
    click(ana, 2)
    click(ana, 6, shift=True)
    assert [one["number"] for one in cells(ana) if one["out"]] == first[2:7]
    click(ana, 4)
    click(ana, 9, shift=True)
    assert [one["number"] for one in cells(ana) if one["out"]] == first[2:4]


def test_enter_finds_more_like_one(ana: Page) -> None:
    wait_painted(ana, 12)
    ana.keyboard.press("ArrowRight")
    like = seen(ana)[1]
    ana.keyboard.press("Enter")
    expect(ana.locator(".what")).to_have_text(f"The images most like {like:04}.png")
    numbers = wait_painted(ana, 12)
    assert numbers[0] == like
    assert {number % 3 for number in numbers} == {like % 3}


def test_prediction_says_what_is_missing(ana: Page) -> None:
    wait_painted(ana, 12)
    ana.get_by_role("button", name="Prediction").click()
    expect(ana.locator(".message")).to_contain_text("there is no model yet; train one")
    ana.keyboard.press("1")
    assert refused(ana) == 0
    ana.get_by_role("button", name="Clusters").click()
    wait_painted(ana, 12)


def test_prediction_shows_a_class_with_its_certainty(telling: Server, root: Path, visit: Visit) -> None:
    with Project.open(root) as project:
        project.annotate({f"{number:04}.png": ["ok", "crack", "dent"][number % 3] for number in range(9)})
        project.train()
    page = bulk_page(visit().new_page(), telling, root)
    wait_painted(page, 9)
    page.get_by_role("button", name="Prediction").click()
    page.get_by_label("Class", exact=True).select_option("crack")
    expect(page.locator(".what")).to_contain_text("These look like crack to the model (")
    numbers = wait_painted(page, 9)
    assert {number % 3 for number in numbers} == {1}
    assert all(text.endswith(" %") for text in page.locator(".score").all_text_contents())
    page.keyboard.press("2")
    wait_saved(page)
    assert standing(root, "ana") == dict.fromkeys(numbers, "crack")


def test_two_tabs_of_one_annotator_never_label_twice(telling: Server, root: Path, visit: Visit) -> None:
    context = visit()
    one = bulk_page(context.new_page(), telling, root)
    two = bulk_page(context.new_page(), telling, root)
    first = wait_painted(two, 12)
    one.bring_to_front()
    assert wait_painted(one, 12) == first
    one.keyboard.press("1")
    wait_saved(one)
    two.bring_to_front()
    two.wait_for_function("() => window.__bulk.grid.chosen.length === 0")
    assert {cell["state"] for cell in cells(two)} == {"taken"}
    two.keyboard.press("2")
    assert refused(two) == 1
    assert standing(root) == dict.fromkeys(first, "ok")
    two.keyboard.press("s")
    assert not set(wait_painted(two, 12)) & set(first)


def test_two_annotators_never_see_the_same_images(telling: Server, root: Path, visit: Visit) -> None:
    ana = bulk_page(visit().new_page(), telling, root)
    mine = wait_painted(ana, 12)
    ana.wait_for_function("() => window.__bulk.supply.queue.length === 1")
    stock = ana.evaluate("window.__bulk.supply.queue[0].images.map(({ key }) => Number(key.slice(0, 4)))")
    bob = bulk_page(visit().new_page(), telling, root, annotator="bob")
    theirs = wait_painted(bob, 12)
    assert sorted([*mine, *stock, *theirs]) == list(range(36))
    bob.keyboard.press("1")
    expect(bob.locator(".message")).to_contain_text("Nothing left to group")
    wait_saved(bob)
    assert standing(root, "bob") == dict.fromkeys(theirs, "ok")
    ana.keyboard.press("2")
    assert sorted(wait_painted(ana, 12, other_than=mine)) == sorted(stock)
    wait_saved(ana)
    assert standing(root, "ana") == dict.fromkeys(mine, "crack")
