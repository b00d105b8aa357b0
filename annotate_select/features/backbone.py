"""Pretrained torchvision models as encoders: the pooled features under the classifier."""

from __future__ import annotations

import http.client
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision import models

from annotate_select.errors import FeaturesError, did_you_mean
from annotate_select.features.encoder import chosen_device, weights_digest
from annotate_select.features.images import Images
from annotate_select.files import write_whole

__all__ = ["Backbone"]

BATCH = 64  # images encoded at once: more is no faster on a CPU and needs memory at 224 pixels
HEADS = ("fc", "classifier", "heads", "head")  # where torchvision's models keep their classifier
AUXILIARY = ("aux1", "aux2", "AuxLogits")  # classifiers that only training uses


class Backbone:
    """A torchvision model without its classifier, from torchvision's own weights or from a local file."""

    def __init__(
        self, name: str, weights: str | Path | None = None, image_size: int | None = None, device: str = "auto"
    ) -> None:
        """Load `torchvision:NAME`; `weights` is a .safetensors, .pt or .pth file of that model's state.

        Without `weights` torchvision's default ones are downloaded, once; without `image_size` the model's own is used.
        Raises FeaturesError for an unknown name, weights that cannot be had or do not fit, or an impossible size.
        """
        self.model = name.removeprefix("torchvision:")
        enum = _weights_of(self.model)
        transforms = enum.transforms()  # the preprocessing that torchvision's own weights were trained with
        self.mean, self.std = [float(v) for v in transforms.mean], [float(v) for v in transforms.std]
        self._size = int(transforms.crop_size[0]) if image_size is None else image_size
        state = _downloaded(self.model, enum) if weights is None else _state(Path(weights))
        self._device = chosen_device(device)
        self._network = _headless(_untrained(self.model), self.model)
        _fill(self._network, state, f"{weights or enum.url}", self.model)
        self._network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dim = self._measured()

    @property
    def image_size(self) -> int:
        """Return the side, in pixels, of the images it takes."""
        return self._size

    @property
    def dim(self) -> int:
        """Return the width of the features it makes."""
        return self._dim

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: model, weights, preprocessing."""
        return {
            "kind": "backbone",
            "model": f"torchvision:{self.model}",
            "weights": weights_digest(self._network.state_dict()),
            "image_size": self._size,
            "preprocessing": {
                "crop": "shorter side to image_size, centre crop, RGB / 255",
                "mean": self.mean,
                "std": self.std,
            },
        }

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8."""
        found = Images(images, self._size)
        parts = [self._encode(found, np.arange(i, min(i + BATCH, len(found)))) for i in range(0, len(found), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self._dim), np.float32)

    def save(self, folder: Path) -> None:
        """Write weights.safetensors and backbone.json into a folder, so that the source of the weights may go."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.cpu().contiguous().clone() for name, tensor in self._network.state_dict().items()}
        save_file(tensors, folder / "weights.safetensors")
        about = {"model": f"torchvision:{self.model}", "image_size": self._size}
        write_whole(folder / "backbone.json", json.dumps(about) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Backbone:
        """Read what `save` wrote.

        Raises FeaturesError when files are missing, damaged, or do not fit each other.
        """
        try:
            about = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
            return cls(str(about["model"]), folder / "weights.safetensors", int(about["image_size"]))
        except (OSError, ValueError, KeyError, TypeError, FeaturesError) as error:
            raise FeaturesError(
                f"the backbone in {folder} cannot be loaded ({error}); make it anew with "
                "`annotate-select embed --retrain`"
            ) from error

    def _encode(self, images: Images, rows: np.ndarray) -> np.ndarray:
        x = images.batch(rows).to(self._device)  # (b, 3, H, W) in 0..1
        mean, std = (torch.tensor(values, device=self._device).view(1, 3, 1, 1) for values in (self.mean, self.std))
        with torch.inference_mode():
            x = self._network(((x - mean) / std).contiguous(memory_format=torch.channels_last))  # (b, dim)
            features: np.ndarray = x.flatten(1).float().cpu().numpy()
        return features

    def _measured(self) -> int:
        """Return the width of the features of a black image.

        Raises FeaturesError when the model cannot take images of this size.
        """
        try:
            return int(
                self._encode(
                    Images(np.zeros((1, self._size, self._size, 3), np.uint8), self._size), np.arange(1)
                ).shape[1]
            )
        except (RuntimeError, AssertionError, ValueError) as error:  # torchvision's models assert their sizes
            raise FeaturesError(
                f"{self.model} cannot take images of {self._size} x {self._size} pixels ({_first_line(error)}); "
                "leave image_size out to use the model's own"
            ) from error


def _weights_of(name: str) -> models.Weights:
    known = models.list_models(module=models)
    if name not in known:
        near = did_you_mean(name, known) or ", for example resnet18, mobilenet_v3_small or efficientnet_b0"
        raise FeaturesError(f"torchvision has no classification model {name!r}{near}")
    return models.get_model_weights(name).DEFAULT


def _untrained(name: str) -> nn.Module:
    """Build the architecture with random weights; the seed does not matter, all of them are replaced."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # two models warn of how they will initialise some day
        network: nn.Module = models.get_model(name, weights=None)
    if hasattr(network, "transform_input"):
        network.transform_input = True  # type: ignore[assignment] # torchvision's weights of these two came from elsewhere, with other means
    for auxiliary in AUXILIARY:
        if hasattr(network, auxiliary):
            setattr(network, auxiliary, None)
    return network


