"""`train --head finetune`: the network learns the labels that are not held out, and says what that was worth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import get_model

from annotate_select import Project
from annotate_select.annotations import images
from annotate_select.cli import cli
from annotate_select.errors import LearningError
from annotate_select.features.finetune import Settings
from annotate_select.features.finetuned import learned_from
from annotate_select.steps import finetune
from annotate_select.steps.models import models

COUNT, EXAM = 48, 12
NAME = "squeezenet1_1-finetuned"


def true(key: str) -> str:
    return ["left", "right"][int(Path(key).stem) % 2]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a few steps, and take whatever they give."""
    _quick(monkeypatch)


def _quick(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(finetune, "Settings", lambda **given: Settings(**given, least=4, most=4, batch=8))
    patch.setattr(finetune, "CLEARLY", -np.inf)


@pytest.fixture(scope="module")
def labelled_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of a square, left or right, seen by a small network with random weights; labelled, with an exam."""
    root = tmp_path_factory.mktemp("finetune")
    rng = np.random.default_rng(0)
    (root / "images").mkdir()
    for one in range(COUNT):
        pixels = rng.integers(0, 120, (32, 32, 3))
        at = 4 + 16 * (one % 2)
        pixels[12:20, at : at + 8] = 230
        Image.fromarray(pixels.astype(np.uint8)).save(root / "images" / f"{one:02}.png")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(get_model("squeezenet1_1", weights=None).state_dict(), root / "net.safetensors")
    lines = [f"images/{one:02}.png,pair{one // 2}" for one in range(COUNT)]
    (root / "list.csv").write_text("\n".join(["image,group", *lines]))
    with Project.create(root / "p", classes=["left", "right"]) as made:
        made.add(root / "list.csv")
        features = made.embed("torchvision:squeezenet1_1", weights=root / "net.safetensors", image_size=32)
        made.exam(EXAM)
        made.annotate({key: true(key) for key in features.keys}, annotator="ana")
    return root


@pytest.fixture(scope="module")
def tuned_root(labelled_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a fine-tuned model."""
    root = tmp_path_factory.mktemp("tuned") / "all"
    shutil.copytree(labelled_root, root)
    with pytest.MonkeyPatch.context() as patch, Project.open(root / "p") as made:
        _quick(patch)
        made.train("finetune")
    return root


@pytest.fixture
def labelled(labelled_root: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(labelled_root, tmp_path / "all")
    with Project.open(tmp_path / "all" / "p") as project:
        yield project


@pytest.fixture
def tuned(tuned_root: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(tuned_root, tmp_path / "all")
    with Project.open(tmp_path / "all" / "p") as project:
        yield project


def _about(project: Project, number: int = 1) -> dict[str, object]:
    found: dict[str, object] = json.loads((project.root / "models" / str(number) / "model.json").read_text())
    return found


def test_a_fine_tuned_model_does_what_any_model_does(tuned: Project) -> None:
    assert tuned.features().name == "squeezenet1_1"  # training made the others: nobody has to choose
    report = tuned.evaluate()
    assert (report.n, report.left_out) == (EXAM, 0)
    said = tuned.predict(tuned.root.parent / "images")
    assert len(said) == COUNT
    assert all(one.label in ("left", "right") for one in said)
    assert "labels that model 1 was trained on could be doubted" in (tuned.check.labels(NAME).note or "")
    again = tuned.reproduce(1)
    assert again.verdict == "identical"
    assert "the fine-tuned network was not taught again" in again.text()
    assert (
        tuned.embed("torchvision:squeezenet1_1", name=NAME).digest == tuned.features(NAME).digest
    )  # as for new images
    opinions = tuned.embed(f"model:{tuned.root}", name="said")
    by_key = {Path(one.image).name: one.probabilities["right"] for one in said}
    for key, row in zip(opinions.keys, opinions.array, strict=True):
        assert row[1] == pytest.approx(by_key[Path(key).name], abs=1e-4)


def test_what_the_model_looks_at_is_found_by_covering_it(tuned: Project) -> None:
    keys = tuned.exam_keys()
    for side in (0, 1):
        key = next(one for one in keys if int(Path(one).stem) % 2 == side)
        halves = np.clip(tuned.explain(key).weights, 0, None).reshape(8, 2, 4).sum(axis=(0, 2))
        assert halves.argmax() == side


def test_accuracy_and_calibration_rest_on_labels_that_the_network_has_not_learned(tuned: Project) -> None:
    model, features = models(tuned._home)[0], tuned.features(NAME)
    assert (model.features, model.features_saw_labels, model.labels) == (NAME, True, COUNT - len(_kept(tuned)))
    folder = tuned.root / "features" / f"{NAME}-{features.digest}" / "encoder"
    table = images.pool_table(tuned._home.db)
    learned = {key for key, one in zip(table.keys, table.fingerprints, strict=True) if one in learned_from(folder)}
    measured = {key for key, one in zip(features.keys, features.ids.tolist(), strict=True) if one in _measured(tuned)}
    assert learned & (measured | _kept(tuned)) == set()
    assert learned | measured == set(table.keys) - _kept(tuned)
    pairs = [{int(Path(key).stem) // 2 for key in keys} for keys in (learned, measured)]
    assert pairs[0] & pairs[1] == set()
    assert (model.kind, model.head.kind) == ("finetune", "linear")
    assert model.measured_on == len(measured) >= 4
    assert model.cv_accuracy is not None
    assert f"of {len(measured)} held-out labels right" in model.note


def _measured(project: Project) -> list[int]:
    found = _about(project)["measured_on"]
    assert isinstance(found, list)
    return found


def _kept(project: Project) -> set[str]:
    """Return the exam's images and those of its groups."""
    pairs = {int(Path(key).stem) // 2 for key in project.exam_keys()}
    return {key for key in project.features("squeezenet1_1").keys if int(Path(key).stem) // 2 in pairs}


def test_a_linear_model_on_the_tuned_features_is_measured_on_the_same_labels(tuned: Project) -> None:
    again = tuned.train(features=NAME)
    first = models(tuned._home)[0]
    assert (again.cv_accuracy, again.measured_on, again.note) == (first.cv_accuracy, first.measured_on, "")
    tuned.annotate({next(iter(tuned.labels())): "left"}, annotator="ana")
    assert tuned.reproduce(2).verdict == "identical"


def test_the_same_labels_are_not_learned_twice_and_others_begin_anew(
    tuned: Project, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[str] = []
    real = finetune._taught

    def teach(home, opened, *rest):  # type: ignore[no-untyped-def]
        taught.append(opened.name)
        return real(home, opened, *rest)

    monkeypatch.setattr(finetune, "_taught", teach)
    before = tuned.features(NAME).digest
    assert tuned.train("finetune", features=NAME).features_digest == before
    assert taught == []
    changed = next(key for key in tuned.labels() if key not in _kept(tuned))
    tuned.annotate({changed: "right" if true(changed) == "left" else "left"}, annotator="ana")
    model = tuned.train("finetune", features=NAME)
    assert taught == ["squeezenet1_1"]
    assert model.features_digest != before
    assert tuned.reproduce(1).verdict == "identical"  # on the features that were replaced


def test_where_it_does_not_clearly_help_the_model_is_linear_and_says_so(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "fine_tune", lambda *_: None)
    model = labelled.train("finetune")
    assert model.features == "squeezenet1_1"
    assert not model.features_saw_labels
    assert model.note.startswith("fine-tuning did not clearly help (")
    assert model.note.endswith("this is a linear model on squeezenet1_1")
    assert labelled.reproduce(1).verdict == "identical"
    assert [one.name for one in labelled.features_list()] == ["squeezenet1_1"]


def test_killed_it_leaves_nothing(labelled: Project, quick: None) -> None:
    class Killed(BaseException):
        pass

    def die(stage: str, done: int, total: int, note: str) -> None:
        if stage == "fine-tuning" and done == 2:
            raise Killed

    with pytest.raises(Killed):
        labelled.train("finetune", progress=die)
    assert [one.name for one in labelled.features_list()] == ["squeezenet1_1"]
    assert models(labelled._home) == []
    assert not list(labelled.root.rglob("*.tmp"))


def test_what_cannot_be_fine_tuned_says_what_can(labelled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled.embed(dim=4, image_size=8)
    with pytest.raises(
        LearningError, match="are of autoencoder, which cannot be fine-tuned; those of efficientnet_lite0"
    ):
        labelled.train("finetune", features="autoencoder")
    monkeypatch.setattr(finetune, "deal", lambda labels, *_: np.full(len(labels), -1))
    with pytest.raises(LearningError, match=r"needs at least 10 outside the exam, .* got \d+; label more, or train"):
        labelled.train("finetune", features="squeezenet1_1")


def test_options_that_make_no_sense_are_refused(labelled: Project) -> None:
    with pytest.raises(LearningError, match="minutes and views are for head finetune, got head 'spreading'"):
        labelled.train(minutes=1)
    with pytest.raises(LearningError, match="there are no views 'upside'; choose one of auto, objects"):
        labelled.train("finetune", views="upside")
    with pytest.raises(LearningError, match="above 0 minutes, got 0"):
        labelled.train("finetune", minutes=0)
    with pytest.raises(LearningError, match="there is no head 'deep'; train one of spreading, linear, mlp, finetune"):
        labelled.train("deep")
    done = CliRunner().invoke(cli, ["-p", str(labelled.root), "train", "--views", "objects"])
    # project.toml may say finetune, so it is not the command that knows
    assert "minutes and views are for head finetune, got head 'spreading'" in str(done.exception)


def test_the_command(labelled: Project, quick: None) -> None:
    done = CliRunner().invoke(cli, ["-p", str(labelled.root), "train", "--head", "finetune", "--minutes", "5"])
    assert done.exit_code == 0, done.output
    assert "that the network has not learned" in done.output
    assert "fine-tuned: " in done.output
    done = CliRunner().invoke(cli, ["-p", str(labelled.root), "train", "--features", NAME, "--json"])
    assert json.loads(done.stdout)["measured_on"] == models(labelled._home)[0].measured_on
