"""Encoders that come from outside - pretrained networks, a user's own file or function - found by name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from annotate_select.errors import FeaturesError, did_you_mean
from annotate_select.features.encoder import Encoder

__all__ = [
    "CHOICES",
    "feature_name",
    "is_backbone",
    "is_pretrained",
    "load_backbone",
    "open_backbone",
    "unknown_encoder",
]

LITE0 = "efficientnet_lite0"
OWN = ("auto", "autoencoder", "autoencoder:KIND", "compressed:NAME", "a+b", "model:PATH")
CHOICES = (LITE0, "torchvision:NAME", "timm:NAME", "onnx:FILE", "module:function")
NEAR = ("resnet18", "resnet50", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "vit_b_16")


def is_backbone(name: str) -> bool:
    """Say whether `open_backbone` would take a name, as far as its form tells."""
    return name == LITE0 or all(name.partition(":"))


def is_pretrained(name: str) -> bool:
    """Say whether a name is of a network that takes weights from elsewhere."""
    return name == LITE0 or name.partition(":")[0] in ("torchvision", "timm")


def open_backbone(name: str, weights: Path | None = None, image_size: int | None = None) -> Encoder:
    """Make the encoder of a name: one of CHOICES; `weights` is a local file, `image_size` is in pixels.

    Raises FeaturesError for an unknown name, and when the encoder cannot be made.
    """
    if not is_backbone(name):
        raise unknown_encoder(name)
    scheme, _, rest = name.partition(":")
    if is_pretrained(name):
        from annotate_select.features.backbones.backbone import Backbone

        return Backbone(name, weights, image_size)
    if weights is not None:
        raise FeaturesError(f"{name} holds its own weights; leave --weights out")
    if scheme == "onnx":
        from annotate_select.features.backbones.onnx_file import OnnxFile

        return OnnxFile(rest, image_size)
    from annotate_select.features.backbones.function import Function

    return Function(name, image_size)


def load_backbone(folder: Path, definition: dict[str, object]) -> Encoder:
    """Load what an encoder of that definition saved into a folder; raises FeaturesError when it cannot be used."""
    kind = definition.get("kind")
    if kind == "onnx":
        from annotate_select.features.backbones.onnx_file import OnnxFile

        return OnnxFile.load(folder)
    if kind == "function":
        from annotate_select.features.backbones.function import Function

        return Function.load(folder)
    if definition.get("started_from"):
        from annotate_select.features.finetuned import FineTuned

        return FineTuned.load(folder)
    from annotate_select.features.backbones.backbone import Backbone

    return Backbone.load(folder)


def feature_name(encoder: str) -> str:
    """Return what features of an encoder are called, when nothing else is said.

    >>> feature_name("timm:resnet18"), feature_name("onnx:models/seen by me.onnx"), feature_name("mine:encode")
    ('resnet18', 'seen-by-me', 'encode')
    """
    scheme, _, rest = encoder.rpartition(":") if not encoder.startswith("onnx:") else encoder.partition(":")
    name = Path(rest).stem if scheme == "onnx" else rest
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-")[:100] or "features"


def unknown_encoder(name: str) -> FeaturesError:
    """Return the error for a name that is no encoder: all that are, and the near ones."""
    near = did_you_mean(name, ["auto", "autoencoder", "compressed:NAME", "model:PATH", LITE0])
    if not near and (models := get_close_matches(name, NEAR, n=1)):
        near = f" (did you mean torchvision:{models[0]}?)"
    *most, last = (*OWN, *CHOICES)
    return FeaturesError(f"unknown encoder {name!r}; choose {', '.join(most)} or {last}{near}")
