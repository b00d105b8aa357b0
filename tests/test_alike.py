"""Groups of unlabelled images that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from annotate_select import Project
from annotate_select.annotations import batches, exam
from annotate_select.annotations.events import Event
from annotate_select.annotations.images import ImageRecord, add_images, mark_unreadable
from annotate_select.errors import FeaturesError, LearningError, SelectionError, UnknownClasses, UnknownImages
from annotate_select.files import digest
from annotate_select.selection.groups import cosines_to, fullest, groups_of, parts_of
from annotate_select.steps import ground as module
from annotate_select.steps.alike import Alike

N, KINDS, D = 90, 3, 16
CLASSES = ["a", "b", "c"]


class Given:
    """An encoder that was told the features: the image of position i is the number i in its three channels."""

    image_size = 1
    dim = D

    def __init__(self, features: np.ndarray) -> None:
        self.features = features

    def definition(self) -> dict[str, object]:
        return {"kind": "given", "features": digest(self.features.tobytes())}

    def encode(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.features[images[:, 0, 0, 0]], dtype=np.float32)

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)


def blobs(n: int = N, kinds: int = KINDS, seed: int = 0) -> np.ndarray:
    """Return (n, D) rows: row i lies about the middle of its kind, i % kinds."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(kinds, D)) * 4
    return middles[np.arange(n) % kinds] + rng.normal(size=(n, D)) * 1.2


def embed(project: Project, features: np.ndarray, name: str = "given") -> None:
    n = len(features)
    images = np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    fingerprints = [f"{number + 1:032x}" for number in range(n)]
    project._home.store().extend(
        name, Given(features), range(1, n + 1), fingerprints, [(np.arange(n), images)], replace=True
    )


