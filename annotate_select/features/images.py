"""Arrays, memory maps and torch Datasets alike as batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence, Sized

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from annotate_select.errors import FeaturesError
from annotate_select.files import digest

__all__ = ["Images"]

_SAMPLED = 64  # images whose pixels go into the fingerprint


class Images:
    """Images (n, H, W, 3), uint8 or floats in 0..1, read a batch at a time."""

    def __init__(self, images: np.ndarray | Dataset[object], size: int) -> None:
        """Take an array, or a Dataset with a length whose items are images, or tuples that begin with one.

        Raises FeaturesError for anything else, and for images that are not (size, size, 3).
        """
        if not isinstance(images, np.ndarray) and not (isinstance(images, Dataset) and isinstance(images, Sized)):
            raise FeaturesError(
                f"images must be an array (n, {size}, {size}, 3) or a torch Dataset with a length, "
                f"got {type(images).__name__}"
            )
        self._images, self._size = images, size
        self._n = len(images)
        if isinstance(images, np.ndarray):
            self._check(images.shape[1:], images.dtype)

    def __len__(self) -> int:
        return self._n

    def batch(self, rows: np.ndarray) -> Tensor:
        """Return the images of these rows (b,) as a tensor (b, 3, H, W) in 0..1."""
        pixels = self._pixels(rows)  # (b, H, W, 3)
        if pixels.dtype != np.uint8 and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise FeaturesError(
                f"float images must lie in 0..1, got {pixels.min():.4g} to {pixels.max():.4g}; "
                "divide by 255, or pass uint8"
            )
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2)  # (b, 3, H, W), channels last in memory, as they came
        return x.float().div_(255) if x.dtype == torch.uint8 else x.float()

    def fingerprint(self) -> str:
        """Return a digest of how many there are and of some of them, spread evenly: enough to tell pools apart."""
        rows = np.unique(np.linspace(0, self._n - 1, min(self._n, _SAMPLED)).round().astype(np.int64))
        return digest([self._n, digest(np.ascontiguousarray(self._pixels(rows)).tobytes())])

    def _pixels(self, rows: np.ndarray) -> np.ndarray:
        if isinstance(self._images, np.ndarray):
            return np.asarray(self._images[rows])
        items = [self._item(int(row)) for row in rows]
        for item in items:
            self._check(item.shape, item.dtype)
        return np.stack(items)

    def _item(self, row: int) -> np.ndarray:
        item = self._images[row]
        return np.asarray(item[0] if isinstance(item, Sequence) else item)

    def _check(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        expected = (self._size, self._size, 3)
        if shape != expected:
            raise FeaturesError(f"images must be {expected}, got {shape}; resize them or set image_size in the config")
        if dtype != np.uint8 and not np.issubdtype(dtype, np.floating):
            raise FeaturesError(f"images must be uint8, or floats in 0..1, got {dtype}; convert them first")
