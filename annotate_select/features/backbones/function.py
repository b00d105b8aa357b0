"""A function of the user's own as an encoder, named as `package.module:function`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from annotate_select.errors import FeaturesError, did_you_mean, first_line
from annotate_select.features.encoder import Measured, loading
from annotate_select.features.images import Images
from annotate_select.files import digest, write_whole
from annotate_select.words import counted

__all__ = ["Function"]

SIZE = 224  # pixels


class Function(Measured):
    """A function of images (b, H, W, 3) uint8 that returns features (b, d), an array or a tensor."""

    def __init__(self, name: str, image_size: int | None = None) -> None:
        """Import `module:function`, the current folder being searched too; `image_size` in pixels.

        Raises FeaturesError when it cannot be imported, or returns anything but features of two black images.
        """
        self.name, self._size = name, image_size or SIZE
        self._function, self._source = _imported(name)
        self._dim = int(self._called(np.zeros((2, self._size, self._size, 3), np.uint8)).shape[1])

    def definition(self) -> dict[str, object]:
        """Return what is known to decide the features: the function's name and its module's source."""
        return {"kind": "function", "model": self.name, "source": self._source, "image_size": self._size}

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8.

        Raises FeaturesError when the function fails, or returns anything but that.
        """
        found = Images(images, self._size)
        return self._called(images) if len(found) else np.empty((0, self._dim), np.float32)

    def save(self, folder: Path) -> None:
        """Write the function's name and its source's digest, not the source: it is imported again."""
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "function.json", json.dumps(self.definition()) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Function:
        """Import the function that `save` wrote down; raises FeaturesError when it changed since."""
        with loading("encoder", folder):
            about = json.loads((folder / "function.json").read_text(encoding="utf-8"))
            name, source, size = str(about["model"]), str(about["source"]), int(about["image_size"])
        found = cls(name, size)
        if found._source != source:
            raise FeaturesError(
                f"the source of {name} changed since its features were made; put it back, or make them anew with "
                f"`annotate-select embed --encoder {name} --retrain`"
            )
        return found

    def _called(self, images: np.ndarray) -> np.ndarray:
        try:
            result = self._function(images)
        except (Exception, SystemExit) as error:  # anything at all may go wrong in a user's own code
            raise FeaturesError(
                f"{self.name} failed on images {images.shape} uint8 ({type(error).__name__}: {first_line(error)}); "
                "mend it, then run this again"
            ) from error
        features = self._array(result)
        if features.ndim != 2 or len(features) != len(images) or features.shape[1] == 0:
            raise FeaturesError(
                f"{self.name} returned shape {features.shape} for {counted(len(images))}; it must return "
                f"({len(images)}, d), a row an image"
            )
        if not (np.issubdtype(features.dtype, np.floating) or np.issubdtype(features.dtype, np.integer)):
            raise FeaturesError(f"{self.name} returned {features.dtype}; it must return numbers")
        features = features.astype(np.float32)
        if not np.isfinite(features).all():
            bad = int((~np.isfinite(features).all(axis=1)).sum())
            raise FeaturesError(
                f"{self.name} returned features that are not finite for {bad} of {counted(len(images))}"
            )
        return features

    def _array(self, result: object) -> np.ndarray:
        if isinstance(result, torch.Tensor):
            return result.detach().cpu().float().numpy()
        try:
            return np.asarray(result)
        except ValueError as error:  # rows of different lengths
            raise FeaturesError(
                f"{self.name} returned no array ({first_line(error)}); it must return (b, d)"
            ) from error


def _imported(text: str) -> tuple[Callable[[np.ndarray], object], str]:
    """Return the function and the digest of its module's source."""
    module, _, name = text.partition(":")
    try:
        with _current_folder():
            found = import_module(module)
            spec = find_spec(module)
    except (Exception, SystemExit) as error:  # a module runs when it is imported, and anything may go wrong in it
        near = did_you_mean(f"{module}:", ["torchvision:", "timm:", "onnx:"])
        raise FeaturesError(
            f"encoder {text!r}: {module!r} cannot be imported ({type(error).__name__}: {first_line(error)}){near}; "
            "write package.module:function of a module that is installed or in the current folder"
        ) from error
    function = getattr(found, name, None)
    if not callable(function):
        names = [one for one in vars(found) if callable(getattr(found, one)) and not one.startswith("_")]
        raise FeaturesError(f"encoder {text!r}: {module!r} has no function {name!r}{did_you_mean(name, names)}")
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise FeaturesError(f"encoder {text!r}: {module!r} has no source file; put the function into a file of yours")
    return function, digest(Path(spec.origin).read_bytes(), size=16)


@contextmanager
def _current_folder() -> Iterator[None]:
    """Search the current folder for modules first."""
    here = os.getcwd()
    sys.path.insert(0, here)
    invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(here)
