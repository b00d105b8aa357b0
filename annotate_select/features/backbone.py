"""Pretrained torchvision models as encoders: the pooled features under the classifier."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision import models

from annotate_select.errors import FeaturesError, did_you_mean
from annotate_select.features.encoder import chosen_device, weights_digest

__all__ = ["Backbone"]

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, which torchvision's weights were trained on
STD = (0.229, 0.224, 0.225)
IMAGE_SIZE = 224
HEADS = ("fc", "classifier", "heads", "head")  # where torchvision's models keep their classifier


class Backbone:
    """A torchvision model without its classifier, from torchvision's own weights or from a local file."""

    def __init__(
        self, name: str, weights: str | Path | None = None, image_size: int | None = None, device: str = "auto"
    ) -> None:
        """Load `torchvision:NAME`; `weights` is a .safetensors, .pt or .pth file of that model's state.

        Raises FeaturesError for an unknown name, weights that cannot be had, or weights that do not fit the model.
        """
        self.model = name.removeprefix("torchvision:")
        self._network = _network(self.model, Path(weights) if weights is not None else None).eval()
        self._size = image_size or IMAGE_SIZE
        self._device = chosen_device(device)
        self._network.to(self._device)
        self._dim = self._width()

    @property
    def image_size(self) -> int:
        """Side in pixels of the images it takes."""
        return self._size

    @property
    def dim(self) -> int:
        """Width of the features it makes."""
        return self._dim

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: model, weights, preprocessing, torchvision's version."""
        return {
            "kind": "backbone",
            "model": f"torchvision:{self.model}",
            "weights": weights_digest(self._network.state_dict()),
            "image_size": self._size,
            "preprocessing": {"mean": list(MEAN), "std": list(STD)},
            "torchvision": torchvision.__version__.split("+")[0],
        }

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8."""
        if images.shape[1:] != (self._size, self._size, 3):
            raise FeaturesError(f"images must be ({self._size}, {self._size}, 3), got {images.shape[1:]}; resize them")
        x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(self._device).float() / 255
        mean, std = (torch.tensor(values, device=self._device).view(1, 3, 1, 1) for values in (MEAN, STD))
        with torch.inference_mode():
            features: np.ndarray = self._network((x - mean) / std).flatten(1).float().cpu().numpy()
        return features

    def save(self, folder: Path) -> None:
        """Write weights.safetensors and backbone.json into a folder, so that the source of the weights may go."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.cpu().contiguous().clone() for name, tensor in self._network.state_dict().items()}
        save_file(tensors, folder / "weights.safetensors")
        (folder / "backbone.json").write_text(json.dumps({"model": self.model, "image_size": self._size}))

    @classmethod
    def load(cls, folder: Path) -> Backbone:
        """Read what `save` wrote; raises FeaturesError when it is missing or damaged."""
        try:
            about = json.loads((folder / "backbone.json").read_text())
            return cls(about["model"], folder / "weights.safetensors", about["image_size"])
        except (OSError, ValueError, KeyError) as error:
            raise FeaturesError(
                f"the backbone in {folder} is damaged ({error}); run `annotate-select embed --retrain`"
            ) from error

    def _width(self) -> int:
        size = self._size
        return int(self.encode(np.zeros((1, size, size, 3), dtype=np.uint8)).shape[1])


def _network(name: str, weights: Path | None) -> nn.Module:
    if name not in models.list_models(module=models):
        near = did_you_mean(name, models.list_models(module=models))
        raise FeaturesError(f"torchvision has no classification model {name!r}{near}; `resnet18` is a good start")
    if weights is None:
        return _headless(_downloaded(name))
    network = _headless(models.get_model(name, weights=None))
    _fill(network, _state(weights), weights, name)
    return network


def _downloaded(name: str) -> nn.Module:
    try:
        network: nn.Module = models.get_model(name, weights="DEFAULT")
    except Exception as error:  # urllib, hashing, disk: whatever keeps a download from arriving
        raise FeaturesError(
            f"cannot get the weights of {name} ({error}); where there is no network, give a local file with --weights"
        ) from error
    return network


def _headless(network: nn.Module) -> nn.Module:
    """Take away the last linear layer, wherever the architecture keeps it."""
    for name in HEADS:
        if hasattr(network, name):
            setattr(network, name, nn.Identity())
            return network
    raise FeaturesError("this architecture has no classifier that could be taken away; choose another model")


def _state(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise FeaturesError(f"there is no weights file {path}; name a .safetensors, .pt or .pth file")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format has its own; a pickle that wants to run code ends here too
        reason = str(error).splitlines()[0][:120]
        raise FeaturesError(
            f"cannot read weights from {path} ({reason}); only .safetensors, or .pt/.pth holding nothing but tensors"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise FeaturesError(f"{path} holds no plain tensors by name; save the model's state_dict()")
    return state


def _fill(network: nn.Module, state: dict[str, Tensor], path: Path, name: str) -> None:
    """Load the state; the classifier's own tensors may be there or not."""
    wanted = network.state_dict()
    missing = sorted(set(wanted) - set(state))
    unfit = sorted(key for key in set(wanted) & set(state) if wanted[key].shape != state[key].shape)
    if missing or unfit:
        what = f"lacks {missing[0]}" if missing else f"has another shape of {unfit[0]}"
        raise FeaturesError(f"{path} does not fit {name}: it {what}; name the architecture the weights were made for")
    network.load_state_dict({key: state[key] for key in wanted})
