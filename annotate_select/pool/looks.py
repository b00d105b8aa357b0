"""How images look besides what they show: light, contrast, colour, detail, and their border.

Features that learned what about a thing does not matter hide just that. Whether the world has changed, and how new an
image is, asks for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.errors import ImageError
from annotate_select.pool.decode import decode_many
from annotate_select.progress import Progress, silent

__all__ = ["LOOKS", "SIDE", "Look", "looks", "looks_of_files"]

SIDE = 64  # pixels at which images are looked at: files are read thousands a second
AT_ONCE = 256
FLAT = 0.01  # of luma: detail below it is noise of coding
EDGE = 1 / 16  # of a side, on each of the four
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Look:
    """One number of an image, and what less and more of it is called."""

    name: str
    less: str
    more: str


LOOKS = (
    Look("brightness", "darker", "brighter"),
    Look("contrast", "flatter in contrast", "richer in contrast"),
    Look("saturation", "paler", "more colourful"),
    Look("warmth", "bluer", "redder"),
    Look("tint", "more purple", "greener"),
    Look("variegation", "more even in colour", "more varied in colour"),
    Look("detail", "poorer in detail", "richer in detail"),
    Look("sharpness", "more blurred", "sharper or noisier"),
    Look("border brightness", "darker at the border", "brighter at the border"),
    Look("border warmth", "bluer at the border", "redder at the border"),
    Look("border tint", "more purple at the border", "greener at the border"),
)


def looks(images: np.ndarray) -> np.ndarray:
    """Return (b, looks) float64, in the order of LOOKS, of square images (b, H, H, 3) uint8."""
    found = [_looks(_small(images[start : start + AT_ONCE])) for start in range(0, len(images), AT_ONCE)]
    return np.concatenate(found) if found else np.empty((0, len(LOOKS)))


def looks_of_files(
    paths: Sequence[Path], side: int = SIDE, progress: Progress = silent, fingerprints: Sequence[str] | None = None
) -> np.ndarray:
    """Return (b, looks) of files read at `side` pixels, NaN for those that cannot be read.

    With `fingerprints`, one a file, those that hold other bytes by now are not read either.
    """
    found = np.full((len(paths), len(LOOKS)), np.nan)
    for at, image in decode_many(paths, side, fingerprints=fingerprints):
        if not isinstance(image, ImageError):
            found[at] = looks(image[None])[0]
        progress("looking at images", at + 1, len(paths), "")
    return found


def _small(images: np.ndarray) -> np.ndarray:
    """Return images (b, S, S, 3) from 0 to 1, of large ones the means of squares of pixels."""
    times = max(1, images.shape[1] // SIDE)
    side = images.shape[1] // times
    cut = images[:, : side * times, : side * times].astype(np.float32) / 255
    if times == 1:
        return cut
    return np.asarray(cut.reshape(len(cut), side, times, side, times, 3).mean(axis=(2, 4)))


def _looks(pixels: np.ndarray) -> np.ndarray:
    luma = pixels @ LUMA  # (b, S, S)
    largest, smallest = pixels.max(axis=3), pixels.min(axis=3)
    warm, green = _hues(pixels)  # (b, S, S) each
    across, down = np.diff(luma, axis=2), np.diff(luma, axis=1)
    gradient = np.square(across).mean(axis=(1, 2)) + np.square(down).mean(axis=(1, 2))
    contrast = luma.std(axis=(1, 2))
    columns = [
        luma.mean(axis=(1, 2)),
        contrast,
        ((largest - smallest) / np.maximum(largest, FLAT)).mean(axis=(1, 2)),
        warm.mean(axis=(1, 2)),
        green.mean(axis=(1, 2)),
        np.sqrt(warm.var(axis=(1, 2)) + green.var(axis=(1, 2))),
        np.log(np.sqrt(gradient) + FLAT) - np.log(contrast + FLAT),
        np.log((_curvature(luma) + FLAT**2) / (gradient + FLAT**2)),
        *(_border(one) for one in (luma, warm, green)),
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def _hues(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much redder than blue, and how much greener than both, each pixel is."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return red - blue, green - (red + blue) / 2


def _curvature(luma: np.ndarray) -> np.ndarray:
    """Return the mean square (b,) of the Laplacian of luma (b, S, S); 0 of fewer than three pixels."""
    if luma.shape[1] < 3:
        return np.zeros(len(luma), dtype=luma.dtype)
    middle = luma[:, 1:-1, 1:-1]
    sides = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    return np.asarray(np.square(sides - 4 * middle).mean(axis=(1, 2)))


def _border(values: np.ndarray) -> np.ndarray:
    """Return the mean (b,) of the outermost pixels of (b, S, S)."""
    side = values.shape[1]
    thick = max(1, round(EDGE * side))
    edge = np.ones((side, side), dtype=bool)
    edge[thick : side - thick, thick : side - thick] = False
    return np.asarray(values[:, edge].mean(axis=1))
