"""What can be measured of an image file besides what it shows: size, format, camera, brightness, colours of its edge.

None of this should tell classes apart, unless it is the thing itself; `trust.shortcuts` looks whether it does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from annotate_select.errors import ImageError
from annotate_select.pool import reader
from annotate_select.pool.decode import read_image
from annotate_select.pool.exif import camera_and_time
from annotate_select.pool.fingerprint import open_unchanged
from annotate_select.pool.parallel import in_order

__all__ = ["NUMBERS", "TEXTS", "Measured", "jpeg_quality", "measure", "measure_many"]

NUMBERS = (
    "file_size",  # bytes
    "width",  # pixels, upright
    "height",
    "aspect",  # width / height
    "jpeg_quality",  # 1 to 100 as libjpeg counts, NaN for what is no JPEG
    "brightness",  # mean luma, 0 to 1
    "contrast",  # standard deviation of luma
    "saturation",  # mean of (largest - smallest) / largest of the three colours, 0 to 1
    "hue",  # degrees, -60 pink, 0 red, 120 green, 240 blue
    "sharpness",  # of the changes from pixel to pixel, how fine they are: 0 smooth, 5 white noise
    *(f"colour_{band}" for band in "rgb"),  # means, 0 to 1
    *(f"border_{band}" for band in "rgb"),
    *(f"{corner}_{band}" for corner in ("top_left", "top_right", "bottom_left", "bottom_right") for band in "rgb"),
)
TEXTS = ("format", "camera", "taken")  # taken as EXIF writes it: 2019:05:31 16:20:11

SIDE = 128  # pixels, of the longer side of what is measured
FINE = 256  # the same for sharpness, which is lost first when an image is made smaller
EDGE = 0.06  # of a side: how thick the border is, and half of how wide a corner
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
# Annex K.1 of the JPEG standard, the luminance table that libjpeg scales by its quality
ANNEX_K = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
    51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121,
    120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """Measures of one file in the order of NUMBERS (float64, NaN where there is none) and TEXTS ("")."""

    numbers: np.ndarray
    texts: tuple[str, ...]


def measure_many(
    paths: Sequence[Path], workers: int | None = None, fingerprints: Sequence[str] | None = None
) -> Iterator[tuple[int, Measured | ImageError]]:
    """Measure files on all cores; yield (position, measures or the ImageError) in order.

    With `fingerprints`, one a file, a file that holds other bytes is a ChangedImage.
    """
    prints: Sequence[str | None] = [None] * len(paths) if fingerprints is None else fingerprints
    return in_order(_measured_or_error, list(zip(paths, prints, strict=True)), workers)


def measure(path: Path, fingerprint: str | None = None) -> Measured:
    """Measure one file, its pixels at 128 on the longer side, with a fingerprint just the bytes that have it.

    Raises ChangedImage when the file holds others, ImageError with a short reason when it cannot be read.
    """
    with reader.open_file(path) if fingerprint is None else open_unchanged(path, fingerprint) as file:
        with reader.reasons():
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            opened = reader.identify(file)
            quality = jpeg_quality(getattr(opened, "quantization", None))
            texts = (opened.format or "", *camera_and_time(opened))
        image, (width, height) = read_image(file, FINE)
    numbers = [size, width, height, width / height, quality, *_seen(image)]
    return Measured(np.array(numbers, dtype=np.float64), texts)


def jpeg_quality(tables: dict[int, list[int]] | None) -> float:
    """Return the quality whose luminance table is nearest to a file's in its sum; NaN for no JPEG.

    Programs that do not scale the standard's tables get the quality that throws away as much.
    """
    if not tables:
        return float("nan")
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)  # libjpeg, jpeg_quality_scaling
    sums = np.clip((ANNEX_K * scale[:, None] + 50) // 100, 1, 255).sum(axis=1)
    return float(quality[np.abs(sums - sum(tables[min(tables)])).argmin()])


def _measured_or_error(item: tuple[Path, str | None]) -> Measured | ImageError:
    try:
        return measure(*item)
    except ImageError as error:
        return type(error)(str(error))  # a new one: the caught one's traceback would keep the pixels in memory


def _seen(image: Image.Image) -> list[float]:
    """Return the measures of an image's pixels, in the order of NUMBERS from brightness on."""
    image.thumbnail((FINE, FINE), Image.Resampling.BOX)
    sharpness = _sharpness(np.asarray(image.convert("L"), dtype=np.float64))
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(image, dtype=np.float64) / 255  # (h, w, 3)
    luma = pixels @ LUMA
    largest, smallest = pixels.max(axis=2), pixels.min(axis=2)
    saturation = np.where(largest > 0, (largest - smallest) / np.where(largest > 0, largest, 1), 0.0)
    colour = pixels.reshape(-1, 3).mean(axis=0)
    return [
        float(luma.mean()),
        float(luma.std()),
        float(saturation.mean()),
        _hue(colour),
        sharpness,
        *colour.tolist(),
        *_border(pixels).tolist(),
        *np.concatenate(_corners(pixels)).tolist(),
    ]


def _hue(colour: np.ndarray) -> float:
    """Return the angle of a colour (3,) in the plane of equal luma, -90 to 270 degrees; NaN for gray.

    The circle is cut where colours are rarest, between blue and pink.
    """
    red, green, blue = colour.tolist()
    x, y = red - (green + blue) / 2, np.sqrt(3) / 2 * (green - blue)
    return float((np.degrees(np.arctan2(y, x)) + 90) % 360 - 90) if np.hypot(x, y) > 1e-3 else float("nan")


def _sharpness(luma: np.ndarray) -> float:
    """Return the variance of the Laplacian by the mean square of the gradient of luma (h, w).

    The variance alone says more of what is shown than of how sharply.
    """
    if min(luma.shape) < 3:
        return 0.0
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    gradient = float(np.square(np.diff(luma, axis=0)).mean() + np.square(np.diff(luma, axis=1)).mean())
    return float(laplacian.var()) / gradient if gradient > 1e-6 else 0.0


def _border(pixels: np.ndarray) -> np.ndarray:
    """Return the mean colour (3,) of the outermost pixels."""
    height, width = pixels.shape[:2]
    down, across = max(1, round(EDGE * height)), max(1, round(EDGE * width))
    edge = np.ones((height, width), dtype=bool)
    edge[down : height - down, across : width - across] = False
    found: np.ndarray = pixels[edge].mean(axis=0)
    return found


def _corners(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the mean colour (3,) of each corner: top left, top right, bottom left, bottom right."""
    down, across = (max(1, round(2 * EDGE * side)) for side in pixels.shape[:2])
    parts = (pixels[:down, :across], pixels[:down, -across:], pixels[-down:, :across], pixels[-down:, -across:])
    return [part.reshape(-1, 3).mean(axis=0) for part in parts]
