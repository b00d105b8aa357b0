"""timm's models, their pooled features without the classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from annotate_select.errors import FeaturesError, did_you_mean, first_line
from annotate_select.features.backbones.extras import needed, quiet, version_of
from annotate_select.features.backbones.pretrained import Pretrained
from annotate_select.features.backbones.weights import fill, misfit, read_weights

__all__ = ["timm_model"]


def timm_model(name: str, weights: Path | None, image_size: int | None) -> Pretrained:
    """Make a model from timm's own weights, which are downloaded once, or from a file of its state.

    Raises FeaturesError when timm is not installed, for an unknown name, and for weights that cannot be had or do not
    fit.
    """
    timm = needed("timm", "timm")
    if not timm.is_model(name):
        near = (
            did_you_mean(name, timm.list_models()) or ", for example resnet50, convnext_tiny or vit_small_patch16_224"
        )
        raise FeaturesError(f"timm has no model {name!r}{near}")
    state = None if weights is None else read_weights(weights)
    network = _created(timm, name, pretrained=state is None)
    config = timm.data.resolve_data_config({}, model=network)
    own = int(config["input_size"][-1])
    size = own if image_size is None else image_size
    if state is None:
        _resize(network, own, size)
    elif misfit(network, state):  # the state may be of the network at the other size: positions are weights, too
        _resize(network, own, size)
        fill(network, state, str(weights), name)
    else:
        fill(network, state, str(weights), name)
        _resize(network, own, size)
    mean, std = ([*map(float, config[one])] for one in ("mean", "std"))
    return Pretrained(f"timm:{name}", network, size, mean, std, version_of(timm))


def _created(timm: Any, name: str, *, pretrained: bool) -> nn.Module:
    try:
        with torch.random.fork_rng(devices=[]), quiet("timm", "huggingface_hub"):
            network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0)
    except Exception as error:  # what the hub's client raises differs between its versions
        if not pretrained:
            raise FeaturesError(f"timm cannot make {name!r} ({first_line(error)}); choose another model") from error
        raise FeaturesError(
            f"cannot load timm's weights of {name} ({first_line(error)}); fetch them on a machine with a network, and "
            "give the file with --weights FILE"
        ) from error
    return network


def _resize(network: nn.Module, own: int, size: int) -> None:
    """Tell a network that depends on it the size of its images; its position embedding is interpolated."""
    if size != own and callable(resize := getattr(network, "set_input_size", None)):
        try:
            resize(img_size=(size, size))
        except (AssertionError, RuntimeError, ValueError) as error:
            raise FeaturesError(
                f"the model cannot take images of {size} x {size} pixels ({first_line(error)}); its own size is {own}"
            ) from error
