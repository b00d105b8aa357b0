"""Networks cut in two, and fine-tuned: arrays in, weights out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from annotate_select.errors import FeaturesError
from annotate_select.features import finetune
from annotate_select.features.backbones.backbone import Backbone
from annotate_select.features.finetune import Settings, fine_tune
from annotate_select.features.finetuned import FineTuned, learned_from
from annotate_select.features.split import split
from annotate_select.learning.head import fit_head

SETTINGS = Settings(least=3, most=3, batch=8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(models.get_model("squeezenet1_1", weights=None).state_dict(), path)
    return path


def material(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    labels = np.where(np.arange(n) % 3 == 0, 2, 0)  # class 1 has none
    images[labels == 2] //= 2
    return images, labels


def taught(weights: Path, settings: Settings = SETTINGS) -> Backbone:
    backbone, (images, labels) = Backbone("squeezenet1_1", weights, image_size=32), material()
    start = fit_head(backbone.encode(images), labels, 3, choose=False)
    fine_tune(backbone, images, labels, start, settings)
    return backbone


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "mobilenet_v3_small"])
def test_the_two_parts_are_the_whole_and_only_the_tail_is_left_to_learn(name: str) -> None:
    network = models.get_model(name, weights=None).eval()
    x = torch.rand(3, 3, 32, 32)
    trunk, tail = split(network, x[:2])
    with torch.no_grad():
        kept = trunk(x)
        torch.testing.assert_close(tail(kept), network(x))
    assert kept.numel() < x.numel() * 10
    mine = {id(one) for one in network.parameters()}
    ends = {id(one) for one in tail.parameters()}
    assert 0 < len(ends) < len(mine)
    assert ends < mine
    assert not ends & {id(one) for one in trunk.parameters()}


def test_a_network_that_cannot_be_traced_is_all_tail() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.layer(x.mean(dim=(2, 3)) if float(x.sum()) > 0 else x.amax(dim=(2, 3)))
            return found

    network = Odd()
    trunk, tail = split(network, torch.rand(2, 3, 8, 8))
    assert isinstance(trunk, nn.Identity)
    assert tail is network


def test_only_the_end_learns_and_the_same_seed_gives_the_same_weights(weights: Path) -> None:
    before = Backbone("squeezenet1_1", weights, image_size=32).normalised.state_dict()
    after, again = (taught(weights).normalised.state_dict() for _ in range(2))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert min(int(name.split(".")[2]) for name in changed) > 6  # of thirteen parts
    assert all(torch.equal(after[name], again[name]) for name in after)


def test_a_classifier_that_has_learned_finds_the_classes_likelier(weights: Path) -> None:
    losses: list[float] = []
    backbone, (images, labels) = Backbone("squeezenet1_1", weights, image_size=32), material()
    start = fit_head(backbone.encode(images), labels, 3, choose=False)
    settings = Settings(least=25, most=25, batch=12)
    fine_tune(backbone, images, labels, start, settings, lambda *said: losses.append(_loss(said)))
    assert losses[-1] < 0.8 * losses[0]


def _loss(said: tuple[str, int, int, str]) -> float:
    return float(said[3].split()[1].strip(",")) if said[0] == "fine-tuning" else np.inf


def test_it_ends_by_its_time(weights: Path) -> None:
    steps: list[int] = []
    backbone, (images, labels) = Backbone("squeezenet1_1", weights, image_size=32), material()
    start = fit_head(backbone.encode(images), labels, 3, choose=False)
    fine_tune(
        backbone, images, labels, start, Settings(seconds=1e-9), lambda stage, *_: steps.append(stage == "fine-tuning")
    )
    assert sum(steps) == 0


def test_a_loss_that_is_not_finite_is_named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune._Tuner, "_logits", lambda self, x: torch.full((len(x), 2), float("nan")))
    with pytest.raises(FeaturesError, match="the loss became nan while fine-tuning; train with --head linear"):
        taught(weights)


def test_saved_and_loaded_it_is_the_same_encoder_and_says_what_it_saw(weights: Path, tmp_path: Path) -> None:
    about = {"started_from": {"features": "net", "digest": "0" * 16}, "labels": {"count": 12}}
    plain, backbone = Backbone("squeezenet1_1", weights, image_size=32), taught(weights)
    made = FineTuned.of(backbone, about, ["a", "b"])
    assert made.definition() == {**made.definition(), **about}
    assert made.definition()["weights"] != plain.definition()["weights"]
    made.save(tmp_path)
    loaded = FineTuned.load(tmp_path)
    assert loaded.definition() == made.definition()
    np.testing.assert_allclose(loaded.encode(material()[0]), made.encode(material()[0]), rtol=1e-5, atol=1e-6)
    assert learned_from(tmp_path) == {"a", "b"}
    (tmp_path / "finetuned.json").write_text("{")
    with pytest.raises(FeaturesError, match="cannot be loaded"):
        FineTuned.load(tmp_path)
    with pytest.raises(FeaturesError, match="damaged"):
        learned_from(tmp_path)
