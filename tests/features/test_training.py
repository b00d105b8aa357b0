"""The training loop: exact resume, early stop, time budget, and losses that are not finite."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from annotate_select.errors import FeaturesError
from annotate_select.features import encoder
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.network import KINDS, Network


def config(**changes: object) -> AutoencoderConfig:
    values: dict[str, object] = {
        "kind": "joint",
        "image_size": 8,
        "atoms": 12,
        "dim": 4,
        "width": 8,
        "epochs": 4,
        "batch_size": 8,
        **changes,
    }
    return AutoencoderConfig(**values)  # type: ignore[arg-type]


def noise(n: int = 30, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


class Killed(BaseException):
    """What a kill looks like from inside."""


def some(n: int = 30) -> np.ndarray:
    """Labels of every other image, of three classes."""
    return np.where(np.arange(n) % 2 == 0, np.arange(n) % 3, -1)


def killed_in_epoch(
    epoch: int, images: np.ndarray, checkpoint: Path, settings: AutoencoderConfig, labels: np.ndarray | None = None
) -> None:
    """Train until the second step of an epoch, then die."""

    def die(stage: str, done: int, total: int, note: str) -> None:
        if stage.startswith("training") and done == (epoch - 1) * (total // settings.epochs) + 2:
            raise Killed

    with pytest.raises(Killed):
        Autoencoder(settings).fit(images, progress=die, checkpoint=checkpoint, labels=labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("epoch", [2, 4])
@pytest.mark.parametrize("labels", [None, some()], ids=["without labels", "with labels"])
def test_killed_and_continued_is_the_same_as_never_stopped(
    tmp_path: Path, kind: str, epoch: int, labels: np.ndarray | None
) -> None:
    images = noise()
    straight = Autoencoder(config(kind=kind)).fit(images, labels=labels)
    killed_in_epoch(epoch, images, tmp_path / "c", config(kind=kind), labels)
    assert [path.name for path in (tmp_path / "c").iterdir()] == [str(epoch - 1)]
    continued = Autoencoder(config(kind=kind)).fit(images, checkpoint=tmp_path / "c", labels=labels)
    np.testing.assert_array_equal(continued.transform(images), straight.transform(images))
    assert [one[:2] for one in continued.history] == [one[:2] for one in straight.history]
    assert not (tmp_path / "c").exists()


def first_step(
    images: np.ndarray, checkpoint: Path, settings: AutoencoderConfig, labels: np.ndarray | None = None
) -> int:
    """Return the number of the first step that `fit` takes with this checkpoint."""
    steps: list[int] = []
    Autoencoder(settings).fit(
        images, progress=lambda _, done, total, note: steps.append(done), checkpoint=checkpoint, labels=labels
    )
    return steps[0]


def test_a_checkpoint_is_used_only_for_the_same_settings_images_and_labels(tmp_path: Path) -> None:
    for settings, images, labels, expected in [
        (config(), noise(), some(), 9),  # four steps an epoch, two epochs done
        (config(learning_rate=1e-3), noise(), some(), 1),
        (config(views="oriented"), noise(), some(), 1),
        (config(), noise(seed=1), some(), 1),
        (config(), noise(29), some(29), 1),
        (config(), noise(), None, 1),
        (config(), noise(), some()[::-1], 1),
    ]:
        killed_in_epoch(3, noise(), tmp_path / "c", config(), some())
        assert first_step(images, tmp_path / "c", settings, labels) == expected


def test_the_classifier_of_labels_is_gone_after_training(tmp_path: Path) -> None:
    killed_in_epoch(2, noise(), tmp_path / "c", config(), some())
    assert "network.classifier.weight" in load_file(tmp_path / "c" / "1" / "tensors")
    encoder = Autoencoder(config()).fit(noise(), checkpoint=tmp_path / "c", labels=some())
    encoder.save(tmp_path)
    assert not [name for name in load_file(tmp_path / "weights.safetensors") if "classifier" in name]


@pytest.mark.parametrize("file", ["about.json", "tensors"])
def test_a_damaged_checkpoint_is_replaced(tmp_path: Path, file: str) -> None:
    killed_in_epoch(3, noise(), tmp_path / "c", config())
    (tmp_path / "c" / "2" / file).write_bytes(b"{")
    assert first_step(noise(), tmp_path / "c", config()) == 1
    assert not (tmp_path / "c").exists()


def test_a_checkpoint_holds_plain_tensors_and_json(tmp_path: Path) -> None:
    killed_in_epoch(3, noise(), tmp_path / "c", config())
    tensors = load_file(tmp_path / "c" / "2" / "tensors")
    assert float(tensors["optimizer.0.step"]) == 8
    assert {"optimizer.0.exp_avg", "optimizer.0.exp_avg_sq"} < set(tensors)
    assert len(json.loads((tmp_path / "c" / "2" / "about.json").read_text())["history"]) == 2


def losses(monkeypatch: pytest.MonkeyPatch, held_out: list[float]) -> list[Tensor]:
    """Make the network report these held-out losses; returns the weights it had at each."""
    seen: list[Tensor] = []
    real = Network.loss

    def loss(self: Network, x: Tensor, generator: torch.Generator, z: Tensor | None) -> tuple[Tensor, Tensor]:
        found, error = real(self, x, generator, z)
        if self.training:
            return found, error
        seen.append(self.encoder.project.weight.detach().clone())
        return torch.tensor(held_out[len(seen) - 1]), error

    monkeypatch.setattr(Network, "loss", loss)
    monkeypatch.setattr(Network, "whiten", lambda self, z: None)
    return seen


def test_early_stop_brings_back_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = losses(monkeypatch, [5.0, 3.0, 4.0, 3.5, 1.0])
    encoder = Autoencoder(config(epochs=9, patience=2)).fit(noise())
    assert [held_out for _, held_out, _ in encoder.history] == [5.0, 3.0, 4.0, 3.5]
    assert encoder.stopped == "stopped after 4 epochs: no better for 2"
    assert torch.equal(encoder._fitted().encoder.project.weight, seen[1])
    assert not torch.equal(seen[1], seen[3])


def test_out_of_time_it_stops_and_says_so() -> None:
    notes: list[str] = []
    encoder = Autoencoder(config(epochs=50, seconds=1e-6))
    encoder.fit(noise(), progress=lambda stage, done, total, note: notes.append(note))
    assert len(encoder.history) == 1
    assert encoder.stopped == "stopped after 1e-06 seconds, in epoch 1 of 50"
    assert encoder.stopped in notes[-1]


def test_a_large_pool_gets_fewer_epochs() -> None:
    encoder = Autoencoder(config(most_images=60)).fit(noise())  # 27 of 30 train: twice is 54
    assert len(encoder.history) == 2
    assert encoder.stopped == "2 epochs done"


def test_progress_counts_every_step() -> None:
    heard: list[tuple[str, int, int]] = []
    Autoencoder(config()).fit(noise(), progress=lambda stage, done, total, note: heard.append((stage, done, total)))
    assert heard == [("training encoder", done, 16) for done in [*range(1, 17), 16]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_says_what_to_do(monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    losses(monkeypatch, [1.0, bad])
    with pytest.raises(
        FeaturesError, match=r"became (nan|inf) in epoch 2; train with a lower learning_rate than 0\.002"
    ):
        Autoencoder(config()).fit(noise())


@pytest.mark.parametrize(
    ("processor", "halved"),
    [
        ("vendor_id : GenuineIntel\nflags : avx512f avx512_bf16", True),
        ("vendor_id : GenuineIntel\nflags : avx512f avx512_bf16 amx_bf16 amx_tile", False),
        ("vendor_id : AuthenticAMD\nflags : avx512f avx512_bf16", False),
        ("", False),
    ],
)
def test_bfloat16_is_not_for_processors_that_are_slower_in_it(
    monkeypatch: pytest.MonkeyPatch, processor: str, halved: bool
) -> None:
    monkeypatch.setattr(encoder, "_processor", lambda: processor)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert encoder.has_bfloat16(torch.device("cpu")) is not halved
