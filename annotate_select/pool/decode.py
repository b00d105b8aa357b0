"""Image files to pixels: RGB, upright, first frame, 8 bits, whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from annotate_select.errors import ImageError
from annotate_select.pool import reader, tones
from annotate_select.pool.fingerprint import open_unchanged
from annotate_select.pool.parallel import in_order

__all__ = ["DECODING", "decode", "decode_many", "open_image", "read_image", "read_with_header", "square"]

# Part of every encoder's definition: whoever changes the pixels that `decode` returns changes these words, too, so that
# features of the old pixels and of the new ones are never taken for one another.
DECODING = "shorter side to image_size, centre crop, RGB / 255"
ORIENTATION = 0x0112  # EXIF 2.32, section 4.6.4
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_image(path: Path, size: int | None = None) -> Image.Image:
    """Decode an image file to RGB, turned upright by its EXIF orientation; of several frames the first.

    `size` is the shorter side, in pixels, that is still needed: a large JPEG is then decoded at 1/2, 1/4 or 1/8, never
    smaller than that. Raises ImageError with a short reason.
    """
    with reader.open_file(path) as file:
        return read_image(file, size)[0]


def read_image(file: BinaryIO, size: int | None = None) -> tuple[Image.Image, tuple[int, int]]:
    """Decode an open file as `open_image` does; also return (width, height) of the whole image, upright."""
    return read_with_header(file, size)[:2]


def read_with_header(
    file: BinaryIO, size: int | None = None
) -> tuple[Image.Image, tuple[int, int], ImageFile.ImageFile]:
    """Decode an open file as `read_image` does; also return it as it was opened, for its metadata."""
    with reader.reasons():
        image = reader.identify(file)
        whole, raw = image.size, tones.raw_mode(image)
        drafted = size is not None and image.draft(None, (size, size)) is not None
        reader.load(image)
        if not drafted:
            whole = image.size  # before Pillow 11 a TIFF is turned only while it is decoded
        turn = UPRIGHT.get(_orientation(image))
        pixels = tones.rgb(tones.deepened(image, raw, partial(reader.identify, file)))
        if turn is None:
            return pixels, whole, image
        upright = pixels.transpose(turn)
        return upright, whole if turn in (UPRIGHT[2], UPRIGHT[3], UPRIGHT[4]) else (whole[1], whole[0]), image


def square(image: Image.Image, size: int) -> np.ndarray:
    """Resize the shorter side to `size` and crop the centre: (size, size, 3) uint8, C-contiguous."""
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.array(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


def decode(path: Path, size: int, fingerprint: str | None = None) -> np.ndarray:
    """Decode an image file to (size, size, 3) uint8, with a fingerprint just the bytes that have it.

    Raises ChangedImage when the file holds others, ImageError with a short reason when it cannot be decoded.
    """
    if fingerprint is None:
        return square(open_image(path, size), size)
    with open_unchanged(path, fingerprint) as file:
        return square(read_image(file, size)[0], size)


def decode_many(
    paths: Sequence[Path], size: int, workers: int | None = None, fingerprints: Sequence[str] | None = None
) -> Iterator[tuple[int, np.ndarray | ImageError]]:
    """Decode files on all cores; yield (position, image or the ImageError) in order, a bounded number ahead.

    With `fingerprints`, one a file, a file that holds other bytes is a ChangedImage; each is still read once.
    Nothing is raised for a broken file. Closing the iterator early stops the work.
    """
    prints: Sequence[str | None] = [None] * len(paths) if fingerprints is None else fingerprints
    items = list(zip(paths, prints, strict=True))
    return in_order(partial(_decode_or_error, size=size), items, workers)


def _decode_or_error(item: tuple[Path, str | None], size: int) -> np.ndarray | ImageError:
    path, fingerprint = item
    try:
        return decode(path, size, fingerprint)
    except ImageError as error:
        return type(error)(str(error))  # a new one: the caught one's traceback would keep the pixels in memory


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) when there is none or the EXIF is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
        return value if isinstance(value, int) else 1
    except MemoryError:
        raise
    except Exception:  # damaged metadata does not make the pixels unusable
        return 1
