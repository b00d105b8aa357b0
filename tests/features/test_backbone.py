"""Backbones with random weights from local files: no network is touched."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from annotate_select.errors import FeaturesError
from annotate_select.features.backbones.backbone import Backbone
from annotate_select.features.backbones.torchvision_models import _headless, _untrained
from annotate_select.features.definitions import differences
from annotate_select.features.saved import load_saved


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = models.get_model("resnet18", weights=None)
    return network.eval()


@pytest.fixture(scope="module")
def weights(resnet: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(resnet.state_dict(), path)
    return path


def pictures(n: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_features_are_what_the_classifier_would_have_seen(resnet: nn.Module, weights: Path) -> None:
    images = pictures()
    backbone = Backbone("torchvision:resnet18", weights, image_size=32)
    assert (backbone.image_size, backbone.dim) == (32, 512)
    features = backbone.encode(images)
    assert features.dtype == np.float32
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = torch.from_numpy(((images / 255 - mean) / std).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        logits = resnet(x).numpy()
        fc = resnet.fc(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(fc, logits, rtol=1e-3, atol=1e-3)
    assert backbone.encode(images[:0]).shape == (0, 512)


def test_many_images_are_encoded_as_one_by_one(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(5)
    backbone = Backbone("resnet18", weights, image_size=32)
    whole = backbone.encode(images)
    monkeypatch.setattr("annotate_select.features.backbones.backbone.BATCH", 2)
    np.testing.assert_allclose(backbone.encode(images), whole, rtol=1e-4, atol=1e-4)


def test_the_models_own_size_is_the_default(weights: Path) -> None:
    assert Backbone("torchvision:resnet18", weights).image_size == 224


def test_pt_files_and_wrapped_states_are_read(weights: Path, resnet: nn.Module, tmp_path: Path) -> None:
    torch.save(resnet.state_dict(), tmp_path / "plain.pt")
    torch.save({"state_dict": resnet.state_dict(), "epoch": 3}, tmp_path / "wrapped.pth")
    expected = Backbone("resnet18", weights, image_size=32).definition()
    for name in ("plain.pt", "wrapped.pth"):
        assert Backbone("resnet18", tmp_path / name, image_size=32).definition() == expected


def test_mobilenet_keeps_its_own_hidden_layer(tmp_path: Path) -> None:
    torch.save(models.get_model("mobilenet_v3_small", weights=None).state_dict(), tmp_path / "m.pt")
    backbone = Backbone("torchvision:mobilenet_v3_small", tmp_path / "m.pt", image_size=32)
    assert backbone.dim == 1024
    assert np.isfinite(backbone.encode(pictures())).all()


@pytest.mark.parametrize(
    ("name", "dim"),
    [("squeezenet1_1", 512), ("googlenet", 1024), ("convnext_tiny", 768), ("shufflenet_v2_x0_5", 1024)],
)
def test_the_classifier_is_found_wherever_it_is_kept(name: str, dim: int) -> None:
    network = _headless(_untrained(name), name).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 64)).flatten(1).shape == (1, dim)


def test_saved_and_loaded_it_makes_the_same_features(weights: Path, tmp_path: Path) -> None:
    backbone = Backbone("torchvision:resnet18", weights, image_size=32)
    backbone.save(tmp_path / "encoder")
    loaded = Backbone.load(tmp_path / "encoder")
    np.testing.assert_array_equal(loaded.encode(pictures()), backbone.encode(pictures()))
    assert loaded.definition() == backbone.definition()


def test_the_definition_tells_weights_and_sizes_apart(weights: Path, resnet: nn.Module, tmp_path: Path) -> None:
    state = resnet.state_dict() | {"conv1.weight": resnet.state_dict()["conv1.weight"] + 1}
    save_file(state, tmp_path / "other.safetensors")
    one = Backbone("resnet18", weights, image_size=32).definition()
    other = Backbone("resnet18", tmp_path / "other.safetensors", image_size=32).definition()
    assert one["model"] == "torchvision:resnet18"
    assert one["weights"] != other["weights"]
    assert {name for name in one if one[name] != other[name]} == {"weights"}
    larger = Backbone("resnet18", weights, image_size=40).definition()
    assert {name for name in one if one[name] != larger[name]} == {"image_size"}
    assert json.loads(json.dumps(one)) == one


def test_unknown_models_name_near_ones() -> None:
    with pytest.raises(FeaturesError, match=r"'resnet19' \(did you mean .*resnet18"):
        Backbone("torchvision:resnet19")
    with pytest.raises(FeaturesError, match="'zzz', for example resnet18"):
        Backbone("torchvision:zzz")


@pytest.mark.parametrize("error", [URLError("no route to host"), RuntimeError("invalid hash value"), TimeoutError()])
def test_a_download_that_fails_says_how_to_give_a_file(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(FeaturesError, match=r"cannot download .* of resnet18 .*resnet18-.*\.pth.*--weights FILE"):
        Backbone("torchvision:resnet18")


def test_a_download_that_succeeds_is_used(monkeypatch: pytest.MonkeyPatch, resnet: nn.Module, weights: Path) -> None:
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *args, **kwargs: resnet.state_dict())
    expected = Backbone("resnet18", weights, image_size=32).definition()
    assert Backbone("resnet18", image_size=32).definition() == expected


class Evil:
    """Something that would run code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.mkdir, (Path("pwned"),))  # type: ignore[return-value]


