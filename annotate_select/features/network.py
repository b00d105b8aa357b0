"""The autoencoder's network and its objective, from small to large; shapes stand at the end of the lines.

Reconstruction alone groups images by brightness and background. So the loss has two parts: the decoder must rebuild an
augmented view from its latent (mean squared error), and the latents of two views of one image must agree, while each
dimension keeps its spread and no two say the same (VICReg, Bardes et al., ICLR 2022, eq. 1-6), behind a projector that
only training sees. The decoder stays: it shows what the machine sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from annotate_select.errors import FeaturesError

__all__ = ["AutoencoderConfig", "Network", "augmented", "vicreg"]

LAST = 4  # side of the last feature map: small enough for one linear layer, large enough to know where things are
PROJECTED = 256  # width of the projector: VICReg works in a space wider than the latent


@dataclass
class AutoencoderConfig:
    """Every setting; the defaults train 480 images in well under a minute on two cores, 10,000 in under five."""

    image_size: int = 64  # pixels, 8 or more: objects stay recognisable; two cores train hundreds of images a second
    dim: int = 64  # wide enough for tens of classes, small enough that distances mean something
    width: int = 48  # channels of the first stage; they double with each halving of the image ...
    most_width: int = 192  # ... up to here: wider costs more seconds than it gives on pools of thousands
    epochs: int = 30  # at most; a pool of some hundreds needs them all, and has them in half a minute
    most_images: int = 100_000  # images shown in all: about three minutes on two cores, whatever the pool
    batch_size: int = 64  # VICReg's spread and covariance need some dozens; more would leave small pools few steps
    learning_rate: float = 2e-3  # AdamW's peak: a short warm-up, then a cosine down to a hundredth
    weight_decay: float = 1e-2  # AdamW's usual value
    invariance: float = 1.0  # weight of VICReg against reconstruction; 0 is a plain autoencoder
    patience: int = 10  # epochs without a better held-out loss before stopping
    held_out: float = 0.1  # share of images that only measure, one at least
    seconds: float | None = 300.0  # stop here even when not done (a slow or busy machine); None: however long it takes
    seed: int = 0  # of weights, split, order and views
    device: str = "auto"  # a GPU when there is one

    def check(self) -> None:
        """Raise FeaturesError naming the first setting that makes no sense."""
        least = {"image_size": 8, "dim": 1, "width": 1, "most_width": 1, "epochs": 1, "most_images": 1, "batch_size": 2}
        for name, low in {**least, "patience": 1, "seed": 0, "invariance": 0, "weight_decay": 0}.items():
            if not getattr(self, name) >= low:
                raise FeaturesError(f"{name} of the autoencoder must be {low} or more, got {getattr(self, name)}")
        if not 0 < self.held_out < 1:
            raise FeaturesError(f"held_out of the autoencoder must be between 0 and 1, got {self.held_out}")
        if not self.learning_rate > 0 or (self.seconds is not None and not self.seconds > 0):
            raise FeaturesError("learning_rate and seconds of the autoencoder must be more than 0")


class Encoder(nn.Module):
    """Halve the image until 4 to 7 pixels are left, then project; from 64 pixels on, the first stage halves twice."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        halvings = int(math.log2(config.image_size / LAST))
        first = 2 if config.image_size >= 64 else 1
        stages = [_stage(3, config.width, kernel=4 * first - 1, stride=2 * first)]
        channels = config.width
        for _ in range(halvings - first):
            wider = min(2 * channels, config.most_width)
            stages.append(_stage(channels, wider, kernel=3, stride=2))
            channels = wider
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(LAST)  # 4 to 7 pixels become 4, so that any size will do
        self.project = nn.Linear(channels * LAST**2, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)  # (b, 3, H, W); half as much again in speed on a CPU
        x = self.pool(self.stages((x - 0.5) * 4))  # (b, c, 4, 4)
        z: Tensor = self.project(x.flatten(1))  # (b, dim)
        return z


