"""Opening image files without trusting them: every way a file can be bad becomes an ImageError with a short reason.

Pillow's own `Image.open` is not used: it refuses large images at a limit that can only be moved for the whole process.
Here the size in the header is compared with MAX_PIXELS instead, before a pixel is decoded.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image, ImageFile

from annotate_select.errors import ImageError

__all__ = ["MAX_PIXELS", "identify", "load", "open_file", "reasons"]

MAX_PIXELS = 300_000_000  # width x height; the largest phone cameras make 200 million
MANY_PIXELS = 50_000_000  # images above this are decoded one at a time, or a dozen would fill the memory

NOT_DECODED = frozenset({"EPS"})  # a program for Ghostscript: never run what somebody else put into a folder
PLAIN = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF": "WebP",
}

# All formats are registered here, once, because an import is the one thing Python already does under a lock.
Image.preinit()
Image.init()

_large = threading.Lock()


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open an ordinary file for reading; ImageError when it is not one, is empty, or may not be read."""
    try:
        mode = os.stat(path).st_mode
        # A pipe would be waited for without end.
        if not stat.S_ISREG(mode):
            raise ImageError("a folder, not a file" if stat.S_ISDIR(mode) else "not an ordinary file")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise ImageError(_reason(error)) from error
    with file:
        if os.fstat(file.fileno()).st_size == 0:
            raise ImageError("zero bytes")
        yield file


@contextmanager
def reasons() -> Iterator[None]:
    """Turn whatever Pillow raises on a broken file into an ImageError, and keep its warnings quiet."""
    try:
        with _quiet():
            yield
    except ImageError:
        raise
    except Exception as error:  # SyntaxError, struct.error, EOFError, OverflowError, ...: Pillow can raise anything
        raise ImageError(_reason(error)) from error


def identify(file: BinaryIO) -> ImageFile.ImageFile:
    """Read the header of an image; no pixel is decoded yet.

    Raises ImageError for what no format claims and for more than MAX_PIXELS pixels. Call it within `reasons()`.
    """
    file.seek(0)
    prefix = file.read(16)
    for name in list(Image.ID):
        image = None if name in NOT_DECODED else _try_format(name, prefix, file)
        if image is not None:
            _check_size(image)
            return image
    claimed = next((name for magic, name in PLAIN.items() if prefix.startswith(magic)), None)
    raise ImageError(f"truncated or broken: its {claimed} header cannot be read" if claimed else "not an image")


def load(image: ImageFile.ImageFile) -> None:
    """Decode the pixels; call it within `reasons()`, while the file is open."""
    if image.width * image.height > MANY_PIXELS:
        with _large:
            _load(image)
    else:
        _load(image)


def _load(image: ImageFile.ImageFile) -> None:
    if image.format == "TIFF" and image.tile:
        # The TIFF reader asks Pillow's limit once more, unless the memory is there already.
        image.im = Image.new(image.mode, getattr(image, "_tile_size", image.size)).im
    image.load()


def _try_format(name: str, prefix: bytes, file: BinaryIO) -> ImageFile.ImageFile | None:
    factory, accept = Image.OPEN[name]
    try:
        answer = accept is None or accept(prefix)
        if not answer or isinstance(answer, str):  # a str says why not
            return None
        file.seek(0)
        return factory(file, "")
    except OSError as error:
        if error.errno is not None:  # the disk failed, not the format
            raise
    except MemoryError:
        raise
    except Exception:
        return None  # as Pillow does: another format may claim it
    return None


def _check_size(image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        most = f"at most {MAX_PIXELS / 1e6:g} million"
        raise ImageError(f"too many pixels ({image.width} x {image.height} = {pixels / 1e6:.0f} million; {most})")
    if pixels <= 0:
        raise ImageError(f"no pixels ({image.width} x {image.height})")


def _reason(error: Exception) -> str:
    """Say in a few words why a file cannot be used."""
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels for its format"
    if isinstance(error, FileNotFoundError):
        return "cannot be read: no such file"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    text = " ".join(str(error).split())
    if isinstance(error, EOFError) or any(
        sign in text.lower() for sign in ("truncat", "not large enough", "not enough")
    ):
        return "truncated"
    return f"broken: {text.removeprefix('broken ')[:80] or type(error).__name__}"


# --- warnings ---------------------------------------------------------------------------------------------------

_FILTER = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # what filterwarnings("ignore", module=...) inserts
_counting = threading.Lock()
_inside = 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore warnings from Pillow's own modules while any thread is in here.

    They speak of damaged metadata, which nobody asked about, and become errors where warnings are errors.
    `warnings.catch_warnings` is not used: it swaps the list of filters, which threads that overlap would then lose.
    """
    global _inside
    with _counting:
        _inside += 1
        _ignore_pillow()
    try:
        yield
    finally:
        with _counting:
            _inside -= 1
            if _inside == 0:
                _unignore_pillow()


def _ignore_pillow() -> None:
    if _FILTER not in warnings.filters:
        cast("list[object]", warnings.filters).insert(0, _FILTER)


def _unignore_pillow() -> None:
    if _FILTER in warnings.filters:
        cast("list[object]", warnings.filters).remove(_FILTER)
