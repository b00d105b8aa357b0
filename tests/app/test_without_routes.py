"""The pages that label where the routes are missing: slower, and as safe."""

from __future__ import annotations

import json
import signal
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bulk_tools import bulk_page, cells, grid, grouped_project, wait_painted
from harness import Server, make_project, stored
from label_tools import (
    assert_on_the_image_seen,
    label_page,
    labels_of,
    press_each,
    pressed,
    standing,
    wait_saved,
    wait_shown,
)
from playwright.sync_api import BrowserContext, expect
from test_map_browser import act, chosen_ids, lasso, opened

from annotate_select.project import Project
from annotate_select.recent import remember

Call = dict[str, object]


@pytest.mark.browser
def test_labels_go_by_the_component_s_state(
    plain: Server, photos: Path, tmp_path: Path, visit: Callable[[], BrowserContext]
) -> None:
    root = tmp_path / "project"
    make_project(root, photos, exam_size=10).close()
    plain.knows(root)
    page = label_page(visit().new_page(), plain, root)
    assert page.locator(".labeller").get_attribute("data-slow") == "yes"
    for number in range(15):  # ten a second, seen or not
        page.keyboard.press("123"[number % 3])
        page.wait_for_timeout(100)
    wait_saved(page)
    assert_on_the_image_seen(page, root)
    assert len(labels_of(stored(root))) >= 3
    before = labels_of(stored(root))

    page.reload()
    wait_shown(page)
    press_each(page, "12")
    plain.stop(signal.SIGKILL)
    press_each(page, "3")  # the next images are there already
    plain.start()
    press_each(page, "1")
    wait_saved(page)
    after = labels_of(stored(root))
    assert after == before + pressed(page)[: len(after) - len(before)]
    assert len(after) == len(before) + 4
    assert max(Counter(one.uid for one in stored(root)).values()) == 1


@pytest.mark.browser
def test_groups_do(plain: Server, tmp_path: Path, visit: Callable[[], BrowserContext]) -> None:
    root = tmp_path / "project"
    grouped_project(tmp_path, 36, 3).close()
    plain.knows(root)
    page = bulk_page(visit().new_page(), plain, root)
    first = wait_painted(page, 12)
    assert page.locator(".bulk").get_attribute("data-slow") == "yes"
    grid(page).locator(".cell").nth(3).click()
    out = {int(str(one["number"])) for one in cells(page) if one["out"]}
    page.keyboard.press("2")
    second = wait_painted(page, 12, other_than=first)
    plain.stop(signal.SIGKILL)
    page.keyboard.press("3")
    expect(page.locator(".saved")).not_to_have_text("all saved")
    plain.start()
    wait_saved(page)
    assert standing(root) == dict.fromkeys(set(first) - out, "crack") | dict.fromkeys(second, "dent")
    assert len(stored(root)) == 23


@pytest.mark.browser
def test_the_map_does(plain: Server, measured: Project, visit: Callable[[], BrowserContext]) -> None:
    plain.knows(measured.root)
    page = opened(visit().new_page(), plain, measured)
    assert page.locator(".map").get_attribute("data-slow") == "yes"
    box = page.locator("canvas.over").bounding_box()
    assert box is not None
    middle, radius = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]), box["height"] * 0.45
    lasso(page, middle, radius)
    ids = chosen_ids(page)
    assert len(ids) > 3
    page.wait_for_function(
        "() => window.__map.panel.body.querySelector('.thumbs img').naturalWidth > 0"  # images come as well
    )
    act(page, "dent")
    wait_saved(page)
    assert {one.image_id: one.label for one in stored(measured.root, "ana")} == dict.fromkeys(ids, "dent")


@pytest.fixture
def call(project: Project) -> Callable[..., Call]:
    """What the browser of ana asks."""
    remember(project.root)
    token = f"{project.id}.{project.token('ana')}"

    def asking(name: str, url: str, method: str = "GET", body: object = None, token: str = token) -> Call:
        text = None if body is None else json.dumps(body)
        return {"id": name, "method": method, "url": url, "token": token, "body": text}

    return asking


def answer(told: object, before: dict[str, object] | None = None) -> dict[str, tuple[int, bytes]]:
    """Answer, and return what came for each id: status and content."""
    from by_state import replies

    found = replies(told, before)
    assert found is not None
    return {one["id"]: (one["status"], b64decode(one["body"])) for one in found["replies"]}  # type: ignore[attr-defined]


def test_the_same_functions_answer(project: Project, call: Callable[..., Call]) -> None:
    first = project.queue("ana", 1)[0].image_id
    event = {"uid": "u1", "image": first, "kind": "label", "label": "ok", "target": None}
    calls = [
        call("queue", "/api/queue?n=5"),
        call("picture", f"/api/image/{first}?w=128"),
        call("store", "/api/annotations", "POST", {"events": [event]}),
        call("stranger", "/api/queue", token=f"{project.id}.guessed"),
        call("elsewhere", "/api/image/../../etc/passwd"),
        call("unknown", "/_stcore/health"),
    ]
    found = answer({"n": 1, "calls": calls})
    assert {name: status for name, (status, _) in found.items()} == {
        "queue": 200, "picture": 200, "store": 200, "stranger": 403, "elsewhere": 404, "unknown": 404,
    }  # fmt: skip
    assert found["picture"][1][8:12] == b"WEBP"
    assert json.loads(found["store"][1])["acked"] == ["u1"]
    assert first not in [one["id"] for one in json.loads(found["queue"][1])["items"]]  # events come first


def test_what_was_answered_is_not_done_again(call: Callable[..., Call], project: Project) -> None:
    from by_state import replies

    asked = {"n": 1, "calls": [call("one", "/api/queue?n=1")]}
    once = replies(asked, None)
    assert replies(asked, once) == once
    project.annotate({project.queue("ana", 1)[0].key: "ok"}, annotator="ana")
    again = replies({"n": 2, "calls": [*asked["calls"], call("two", "/api/queue?n=1")]}, once)  # type: ignore[misc]
    assert once is not None
    assert again is not None
    old, new = again["replies"]  # type: ignore[misc]
    assert [old] == once["replies"]
    assert new["body"] != old["body"]


@pytest.mark.parametrize("told", [None, "x", {}, {"n": 1}, {"n": 1, "calls": 3}])
def test_what_is_no_question_is_let_be(told: object) -> None:
    from by_state import replies

    assert replies(told, None) is None
    assert replies(told, {"n": 0, "replies": []}) == {"n": 0, "replies": []}


def test_calls_of_another_form_are_left_out(call: Callable[..., Call]) -> None:
    wrong = [3, {}, {**call("a", "/api/ping"), "url": 7}, {**call("b", "/api/ping"), "body": {}}]
    assert list(answer({"n": 1, "calls": [*wrong, call("c", "/api/ping")]})) == ["c"]
