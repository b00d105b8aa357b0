"""The app in a real Chromium. What was on screen is read from the pixels of the shown image, never from the app."""

from __future__ import annotations

import csv
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import CLASSES, Server, make_project, stored, write_coded
from label_tools import (
    assert_on_the_image_seen,
    label_page,
    labels_of,
    number_of,
    press_away,
    press_each,
    pressed,
    refused,
    report,
    shown,
    standing,
    there_is_more,
    wait_fetched,
    wait_number,
    wait_saved,
    wait_shown,
)
from playwright.sync_api import BrowserContext, Page, expect

from annotate_select.project import Project

pytestmark = pytest.mark.browser

Visit = Callable[[], BrowserContext]


@pytest.fixture
def ana(shared: Server, many: Path, visit: Visit) -> Page:
    """A page on which ana can label."""
    shared.knows(many)
    return label_page(visit().new_page(), shared, many)


def test_the_whole_loop(
    server: Server,
    photos: Path,
    visit: Visit,
    tmp_path: Path,
) -> None:
    """Make a project by filling in the form, label 50 images, train, get the next batch, export."""
    root = tmp_path / "demo"
    server.start()
    page = visit().new_page()
    page.goto(server.url)
    fill_in(page, "Name", "demo")
    fill_in(page, "Folder of images", str(photos))
    expect(page.get_by_text("90 images there")).to_be_visible()
    fill_in(page, "Classes, one a line", "\n".join(CLASSES))
    fill_in(page, "Where to put the project", str(root))
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_text("Preparing the project")).to_be_visible()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    page.get_by_role("button", name="Start labelling").click(timeout=240_000)

    page.get_by_role("textbox", name="Your name").fill("ana")
    page.get_by_role("button", name="Start labelling").click()
    press_each(page, ("123"[i % 3] for i in range(50)))
    wait_saved(page)
    assert_on_the_image_seen(page, root)
    assert len(standing(root)) == 50
    report(page)

    while there_is_more(page):  # what is left of the first batch and the exam
        press_away(page, "1", shown(page))
    expect(page.get_by_text("Nothing left to label at the moment")).to_be_visible()
    wait_saved(page)
    done = len(standing(root))
    page.get_by_role("button", name="Train and pick the next batch").click()
    expect(page.locator(".hero img")).to_be_visible(timeout=120_000)  # the next batch arrives by itself
    assert len(standing(root)) == done

    page.get_by_role("link", name="Model").click()
    expect(page.get_by_text("Accuracy against labels")).to_be_visible()
    expect(page.locator("canvas, svg.marks").first).to_be_visible()
    page.get_by_role("link", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download demo-labels.csv").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = {int(Path(row["image"]).stem): row["label"] for row in csv.DictReader(file)}
    assert rows == standing(root)


def fill_in(page: Page, label: str, text: str) -> None:
    field = page.get_by_role("textbox", name=label, exact=True)
    field.fill(text)
    field.press("Tab")


def test_keys_faster_than_the_screen_never_label_an_image_unseen(ana: Page, many: Path) -> None:
    """Press blindly at 20 keys a second, then as fast as keys can be sent at all."""
    began = time.monotonic()
    for i in range(40):
        ana.keyboard.press("123"[i * i % 3])
        time.sleep(max(0.0, began + (i + 1) / 20 - time.monotonic()))
    report(ana)
    ana.keyboard.type("12312312312312312312")
    wait_saved(ana)
    assert len(pressed(ana)) == 60
    assert refused(ana) > 0
    assert_on_the_image_seen(ana, many)
    assert len(standing(many)) == len(stored(many)) > 20


def test_a_held_key_is_one_label(ana: Page, many: Path) -> None:
    for _ in range(21):
        ana.keyboard.down("2")
    ana.keyboard.up("2")
    wait_saved(ana)
    assert [label for _, label in labels_of(stored(many))] == ["crack"]


def test_other_keys_label_nothing(ana: Page, many: Path) -> None:
    first = shown(ana)
    for key in ("Control+1", "Alt+2", "Meta+3", "c", "r", "9", "Enter", "ArrowRight", "ArrowLeft"):
        ana.keyboard.press(key)
    ana.keyboard.press("?")
    expect(ana.locator(".help")).to_be_visible()
    ana.keyboard.press("1")
    ana.keyboard.press("Escape")
    expect(ana.locator(".help")).to_be_hidden()
    expect(ana.get_by_role("dialog")).to_have_count(0)  # Streamlit's own, which c opens
    assert shown(ana) == first
    assert stored(many) == []


def test_skip_unsure_reject_and_buttons(ana: Page, many: Path) -> None:
    numbers = press_each(ana, ["s", "u", "x", "Space"])
    fifth = shown(ana)
    ana.get_by_role("button", name="dent").click()
    wait_shown(ana, other_than=fifth)
    wait_saved(ana)
    expected = dict(zip(numbers, ["skip", "unsure", "reject", "skip"], strict=True)) | {fifth: "dent"}
    assert standing(many) == expected


def test_undo_over_several_levels_and_a_reload(ana: Page, many: Path) -> None:
    numbers = press_each(ana, "1231")
    for number, label in zip(reversed(numbers[2:]), ["ok", "dent"], strict=True):
        ana.keyboard.press("z")
        wait_number(ana, number)
        expect(ana.locator(".ribbon")).to_have_text(f"Taken back: {label}")
    assert press_each(ana, "2") == [numbers[2]]
    wait_saved(ana)
    assert standing(many) == {numbers[0]: "ok", numbers[1]: "crack", numbers[2]: "crack"}

    ana.reload()
    wait_shown(ana)
    for number in reversed(numbers[:3]):
        ana.keyboard.press("Backspace")
        wait_number(ana, number)
    wait_saved(ana)
    assert standing(many) == {}
    press_each(ana, "333")
    wait_saved(ana)
    assert standing(many) == dict.fromkeys(numbers[:3], "dent")


def test_looking_back_changes_nothing_until_a_key_is_pressed(ana: Page, many: Path) -> None:
    numbers = press_each(ana, "111")
    ahead = shown(ana)
    for number in (numbers[2], numbers[1]):
        ana.keyboard.press("ArrowLeft")
        wait_number(ana, number)
    expect(ana.locator(".ribbon")).to_contain_text("You said: ok")
    wait_saved(ana)
    assert standing(many) == dict.fromkeys(numbers, "ok")
    ana.keyboard.press("2")
    assert wait_shown(ana, other_than=numbers[1]) == ahead
    wait_saved(ana)
    assert {number_of(one): one.label for one in stored(many)} == {
        numbers[0]: "ok",
        numbers[1]: "crack",
        numbers[2]: "ok",
    }


def test_labels_made_while_the_server_is_dead_are_stored_once(ana: Page, many: Path, shared: Server) -> None:
    press_each(ana, "123")
    wait_fetched(ana, 3 + 10 + 1)
    shared.stop(signal.SIGKILL)
    press_each(ana, "1231231231")
    expect(ana.locator(".saved")).to_contain_text("kept here, will retry")
    shared.start()
    wait_saved(ana)
    assert_on_the_image_seen(ana, many)
    assert len(standing(many)) == len(stored(many)) == 13
    press_each(ana, "1")  # and labelling goes on
    wait_saved(ana)
    assert len(standing(many)) == 14


def test_labels_made_offline_survive_a_closed_tab(ana: Page, many: Path, shared: Server) -> None:
    press_each(ana, "1")
    wait_saved(ana)
    context = ana.context
    context.set_offline(True)
    press_each(ana, "23123")
    expect(ana.locator(".saved")).to_contain_text("kept here, will retry")
    ana.close()
    assert len(standing(many)) == 1
    context.set_offline(False)
    again = label_page(context.new_page(), shared, many)
    wait_saved(again)
    assert sorted(standing(many).values()) == ["crack", "crack", "dent", "dent", "ok", "ok"]
    ahead = shown(again)
    assert ahead not in standing(many)


def test_two_tabs_of_one_annotator_lose_nothing(ana: Page, many: Path, shared: Server) -> None:
    second = label_page(ana.context.new_page(), shared, many)
    second.context.set_offline(True)  # both keep events at the same time
    firsts = press_each(ana, "1111")
    assert press_each(second, "2") == firsts[:1]  # the image it showed is not taken away from under a finger
    assert shown(second) == shown(ana)  # and what the other tab decided does not come again
    press_each(second, "22")
    second.context.set_offline(False)
    wait_saved(ana)
    wait_saved(second)
    keys, labels = Counter(pressed(ana) + pressed(second)), Counter(labels_of(stored(many)))
    assert labels <= keys
    assert labels.total() == keys.total() - refused(ana) - refused(second)
    assert len(standing(many)) == 6
    assert standing(many)[firsts[0]] in ("ok", "crack")


def test_two_annotators_get_different_images(ana: Page, many: Path, shared: Server, visit: Visit) -> None:
    other = label_page(visit().new_page(), shared, many, "ben")
    numbers = {"ana": press_each(ana, "11111"), "ben": press_each(other, "22222")}
    wait_saved(ana)
    wait_saved(other)
    assert not set(numbers["ana"]) & set(numbers["ben"])
    assert standing(many, "ana") == dict.fromkeys(numbers["ana"], "ok")
    assert standing(many, "ben") == dict.fromkeys(numbers["ben"], "crack")


def test_leaving_the_page_at_once_keeps_what_was_said(ana: Page, many: Path) -> None:
    numbers = press_each(ana, "12")
    last = shown(ana)
    ana.keyboard.press("3")
    ana.get_by_role("link", name="Export").click()
    expect(ana.get_by_role("button", name="Download project-labels.csv")).to_be_visible()
    ana.keyboard.press("1")  # labels nothing: the labeller is not on this page
    ana.get_by_role("link", name="Label").first.click()
    wait_shown(ana, other_than=last)
    wait_saved(ana)
    assert standing(many) == dict(zip([*numbers, last], CLASSES, strict=True))


def test_a_refused_label_is_said_and_not_sent_again(ana: Page, many: Path) -> None:
    sent: list[str] = []
    ana.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    first = shown(ana)
    toml = many / "project.toml"
    toml.write_text(toml.read_text().replace(', "dent"', ""))  # somebody removes the class meanwhile
    ana.keyboard.press("3")
    expect(ana.locator(".refused")).to_contain_text("not accepted: dent for")
    wait_saved(ana)
    posts = len([url for url in sent if url.endswith("/api/annotations")])
    ana.reload()
    assert wait_shown(ana) == first  # it waits for a decision still
    assert stored(many) == []
    assert posts == 1


def test_an_image_that_cannot_be_read_can_only_be_set_aside(shared: Server, tmp_path: Path, visit: Visit) -> None:
    make_project(tmp_path / "project", write_coded(tmp_path / "photos", 6), exam_size=1).close()
    shared.knows(tmp_path / "project")
    with Project.open(tmp_path / "project") as project:
        lost = project.queue("ana", 10)[1].key
    (tmp_path / "photos" / lost).unlink()
    page = label_page(visit().new_page(), shared, tmp_path / "project")
    page.keyboard.press("1")
    expect(page.get_by_text("This image cannot be shown")).to_be_visible()
    page.wait_for_function("window.__probe.shown === null")
    page.keyboard.press("1")
    expect(page.locator(".hint")).to_contain_text("nothing recorded")
    page.keyboard.press("x")
    wait_shown(page)
    wait_saved(page)
    assert standing(tmp_path / "project")[int(Path(lost).stem)] == "reject"
    assert sorted(standing(tmp_path / "project").values()) == ["ok", "reject"]


def test_the_keyboard_alone_reaches_the_buttons(ana: Page, many: Path) -> None:
    first = shown(ana)
    ana.get_by_role("button", name="crack").focus()
    ana.keyboard.press("Tab")
    ana.keyboard.press("Shift+Tab")
    ana.keyboard.press("Space")  # of someone who walks with Tab, it presses the button instead of skipping
    wait_shown(ana, other_than=first)
    wait_saved(ana)
    assert standing(many) == {first: "crack"}
