"""Pixels of any mode Pillow knows to 8-bit RGB, the way a person labelling them expects to see them.

- Deep gray (16-bit, 32-bit, float: microscopes, X-rays, elevation) is scaled by the range the image really uses.
- Deep colour, which Pillow cuts down to its upper 8 bits, is scaled only when it leaves the top bit unused.
- Transparent pixels show white, the paper that pages and image viewers put behind them; what colour lies under
  full transparency is an accident of the program that saved it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile

__all__ = ["deepened", "is_deep_gray", "raw_mode", "rgb", "scaled"]

ROWS = 256  # rows converted together, so that a large image is never held as 64-bit floats
NATIVE, SWAPPED = ("L", "B") if sys.byteorder == "little" else ("B", "L")
OTHER_ENDIAN = {"L": "B", "B": "L", "N": SWAPPED}
COLOUR_16 = ("RGB;16", "RGBX;16", "RGBA;16")  # straight 16-bit colour; what else there is keeps its upper 8 bits
WHITE_IS_ZERO, PHOTOMETRIC = 0, 262  # TIFF 6.0, section 8


def rgb(image: Image.Image) -> Image.Image:
    """Return a decoded image as a plain RGB image that holds no file."""
    if image.format == "JPEG" and image.mode == "RGB":
        return image  # Pillow let go of its file once it was decoded; to copy it would cost a tenth of decoding
    if is_deep_gray(image):
        return Image.fromarray(_gray(image)).convert("RGB")
    if image.mode == "LAB":
        return _from_lab(image)
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def is_deep_gray(image: Image.Image) -> bool:
    """Say whether an image has one channel of more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def scaled(values: np.ndarray) -> np.ndarray:
    """Scale (h, w) numbers to uint8 so that the smallest finite one is 0 and the largest 255.

    A constant image becomes 0; so do NaN and -inf, while +inf becomes 255.
    """
    low, high = _range(values)
    out = np.zeros(values.shape, dtype=np.uint8)
    if high <= low:
        return out
    for start in range(0, len(values), ROWS):
        share = (values[start : start + ROWS].astype(np.float64) - low) / (high - low)
        share = np.nan_to_num(share, nan=0.0, posinf=1.0, neginf=0.0)
        out[start : start + ROWS] = np.rint(np.clip(share, 0.0, 1.0) * 255)
    return out


def _range(values: np.ndarray) -> tuple[float, float]:
    if values.dtype.kind != "f":
        return float(values.min()), float(values.max())
    finite = np.isfinite(values)
    low = float(values.min(initial=np.inf, where=finite))
    return low, float(values.max(initial=-np.inf, where=finite))


def _gray(image: Image.Image) -> np.ndarray:
    """Return the (h, w) uint8 tones of a deep gray image."""
    tones = scaled(np.asarray(image))
    tags = getattr(image, "tag_v2", {})
    # Pillow turns 8-bit images over for us, deeper ones not.
    return 255 - tones if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO else tones


def _on_white(image: Image.Image) -> Image.Image:
    """Lay an RGBA image on white; an alpha channel that is 0 everywhere is a defect of the file and left out."""
    if image.getchannel("A").getextrema() in ((255, 255), (0, 0)):
        return image.convert("RGB")
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image)
    return page.convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    return image.convert("RGB") if converted is None else converted


# --- 16-bit colour ----------------------------------------------------------------------------------------------


def raw_mode(image: ImageFile.ImageFile) -> str:
    """Return how the file stores a pixel, e.g. `RGB;16B`; "" when its reader does not say. Call it before decoding."""
    args = image.tile[0].args if image.tile else None
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def deepened(upper: Image.Image, raw: str, again: Callable[[], ImageFile.ImageFile]) -> Image.Image:
    """Bring back 12-bit colour in a 16-bit file, which Pillow's upper 8 bits leave nearly black.

    `upper` is the decoded image, `raw` what raw_mode said, `again` opens the file once more. When no colour value
    reaches half of the container's range, the lower 8 bits are read too (by asking for the other byte order) and the
    colours are scaled together, so that the largest is 255 and hues stay.
    """
    if raw[:-1] not in COLOUR_16 or max(_tops(upper)) >= 128:
        return upper
    lower = again()
    swapped = raw[:-1] + OTHER_ENDIAN[raw[-1]]
    lower.tile = [tile._replace(args=_with_raw_mode(tile.args, swapped)) for tile in lower.tile]
    lower.load()
    bands = np.array(upper)  # (h, w, 3 or 4)
    bands[..., :3] = _joined(bands[..., :3], np.asarray(lower)[..., :3])
    return Image.fromarray(bands)


def _tops(image: Image.Image) -> list[int]:
    """Return the largest value of each of the three colour bands."""
    return [int(np.asarray(image.getchannel(band)).max()) for band in "RGB"]


def _with_raw_mode(args: object, raw: str) -> tuple[object, ...] | str:
    return (raw, *args[1:]) if isinstance(args, tuple) else raw


def _joined(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Join bytes (h, w, 3) to 16-bit values and scale them so that the largest is 255."""
    wide = upper.astype(np.uint32) * 256 + lower
    top = max(int(wide.max()), 1)
    joined: np.ndarray = ((wide * 255 + top // 2) // top).astype(np.uint8)
    return joined
