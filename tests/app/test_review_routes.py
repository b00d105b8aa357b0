"""What a reviewer's browser asks for: lists, others' opinions, whole images; and suggestions in the queue."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import projects
import pytest
import routes
from PIL import Image
from starlette.applications import Starlette

from annotate_select.project import Project

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of httpx, where httpx2 is not installed
    from starlette.testclient import TestClient


@pytest.fixture
def client(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(projects, "_open", {})
    projects.keep(project)
    with TestClient(Starlette(routes=routes.routes())) as made:
        made.headers["X-Annotate-Token"] = f"{project.id}.{project.token('eva')}"
        yield made


def say(client: TestClient, project: Project, by: str, uid: str, image: int, kind: str, **more: object) -> None:
    headers = {"X-Annotate-Token": f"{project.id}.{project.token(by)}"}
    event = {"uid": uid, "image": image, "kind": kind, **more}
    answer = client.post("/api/annotations", headers=headers, json={"events": [event]})
    assert answer.json()["acked"] == [uid], answer.json()


def listed(client: TestClient, **asked: object) -> Any:
    answer = client.get("/api/review", params={key: str(value) for key, value in asked.items()})
    assert answer.status_code == 200, answer.json()
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def test_others_opinions_come_only_when_asked_for(client: TestClient, project: Project) -> None:
    say(client, project, "ana", "u1", 3, "label", label="ok", note="smooth")
    say(client, project, "ben", "u2", 3, "label", label="crack")
    say(client, project, "ben", "u3", 3, "flag", note="two\nthings")
    say(client, project, "eva", "u4", 3, "unsure")
    fresh = listed(client, what="disputed")
    assert fresh["items"] == [{"id": 3, "key": "0002.png", "batch": None, "why": "annotators disagree"}]
    assert "progress" not in fresh
    [told] = listed(client, what="disputed", reveal=1)["items"]
    assert [(one["annotator"], one["kind"], one["label"], one["note"]) for one in told["opinions"]] == [
        ("ana", "label", "ok", "smooth"),
        ("ben", "label", "crack", None),
        ("ben", "flag", None, "two\nthings"),
    ]
    assert (told["votes"], told["state"], told["final"]) == ({"ok": 1, "crack": 1}, "disputed", False)


def test_the_rule_that_a_label_breaks_is_heard_with_the_others(client: TestClient, project: Project) -> None:
    say(client, project, "ana", "u1", 3, "label", label="ok")
    (project.root / "rules.toml").write_text('[[rule]]\nwhen = {source = "photos"}\nnever = ["ok"]\n')
    assert listed(client, what="rules")["items"] == [
        {"id": 3, "key": "0002.png", "batch": None, "why": "its label breaks a rule"}
    ]
    for asked in ({"what": "rules"}, {"image": 3}):
        [told] = listed(client, reveal=1, **asked)["items"]
        assert [(one["annotator"], one["kind"], one["label"], one["note"]) for one in told["opinions"]] == [
            ("rules.toml", "flag", None, "where source is photos, never ok"),
            ("ana", "label", "ok", None),
        ]


def test_a_final_empties_the_list_is_among_the_recent_and_can_be_looked_at(
    client: TestClient, project: Project
) -> None:
    say(client, project, "ana", "u1", 3, "reject")
    say(client, project, "eva", "u2", 4, "label", label="ok")
    say(client, project, "eva", "u3", 3, "final", label="crack", note="there, at the edge")
    answer = listed(client, what="rejected")
    assert answer["items"] == []
    assert answer["recent"] == [
        {"uid": "u3", "image": 3, "key": "0002.png", "kind": "final", "label": "crack", "note": "there, at the edge"}
    ]
    [item] = listed(client, image=3, reveal=1)["items"]
    assert (item["label"], item["final"]) == ("crack", True)
    assert [(one["annotator"], one["kind"]) for one in item["opinions"]] == [("ana", "reject")]
    assert "opinions" not in listed(client, image=3)["items"][0]
    say(client, project, "eva", "u5", 3, "undo", target="u3")
    assert [one["id"] for one in listed(client, what="rejected")["items"]] == [3]


def test_lists_come_in_pieces(client: TestClient, project: Project) -> None:
    for image in range(1, 6):
        say(client, project, "ana", f"u{image}", image, "unsure")
    assert [one["id"] for one in listed(client, what="unsure", n=2)["items"]] == [5, 4]
    assert [one["id"] for one in listed(client, what="unsure", n=2, offset=4)["items"]] == [1]


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("what=labels", 400), ("what=disputed&n=0", 400), ("what=disputed&offset=-1", 400),
     ("image=x", 400), ("image=999999", 404)],
)  # fmt: skip
def test_what_cannot_be_reviewed_is_refused(client: TestClient, query: str, status: int) -> None:
    answer = client.get(f"/api/review?{query}")
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/review?what=disputed", "/api/review?image=1&reveal=1", "/api/original/1"])
def test_a_wrong_token_is_refused(client: TestClient, project: Project, path: str) -> None:
    assert client.get(path, headers={"X-Annotate-Token": f"{project.id}.YW5h.0000"}).status_code == 403


def test_an_original_comes_whole(client: TestClient, project: Project, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    Image.effect_noise((3000, 40), 40).save(large / "wide.png")
    Image.effect_noise((9000, 30), 40).save(large / "wider.png")
    ids = project.image_ids(project.add(large).added)
    sizes = {}
    for key, image in ids.items():
        answer = client.get(f"/api/original/{image}")
        assert answer.headers["content-type"] == "image/webp"
        assert "immutable" in answer.headers["cache-control"]
        sizes[Path(key).name] = Image.open(io.BytesIO(answer.content)).size
    assert sizes == {"wide.png": (3000, 40), "wider.png": (8192, 27)}
    assert client.get("/api/original/999999").status_code == 404


def test_the_queue_carries_suggestions_where_the_project_asks_for_them(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {one["suggestion"] for one in client.get("/api/queue?n=100").json()["items"]} == {None}
    path = project.root / "project.toml"
    path.write_text(path.read_text().replace("suggestions = false", "suggestions = true"))
    picks = [item for item in project.queue("eva", 100) if item.role == "pick"]
    outside = [f"{number:04}.png" for number in range(12) if f"{number:04}.png" not in project.exam_keys()]
    project.annotate({key: ("ok", "crack")[number % 2] for number, key in enumerate(outside[:4])}, annotator="ben")
    project.embed(dim=4, image_size=32)
    project.train()
    items = client.get("/api/queue?n=100").json()["items"]
    told = {item["id"]: item["suggestion"] for item in items if item["suggestion"]}
    assert told
    assert set(told) <= {item.image_id for item in picks}
    assert all(one["label"] in project.classes and 0 < one["probability"] <= 1 for one in told.values())
