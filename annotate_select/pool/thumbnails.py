"""Small WebP files of images for a person to look at, made once and safe to delete."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from annotate_select.files import whole_file
from annotate_select.pool.decode import read_image
from annotate_select.pool.fingerprint import open_unchanged

__all__ = ["thumbnail"]

QUALITY = 85  # of 100: no visible loss at the sizes shown


def thumbnail(path: Path, fingerprint: str, size: int, cache: Path) -> Path:
    """Return the WebP of an image, longest side at most `size` pixels (never enlarged); make it if it is not there.

    Raises ImageError when the file cannot be decoded, ChangedImage when it is no longer the one that was added: what a
    person labels must be what the pool means. Raises StorageError when the cache cannot be written.
    """
    target = cache / fingerprint[:2] / f"{fingerprint}-{size}.webp"
    if not target.exists():
        image = _read(path, fingerprint, size)
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        _write(image, target)
    return target


def _read(path: Path, fingerprint: str, size: int) -> Image.Image:
    with open_unchanged(path, fingerprint) as contents:
        return read_image(contents, size)[0]


def _write(image: Image.Image, target: Path) -> None:
    with whole_file(target) as temporary:
        image.save(temporary, "WEBP", quality=QUALITY)
