"""The map of a project: its layout on disk, its colours, neighbours, and a batch chosen by hand."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select import Project
from annotate_select.annotations import exam
from annotate_select.annotations.events import Event
from annotate_select.cli import cli
from annotate_select.errors import (
    ExchangeError,
    FeaturesError,
    LearningError,
    SelectionError,
    UnknownImages,
)
from annotate_select.steps import layout as module


def picture(folder: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (16, 16, 3))
    pixels[:, :, number % 2] //= 4
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("map")
    for number in range(40):
        picture(root / "images", number)
    with Project.create(root / "p", classes=["red", "green"], images=root / "images") as made:
        made.embed(dim=8, image_size=16)
        made.exam(6)
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Iterator[Project]:
    """A project of 40 images of two kinds with features and an exam of 6."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    with Project.open(tmp_path / "p") as opened:
        yield opened


def label(project: Project, numbers: range) -> None:
    project.annotate({f"{number:02}.png": ["green", "red"][number % 2] for number in numbers}, annotator="ana")


def groups_of(project: Project, by: str) -> dict[str, str]:
    """Return the group of each image by key."""
    made = project.layout()
    colours = project.map_colours(by, made)
    assert colours.values.shape == (len(made.ids),)
    return {key: colours.groups[value].name for key, value in zip(made.keys, colours.values, strict=True)}


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the methods of layouts that are computed from now on."""
    computed: list[str] = []
    real = module.plane

    def plane(features: np.ndarray, method: str, *rest: object) -> np.ndarray:
        computed.append(method)
        return real(features, method, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "plane", plane)
    return computed


def test_a_layout_is_computed_once_and_the_better_one_is_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = counted(monkeypatch)
    first = project.layout()
    assert (first.method, first.points.shape) == ("pca", (40, 2))
    assert first.keys == [f"{number:02}.png" for number in range(40)]
    assert np.array_equal(project.layout().points, first.points)
    project.layout(method="tsne")
    assert project.layout().method == "tsne"
    assert computed == ["pca", "tsne"]


def test_a_layout_of_other_rows_is_made_anew(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.layout(method="tsne")
    computed = counted(monkeypatch)
    picture(tmp_path / "images", 40)
    project.add()
    project.embed()
    assert project.layout().method == "pca"  # the better one does not know the new image
    assert len(project.layout().ids) == 41
    assert computed == ["pca"]


def test_a_damaged_layout_is_made_anew(project: Project) -> None:
    before = project.layout().points
    [file] = project.root.glob("features/*/layouts/pca.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(project.layout().points, before)
    assert [one.name for one in file.parent.iterdir()] == ["pca.npz"]


def test_an_image_that_left_the_pool_is_not_on_the_map(project: Project, tmp_path: Path) -> None:
    project.layout()
    (tmp_path / "images" / "07.png").write_bytes(b"no image")
    project.add()
    made = project.layout()
    assert len(made.ids) == len(made.points) == 39
    assert "07.png" not in made.keys
    assert "07.png" not in [one.key for one in project.neighbours(int(made.ids[0]), 38)]
    with pytest.raises(UnknownImages, match="no image with the id 8"):
        project.neighbours(8)


def test_without_features_the_map_says_what_to_do(tmp_path: Path) -> None:
    with (
        Project.create(tmp_path / "bare", classes=["a", "b"]) as bare,
        pytest.raises(FeaturesError, match="annotate-select embed"),
    ):
        bare.layout()


def test_colours_by_label_do_not_give_the_exam_away(project: Project) -> None:
    drawn = set(project.exam_keys())
    label(project, range(40))
    project.record([Event("u1", 1, "ben", "label", "red"), Event("u2", 3, "ana", "reject")])
    groups = groups_of(project, "label")
    assert {key for key, group in groups.items() if group == "no label shown"} == drawn
    if "00.png" not in drawn:
        assert groups["00.png"] == "disputed"
    if "02.png" not in drawn:
        assert groups["02.png"] == "not usable"
    assert {groups[f"{n:02}.png"] for n in range(5, 40, 2)} - {"no label shown"} == {"red"}
    names = {
        group.name for by in ("label", "batch", "age") for group in project.map_colours(by, project.layout()).groups
    }
    assert not any("exam" in name for name in names)


def test_colours_by_age_and_batch_do_not_give_the_exam_away(project: Project) -> None:
    drawn = set(project.exam_keys())
    project.select(10)
    picked = {pick.key for pick in project.picks(1)}
    assert {key for key, group in groups_of(project, "batch").items() if group == "batch 1"} == picked
    label(project, range(20))
    old = Event("u1", 30, "ana", "label", "red", said_at="2001-01-01T00:00:00Z")
    project.record([old])
    groups = groups_of(project, "age")
    expected = {f"{number:02}.png" for number in range(20)} - drawn
    assert {key for key, group in groups.items() if group == "today"} == expected
    assert groups["29.png"] == ("no label shown" if "29.png" in drawn else "older")


def test_colours_by_prediction_and_certainty(project: Project) -> None:
    with pytest.raises(LearningError, match="no model yet"):
        groups_of(project, "prediction")
    label(project, range(30))
    project.train()
    said = {one.image: one for one in project.predict(project.root.parent / "images")}
    predicted, certain = groups_of(project, "prediction"), groups_of(project, "certainty")
    assert all(predicted[key] == one.label for key, one in said.items())
    for key, one in said.items():
        sure = max(one.probabilities.values())
        assert (certain[key] == "over 99%") == (sure >= 0.99)
        assert (certain[key] == "50% to 70%") == (0.5 <= sure < 0.7)


def test_an_unknown_colouring_is_one_clear_error(project: Project) -> None:
    with pytest.raises(SelectionError, match=r"coloured by 'labe' \(did you mean label\?\)"):
        project.map_colours("labe", project.layout())


def test_many_batches_are_grouped(project: Project) -> None:
    for number in range(10):
        project.select(2, "random", seed=number)
    groups = project.map_colours("batch", project.layout()).groups
    assert [group.name for group in groups] == ["not picked", "older batches", *(f"batch {n}" for n in range(3, 11))]
    assert list(groups_of(project, "batch").values()).count("older batches") == 4


def test_neighbours_are_sorted_and_hide_labels_of_the_exam(project: Project) -> None:
    label(project, range(40))
    drawn = set(project.exam_keys())
    near = project.neighbours(5, 39)
    assert (near[0].image_id, near[0].key, near[0].cosine) == (5, "04.png", 1.0)
    assert len({one.key for one in near}) == 40
    cosines = [one.cosine for one in near[1:]]
    assert cosines == sorted(cosines, reverse=True)
    assert {one.key for one in near if one.label is None} == drawn
    assert len(project.neighbours(5)) == 13


def test_a_batch_by_hand_holds_what_still_needs_a_pick(project: Project) -> None:
    drawn = exam.exam_ids(project._home.db)
    label(project, range(4))
    project.select(5)
    waiting = [pick.image_id for pick in project.picks(1)]
    settled = [1, 2, 3, 4]
    fresh = [one for one in range(5, 41) if one not in waiting and one not in drawn and one not in settled]
    number, n = project.add_batch([*range(1, 41)], "chosen on the map by ana")
    assert (number, n) == (2, len(fresh))
    picks = project.picks(2)
    assert [pick.image_id for pick in picks] == fresh
    assert {(pick.role, pick.reason) for pick in picks} == {("pick", "chosen on the map by ana")}
    assert project.batches()[0].strategy == "by hand"
    assert {item.image_id for item in project.queue("ana", 50)} >= set(fresh)
    assert project.add_batch(["05.png", 7], "again") == (None, 0)
    assert len(project.batches()) == 2


def test_a_batch_by_hand_of_unknown_images_is_refused(project: Project) -> None:
    with pytest.raises(UnknownImages, match=r"no image no\.png, 99"):
        project.add_batch(["00.png", "no.png", 99], "by hand")
    assert project.batches() == []


def test_the_command_lays_out_and_writes(project: Project, tmp_path: Path) -> None:
    label(project, range(10))
    run = CliRunner()
    for suffix in ("csv", "png"):
        done = run.invoke(cli, ["-p", str(project.root), "-q", "map", "--output", str(tmp_path / f"map.{suffix}")])
        assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "map.csv").read_text().splitlines()))
    made = project.layout()
    assert made.method == "tsne"
    assert [row["image"] for row in rows] == made.keys
    assert np.allclose([[float(row["x"]), float(row["y"])] for row in rows], made.points, atol=1e-5)
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.size[0] > 900
        assert len(drawn.convert("RGB").getcolors(2**20) or []) > 10
    with pytest.raises(ExchangeError, match=r"as \.png or \.csv, got 'map\.gif'"):
        project.write_map(made, tmp_path / "map.gif")


def test_no_group_calls_labelled_images_of_the_exam_unlabelled(project: Project) -> None:
    project.annotate(dict.fromkeys(project.exam_keys(), "red"))
    for by in ("label", "age"):
        names = [group.name for group in project.map_colours(by, project.layout(None, "pca")).groups]
        assert names[0] == "no label shown"
        assert "unlabelled" not in names