class Decoder(nn.Module):
    """Grow 4 x 4 to a power of two that covers the image, and cut the image out of its middle.

    Channels are rearranged into pixels (Shi et al., CVPR 2016): a fifth of the work of convolving at full size.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels = 64
        self.size = config.image_size
        self.first = nn.Linear(config.dim, channels * LAST**2)
        stages: list[nn.Module] = []
        for doubling in range(max(0, math.ceil(math.log2(config.image_size / (4 * LAST))))):
            narrow = 64 if doubling == 0 else 32
            stages += [nn.Conv2d(channels, 4 * narrow, 3, padding=1, bias=False), nn.PixelShuffle(2)]
            stages += [nn.BatchNorm2d(narrow), nn.ReLU()]
            channels = narrow
        self.stages = nn.Sequential(*stages)
        self.last = nn.Sequential(nn.Conv2d(channels, 3 * 4**2, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z).unflatten(1, (-1, LAST, LAST))  # (b, 64, 4, 4)
        x = self.stages(x.contiguous(memory_format=torch.channels_last))  # (b, c, S / 4, S / 4)
        x = torch.sigmoid(self.last(x))  # (b, 3, S, S)
        start = (x.shape[-1] - self.size) // 2
        return x[..., start : start + self.size, start : start + self.size]  # (b, 3, H, W)


class Network(nn.Module):
    """Encoder, decoder, and the projector that only training sees."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.invariance = config.invariance
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.projector = nn.Sequential(
            nn.Linear(config.dim, PROJECTED, bias=False),
            nn.BatchNorm1d(PROJECTED),
            nn.ReLU(),
            nn.Linear(PROJECTED, PROJECTED),
        )

    def loss(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (objective, mean squared error of a pixel) of images (b, 3, H, W) in 0..1."""
        b = len(x)
        if self.invariance == 0 or b < 2:  # one image alone has no spread
            error = F.mse_loss(self.decoder(self.encoder(x)), x)
            return PIXEL_WEIGHT * error, error
        one, two = augmented(x, generator), augmented(x, generator)  # (b, 3, H, W) each
        z = self.encoder(torch.cat([one, two]))  # (2b, dim)
        error = F.mse_loss(self.decoder(z[:b]), one)  # the view itself: what was cut away cannot be known
        p = self.projector(z)  # (2b, 256)
        return PIXEL_WEIGHT * error + self.invariance * vicreg(p[:b], p[b:]), error

    @torch.no_grad()
    def whiten(self, z: Tensor) -> None:
        """Turn and stretch the latent so that latents like z (n, dim) have mean 0 and nearly equal spread.

        What a few strong directions (brightness) drown becomes visible to distances. The decoder gets the inverse, so
        its pictures stay the same.
        """
        z = z.double()
        mean = z.mean(dim=0)  # (dim,)
        spread, axes = torch.linalg.eigh((z - mean).T @ (z - mean) / len(z))  # (dim,) ascending, (dim, dim)
        if not spread.sum() > 1e-8:
            return  # all images look the same to it: there is nothing to stretch
        scale = (spread.clamp(min=0) + SHRINKAGE * spread.mean()).sqrt().flip(0)  # (dim,)
        axes = axes.flip(1)
        project, first = self.encoder.project, self.decoder.first
        out = axes / scale  # (dim, dim): z' = (z - mean) @ out
        back = (axes * scale).T  # (dim, dim): z = z' @ back + mean
        project.bias.copy_((project.bias - mean) @ out)
        project.weight.copy_(out.T @ project.weight.double())
        first.bias.copy_(first.bias + first.weight.double() @ mean)
        first.weight.copy_(first.weight.double() @ back.T)


PIXEL_WEIGHT = 16.0  # pixels in 0..1 have a variance near 1/16: an image's mean colour alone costs about 1
SHRINKAGE = 0.01  # share of the mean spread added to every direction, so that noise is not blown up


def vicreg(a: Tensor, b: Tensor) -> Tensor:
    """Return the VICReg loss of two views (b, d), with the published weights 25, 25 and 1."""
    loss = 25 * F.mse_loss(a, b)
    for view in (a, b):
        centred = view - view.mean(dim=0)
        deviation = torch.sqrt(centred.var(dim=0) + 1e-4)  # (d,)
        covariance = centred.T @ centred / (len(view) - 1)  # (d, d)
        off = covariance - torch.diag(torch.diagonal(covariance))
        loss = loss + 25 * F.relu(1 - deviation).mean() / 2 + off.square().sum() / view.shape[1]
    return loss


def augmented(x: Tensor, generator: torch.Generator) -> Tensor:
    """Crop, mirror, and change brightness, contrast and colour of each image (b, 3, H, W), every one differently."""
    b = len(x)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(low, high, generator=generator).to(x.device)

    area, stretch = uniform(0.4, 1.0, b).sqrt(), uniform(-0.25, 0.25, b).exp()
    wide, high = (area * stretch).clamp(max=1), (area / stretch).clamp(max=1)  # (b,) shares of each side
    flip = torch.where(uniform(0, 1, b) < 0.5, -1.0, 1.0)
    none = torch.zeros_like(flip)
    right, down = uniform(-1, 1, b) * (1 - wide), uniform(-1, 1, b) * (1 - high)
    theta = torch.stack([wide * flip, none, right, none, high, down], dim=1).view(b, 2, 3)  # (b, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (b, H, W, 2)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)  # (b, 3, H, W)
    x = x * uniform(0.6, 1.4, b, 1, 1, 1) * uniform(0.9, 1.1, b, 3, 1, 1)  # brightness and tint
    mean = x.mean(dim=(1, 2, 3), keepdim=True)  # (b, 1, 1, 1)
    x = (x - mean) * uniform(0.6, 1.4, b, 1, 1, 1) + mean  # contrast
    grey = x.mean(dim=1, keepdim=True)  # (b, 1, H, W)
    colour = uniform(0.4, 1.6, b, 1, 1, 1) * (uniform(0, 1, b, 1, 1, 1) >= 0.15)  # 15 % lose theirs
    return ((x - grey) * colour + grey).clamp(0, 1)  # (b, 3, H, W)


def _stage(channels: int, wider: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, wider, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU())
