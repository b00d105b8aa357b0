"""What a library hands over: a network with its weights, and how it wants its images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

__all__ = ["Pretrained"]


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A network without its classifier, with its weights: (b, 3, image_size, image_size) to (b, d), or (b, d, 1, 1)."""

    model: str  # scheme and name, as a user writes them
    network: nn.Module
    image_size: int  # pixels
    mean: list[float]  # of each channel, images in 0..1
    std: list[float]
    library: str  # whose code builds the network, with its version as far as it may matter: "torchvision 0.29"
