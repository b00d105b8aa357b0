"""What the bulk page asks of the server, without a browser."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bulk_routes
import projects
import pytest
import routes
from bulk_tools import grouped_project
from starlette.applications import Starlette

from annotate_select.project import Project

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of httpx, where httpx2 is not installed
    from starlette.testclient import TestClient


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Project]:
    """Twenty-four images of two kinds, even and odd numbers; 22 and 23 are the exam."""
    with grouped_project(tmp_path, 24, 2, exam_size=2) as project:
        yield project


@pytest.fixture
def client(grouped: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(projects, "_open", {})
    projects.keep(grouped)
    with TestClient(Starlette(routes=[*routes.routes(), *bulk_routes.bulk_routes()])) as made:
        made.headers["X-Annotate-Token"] = f"{grouped.id}.{grouped.token('ana')}"
        yield made


def ask(client: TestClient, annotator: str | None = None, **params: object) -> Any:
    headers = {"X-Annotate-Token": annotator} if annotator else {}
    return client.get("/api/alike", params={name: str(value) for name, value in params.items()}, headers=headers)


def ids(answer: Any) -> list[list[int]]:
    return [[one["id"] for one in group["images"]] for group in answer.json()["groups"]]


def test_groups_come_with_ids_keys_and_scores(client: TestClient, grouped: Project) -> None:
    answer = ask(client, by="cluster", n=11)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert [len(group["images"]) for group in body["groups"]] == [11, 11]
    keys = [{int(one["key"][:4]) for one in group["images"]} for group in body["groups"]]
    assert sorted(map(sorted, keys)) == [list(range(0, 22, 2)), list(range(1, 22, 2))]
    assert (body["left"], body["predicted"], body["taken"], body["recent"]) == (22, {}, [], [])
    assert all(
        -1 <= one["score"] <= 1.0001 and group["label"] is None for group in body["groups"] for one in group["images"]
    )


@pytest.mark.parametrize("token", ["", "nonsense", "{id}.x", "{id}.YW5h.0000"])
def test_a_wrong_token_is_refused(client: TestClient, grouped: Project, token: str) -> None:
    answer = client.get("/api/alike", headers={"X-Annotate-Token": token.format(id=grouped.id)})
    assert answer.status_code == 403
    assert "token" in answer.json()["error"]


def test_a_token_in_the_address_lets_nobody_in(client: TestClient) -> None:
    token = client.headers.pop("X-Annotate-Token")
    assert client.get("/api/alike", params={"t": token}).status_code == 403


def test_what_one_looks_at_another_does_not_get(client: TestClient, grouped: Project) -> None:
    bob = f"{grouped.id}.{grouped.token('bob')}"
    mine = ids(ask(client, n=11))[0]
    later = ids(ask(client, n=11, keep=",".join(map(str, mine))))
    assert mine not in later
    theirs = [one for group in ids(ask(client, bob, n=11)) for one in group]
    assert theirs == []  # ana has the one group on screen and the other in store
    ask(client, n=11, keep=",".join(map(str, mine)), without=",".join(str(one) for group in later for one in group))
    theirs = [one for group in ids(ask(client, bob, n=11)) for one in group]
    assert sorted(theirs) == sorted(later[0])
    taken = ask(client, n=11, keep=",".join(map(str, theirs))).json()["taken"]
    assert sorted(taken) == sorted(theirs)


def test_what_is_labelled_by_others_meanwhile_is_said(client: TestClient, grouped: Project) -> None:
    mine = ids(ask(client, n=5))[0]
    grouped.annotate({f"{mine[0] - 1:04}.png": "ok"}, annotator="bob")
    assert ask(client, n=5, keep=",".join(map(str, mine))).json()["taken"] == [mine[0]]


def test_prediction_needs_a_model_and_says_so(client: TestClient, grouped: Project) -> None:
    answer = ask(client, by="prediction", of="ok")
    assert answer.status_code == 409
    assert answer.json()["error"] == (
        'there is no model yet; train one on the Batch page ("Train and pick the next batch")'
    )
    grouped.annotate({f"{number:04}.png": ["ok", "crack"][number % 2] for number in range(8)})
    grouped.train()
    body = ask(client, by="prediction", of="crack").json()
    assert [group["label"] for group in body["groups"]] == ["crack"]
    assert {int(one["key"][:4]) % 2 for one in body["groups"][0]["images"]} == {1}
    assert body["predicted"] == {"ok": 7, "crack": 7, "dent": 0}


def test_similar_to_an_image_and_the_last_decisions(client: TestClient, grouped: Project) -> None:
    assert ids(ask(client, by="similar")) == []
    grouped.annotate({"0004.png": "ok", "0006.png": "crack"}, annotator="ana")
    body = ask(client, by="similar").json()
    assert [(one["key"], one["label"]) for one in body["recent"]] == [("0006.png", "crack"), ("0004.png", "ok")]
    first = ask(client, by="similar", of="0004.png", n=9).json()["groups"][0]["images"]
    assert {int(one["key"][:4]) % 2 for one in first} == {0}


@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"by": "magic"}, 409, "cannot be grouped by 'magic'"),
        ({"n": "0"}, 400, "n must be a whole number from 1 to 200"),
        ({"n": "x"}, 400, "n must be"),
        ({"by": "similar", "of": "../../etc/passwd"}, 404, "no image '../../etc/passwd'"),
        ({"by": "prediction", "of": "<b>"}, 409, "no model"),
        ({"keep": "1,x"}, 400, "keep must be a whole number"),
        ({"without": "-1"}, 400, "without must be"),
        ({"keep": ",".join(["1"] * 1001)}, 400, "keep may name at most 1,000 images, got 1,001"),
    ],
)
def test_what_cannot_be_asked(client: TestClient, params: dict[str, str], status: int, message: str) -> None:
    answer = client.get("/api/alike", params=params)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_nobody_keeps_ids_outside_the_project_or_the_exam(client: TestClient) -> None:
    body = ask(client, keep="999999,24", without="888888").json()  # 24 is photograph 23
    assert body["taken"] == [999999, 24]
    assert body["left"] == 22


def test_without_features_it_says_what_to_do(client: TestClient, tmp_path: Path) -> None:
    with Project.create(tmp_path / "bare", ["a", "b"]) as bare:
        projects.keep(bare)
        answer = ask(client, f"{bare.id}.{bare.token('ana')}")
    assert answer.status_code == 409
    assert 'the Map page ("Compute features")' in answer.json()["error"]
