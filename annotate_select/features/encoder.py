"""What every encoder can do - the store and the steps ask for nothing more - and what all of them need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from annotate_select.errors import FeaturesError, first_line
from annotate_select.files import digest

__all__ = ["Encoder", "Measured", "chosen_device", "has_bfloat16", "loading", "weights_digest"]


class Encoder(Protocol):
    """Turns images into features."""

    @property
    def image_size(self) -> int:
        """Return the side, in pixels, at which images are handed in."""
        ...

    @property
    def dim(self) -> int:
        """Return the width of the features."""
        ...

    def definition(self) -> dict[str, object]:
        """Return everything that decides the features, as JSON values: two encoders of one definition agree."""
        ...

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Encode images (b, image_size, image_size, 3) uint8 as features (b, dim) float32."""
        ...

    def save(self, folder: Path) -> None:
        """Write into `folder`, which exists, what `load` of the same class needs."""
        ...


class Measured:
    """What encoders share whose image size and width are known once they are made."""

    _size: int
    _dim: int

    @property
    def image_size(self) -> int:
        """Return the side, in pixels, of the images it takes."""
        return self._size

    @property
    def dim(self) -> int:
        """Return the width of the features it makes."""
        return self._dim


@contextmanager
def loading(what: str, folder: Path) -> Iterator[None]:
    """Turn whatever keeps an encoder from being read from a folder into a FeaturesError that says what to do."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError, FeaturesError) as error:
        raise FeaturesError(
            f"the {what} in {folder} cannot be loaded ({first_line(error)}); make it anew with "
            "`annotate-select embed --retrain`"
        ) from error


def chosen_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is a GPU when there is one.

    Raises FeaturesError for a device this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise FeaturesError(f"this machine has no device {name!r}; use auto or cpu") from error


def has_bfloat16(device: torch.device) -> bool:
    """Say whether this device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return supported and not _halves_bfloat16(_processor())


def _halves_bfloat16(processor: str) -> bool:
    """Say of Linux's description of a processor whether it takes bfloat16 slower than float32.

    Intel's do where AVX-512 is all they have, or all that a virtual machine shows of them: see benchmarks/FEATURES.md.
    """
    return "GenuineIntel" in processor and "amx_bf16" not in processor


@cache
def _processor() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return one digest of the names, types, shapes and bytes of all tensors."""
    parts = []
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].detach().cpu().numpy())
        parts.append([name, str(array.dtype), list(array.shape), digest(array.tobytes(), size=16)])
    return digest(parts)