def made(root: Path, features: np.ndarray) -> Project:
    """Make a project of len(features) images with ids from 1, keys k00, k01 and so on, and these features."""
    project = Project.create(root, CLASSES)
    n = len(features)
    records = [ImageRecord(f"k{i:02}", "s", f"k{i:02}", f"{i + 1:032x}", 1, 1, 1, 1) for i in range(n)]
    add_images(project._home.db, records)
    embed(project, features)
    return project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Ninety images of three kinds: the number of an image, modulo 3, is its kind."""
    with made(tmp_path / "p", blobs()) as opened:
        yield opened


def numbers(found: Alike) -> list[list[int]]:
    return [[int(one.key[1:]) for one in group.images] for group in found.groups]


def flat(found: Alike) -> set[int]:
    return {number for group in numbers(found) for number in group}


def label(project: Project, which: range, annotator: str = "ana") -> None:
    project.annotate({f"k{number:02}": CLASSES[number % KINDS] for number in which}, annotator)


def audit_picks(project: Project, *ids: int) -> None:
    batches.store_batch(
        project._home.db, strategy="s", seed=0, audit=1.0, features_name=None, features_digest=None, model=None,
        settings={}, note="", picks=[batches.StoredPick(one, "audit", 0.0, "random audit") for one in ids],
    )  # fmt: skip


def test_clusters_are_of_one_kind_and_sorted_by_nearness(project: Project) -> None:
    found = project.alike("cluster", n=30, groups=3)
    assert [len(group) for group in numbers(found)] == [30, 30, 30]
    assert sorted(sorted({number % KINDS for number in group}) for group in numbers(found)) == [[0], [1], [2]]
    for group in found.groups:
        scores = [one.score for one in group.images]
        assert scores == sorted(scores, reverse=True)
        assert group.label is None
    assert (found.left, found.predicted) == (90, {})


def test_a_group_has_no_more_than_n(project: Project) -> None:
    assert [len(group) for group in numbers(project.alike(n=7, groups=5))] == [7] * 5
    assert [len(group) for group in numbers(project.alike(n=1, groups=2))] == [1, 1]
    assert len(flat(project.alike(n=7, groups=5))) == 35


def test_the_tightest_full_cluster_comes_first(tmp_path: Path) -> None:
    features = blobs()
    loose = np.random.default_rng(5).normal(size=(N, D)) * 3
    features[np.arange(N) % KINDS != 1] += loose[np.arange(N) % KINDS != 1]
    with made(tmp_path / "p", features) as project:
        first = numbers(project.alike(n=20))[0]
    assert {number % KINDS for number in first} == {1}


def test_near_duplicates_stand_side_by_side() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, D)) + 3
    rows[[2, 7, 11]] = rows[5]
    [(group, _)] = groups_of(rows, np.arange(12), np.zeros(D), np.arange(12, dtype=np.uint64), 12, 0)
    places = sorted(group.tolist().index(row) for row in (2, 5, 7, 11))
    assert places == list(range(places[0], places[0] + 4))
    assert sorted(group.tolist()) == list(range(12))


def test_the_same_seed_gives_the_same_groups(tmp_path: Path, project: Project) -> None:
    first = project.alike(n=8, groups=4, seed=3)
    assert project.alike(n=8, groups=4, seed=3) == first
    with Project.open(project.root) as again:  # from the disk
        assert again.alike(n=8, groups=4, seed=3) == first


def test_what_is_labelled_is_not_grouped_and_comes_back_with_an_undo(project: Project) -> None:
    label(project, range(60))
    project.record([Event("s", 61, "ana", "skip"), Event("u", 62, "ana", "unsure"), Event("r", 63, "bob", "reject")])
    assert flat(project.alike(n=30, groups=9)) == set(range(60, 90)) - {61, 62}
    project.record([Event("z", 62, "ana", "undo", target_uid="u")])
    assert 61 in flat(project.alike(n=30, groups=9))


def test_no_way_of_grouping_gives_exam_images_their_twins_or_audit_picks(tmp_path: Path) -> None:
    features = blobs()
    features[40] = features[10] * 1.0001  # a near-duplicate of an exam image
    with made(tmp_path / "p", features) as project:
        exam.add_to_exam(project._home.db, [11, 14], seed=0)  # k10, k13
        audit_picks(project, 1, 2, 3)  # k00 .. k02
        label(project, range(60, 90))
        project.train()
        forbidden = {0, 1, 2, 10, 13, 40}
        for by, of in (("cluster", None), ("prediction", None), ("similar", "k10"), ("similar", "k40")):
            found = project.alike(by, n=60, of=of, groups=9)
            assert flat(found) == set(range(60)) - forbidden, by
            assert found.left == 60 - len(forbidden)


def test_a_grown_exam_counts_at_once(project: Project) -> None:
    assert 20 in flat(project.alike(n=90, groups=9))
    exam.add_to_exam(project._home.db, [21], seed=0)
    assert 20 not in flat(project.alike(n=90, groups=9))


def test_prediction_goes_by_class_surest_first(project: Project) -> None:
    label(project, range(30))
    project.train()
    found = project.alike("prediction", n=10, groups=9)
    assert [group.label for group in found.groups] == CLASSES
    assert found.predicted == {"a": 20, "b": 20, "c": 20}
    for group, kind in zip(found.groups, range(KINDS), strict=True):
        scores = [one.score for one in group.images]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)
        assert {int(one.key[1:]) % KINDS for one in group.images} == {kind}
    both = project.alike("prediction", n=12, of="b", groups=3)
    assert [(group.label, len(group.images)) for group in both.groups] == [("b", 12), ("b", 8)]
    assert both.groups[0].images[-1].score >= both.groups[1].images[0].score


def test_a_newer_model_is_asked_at_once(project: Project) -> None:
    label(project, range(9))
    project.train()
    before = project.alike("prediction", n=10, of="a").groups[0].images[0].score
    label(project, range(9, 45))
    project.train()
    assert project.alike("prediction", n=10, of="a").groups[0].images[0].score != before


def test_similar_goes_by_the_cosine_of_selection(project: Project) -> None:
    found = project.alike("similar", of="k05", n=10, groups=2)
    array = project.features().array.astype(np.float64)
    centred = array - array.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = centred @ centred[5]
    expected = np.argsort(-cosines)[:20].tolist()
    assert [number for group in numbers(found) for number in group] == expected
    scores = [one.score for group in found.groups for one in group.images]
    assert scores == pytest.approx(sorted(cosines, reverse=True)[:20], abs=1e-5)


def test_similar_to_a_labelled_image_leaves_that_image_out(project: Project) -> None:
    label(project, range(6))
    assert flat(project.alike("similar", of="k05", n=28)) == {number for number in range(6, N) if number % 3 == 2}


def test_what_is_left_out_by_id(project: Project) -> None:
    first = project.alike(n=30)
    ids = [one.image_id for one in first.groups[0].images]
    rest = project.alike(n=30, groups=9, without=ids)
    assert flat(rest) == set(range(N)) - flat(first)
    assert rest.left == 60


def test_images_others_look_at_are_left_out(project: Project) -> None:
    held = project.hold("bob", range(1, 31))
    assert held == list(range(1, 31))
    assert flat(project.alike(n=90, annotator="ana")) == set(range(30, 90))
    assert flat(project.alike(n=90, annotator="bob")) == set(range(90))
    assert project.hold("ana", [30, 31, 32]) == [31, 32]
    label(project, range(31, 32), annotator="cy")
    assert project.hold("ana", [31, 32]) == [31]
    assert project.hold("bob", []) == []  # let go
    assert project.hold("ana", [30, 31]) == [30, 31]


def test_one_image_and_none(tmp_path: Path) -> None:
    with made(tmp_path / "one", blobs(1)) as project:
        assert numbers(project.alike()) == [[0]]
        assert numbers(project.alike("similar", of="k00")) == [[0]]
        label(project, range(1))
        assert project.alike() == Alike([], 0, {})
        assert project.alike("similar", of="k00") == Alike([], 0, {})


def test_all_labelled_leaves_nothing(project: Project) -> None:
    label(project, range(N))
    project.train()
    assert project.alike(groups=3).groups == []
    assert project.alike("prediction") == Alike([], 0, dict.fromkeys(CLASSES, 0))


def test_equal_images_are_grouped_too(tmp_path: Path) -> None:
    with made(tmp_path / "p", np.ones((40, D))) as project:
        found = project.alike(n=10, groups=9)
        assert max(len(group) for group in numbers(found)) <= 10
        assert len(flat(found)) == sum(len(group) for group in numbers(found)) > 0
        assert len(flat(project.alike("similar", of="k07", n=10, groups=9))) == 40


def test_what_left_the_pool_is_not_grouped(project: Project) -> None:
    assert 3 in flat(project.alike(n=90))
    mark_unreadable(project._home.db, [(4, "gone")])
    assert flat(project.alike(n=90)) == set(range(N)) - {3}


def test_the_parts_are_made_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made_parts: list[int] = []
    real = module.parts_of
    monkeypatch.setattr(module, "parts_of", lambda *given: (made_parts.append(1), real(*given))[1])
    first = project.alike()
    label(project, range(3))
    project.alike()
    with Project.open(project.root) as again:
        again.alike(n=5)
    assert made_parts == [1]
    [stored] = project.root.glob("features/*/groups/parts.npz")
    stored.write_bytes(b"damaged")
    with Project.open(project.root) as again:
        again.alike()
    assert made_parts == [1, 1]
    embed(project, blobs(seed=9))
    assert project.alike() != first
    assert made_parts == [1, 1, 1]


def test_a_large_pool_is_cut_into_parts() -> None:
    features = blobs(12_000, kinds=6)
    hashes = np.arange(12_000, dtype=np.uint64)
    parts = parts_of(features, features.mean(axis=0), hashes, 0)
    assert len(np.unique(parts.number)) == 6
    candidates = np.arange(0, 12_000, 2)
    found = fullest(parts, candidates, 60, most=3)
    assert len(found) == 3
    assert all(len(np.unique(parts.number[rows])) == 1 and (rows % 2 == 0).all() for rows in found)
    one = np.flatnonzero(parts.number == parts.number[0])
    assert cosines_to(features, parts.mean, 0)[one].min() > 0.7


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"by": "clusters"},
            r"grouped by 'clusters' \(did you mean cluster\?\); choose one of cluster, prediction",
        ),
        ({"n": 0}, "n must be from 1 to 200 images a group, got 0"),
        ({"n": 201}, "got 201"),
        ({"groups": 0}, "groups must be from 1 to 20, got 0"),
        ({"by": "similar"}, "similar to which image"),
        ({"by": "cluster", "of": "k01"}, "leave `of` out, got 'k01'"),
    ],
)
def test_values_that_cannot_be(project: Project, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        project.alike(**wrong)  # type: ignore[arg-type]


def test_what_is_missing_is_said(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UnknownImages, match="the pool has no image 'k99'"):
        project.alike("similar", of="k99")
    with pytest.raises(LearningError, match="there is no model yet; train one with `annotate-select train`"):
        project.alike("prediction")
    label(project, range(9))
    project.train()
    with pytest.raises(UnknownClasses, match="there is no class 'd'; the classes are a, b, c"):
        project.alike("prediction", of="d")
    before = project.alike("prediction").predicted
    project.rename_class("a", "d")
    assert project.alike("prediction").predicted == {"d": before["a"], "b": before["b"], "c": before["c"]}
    project.add_class("a")
    with pytest.raises(LearningError, match="the classes have changed since model 1 was trained"):
        project.alike("prediction")
    embed(project, blobs(seed=4)[:, ::-1] * 2)
    with Project.create(tmp_path / "bare", CLASSES) as bare, pytest.raises(FeaturesError, match="embed"):
        bare.alike()


def test_a_model_of_replaced_features_is_not_asked(project: Project) -> None:
    label(project, range(9))
    project.train()
    embed(project, blobs(seed=2), name="other")
    with pytest.raises(LearningError, match="model 1 was trained on features 'given' as they were, not on 'other'"):
        project.alike("prediction", features="other")
