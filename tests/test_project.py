"""The loop through the Python API, and the promises it makes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from annotate_select import Project
from annotate_select.annotations.events import Event
from annotate_select.errors import (
    BusyError,
    ConfigError,
    DatabaseError,
    DuplicateRows,
    ExamError,
    FeaturesError,
    LearningError,
    ProjectError,
    SelectionError,
    UnknownClasses,
    UnknownImages,
)
from annotate_select.selection.pool import Pool


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    with Project.open(project_root) as opened:
        yield opened


def test_features_carry_the_keys_of_their_rows(project: Project) -> None:
    features = project.features("autoencoder")
    assert features.array.shape == (120, 16)
    assert features.array.dtype == np.float32
    assert len(set(features.keys)) == 120
    assert np.isfinite(features.array).all()


def test_batches_never_overlap_and_never_touch_the_exam(project: Project) -> None:
    exam = set(project.exam_keys())
    seen = set(project.labels())
    for _ in range(3):
        keys = [pick.image for pick in project.select(8).picks]
        assert len(set(keys)) == 8
        assert not set(keys) & (seen | exam)
        seen |= set(keys)


def test_same_seed_same_batch(trained_root: Path, tmp_path: Path) -> None:
    chosen = []
    for name in ("one", "two"):
        shutil.copytree(trained_root, tmp_path / name)
        with Project.open(tmp_path / name) as project:
            chosen.append(project.select(15, seed=7).picks)
    assert chosen[0] == chosen[1]


def test_a_batch_says_how_it_was_made(project: Project) -> None:
    batch = project.select(20, "margin", audit=0.2)
    assert [pick.role for pick in batch.picks].count("audit") == 4
    assert batch.model == 1
    assert all(pick.reason for pick in batch.picks)
    assert project.batch(batch.number).picks == batch.picks


def test_more_like_an_image(project: Project) -> None:
    key = project.features("autoencoder").keys[3]
    batch = project.select(4, "similar_to", like=[key], audit=0.0)
    assert all("given image" in pick.reason for pick in batch.picks)
    with pytest.raises(SelectionError, match=rf"no image '{key}x' among these features \(did you mean {key} or"):
        project.select(4, "similar_to", like=[f"{key}x"])


def test_selection_hears_which_labels_chance_chose(
    project: Project, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotate_select.steps import select as step

    keys = project.features("autoencoder").keys
    heard: list[set[str]] = []
    choose = step.select_rows

    def listening(*given: Any, **named: Any) -> Any:
        heard.append({keys[row] for row in named["audits"].tolist()})
        return choose(*given, **named)

    monkeypatch.setattr(step, "select_rows", listening)
    batch = project.select(20, "random", audit=0.25)
    project.annotate({pick.image: truth[pick.image] for pick in batch.picks}, annotator="ana")
    project.select(2)
    audits = {pick.image for pick in batch.picks if pick.role == "audit"}
    assert len(audits) == 5
    assert heard[1] - heard[0] == audits


def test_a_strategy_of_ones_own(project: Project) -> None:
    def last(pool: Pool, n: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
        return pool.candidates[::-1][:n], np.zeros(n), ["the last one"] * n

    batch = project.select(5, last, audit=0.0)  # type: ignore[arg-type]
    assert [pick.reason for pick in batch.picks] == ["the last one"] * 5


def test_annotations_of_what_is_not_there(project: Project) -> None:
    key = project.features().keys[0]
    with pytest.raises(UnknownImages, match=r"nowhere\.jpg"):
        project.annotate({key: "Hat", "nowhere.jpg": "Hat"})
    with pytest.raises(UnknownClasses, match="did you mean Hat"):
        project.annotate({key: "Hatt"})


def test_import_says_everything_wrong_before_it_records(project: Project, tmp_path: Path) -> None:
    keys = project.features().keys
    file = tmp_path / "labels.csv"
    file.write_text(f"image,label\n{keys[0]},Hat\n{keys[0]},Pants\n")
    before = project.status()
    with pytest.raises(DuplicateRows, match=keys[0]):
        project.import_annotations(file)
    assert project.status() == before
    report = project.import_annotations(file, skip_duplicates=True)
    assert report.recorded == 1


def test_import_twice_records_once_and_a_round_trip_loses_nothing(project: Project, tmp_path: Path) -> None:
    project.record([Event("u1", int(project.features().ids[0]), "ben", "unsure")])
    project.export(tmp_path / "all.jsonl")
    project.export(tmp_path / "now.csv")
    before = project.status()
    project.import_annotations(tmp_path / "all.jsonl")
    assert project.status() == before
    with Project.create(tmp_path / "other", project.classes) as other:
        other.add(project.root / project.config.sources[0].root)
        other.import_annotations(tmp_path / "all.jsonl")
        other.export(tmp_path / "again.jsonl")
        other.export(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "now.csv").read_text()
    ours, theirs = (
        [json.loads(line) for line in (tmp_path / f).read_text().splitlines()] for f in ("all.jsonl", "again.jsonl")
    )
    assert ours == theirs


def test_classes_are_renamed_and_merged_without_losing_history(project: Project, tmp_path: Path) -> None:
    counts = project.status().per_class
    project.rename_class("Hat", "Headwear")
    project.merge_class("Shorts", "Pants")
    now = project.status().per_class
    assert "Hat" not in now
    assert now["Headwear"] == counts["Hat"]
    assert now["Pants"] == counts["Pants"] + counts["Shorts"]
    key = project.exam_keys()[0]
    project.annotate({key: "Headwear"})
    outcome = project.record([Event("late", int(project.features().ids[0]), "ana", "label", label="Hat")])
    assert outcome.acked == ["late"]
    project.train()


def test_the_exam_is_never_trained_on(project: Project, truth: dict[str, str]) -> None:
    model = project.train()
    assert model.labels + model.left_out == project.status().labelled - len(project.exam_keys())
    reserved = {project.features().keys[row] for row in project.reserved_rows()}
    assert set(project.exam_keys()) <= reserved


def test_the_exam_grows_and_keeps_what_it_has(project: Project) -> None:
    before = project.exam_keys()
    grown = project.exam(30)
    assert project.exam_keys()[: len(before)] == before
    assert grown.size == 30
    assert len(grown.to_label) == 6
    with pytest.raises(ExamError, match="half"):
        project.exam(80)


def test_groups_of_the_exam_are_kept_out_of_training(tmp_path: Path, photos: Path, truth: dict[str, str]) -> None:
    keys = sorted(path.name for path in photos.iterdir())
    manifest = photos.parent / "patients.csv"
    manifest.write_text("image,group\n" + "".join(f"{photos.name}/{key},p{i // 3}\n" for i, key in enumerate(keys)))
    with Project.create(tmp_path / "p", sorted(set(truth.values()))) as project:
        project.add(manifest)
        project.embed(dim=8, image_size=32)
        project.exam(10)
        group = {f"{photos.name}/{key}": i // 3 for i, key in enumerate(keys)}
        of_exam = {group[key] for key in project.exam_keys()}
        picked = {group[pick.image] for pick in project.select(40).picks}
        assert not picked & of_exam


def test_rejected_images_are_not_trained_on_nor_picked(project: Project) -> None:
    waiting = [pick.image for pick in project.select(6).picks]
    rows = {key: int(i) for key, i in zip(project.features().keys, project.features().ids, strict=True)}
    project.record([Event(f"r{i}", rows[key], "ana", "reject") for i, key in enumerate(waiting)])
    labels = project.train().labels
    assert labels == project.status().labelled - len(project.exam_keys())
    assert not {pick.image for pick in project.select(10).picks} & set(waiting)


def test_two_annotators_who_disagree_make_no_label(project: Project) -> None:
    key = sorted(project.labels())[0]
    before = project.status()
    other = next(name for name in project.classes if project.labels()[key] != name)
    project.annotate({key: other}, annotator="ben")
    after = project.status()
    assert after.labelled == before.labelled - 1
    assert after.states["disputed"] == 1


def test_predictions_of_new_images(project: Project, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    shutil.copy(sorted(photos.iterdir())[3], folder / "a.jpg")
    (folder / "b.jpg").write_text("broken")
    Image.new("RGB", (64, 64), (255, 0, 255)).save(folder / "c.png")
    known, broken, strange = project.predict(folder, output=tmp_path / "p.csv")
    assert known.label in project.classes
    assert sum(known.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert known.novelty == 0.0
    assert (broken.label, broken.problem is not None) == (None, True)
    assert strange.novelty is not None
    assert strange.novelty > 0.5
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 4


def test_what_comes_too_early_says_what_comes_first(tmp_path: Path, photos: Path) -> None:
    with Project.create(tmp_path / "p", ["a", "b"]) as project:
        assert "annotate-select add" in project.status().advice
        with pytest.raises(FeaturesError, match="annotate-select add"):
            project.embed()
        project.add(photos)
        with pytest.raises(FeaturesError, match="annotate-select embed"):
            project.select(3)
        with pytest.raises(LearningError, match="annotate-select train"):
            project.evaluate()
        with pytest.raises(LearningError, match="annotate-select train"):
            project.predict(photos)
        project.embed(dim=4, image_size=16)
        with pytest.raises(LearningError, match="two"):
            project.train()
        with pytest.raises(SelectionError, match="margin"):
            project.select(3, "margin")


def test_damage_is_one_clear_error(project_root: Path) -> None:
    toml = project_root / "project.toml"
    good = toml.read_text()
    toml.write_text(good.replace("seed = 0", "seed = -3"))
    with pytest.raises(ConfigError, match="seed"):
        Project.open(project_root)
    toml.write_text("name = x\n")
    with pytest.raises(ConfigError, match="line 1"):
        Project.open(project_root)
    toml.write_text(good)
    features = next((project_root / "features").glob("*/features.npy"))
    features.write_bytes(features.read_bytes()[:-40])
    with Project.open(project_root) as project, pytest.raises(FeaturesError, match="embed --retrain"):
        project.select(3)
    weights = project_root / "models" / "1" / "weights.safetensors"
    weights.write_bytes(b"junk")
    with Project.open(project_root) as project, pytest.raises(LearningError, match="model 1"):
        project.rounds()
    (project_root / "annotations.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(DatabaseError, match=r"annotations\.db"):
        Project.open(project_root)


def test_a_project_is_not_made_twice(project_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="already"):
        Project.create(project_root, ["a"])
    with pytest.raises(ConfigError, match="distinct"):
        Project.create(tmp_path / "new", ["a", "a"])
    assert not (tmp_path / "new").exists()


def test_two_at_once_are_told_apart(project: Project) -> None:
    from annotate_select.files import lock

    with lock(project.root / ".training.lock", "training a model"), pytest.raises(BusyError, match="another process"):
        project.train()