def bad_files(folder: Path, resnet: nn.Module) -> dict[str, tuple[Path, str]]:
    torch.save({"conv1.weight": Evil()}, folder / "evil.pt")
    (folder / "text.pt").write_text("not weights")
    (folder / "empty.pth").write_bytes(b"")
    (folder / "text.safetensors").write_text("not weights")
    torch.save([1, 2], folder / "list.pt")
    torch.save({"epoch": 3}, folder / "numbers.pt")
    save_file({"features.0.weight": torch.zeros(3)}, folder / "other.safetensors")
    torch.save(
        models.get_model("resnet34", weights=None).state_dict() | {"conv1.weight": torch.zeros(1)}, folder / "shape.pt"
    )
    return {
        "evil": (folder / "evil.pt", "nothing but tensors"),
        "text": (folder / "text.pt", "cannot read weights"),
        "empty": (folder / "empty.pth", "cannot read weights"),
        "safetensors": (folder / "text.safetensors", "cannot read weights"),
        "list": (folder / "list.pt", "no tensors by name"),
        "numbers": (folder / "numbers.pt", "no tensors by name"),
        "other": (folder / "other.safetensors", "are not of resnet18: it has no conv1.weight"),
        "shape": (folder / "shape.pt", r"its conv1.weight has shape \(1,\)"),
        "missing": (folder / "missing.pt", "there is no weights file"),
        "folder": (folder, "there is no weights file"),
    }


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, resnet: nn.Module) -> dict[str, tuple[Path, str]]:
    return bad_files(tmp_path_factory.mktemp("bad"), resnet)


@pytest.mark.parametrize(
    "what", ["evil", "text", "empty", "safetensors", "list", "numbers", "other", "shape", "missing", "folder"]
)
def test_files_that_are_no_weights(
    bad: dict[str, tuple[Path, str]], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, message = bad[what]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FeaturesError, match=message) as said:
        Backbone("torchvision:resnet18", path)
    assert "weights_only" not in str(said.value)  # torch's advice to run what is in the file
    assert not list(tmp_path.iterdir())  # nothing was run


def test_sizes_a_model_cannot_take(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(FeaturesError, match=r"images must be \(32, 32, 3\)"):
        Backbone("resnet18", weights, image_size=32).encode(pictures(size=16))
    torch.save(models.get_model("alexnet", weights=None).state_dict(), tmp_path / "a.pt")
    with pytest.raises(FeaturesError, match="alexnet cannot take images of 8 x 8 pixels"):
        Backbone("alexnet", tmp_path / "a.pt", image_size=8)


@pytest.mark.parametrize("damage", ["json", "no weights", "other model"])
def test_a_damaged_folder_says_to_retrain(weights: Path, tmp_path: Path, damage: str) -> None:
    Backbone("resnet18", weights, image_size=32).save(tmp_path)
    if damage == "json":
        (tmp_path / "backbone.json").write_text("{")
    elif damage == "no weights":
        (tmp_path / "weights.safetensors").unlink()
    else:
        (tmp_path / "backbone.json").write_text('{"model": "torchvision:resnet34", "image_size": 32}')
    with pytest.raises(FeaturesError, match="--retrain"):
        Backbone.load(tmp_path)


# --- the library that builds the network --------------------------------------------------------------------------


@pytest.fixture
def saved(weights: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "encoder"
    Backbone("torchvision:resnet18", weights, image_size=32).save(folder)
    return folder


def test_the_definition_names_the_library_without_what_only_mends_faults(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchvision, "__version__", "0.31.2+cpu")
    one = Backbone("resnet18", weights, image_size=32).definition()
    assert one["library"] == "torchvision 0.31"
    monkeypatch.setattr(torchvision, "__version__", "0.32.0")
    assert "library: torchvision 0.31 stored, torchvision 0.32 asked" in differences(
        one, Backbone("resnet18", weights, image_size=32).definition()
    )


def test_a_new_version_that_builds_the_same_network_goes_on_with_its_features(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Backbone.load(saved).definition()
    monkeypatch.setattr(torchvision, "__version__", "99.0")
    loaded = load_saved(saved, before)
    assert loaded.definition() == before
    loaded.save(saved.parent / "again")
    assert load_saved(saved.parent / "again", before).definition() == before


def test_a_new_version_that_builds_another_network_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Backbone.load(saved).definition()

    def another(name: str) -> nn.Module:
        network = _untrained(name)
        network.relu = nn.SiLU()
        return network

    monkeypatch.setattr("annotate_select.features.backbones.torchvision_models._untrained", another)
    Backbone.load(saved)  # the same version is not asked
    monkeypatch.setattr(torchvision, "__version__", "99.0")
    with pytest.raises(
        FeaturesError, match=r"torchvision 99\.0 builds another network torchvision:resnet18 than torch"
    ):
        load_saved(saved, before)


def test_an_encoder_saved_before_versions_were_noted_loads_with_a_warning(saved: Path) -> None:
    old = {name: value for name, value in Backbone.load(saved).definition().items() if name != "library"}
    (saved / "probe.safetensors").unlink()
    (saved / "backbone.json").write_text('{"model": "torchvision:resnet18", "image_size": 32}')
    with pytest.warns(
        UserWarning, match=r"before it was noted by which version .* torchvision 0\.\d+ now; .*--retrain"
    ):
        loaded = load_saved(saved, old)
    assert loaded.definition() == old
