"""`--encoder auto`: by accuracy where there are labels, else by neighbours that stay, within the time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select import Project
from annotate_select.cli import cli
from annotate_select.errors import FeaturesError
from annotate_select.steps import choose as module
from annotate_select.steps.choose import Trial, decided

OWN = Trial("autoencoder", 60.0, 0.30, None)
FOREIGN = Trial("efficientnet_lite0", 600.0, 0.55, None)


def test_without_labels_neighbours_that_stay_decide() -> None:
    found = decided([OWN, FOREIGN], 900)
    assert found.encoder == "efficientnet_lite0"
    assert found.because == (
        "efficientnet_lite0 is used: autoencoder: 30 % of neighbours stay when images are cropped and recoloured; "
        "efficientnet_lite0: 55 % of neighbours stay when images are cropped and recoloured"
    )


def test_with_labels_accuracy_decides() -> None:
    own, foreign = (
        Trial(one.encoder, one.seconds, one.agreement, right) for one, right in ((OWN, 0.8), (FOREIGN, 0.7))
    )
    found = decided([own, foreign], 900)
    assert found.encoder == "autoencoder"
    assert "80 % of neighbours share the class" in found.because


def test_what_takes_too_long_is_not_chosen_and_that_is_said() -> None:
    found = decided([OWN, FOREIGN], 300)
    assert found.encoder == "autoencoder"
    assert found.because.endswith("but it would take 10 minutes")
    assert decided([OWN, FOREIGN], 1).encoder == "autoencoder"  # nothing is quick enough: the quickest


@pytest.fixture
def project(tmp_path: Path) -> Project:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for one in range(70):
        pixels = rng.integers(0, 256, (16, 16, 3)) // [[[1 + one % 2, 2 - one % 2, 1]]]
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"{one:02}.png")
    made = Project.create(tmp_path / "p", classes=["red", "green"])
    made.add(tmp_path / "images")
    return made


def test_a_project_tries_what_is_installed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", ("not_installed_at_all",))
    project.annotate({f"{one:02}.png": ["red", "green"][one % 2] for one in range(60)})
    (trial,) = project.choose_encoder().trials
    assert trial.encoder == "autoencoder"
    assert trial.accuracy is not None
    assert 0 <= trial.agreement <= 1
    features, _ = project.embed_best(name="mine")
    assert (features.name, project.config.select.features) == ("mine", "mine")
    assert project.features().name == "mine"
    with pytest.raises(FeaturesError, match="decides dim, image size and weights itself"):
        project.embed("auto", dim=3)


def test_the_pretrained_one_is_tried_where_it_is_installed(project: Project) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    own, foreign = project.choose_encoder().trials
    assert (own.encoder, foreign.encoder) == ("autoencoder", "efficientnet_lite0")
    assert own.accuracy is None


def test_the_time_is_the_users_and_ends_the_trials(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NEEDED", ())

    def tried(*arguments: object) -> Trial:
        return Trial(str(arguments[-2]), 60.0, 0.5, None)

    monkeypatch.setattr(module, "_trial", tried)
    assert [one.encoder for one in project.choose_encoder(seconds=90).trials] == ["autoencoder", "efficientnet_lite0"]
    assert "would take 1 minutes" in project.choose_encoder(seconds=59).because
    found = project.choose_encoder(seconds=1e-9)
    assert len(found.trials) == 1
    assert found.because.endswith("; no time was left to try efficientnet_lite0")
    with pytest.raises(FeaturesError, match="above 0 seconds, got 0"):
        project.choose_encoder(seconds=0)
    for encoder, code in (("autoencoder", 2), ("auto", 0)):
        arguments = ["-p", str(project.root), "embed", "--encoder", encoder, "--minutes", "0.5", "--name", "timed"]
        assert CliRunner().invoke(cli, arguments).exit_code == code


def test_an_empty_pool_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FeaturesError, match="the pool is empty"):
        Project.create(tmp_path / "p", classes=["a", "b"]).choose_encoder()
