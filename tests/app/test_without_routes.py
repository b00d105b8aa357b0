"""The labelling page where the routes are missing: slower, and as safe."""

from __future__ import annotations

import json
import signal
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import PlainServer, make_project, stored
from playwright.sync_api import BrowserContext
from test_browser import assert_on_the_image_seen, label_page, labels_of, press_each, pressed, wait_saved, wait_shown

from annotate_select.project import Project
from annotate_select.recent import remember

Call = dict[str, object]


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[PlainServer]:
    made = PlainServer(tmp_path / "state")
    yield made
    made.stop()


@pytest.mark.browser
def test_labels_go_by_the_component_s_state(
    plain: PlainServer, photos: Path, tmp_path: Path, visit: Callable[[], BrowserContext]
) -> None:
    root = tmp_path / "project"
    make_project(root, photos, exam_size=10).close()
    remember(root)
    plain.start()
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
