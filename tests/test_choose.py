"""`--encoder auto`: what there is to try, what decides, and within which time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torchvision import models

from annotate_select import Project
from annotate_select.cli import cli
from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import AutoencoderConfig
from annotate_select.features.backbones.on_disk import networks_on_disk
from annotate_select.features.choice import Trial, decided, in_doubt, standard_error
from annotate_select.steps import candidates as module
from annotate_select.steps import choose as trying
from annotate_select.steps.embed import embed

OWN = Trial("autoencoder", 60.0, 0.30, 90.0, 128, 0.5)
FOREIGN = Trial("efficientnet_lite0", 600.0, 0.55, 200.0, 399, 1.2)


def test_without_labels_neighbours_that_stay_decide() -> None:
    found = decided([OWN, FOREIGN], 900)
    assert found.encoder == "efficientnet_lite0"
    assert found.because == (
        "efficientnet_lite0 is used: more of its neighbours stay than of the others'. "
        "autoencoder: 30 % of neighbours stay when images are cropped and recoloured, 90 of 128 dimensions are in use, "
        "hubness 0.5; efficientnet_lite0: 55 % of neighbours stay when images are cropped and recoloured, 200 of 399 "
        "dimensions are in use, hubness 1.2"
    )


@pytest.mark.parametrize("poor", [{"rank": 10.0}, {"hubness": 3.5}])
def test_a_space_whose_distances_tell_little_gives_way(poor: dict[str, Any]) -> None:
    found = decided([OWN, replace(FOREIGN, **poor)], 900)
    assert found.because.startswith("autoencoder is used: distances in efficientnet_lite0 tell little. ")
    assert ("dimensions are in use, few" in found.because) == ("rank" in poor)
    assert ("a few images are near to all" in found.because) == ("hubness" in poor)
    both = decided([replace(OWN, **poor), replace(FOREIGN, **poor)], 900)
    assert both.encoder == "efficientnet_lite0"


def right(one: Trial, accuracy: float, linear: float | None, labels: int) -> Trial:
    return replace(one, accuracy=accuracy, linear=linear, labels=labels)


def test_with_labels_accuracy_decides() -> None:
    found = decided([right(OWN, 0.8, 0.9, 100), right(FOREIGN, 0.7, 0.72, 100)], 900)
    assert found.because.startswith(
        "autoencoder is used: it is right most often. autoencoder: 80 % of 100 labels have neighbours of their class, "
        "a linear model names 90 %, 30 % of neighbours stay"
    )


def test_a_difference_within_a_standard_error_leaves_it_to_neighbours_that_stay() -> None:
    own, foreign = right(OWN, 0.8, 0.8, 50), right(FOREIGN, 0.74, None, 50)
    assert standard_error(own, foreign) == pytest.approx(((0.8 * 0.2 + 0.74 * 0.26) / 50) ** 0.5)
    assert in_doubt([own, foreign]) == [own, foreign]
    found = decided([own, foreign], 900)
    assert found.because.startswith(
        "efficientnet_lite0 is used: 50 labels cannot tell it from autoencoder, and more of its neighbours stay than"
    )
    assert in_doubt([replace(own, labels=500), replace(foreign, labels=500)]) == [replace(own, labels=500)]


def test_what_takes_too_long_is_not_chosen_and_that_is_said() -> None:
    found = decided([OWN, FOREIGN], 300)
    assert found.encoder == "autoencoder"
    assert found.because.endswith("but it would take 10 minutes")
    assert decided([OWN, FOREIGN], 1).encoder == "autoencoder"  # nothing is quick enough: the quickest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """70 small images of two kinds, on a machine without any pretrained network."""
    monkeypatch.setattr(module, "NEEDED", ("not_installed_at_all",))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for one in range(70):
        pixels = rng.integers(0, 256, (16, 16, 3)) // [[[1 + one % 2, 2 - one % 2, 1]]]
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"{one:02}.png")
    made = Project.create(tmp_path / "p", classes=["red", "green"])
    made.add(tmp_path / "images")
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every trial is a formality: what is tried counts, not how it ends; and what is embedded then is small."""

    def trial(sample: object, one: module.Candidate, left: float, progress: object) -> Trial:
        return replace(OWN, encoder=one.name)

    monkeypatch.setattr(trying, "_trial", trial)
    monkeypatch.setattr(trying, "embed", partial(embed, dim=4, image_size=16))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autoencoders learn on trial in no time."""

    def config(kind: str, seed: int) -> AutoencoderConfig:
        return AutoencoderConfig(kind=kind, seed=seed, image_size=16, width=8, epochs=1, atoms=20, dim=8)

    monkeypatch.setattr(module, "trial_config", config)


def names(project: Project, *, stored: bool = True) -> list[str]:
    return [one.name for one in module.candidates(project._home, stored=stored)]


def test_a_project_tries_both_kinds_of_the_autoencoder(project: Project, small: None) -> None:
    project.exam(12)
    project.annotate({f"{one:02}.png": ["red", "green"][one % 2] for one in range(67)})
    exam = len(set(project.exam_keys()) & set(project.labels()))
    trial, other = project.choose_encoder().trials
    assert (trial.encoder, other.encoder) == ("autoencoder", "autoencoder:joint")
    assert trial.labels == other.labels == 67 - exam < 67  # the exam's choose nothing
    assert trial.right is not None
    assert 0 <= trial.agreement <= 1
    assert 1 <= trial.rank <= trial.most_rank == 8
    assert other.seconds > 0


def test_what_was_chosen_is_used_from_now_on(project: Project, quick: None) -> None:
    features, _ = project.embed_best(name="mine")
    assert (features.name, project.config.select.features) == ("mine", "mine")
    assert project.features().name == "mine"
    with pytest.raises(FeaturesError, match="decides dim, image size and weights itself"):
        project.embed("auto", dim=3)


def test_stored_features_take_part_and_cost_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = project.embed(name="mine", dim=4, image_size=16)
    assert names(project) == ["mine (stored)", "autoencoder:joint"]
    assert names(project, stored=False) == ["autoencoder", "autoencoder:joint"]
    monkeypatch.setattr(trying, "candidates", lambda home, stored: module.candidates(home, stored=stored)[:1])
    features, choice = project.embed_best()
    assert (features.digest, choice.encoder) == (stored.digest, "mine (stored)")
    assert choice.trials[0].seconds == 0
    assert project.config.select.features == "mine"


def test_features_made_of_others_or_of_labels_do_not_take_part(project: Project) -> None:
    project.annotate({f"{one:02}.png": ["red", "green"][one % 2] for one in range(60)})
    project.embed(name="a", dim=4, image_size=16)
    project.embed(name="b", dim=3, image_size=16)
    project.embed("a+b")
    project.config.select.features = "a"
    project.embed(name="told", dim=3, image_size=16, labels=True)
    assert names(project) == ["a (stored)", "b (stored)", "autoencoder:joint"]


def test_networks_take_part_whose_weights_are_on_this_disk(project: Project, tmp_path: Path) -> None:
    assert networks_on_disk(2) == []
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "of_my_own.pth").touch()
    file = folder / models.get_model_weights("squeezenet1_1").DEFAULT.url.rpartition("/")[2]
    torch.save(models.get_model("squeezenet1_1", weights=None).state_dict(), file)
    hub = tmp_path / "hf" / "models--timm--test_vit.r160_in1k" / "snapshots" / "1f"
    hub.mkdir(parents=True)
    assert names(project) == ["autoencoder", "torchvision:squeezenet1_1", "autoencoder:joint"]
    (hub / "model.safetensors").touch()
    assert {name for name, _ in networks_on_disk(2)} == {"torchvision:squeezenet1_1", "timm:test_vit.r160_in1k"}
    assert len(networks_on_disk(1)) == 1
    shutil.rmtree(hub)
    one = module.candidates(project._home)[1]
    assert (one.weights, one.make().dim) == (file, 512)


def test_a_network_that_cannot_be_tried_is_passed_over_aloud(
    project: Project, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"")
    broken = module._of_file("torchvision:resnet18", tmp_path / "broken.safetensors")
    monkeypatch.setattr(trying, "candidates", lambda home, stored: [*module.candidates(home)[:1], broken])
    because = project.choose_encoder().because
    assert "; what could not be tried: torchvision:resnet18 (cannot read weights from" in because


def test_the_pretrained_one_is_tried_where_it_is_installed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", ())
    assert names(project) == ["autoencoder", "efficientnet_lite0", "autoencoder:joint"]


def test_the_time_is_the_users_and_ends_the_trials(
    project: Project, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEEDED", ())
    assert [one.encoder for one in project.choose_encoder(seconds=90).trials] == names(project)
    assert "would take 1 minute" in project.choose_encoder(seconds=59).because
    found = project.choose_encoder(seconds=1e-9)
    assert len(found.trials) == 1
    assert found.because.endswith("; no time was left to try efficientnet_lite0, autoencoder:joint")
    with pytest.raises(FeaturesError, match="above 0 seconds, got 0"):
        project.choose_encoder(seconds=0)
    for encoder, code in (("autoencoder", 2), ("auto", 0)):
        arguments = ["-p", str(project.root), "embed", "--encoder", encoder, "--minutes", "0.5", "--name", "timed"]
        assert CliRunner().invoke(cli, arguments).exit_code == code


def test_what_would_take_longer_than_is_left_is_not_tried() -> None:
    class Slow:
        image_size, dim = 8, 3

        def encode(self, images: np.ndarray) -> np.ndarray:
            return np.asarray(images.mean(axis=(1, 2)), np.float32)

    pictures = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    assert trying.tried(Slow(), pictures, left=1e-12) is None  # type: ignore[arg-type]
    encoded = trying.tried(Slow(), pictures)  # type: ignore[arg-type]
    assert encoded is not None
    found = trying.judged("slow", *encoded[:2], np.full(40, -1))
    assert (found.accuracy, found.labels, found.most_rank) == (None, 0, 3)


def test_an_empty_pool_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FeaturesError, match="the pool is empty"):
        Project.create(tmp_path / "p", classes=["a", "b"]).choose_encoder()
