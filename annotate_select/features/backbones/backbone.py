"""Pretrained networks as encoders: the pooled features under the classifier."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError, first_line
from annotate_select.features.backbones import lite0
from annotate_select.features.backbones.lite0 import lite0_model
from annotate_select.features.backbones.pretrained import Pretrained
from annotate_select.features.backbones.runtime import Runner, alike
from annotate_select.features.backbones.timm_models import timm_model
from annotate_select.features.backbones.torchvision_models import torchvision_model
from annotate_select.features.encoder import Measured, chosen_device, loading, weights_digest
from annotate_select.features.images import Images
from annotate_select.files import write_whole
from annotate_select.pool.decode import DECODING

__all__ = ["SCHEMES", "Backbone"]

BATCH = 16  # images encoded at once on a CPU: more are no faster, and the maps of these stay near the cores
GPU_BATCH = 256
PROBE = "probe.safetensors"  # beside the weights: what the network made of two images when it was saved

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
        self._network, self._library = found.network, found.library
        self._weights = weights_digest(self._network.state_dict())
        self._normalised = _Normalised(found)
        self._runner = Runner(self._normalised, self._device)
        self._dim = self._measured()

    @property
    def normalised(self) -> nn.Module:
        """Return the network itself, of images (b, 3, H, W) in 0..1 to features (b, d); changed, it must be saved."""
        return self._normalised

    @property
    def device(self) -> torch.device:
        """Return where the network is."""
        return self._device

    @property
    def runtime(self) -> str:
        """Return what runs the network now: torch or onnxruntime."""
        return self._runner.runtime

    @property
    def reason(self) -> str:
        """Return why `runtime` runs it."""
        return self._runner.reason

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: model, its library's version, weights, preprocessing.

        Not what runs it: that gives the same features. Encoders saved before versions were noted have none.
        """
        found: dict[str, object] = {
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
        return {**found, "library": self._library} if self._library else found

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
        about = {"model": self.model, "image_size": self._size, "library": self._library}
        write_whole(folder / "backbone.json", json.dumps(about) + "\n")
        save_file({"features": torch.from_numpy(self._probed())}, folder / PROBE)

    @classmethod
    def load(cls, folder: Path) -> Backbone:
        """Read what `save` wrote; where another version of the library builds it, see that it is the same network.

        Raises FeaturesError when files are missing, damaged, or do not fit each other, the library is not there, or its
        version builds another network. Of an encoder saved before versions were noted that cannot be told: it warns.
        """
        with loading("backbone", folder):
            about = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
            library = str(about.get("library") or "")
            found = cls(str(about["model"]), folder / "weights.safetensors", int(about["image_size"]))
            before = load_file(folder / PROBE)["features"].numpy() if library else None
        now, found._library = found._library, library
        if before is None:
            warnings.warn(
                f"features of {found.model} were made before it was noted by which version of its library, which is "
                f"{now} now; `annotate-select embed --encoder {found.model} --retrain` makes them anew",
                stacklevel=2,
            )
        elif library != now and not alike(found._probed(), before):
            raise FeaturesError(
                f"{now} builds another network {found.model} than {library}, which made its features; install "
                f"{library} again, or make the features anew with `annotate-select embed --encoder {found.model} "
                "--retrain`"
            )
        return found

    def _probed(self) -> np.ndarray:
        """Return the features (2, dim) of two images that are always the same."""
        y, x = np.mgrid[: self._size, : self._size]
        waves = [
            [(x * a + y * b) % 256 for a, b in colours]
            for colours in (((1, 2), (3, 1), (2, 5)), ((7, 0), (0, 9), (4, 4)))
        ]
        return self.encode(np.stack([np.stack(one, axis=-1) for one in waves]).astype(np.uint8))

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
