"""The autoencoder's network and its objectives, from small to large; shapes stand at the end of the lines.

Reconstruction alone groups images by brightness and background, and minutes on a CPU are too few for gradients to find
better. So the default encoder, `dictionary`, is not trained by gradients: its filters are the centroids of small
whitened patches (Coates, Ng and Lee, "An analysis of single-layer networks in unsupervised feature learning", AISTATS
2011), and what of their answers does not matter it learns from views of each image; dictionary.py does both in
seconds, and only its decoder is trained. The other kinds train a convolutional encoder:
`plain` rebuilds the image, `denoising` rebuilds it from one with holes, `variational` from a latent that is a
distribution, and `joint` rebuilds an augmented view while the latents of two views of one image must agree (VICReg).
The decoder always stays: it shows what the machine sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from annotate_select.errors import FeaturesError
from annotate_select.features.parts import KINDS as PARTS
from annotate_select.features.parts import Parts
from annotate_select.features.pixel_error import pixel_error
from annotate_select.features.views import VIEWS, augmented

__all__ = ["KINDS", "AutoencoderConfig", "DictionaryEncoder", "Network", "contrasts", "holed", "vicreg"]

KINDS = ("dictionary", "joint", "plain", "denoising", "variational")
TILE = 4  # pixels to a side that each place of the decoder's last map becomes
LAST = 4  # side of the last feature map: small enough for one linear layer, large enough to know where things are
PROJECTED = 256  # width of the projector: VICReg works in a space wider than the latent


@dataclass
class AutoencoderConfig:
    """Every setting; the defaults learn from 480 images in some seconds on two cores, from 10,000 in a minute."""

    kind: str = "dictionary"  # of KINDS; the default has the best mean in benchmarks/FEATURES.md
    image_size: int = 64  # pixels, 8 or more: objects stay recognisable; two cores train hundreds of images a second
    dim: int = 128  # wide enough for tens of classes, small enough that distances mean something
    atoms: int = 400  # filters of the dictionary: twice as many cost twice the time and gave .5 points
    parts: str = "overlapping"  # of parts.KINDS: over which of an image the dictionary's answers are summed
    width: int = 48  # channels of the first stage; they double with each halving of the image ...
    most_width: int = 192  # ... up to here: wider costs more seconds than it gives on pools of thousands
    epochs: int = 30  # at most; a pool of some hundreds needs them all, and has them in half a minute
    most_images: int = 100_000  # images shown in all, a fifth of it to a dictionary's decoder, whatever the pool's size
    batch_size: int = 64  # VICReg's spread and covariance need some dozens; more would leave small pools few steps
    learning_rate: float = 2e-3  # AdamW's peak: a short warm-up, then a cosine down to a hundredth
    weight_decay: float = 1e-2  # AdamW's usual value
    invariance: float = 1.0  # how much views of an image must agree: of `dictionary` and `joint`, 0 is not at all
    supervised: float = 1.0  # weight of the labels that `fit` is given
    views: str = "auto"  # of VIEWS: what may change about an image and does not matter
    patience: int = 10  # epochs without a better held-out loss before stopping
    held_out: float = 0.1  # share of images that only measure, one at least
    seconds: float | None = 300.0  # stop here even when not done (a slow or busy machine); None: however long it takes
    seed: int = 0  # of weights, split, order and views
    device: str = "auto"  # a GPU when there is one

    def check(self) -> None:
        """Raise FeaturesError naming the first setting that makes no sense."""
        if self.kind not in KINDS:
            raise FeaturesError(f"there is no autoencoder of kind {self.kind!r}; choose one of {', '.join(KINDS)}")
        if self.views not in VIEWS:
            raise FeaturesError(f"there are no views {self.views!r}; choose one of {', '.join(VIEWS)}")
        if self.parts not in PARTS:
            raise FeaturesError(f"there are no parts {self.parts!r}; choose one of {', '.join(PARTS)}")
        least = {"image_size": 8, "dim": 1, "width": 1, "most_width": 1, "epochs": 1, "most_images": 1, "batch_size": 2}
        least |= {"atoms": 1, "patience": 1, "seed": 0, "invariance": 0, "supervised": 0, "weight_decay": 0}
        for name, low in least.items():
            if not getattr(self, name) >= low:
                raise FeaturesError(f"{name} of the autoencoder must be {low} or more, got {getattr(self, name)}")
        if not 0 < self.held_out < 1:
            raise FeaturesError(f"held_out of the autoencoder must be between 0 and 1, got {self.held_out}")
        if not self.learning_rate > 0 or (self.seconds is not None and not self.seconds > 0):
            raise FeaturesError("learning_rate and seconds of the autoencoder must be more than 0")

    def architecture(self) -> dict[str, object]:
        """Return the settings that decide the encoder's shape."""
        names: tuple[str, ...] = ("kind", "image_size", "dim", "atoms")
        if self.kind != "dictionary":  # as it was written when these were the only ones
            names = ("image_size", "dim", "width", "most_width")
        elif self.parts != "thirds":  # the only ones there were
            names = (*names, "parts")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def of(cls, stored: dict[str, object]) -> AutoencoderConfig:
        """Make settings of stored ones: of before there were kinds, `joint` or `plain`; of before parts, thirds."""
        if "kind" not in stored:
            stored = {**stored, "kind": "joint" if stored.get("invariance", 1.0) else "plain"}
        stored = {"parts": "thirds", **stored}
        return cls(**{one.name: stored[one.name] for one in fields(cls) if one.name in stored})  # type: ignore[arg-type]  # values as they were written