def _headless(network: nn.Module, name: str) -> nn.Module:
    """Replace the last layer with weights in the classifier, so that what it saw comes out."""
    for head in HEADS:
        if isinstance(module := getattr(network, head, None), nn.Module):
            last = [path for path, one in module.named_modules() if isinstance(one, nn.Linear | nn.Conv2d)][-1]
            network.set_submodule(f"{head}.{last}".rstrip("."), nn.Identity())
            return network
    raise FeaturesError(f"{name} has no classifier that could be taken away; choose another model")


def _downloaded(name: str, enum: models.Weights) -> Mapping[str, Tensor]:
    try:
        state: Mapping[str, Tensor] = enum.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
        raise FeaturesError(
            f"cannot download the weights of {name} ({_first_line(error)}); fetch {enum.url} on a machine that can, "
            "and give the file with --weights FILE"
        ) from error
    return state


def _state(path: Path) -> Mapping[str, Tensor]:
    """Read tensors by name; a file that would run code when opened is refused."""
    if not path.is_file():
        raise FeaturesError(f"there is no weights file {path}; name a .safetensors, .pt or .pth file")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except Exception as error:  # torch raises what pickle raises, and no file here imports pickle
        raise FeaturesError(
            f"cannot read weights from {path} ({_first_line(error)}); use a .safetensors file, or a .pt/.pth "
            "that holds nothing but tensors: torch.save(model.state_dict(), file)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise FeaturesError(f"{path} holds no tensors by name; save it as torch.save(model.state_dict(), file)")
    return state


def _torch_file(path: Path) -> object:
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state.get("state_dict", state) if isinstance(state, dict) else state


def _fill(network: nn.Module, state: Mapping[str, Tensor], source: str, name: str) -> None:
    """Load the state into the network; tensors of the classifier may be there or not."""
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in state]
    unfit = [key for key in wanted if key in state and wanted[key].shape != state[key].shape]
    if missing or unfit:
        what = f"it has no {missing[0]}" if missing else f"its {unfit[0]} has shape {tuple(state[unfit[0]].shape)}"
        raise FeaturesError(f"the weights in {source} are not of {name}: {what}; name the model they were made for")
    network.load_state_dict({key: state[key] for key in wanted})


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
