"""An autoencoder that learns from the user's own unlabelled images what to select by.

Reconstruction alone groups images by brightness and background. So the objective has two parts: the decoder must
rebuild the image from the latent (mean squared error), and the latents of two augmented views of an image must agree
while each dimension keeps its variance and no two say the same (VICReg, Bardes et al. 2022, eq. 1-6), on a projector
that is thrown away. The decoder stays: it shows what the machine sees.
"""

from __future__ import annotations

import json
from collections.abc import Sized
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from annotate_select.errors import FeaturesError
from annotate_select.features.encoder import chosen_device, weights_digest
from annotate_select.features.training import Epoch, Trainer
from annotate_select.progress import Progress, silent

__all__ = ["Autoencoder", "AutoencoderConfig"]


@dataclass
class AutoencoderConfig:
    """Every setting; the defaults train 500 images in well under a minute on two cores."""

    image_size: int = 64  # pixels: objects stay recognisable, and two cores still train hundreds of images a second
    dim: int = 64  # wide enough for tens of classes, small enough that distances mean something
    width: int = 32  # channels of the first stage; they double with each halving of the image
    most_width: int = 128  # and stop growing here: wider stages cost more than they gave on small sets
    epochs: int = 60  # at most; early stopping usually ends before
    most_steps: int = 1500  # a cap on optimiser steps, so that large pools train in minutes, whatever their size
    batch_size: int = 64  # VICReg's variance and covariance need some dozens of images
    learning_rate: float = 2e-3  # AdamW's peak; warm-up over the first steps, then cosine to a hundredth
    weight_decay: float = 1e-4
    invariance: float = 0.2  # weight of the VICReg part against reconstruction; 0 is a plain autoencoder
    patience: int = 10  # epochs without a better held-out loss before stopping
    held_out: float = 0.1  # share of images that only measure
    seed: int = 0
    device: str = "auto"


class Encoder(nn.Module):
    """Halve the image until 4 to 7 pixels are left, then project."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _widths(config):
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.GELU()]
            channels = width
        self.stages = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.project = nn.Linear(channels * 16, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(x)  # (b, c, s, s)
        x = self.pool(x).flatten(1)  # (b, 16 c)
        z: Tensor = self.project(x)  # (b, dim)
        return z


class Decoder(nn.Module):
    """Grow 4 x 4 back to the image."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = _widths(config)[::-1]
        self.first = nn.Linear(config.dim, widths[0] * 16)
        layers: list[nn.Module] = []
        for wide, narrow in zip(widths, [*widths[1:], widths[-1]], strict=True):
            layers += [
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(wide, narrow, 3, padding=1, bias=False),
                nn.BatchNorm2d(narrow),
                nn.GELU(),
            ]
        self.stages = nn.Sequential(*layers)
        self.last = nn.Conv2d(widths[-1], 3, 3, padding=1)
        self.size = config.image_size

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z).unflatten(1, (-1, 4, 4))  # (b, c, 4, 4)
        x = torch.sigmoid(self.last(self.stages(x)))  # (b, 3, s, s)
        if x.shape[-1] != self.size:
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return x  # (b, 3, H, W)


class Network(nn.Module):
    """Encoder, decoder, and the projector that only training sees."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        wide = 2 * config.dim
        self.projector = nn.Sequential(
            nn.Linear(config.dim, wide), nn.BatchNorm1d(wide), nn.GELU(), nn.Linear(wide, wide)
        )

    def loss(self, x: Tensor, invariance: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (objective, reconstruction error) of images (b, 3, H, W) in 0..1."""
        if invariance == 0 or len(x) < 2:
            reconstruction = F.mse_loss(self.decoder(self.encoder(x)), x)
            return reconstruction, reconstruction
        one, two = augmented(x, generator), augmented(x, generator)  # (b, 3, H, W) each
        z = self.encoder(torch.cat([one, two]))  # (2b, dim)
        # the first view is rebuilt: what was changed on it is known only from its own pixels
        reconstruction = F.mse_loss(self.decoder(z[: len(x)]), one)
        p = self.projector(z)  # (2b, 2 dim)
        return reconstruction + invariance * vicreg(p[: len(x)], p[len(x) :]), reconstruction


