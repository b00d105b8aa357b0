"""The routes of the map, without a browser."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import map_routes
import numpy as np
import projects
import pytest
from starlette.applications import Starlette

from annotate_select.project import Project

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of httpx, where httpx2 is not installed
    from starlette.testclient import TestClient


def client_of(project: Project, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(projects, "_open", {})
    projects.keep(project)
    made = TestClient(Starlette(routes=map_routes.map_routes()))
    made.headers["X-Annotate-Token"] = f"{project.id}.{project.token('ana')}"
    return made


@pytest.fixture
def client(measured: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with client_of(measured, monkeypatch) as made:
        yield made


def read(content: bytes) -> tuple[dict[str, object], np.ndarray, np.ndarray, np.ndarray]:
    """Read the buffer as map_shapes.js does: the head, points (n, 2), ids (n,), groups (n,)."""
    [length] = np.frombuffer(content, "<u4", 1)
    head = json.loads(content[4 : 4 + length])
    at, n = 4 + int(length), head["n"]
    assert at % 4 == 0
    assert len(content) == at + 14 * n
    points = np.frombuffer(content, "<f4", 2 * n, at).reshape(n, 2)
    return head, points, np.frombuffer(content, "<u4", n, at + 8 * n), np.frombuffer(content, "<u2", n, at + 12 * n)


def test_all_points_come_in_one_buffer(client: TestClient, measured: Project) -> None:
    answer = client.get("/api/map/points")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"
    head, points, ids, groups = read(answer.content)
    layout = measured.layout()
    assert (head["by"], head["method"], head["features"]) == ("label", "pca", "autoencoder")
    assert np.array_equal(points, layout.points)
    assert ids.tolist() == layout.ids.tolist()
    assert groups.tolist() == measured.map_colours("label", layout).values.tolist()
    assert head["groups"][0] == {"name": "no label shown", "kind": "none"}  # type: ignore[index]


def test_the_exam_cannot_be_told_from_what_is_unlabelled(client: TestClient, measured: Project) -> None:
    head, _, ids, groups = read(client.get("/api/map/points").content)
    keys = dict(zip(measured.layout().ids.tolist(), measured.layout().keys, strict=True))
    grey = {keys[image] for image, group in zip(ids.tolist(), groups.tolist(), strict=True) if group == 0}
    assert grey == set(measured.exam_keys())  # all images are labelled, and these do not show it
    assert "exam" not in json.dumps(head)
    for image in ids.tolist():
        [itself, *near] = client.get(f"/api/map/near/{image}?k=48").json()["images"]
        assert {one["key"] for one in (itself, *near) if one["label"] is None} == grey


@pytest.mark.parametrize("by", ["prediction", "certainty", "batch", "age"])
def test_points_come_in_other_colours(client: TestClient, measured: Project, by: str) -> None:
    head, _, _, groups = read(client.get(f"/api/map/points?by={by}").content)
    assert head["by"] == by
    assert groups.tolist() == measured.map_colours(by, measured.layout()).values.tolist()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("by=shape", "choose one of label, prediction, certainty, batch, age"),
        ("method=umap", "choose one of pca, tsne"),
        ("features=clip", "no features are called 'clip'"),
        ("features=../../etc", "no features are called"),
        ("method=../pca", "choose one of pca, tsne"),
    ],
)
def test_what_is_not_there_is_one_clear_error(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/api/map/points?{query}")
    assert answer.status_code == 409
    assert said in answer.json()["error"]


def test_without_features_the_answer_says_what_to_do(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with client_of(project, monkeypatch) as client:
        for path in ("points", "near/1"):
            answer = client.get(f"/api/map/{path}")
            assert answer.status_code == 409
            assert 'the Map page ("Compute features")' in answer.json()["error"]


def test_neighbours_come_nearest_first(client: TestClient, measured: Project) -> None:
    found = client.get("/api/map/near/7?k=5").json()["images"]
    assert [one["id"] for one in found] == [one.image_id for one in measured.neighbours(7, 5)]
    assert len(client.get("/api/map/near/7").json()["images"]) == 13


@pytest.mark.parametrize("path", ["near/0", "near/9999"])
def test_an_image_outside_the_project_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/map/{path}")
    assert answer.status_code == 404
    assert "no image with the id" in answer.json()["error"]


@pytest.mark.parametrize("path", ["near/-1", "near/..%2f1", "near/a"])
def test_a_path_is_no_image(client: TestClient, path: str) -> None:
    assert client.get(f"/api/map/{path}").status_code == 404


def test_chosen_images_become_a_batch(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {pick.image_id for pick in project.picks(1)}
    everything = list(range(1, 13))
    with client_of(project, monkeypatch) as client:
        answer = client.post("/api/map/batch", json={"images": everything}).json()
        assert answer == {"batch": 2, "images": 12 - 6 - 2}
        again = client.post("/api/map/batch", json={"images": everything}).json()
    assert again == {"batch": None, "images": 0}
    picks = project.picks(2)
    assert not waiting & {pick.image_id for pick in picks}
    assert {pick.reason for pick in picks} == {"chosen on the map by ana"}
    assert not {pick.key for pick in picks} & set(project.exam_keys())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"images": []}, 413),
        ({"images": [1] * 100_001}, 413),
        ({"images": ["0001.png"]}, 400),
        ({"images": [True]}, 400),
        ({"images": "1"}, 400),
        ({}, 400),
        ([1], 400),
        ({"images": [9999]}, 404),
        ({"images": [2**63]}, 404),
    ],
)
def test_a_wrong_choice_is_refused(client: TestClient, measured: Project, body: object, status: int) -> None:
    before = len(measured.batches())
    assert client.post("/api/map/batch", json=body).status_code == status
    assert len(measured.batches()) == before


@pytest.mark.parametrize("token", ["", "nonsense", "{id}", "{id}.YW5h.0000"])
def test_a_wrong_token_is_refused_everywhere(client: TestClient, measured: Project, token: str) -> None:
    headers = {"X-Annotate-Token": token.format(id=measured.id)}
    answers = [
        client.get("/api/map/points", headers=headers),
        client.get("/api/map/near/1", headers=headers),
        client.post("/api/map/batch", headers=headers, json={"images": [1]}),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert len(measured.batches()) == 1


def test_the_token_of_another_project_is_refused(client: TestClient, measured: Project, tmp_path: Path) -> None:
    with Project.create(tmp_path / "other", ["a", "b"]) as other:
        mixed = f"{measured.id}.{other.token('ana')}"
    assert client.get("/api/map/points", headers={"X-Annotate-Token": mixed}).status_code == 403


def test_a_layout_that_was_removed_is_made_again(client: TestClient, measured: Project) -> None:
    before = client.get("/api/map/points").content
    for folder in measured.root.glob("features/*/layouts"):
        shutil.rmtree(folder)
    assert client.get("/api/map/points").content == before
