"""The routes the browser talks to, without a browser."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import projects
import pytest
import routes
from PIL import Image
from starlette.applications import Starlette

from annotate_select.annotations.events import history
from annotate_select.project import Project

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of httpx, where httpx2 is not installed
    from starlette.testclient import TestClient


@pytest.fixture
def client(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(projects, "_open", {})
    projects.keep(project)
    with TestClient(Starlette(routes=routes.routes())) as made:
        made.headers["X-Annotate-Token"] = f"{project.id}.{project.token('ana')}"
        yield made


def event(uid: str, image: int, **more: object) -> dict[str, object]:
    return {"uid": uid, "image": image, "kind": "label", "label": "ok", **more}


def send(client: TestClient, *events: object) -> Any:
    return client.post("/api/annotations", json={"events": list(events)})


def first_image(client: TestClient) -> int:
    return int(client.get("/api/queue").json()["items"][0]["id"])


def test_ping_answers_json(client: TestClient) -> None:
    assert client.get("/api/ping").json()["app"] == "annotate-select"


@pytest.mark.parametrize("token", ["", "nonsense", "0" * 32 + ".x.y", "{id}", "{id}.", "{id}.YW5h.0000", "{id}.é"])
def test_a_wrong_token_is_refused_everywhere(client: TestClient, project: Project, token: str) -> None:
    headers = {"X-Annotate-Token": token.format(id=project.id).encode()}
    answers = [
        client.get("/api/queue", headers=headers),
        client.get("/api/image/1", headers=headers),
        client.post("/api/annotations", headers=headers, json={"events": [event("u1", 1)]}),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "token" in answers[0].json()["error"]
    assert history(project._home.db) == []


def test_the_token_of_another_project_is_refused(client: TestClient, project: Project, tmp_path: Path) -> None:
    with Project.create(tmp_path / "other", ["a", "b"]) as other:
        mixed = f"{project.id}.{other.token('ana')}"
    assert client.get("/api/queue", headers={"X-Annotate-Token": mixed}).status_code == 403


def test_a_project_that_is_not_open_is_found_among_the_recent_ones(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "_open", {})
    assert client.get("/api/queue").status_code == 200


def test_an_image_comes_as_webp_no_larger_than_asked(client: TestClient, project: Project) -> None:
    token = client.headers.pop("X-Annotate-Token")
    answer = client.get(f"/api/image/1?w=100&t={token}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/webp"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert Image.open(io.BytesIO(answer.content)).size == (128, 96)  # 320 x 240 at the smallest size there is


@pytest.mark.parametrize("image", ["999999", "0"])
def test_an_image_that_is_not_in_the_project_is_not_found(client: TestClient, image: str) -> None:
    answer = client.get(f"/api/image/{image}")
    assert answer.status_code == 404
    assert image in answer.json()["error"]


def test_an_image_whose_file_is_gone_is_not_found(client: TestClient, project: Project, tmp_path: Path) -> None:
    item = client.get("/api/queue").json()["items"][0]
    (tmp_path / "photos" / item["key"]).unlink()
    answer = client.get(f"/api/image/{item['id']}?w=640")
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/image/..%2f..%2fetc%2fpasswd", "/api/image/-1", "/api/image/1%00"])
def test_a_path_is_no_image(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("width", ["abc", "-5", "0", "", "1e9", "9999999999999999999"])
def test_a_width_that_is_no_number_is_refused(client: TestClient, width: str) -> None:
    assert client.get("/api/image/1", params={"w": width}).status_code == 400


def test_the_queue_does_not_tell_exam_images_apart(client: TestClient, project: Project) -> None:
    answer = client.get("/api/queue?n=100").json()
    reasons = {item["why"] for item in answer["items"]}
    assert len(answer["items"]) == 8
    assert reasons == {"chosen at random", "stands for many images"}
    assert all("exam" not in key for item in answer["items"] for key in item)
    assert answer["progress"] == {"left": 8, "by_me": 0, "labelled": 0}


def test_events_are_stored_before_they_are_acknowledged(client: TestClient, project: Project) -> None:
    image = first_image(client)
    answer = send(client, event("u1", image, shown_ms=120, said_at="2026-11-23T12:00:00Z")).json()
    assert answer["acked"] == ["u1"]
    assert answer["refused"] == []
    assert answer["progress"] == {"left": 7, "by_me": 1, "labelled": 1}
    [one] = history(project._home.db)
    assert (one.uid, one.image_id, one.annotator, one.kind, one.label) == ("u1", image, "ana", "label", "ok")
    assert one.shown_ms == 120


def test_sending_twice_stores_once(client: TestClient, project: Project) -> None:
    image = first_image(client)
    assert send(client, event("u1", image)).json()["acked"] == ["u1"]
    assert send(client, event("u1", image), event("u1", image)).json()["acked"] == ["u1", "u1"]
    assert len(history(project._home.db)) == 1


def test_an_undo_takes_back_and_the_recent_list_follows(client: TestClient, project: Project) -> None:
    image = first_image(client)
    send(client, event("u1", image))
    assert [one["uid"] for one in client.get("/api/queue").json()["recent"]] == ["u1"]
    send(client, {"uid": "u2", "image": image, "kind": "undo", "target": "u1"})
    answer = client.get("/api/queue").json()
    assert answer["recent"] == []
    assert answer["items"][0]["id"] == image


def test_a_flag_carries_its_note_and_leaves_the_image_open(client: TestClient, project: Project) -> None:
    image = first_image(client)
    flag = event("u1", image, kind="flag", label=None, note="two objects")
    assert send(client, flag).json()["acked"] == ["u1"]
    assert [(one.kind, one.note) for one in history(project._home.db)] == [("flag", "two objects")]
    answer = client.get("/api/queue").json()
    assert answer["items"][0]["id"] == image
    assert answer["recent"][0]["note"] == "two objects"


def test_what_cannot_be_stored_is_refused_one_by_one(client: TestClient, project: Project) -> None:
    image = first_image(client)
    answer = send(
        client, event("good", image), event("no-image", 424242), event("no-class", image, label="zebra")
    ).json()
    assert answer["acked"] == ["good"]
    assert {uid for uid, _ in answer["refused"]} == {"no-image", "no-class"}
    assert "zebra" in dict(answer["refused"])["no-class"]


def test_the_annotator_is_the_tokens_whatever_the_event_says(client: TestClient, project: Project) -> None:
    send(client, event("u1", first_image(client), annotator="mallory"))
    assert history(project._home.db)[0].annotator == "ana"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"events": {}}', b'{"events": [1]}', b"\xff\xfe", b"[" * 9999]
)
def test_a_body_that_is_no_list_of_events_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/annotations", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uid", None),
        ("uid", ""),
        ("uid", "u" * 201),
        ("image", "1"),
        ("image", True),
        ("image", 1.5),
        ("image", -1),
        ("image", 2**63),
        ("kind", 3),
        ("label", ["ok"]),
        ("target", {}),
        ("said_at", 5),
        ("shown_ms", "fast"),
        ("batch", "1"),
        ("note", ""),
        ("note", "x" * 2001),
    ],
)
def test_an_event_of_another_shape_is_refused_by_name(
    client: TestClient, project: Project, field: str, value: object
) -> None:
    answer = send(client, event("good", 1), {**event("u1", 1), field: value})
    assert answer.status_code == 400
    assert f"events[1].{field}" in answer.json()["error"]
    assert history(project._home.db) == []  # all or nothing: the browser then sends them one by one


def test_another_content_type_is_refused(client: TestClient) -> None:
    body = json.dumps({"events": []})
    answer = client.post("/api/annotations", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 400


def test_too_many_events_or_bytes_are_refused(client: TestClient) -> None:
    assert send(client, *[event(f"u{i}", 1) for i in range(1001)]).status_code == 413
    assert send(client, event("u", 1, label="x" * 2_000_001)).status_code == 413
    assert send(client).json()["acked"] == []


def test_a_failing_database_is_a_reason_to_try_again(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotate_select.errors import StorageError

    def full(events: object) -> None:
        raise StorageError("no space left to write annotations.db: free some space")

    monkeypatch.setattr(project, "record", full)
    answer = send(client, event("u1", 1))
    assert answer.status_code == 503
    assert "no space left" in answer.json()["error"]
