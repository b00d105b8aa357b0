"""torchvision's classification models without their classifiers."""

from __future__ import annotations

import http.client
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torchvision import models

from annotate_select.errors import FeaturesError, did_you_mean, first_line
from annotate_select.features.backbones.extras import version_of
from annotate_select.features.backbones.pretrained import Pretrained
from annotate_select.features.backbones.weights import fill, read_weights

__all__ = ["torchvision_model"]

HEADS = ("fc", "classifier", "heads", "head")  # where torchvision's models keep their classifier
AUXILIARY = ("aux1", "aux2", "AuxLogits")  # classifiers that only training uses


def torchvision_model(name: str, weights: Path | None, image_size: int | None) -> Pretrained:
    """Make a model from torchvision's default weights, which are downloaded once, or from a file of its state.

    Raises FeaturesError for an unknown name, and for weights that cannot be had or do not fit.
    """
    enum = _weights_of(name)
    transforms = enum.transforms()  # the preprocessing that torchvision's own weights were trained with
    state = _downloaded(name, enum) if weights is None else read_weights(weights)
    network = _headless(_untrained(name), name)
    fill(network, state, f"{weights or enum.url}", name)
    size = int(transforms.crop_size[0]) if image_size is None else image_size
    mean, std = [float(v) for v in transforms.mean], [float(v) for v in transforms.std]
    return Pretrained(f"torchvision:{name}", network, size, mean, std, version_of(torchvision))


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
            f"cannot download the weights of {name} ({first_line(error)}); fetch {enum.url} on a machine that can, "
            "and give the file with --weights FILE"
        ) from error
    return state