def vicreg(a: Tensor, b: Tensor) -> Tensor:
    """Return the VICReg loss of two views (b, d), weights 25, 25, 1 as published, divided by 25."""
    agree = F.mse_loss(a, b)
    spread = torch.zeros((), device=a.device)
    for view in (a, b):
        centred = view - view.mean(dim=0)
        deviation = torch.sqrt(centred.var(dim=0) + 1e-4)  # (d,)
        covariance = centred.T @ centred / (len(view) - 1)  # (d, d)
        off = covariance - torch.diag(torch.diagonal(covariance))
        spread = spread + F.relu(1 - deviation).mean() / 2 + (off**2).sum() / view.shape[1] / 25
    return agree + spread


def augmented(x: Tensor, generator: torch.Generator) -> Tensor:
    """Crop, mirror, and change brightness, contrast and colour of each image (b, 3, H, W), every one differently."""
    b = len(x)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(low, high, generator=generator).to(x.device)

    scale = torch.sqrt(uniform(0.3, 1.0, b))  # the crop's share of each side
    shift = 1 - scale
    flip = torch.where(uniform(0, 1, b) < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(scale)
    rows = [scale * flip, zero, uniform(-1, 1, b) * shift, zero, scale, uniform(-1, 1, b) * shift]
    theta = torch.stack(rows, dim=1).view(b, 2, 3)  # (b, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (b, H, W, 2)
    x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    contrast, tint = uniform(0.6, 1.4, b, 1, 1, 1), uniform(0.85, 1.15, b, 3, 1, 1)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = ((x - mean) * contrast + mean * uniform(0.7, 1.3, b, 1, 1, 1)) * tint
    grey = (uniform(0, 1, b, 1, 1, 1) < 0.1).to(x.dtype)
    return (x * (1 - grey) + x.mean(dim=1, keepdim=True) * grey).clamp(0, 1)


class Autoencoder:
    """Learns features of images; `fit` on arrays (n, H, W, 3) or a Dataset of such images, then `transform`."""

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        """Store the settings; the network is made when it is fitted or loaded."""
        self.config = config or AutoencoderConfig()
        self.history: list[Epoch] = []
        self.trained_on = ""
        self._network: Network | None = None

    @property
    def image_size(self) -> int:
        """Side in pixels of the images it takes."""
        return self.config.image_size

    @property
    def dim(self) -> int:
        """Width of the features it makes."""
        return self.config.dim

    def fit(
        self,
        images: np.ndarray | Dataset[Any],
        *,
        progress: Progress = silent,
        checkpoint: Path | None = None,
        trained_on: str = "",
    ) -> Autoencoder:
        """Train on images (n, H, W, 3), uint8 or floats in 0..1; continue where an interrupted run left `checkpoint`.

        `trained_on` is a fingerprint of the images, for the definition and for telling checkpoints apart.
        Raises FeaturesError for no images, another shape, or a loss that is not finite.
        """
        data = _Images(images, self.image_size)
        network = _made(self.config)
        trainer = Trainer(network, self.config, data.batch, len(data), checkpoint, trained_on)
        self.history = trainer.run(progress)
        self.trained_on = trained_on
        self._network = network.eval()
        return self

    def transform(self, images: np.ndarray | Dataset[Any]) -> np.ndarray:
        """Return features (n, dim) float32."""
        data = _Images(images, self.image_size)
        blocks = [self._run(lambda net, x: net.encoder(x), data.batch(rows)) for rows in _blocks(len(data))]
        return np.concatenate(blocks) if blocks else np.empty((0, self.dim), dtype=np.float32)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8."""
        return self.transform(images)

    def reconstruct(self, images: np.ndarray | Dataset[Any]) -> np.ndarray:
        """Return what the decoder makes of the images' features: (n, H, W, 3) uint8."""
        data = _Images(images, self.image_size)
        blocks = [
            self._run(lambda net, x: net.decoder(net.encoder(x)), data.batch(rows)) for rows in _blocks(len(data))
        ]
        size = self.image_size
        rebuilt = np.concatenate(blocks) if blocks else np.empty((0, 3, size, size), dtype=np.float32)
        pixels: np.ndarray = np.rint(rebuilt.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        return pixels

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: architecture, weights, preprocessing, what it was trained on."""
        return {
            "kind": "autoencoder",
            "architecture": {name: getattr(self.config, name) for name in ("image_size", "dim", "width", "most_width")},
            "weights": weights_digest(self._fitted().encoder.state_dict()),
            "preprocessing": "shorter side to image_size, centre crop, RGB / 255",
            "trained_on": self.trained_on,
        }

    def save(self, folder: Path) -> None:
        """Write weights.safetensors and autoencoder.json into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: t.contiguous() for name, t in self._fitted().state_dict().items()}, folder / "weights.safetensors"
        )
        about = {
            "config": asdict(self.config),
            "trained_on": self.trained_on,
            "history": [asdict(e) for e in self.history],
        }
        (folder / "autoencoder.json").write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Autoencoder:
        """Read what `save` wrote.

        Raises FeaturesError when files are missing, damaged, or do not fit each other.
        """
        try:
            about = json.loads((folder / "autoencoder.json").read_text())
            loaded = cls(AutoencoderConfig(**about["config"]))
            network = _made(loaded.config)
            network.load_state_dict(load_file(folder / "weights.safetensors"))
        except Exception as error:  # json, safetensors and torch each raise their own
            raise FeaturesError(
                f"the autoencoder in {folder} is damaged ({error}); make it again with `annotate-select embed --retrain`"
            ) from error
        loaded.history = [Epoch(**epoch) for epoch in about["history"]]
        loaded.trained_on = about["trained_on"]
        loaded._network = network.eval()
        return loaded

    def _fitted(self) -> Network:
        if self._network is None:
            raise FeaturesError("this autoencoder is not trained yet; call fit first")
        return self._network

    def _run(self, work: Any, x: Tensor) -> np.ndarray:
        network = self._fitted()
        device = next(network.parameters()).device
        with torch.inference_mode():
            result: np.ndarray = work(network, x.to(device)).float().cpu().numpy()
        return result