class DictionaryEncoder(nn.Module):
    """How strongly each patch answers to each atom of a dictionary, summed over parts of the image, projected.

    Answers below the threshold count nothing (Coates and Ng, "The importance of encoding versus training with sparse
    coding and vector quantization", ICML 2011, sec. 2.2); the square root keeps a common texture from drowning the
    rest. Until dictionary.py has filled it, everything in it is 0.
    """

    filters: Tensor  # (atoms, 3, p, p)
    threshold: Tensor  # (atoms,)

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.stride = max(1, config.image_size // 32)  # about 27 x 27 places whatever the size
        self.patch = 6 if self.stride == 1 else 4 * self.stride
        self.register_buffer("filters", torch.zeros(config.atoms, 3, self.patch, self.patch))
        self.register_buffer("threshold", torch.zeros(config.atoms))
        self.parts = Parts(config.parts, (config.image_size - self.patch) // self.stride + 1)
        self.project = nn.Linear(config.atoms * self.parts.count, config.dim).requires_grad_(False)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def code(self, x: Tensor) -> Tensor:
        """Return the answers (b, parts x atoms) of images (b, 3, H, W) in 0..1."""
        codes = []
        for part in x.contiguous(memory_format=torch.channels_last).split(AT_ONCE):  # type: ignore[no-untyped-call]  # torch's has no types
            deviation = contrasts(part, self.patch, self.stride)[1]  # (b, 1, h, w)
            answers = F.conv2d(part - 0.5, self.filters, stride=self.stride)  # (b, atoms, h, w); filters sum to 0
            answers = answers.div_(deviation).sub_(self.threshold[:, None, None]).relu_()
            codes.append(self.parts(answers).sqrt_())  # (b, parts x atoms)
        return torch.cat(codes)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.project(self.code(x))  # (b, dim)
        return z


AT_ONCE = 48  # images whose answers fit a core's cache
CONTRAST = 0.01  # added to a patch's variance, so that noise in a flat patch stays small


def contrasts(x: Tensor, patch: int, stride: int) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (b, 1, h, w) of every patch of images (b, 3, H, W), over pixels and colours."""
    mean = F.avg_pool2d(x.mean(dim=1, keepdim=True), patch, stride)
    square = F.avg_pool2d(x.square().mean(dim=1, keepdim=True), patch, stride)
    return mean, ((square - mean.square()).clamp(min=0) + CONTRAST).sqrt()


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
        z: Tensor = self.project(self.code(x))  # (b, dim)
        return z

    def code(self, x: Tensor) -> Tensor:
        """Return the last map (b, 16 c) of images (b, 3, H, W) in 0..1."""
        x = x.contiguous(memory_format=torch.channels_last)  # (b, 3, H, W); half as much again in speed on a CPU
        x = self.stages((x - 0.5).mul_(4))  # (b, c, h, w)
        if x.shape[-1] != LAST:
            x = self.pool(x)  # (b, c, 4, 4)
        if x.requires_grad:  # or every layer before goes through its slopes in the wrong order
            x.register_hook(_channels_last)  # type: ignore[no-untyped-call]  # torch's has no types
        return x.flatten(1)


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
        for doubling in range(max(0, math.ceil(math.log2(config.image_size / (TILE * LAST))))):
            narrow = 64 if doubling == 0 else 32
            stages += [nn.Conv2d(channels, 4 * narrow, 3, padding=1, bias=False), nn.PixelShuffle(2)]
            stages += [nn.BatchNorm2d(narrow), nn.ReLU()]
            channels = narrow
        self.stages = nn.Sequential(*stages)
        self.last = nn.Sequential(nn.Conv2d(channels, 3 * TILE**2, 3, padding=1), nn.PixelShuffle(TILE))

    def forward(self, z: Tensor) -> Tensor:
        return self._picture(self._map(z))  # (b, 3, H, W)

    def error(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the mean squared error of a pixel of what it makes of z (b, dim), against images x (b, 3, H, W)."""
        found = self._map(z)
        if TILE * found.shape[-1] != self.size:
            return F.mse_loss(self._picture(found), x)
        order = torch.arange(3 * TILE**2).view(3, -1).T.flatten()  # channels as pixel_error has them: colours last
        weight, bias = (one[order] for one in self.last[0].parameters())
        return pixel_error(F.conv2d(found, weight, bias, padding=1), x, TILE)

    def _map(self, z: Tensor) -> Tensor:
        x = self.first(z).unflatten(1, (-1, LAST, LAST))  # (b, 64, 4, 4)
        found: Tensor = self.stages(x.contiguous(memory_format=torch.channels_last))  # (b, c, S / 4, S / 4)
        return found

    def _picture(self, found: Tensor) -> Tensor:
        x = torch.sigmoid(self.last(found))  # (b, 3, S, S)
        if x.shape[-1] == self.size:
            return x  # (b, 3, H, W); cutting nothing away would still cost a pass back over zeros
        start = (x.shape[-1] - self.size) // 2
        return x[..., start : start + self.size, start : start + self.size]  # (b, 3, H, W)


class Network(nn.Module):
    """Encoder, decoder, and what only training sees: the projector of `joint`, the spread of `variational`."""

    grey = False  # whether the images are, so that views leave their colours alone

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.kind, self.invariance, self.views = config.kind, config.invariance, config.views
        self.classifier: nn.Linear | None = None  # of labelled images, where there are any: gone after training
        self.encoder = DictionaryEncoder(config) if config.kind == "dictionary" else Encoder(config)
        self.decoder = Decoder(config)
        if config.kind == "joint":
            self.projector = nn.Sequential(
                nn.Linear(config.dim, PROJECTED, bias=False),
                nn.BatchNorm1d(PROJECTED),
                nn.ReLU(),
                nn.Linear(PROJECTED, PROJECTED),
            )
        if config.kind == "variational":
            self.spread = nn.Linear(self.encoder.project.in_features, config.dim)

    def loss(self, x: Tensor, generator: torch.Generator, z: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return (objective, mean squared error of a pixel) of images (b, 3, H, W) in 0..1.

        z (b, dim) are their latents where the encoder is not trained, to save computing them.
        """
        if self.kind == "joint" and self.invariance and len(x) > 1:  # one image alone has no spread
            return self._joint(x, generator)
        if self.kind == "variational":
            return self._variational(x, generator)
        if z is None:
            z = self.encoder(holed(x, generator) if self.kind == "denoising" else x)  # (b, dim)
        error = self.decoder.error(z, x)
        return PIXEL_WEIGHT * error, error

    def _joint(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        b = len(x)
        one, two = (augmented(x, generator, self.views, self.grey) for _ in range(2))  # (b, 3, H, W) each
        z = self.encoder(torch.cat([one, two]))  # (2b, dim)
        error = self.decoder.error(z[:b], one)  # the view itself: what was cut away cannot be known
        p = self.projector(z).float()  # (2b, 256)
        return PIXEL_WEIGHT * error + self.invariance * vicreg(p[:b], p[b:]), error

    def _variational(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the negative evidence bound per pixel value, for pixels with a variance of 1/32 around the decoder's.

        Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014, eq. 10.
        """
        code = self.encoder.code(x)  # (b, 16 c)
        mean, log_variance = self.encoder.project(code), self.spread(code).clamp(-10, 10)  # (b, dim) each
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        error = self.decoder.error(mean + noise * (log_variance / 2).exp(), x)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2 / x.numel()
        return PIXEL_WEIGHT * error + divergence, error

    def told(self, x: Tensor, classes: Tensor, generator: torch.Generator) -> Tensor:
        """Return the cross-entropy of the classes (b,) of labelled images (b, 3, H, W), changed as the others are."""
        assert self.classifier is not None
        if self.kind == "joint":
            x = augmented(x, generator, self.views, self.grey)
        elif self.kind == "denoising":
            x = holed(x, generator)
        return F.cross_entropy(self.classifier(self.encoder(x)), classes)

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


def holed(x: Tensor, generator: torch.Generator) -> Tensor:
    """Grey out three tenths of an 8 x 8 grid over each image (b, 3, H, W): what is left must tell what was there."""
    holes = torch.rand((len(x), 1, 8, 8), generator=generator) < 0.3
    return torch.where(F.interpolate(holes.float(), size=x.shape[2:]).to(x.device) > 0, 0.5, x)


def _channels_last(slope: Tensor) -> Tensor:
    return slope.contiguous(memory_format=torch.channels_last)


def _stage(channels: int, wider: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, wider, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU())
