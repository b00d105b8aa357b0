"""Pretrained networks as encoders: the pooled features under the classifier."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError, first_line
from annotate_select.features.backbones import lite0
from annotate_select.features.backbones.lite0 import lite0_model
from annotate_select.features.backbones.pretrained import Pretrained
from annotate_select.features.backbones.runtime import Runner
from annotate_select.features.backbones.timm_models import timm_model
from annotate_select.features.backbones.torchvision_models import torchvision_model
from annotate_select.features.encoder import Measured, chosen_device, loading, weights_digest
from annotate_select.features.images import Images
from annotate_select.files import write_whole
from annotate_select.pool.decode import DECODING

__all__ = ["SCHEMES", "Backbone"]

BATCH = 16  # images encoded at once on a CPU: more are no faster, and the maps of these stay near the cores
GPU_BATCH = 256

# (name without the scheme, file of weights, image size) -> the network
SCHEMES: dict[str, Callable[[str, Path | None, int | None], Pretrained]] = {
    "torchvision": torchvision_model,
    "timm": timm_model,
    lite0.NAME: lite0_model,
}


class Backbone(Measured):
    """A network without its classifier, from its library's own weights or from a local file.

    `runtime` is what runs it, torch or onnxruntime, and `reason` why: the features are the same.
    """

    def __init__(
        self, name: str, weights: str | Path | None = None, image_size: int | None = None, device: str = "auto"
    ) -> None:
        """Load `torchvision:NAME`, `timm:NAME` or `efficientnet_lite0`; without a scheme torchvision's is meant.

        `weights` is a .safetensors, .pt or .pth file of that model's state; without it the library's own are taken,
        downloaded once where they are not in the package. Without `image_size` (pixels) the model's own is used.
        Raises FeaturesError for an unknown name, weights that cannot be had or do not fit, or an impossible size.
        """
        scheme, _, model = name.rpartition(":") if name not in SCHEMES else (name, "", name)
        if (scheme or "torchvision") not in SCHEMES:
            raise FeaturesError(f"{name!r} is no network of torchvision or timm; write torchvision:NAME or timm:NAME")
        self._device = chosen_device(device)
        found = SCHEMES[scheme or "torchvision"](model, Path(weights) if weights is not None else None, image_size)
        self.model, self.mean, self.std, self._size = found.model, found.mean, found.std, found.image_size
        self._network = found.network
        self._weights = weights_digest(self._network.state_dict())
        self._runner = Runner(_Normalised(found), self._device)
        self._dim = self._measured()

    @property
    def runtime(self) -> str:
        """Return what runs the network now: torch or onnxruntime."""
        return self._runner.runtime

    @property
    def reason(self) -> str:
        """Return why `runtime` runs it."""
        return self._runner.reason

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: model, weights, preprocessing; not what runs it."""
        return {
            "kind": "backbone",
            "model": self.model,
            "weights": self._weights,
            "image_size": self._size,
            "preprocessing": {
                "crop": DECODING,
                "mean": self.mean,
                "std": self.std,
            },
        }

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8."""
        found = Images(images, self._size)
        step = BATCH if self._device.type == "cpu" else GPU_BATCH
        starts = range(0, len(found), step)
        parts = [self._runner(found.batch(np.arange(i, min(i + step, len(found))))) for i in starts]
        return np.concatenate(parts) if parts else np.empty((0, self._dim), np.float32)

    def save(self, folder: Path) -> None:
        """Write weights.safetensors and backbone.json into a folder, so that the source of the weights may go."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.cpu().contiguous().clone() for name, tensor in self._network.state_dict().items()}
        save_file(tensors, folder / "weights.safetensors")
        write_whole(folder / "backbone.json", json.dumps({"model": self.model, "image_size": self._size}) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Backbone:
        """Read what `save` wrote.

        Raises FeaturesError when files are missing, damaged, or do not fit each other, or the library is not there.
        """
        with loading("backbone", folder):
            about = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
            return cls(str(about["model"]), folder / "weights.safetensors", int(about["image_size"]))

    def _measured(self) -> int:
        """Return the width of the features of a black image.

        Raises FeaturesError when the model cannot take images of this size.
        """
        try:
            return int(self._runner(torch.zeros(1, 3, self._size, self._size)).shape[1])
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:  # models assert their sizes
            raise FeaturesError(
                f"{self.model} cannot take images of {self._size} x {self._size} pixels ({first_line(error)}); "
                "leave image_size out to use the model's own"
            ) from error


class _Normalised(nn.Module):
    """A network that takes images in 0..1."""

    mean: Tensor
    std: Tensor

    def __init__(self, found: Pretrained) -> None:
        super().__init__()
        self.network = found.network
        self.register_buffer("mean", torch.tensor(found.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(found.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (b, d) of images (b, 3, H, W) in 0..1."""
        features: Tensor = self.network((x - self.mean) / self.std)
        return features.flatten(1)