@dataclass
class _Images:
    """Arrays or a Dataset as batches of tensors (b, 3, H, W) in 0..1."""

    images: np.ndarray | Dataset[Any]
    size: int
    _n: int = field(init=False)

    def __post_init__(self) -> None:
        if isinstance(self.images, np.ndarray):
            self._check(self.images.shape[1:])
        elif not isinstance(self.images, Sized):
            raise FeaturesError("a Dataset to train on needs a length; wrap a stream into a list first")
        self._n = len(self.images)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self._n

    def batch(self, rows: np.ndarray) -> Tensor:
        if isinstance(self.images, np.ndarray):
            pixels = self.images[rows]
        else:
            items = [self.images[int(row)] for row in rows]
            pixels = np.stack([np.asarray(item[0] if isinstance(item, tuple) else item) for item in items])
            self._check(pixels.shape[1:])
        x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        return x.float() / 255 if x.dtype == torch.uint8 else x.float()

    def _check(self, shape: tuple[int, ...]) -> None:
        if shape != (self.size, self.size, 3):
            raise FeaturesError(
                f"images must be ({self.size}, {self.size}, 3), got {shape}; resize them or set image_size in the config"
            )


def _widths(config: AutoencoderConfig) -> list[int]:
    """Return the channels of each stage; as many stages as it takes to come from image_size down to 4..7 pixels."""
    stages = max(1, int(np.floor(np.log2(config.image_size / 4))))
    return [min(config.width * 2**stage, config.most_width) for stage in range(stages)]


def _made(config: AutoencoderConfig) -> Network:
    """Make a network with weights that depend on the seed alone, leaving torch's own generator as it was."""
    if config.image_size < 8 or config.dim < 1:
        raise FeaturesError(f"image_size must be 8 or more and dim 1 or more, got {config.image_size} and {config.dim}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Network(config)
    return network.to(chosen_device(config.device))


def _blocks(n: int, size: int = 256) -> list[np.ndarray]:
    return [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
