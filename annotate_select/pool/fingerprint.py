"""The fingerprint of an image: a hash of its file's bytes, and the only proof that a file is still what it was."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from annotate_select.errors import ChangedImage
from annotate_select.pool import reader

__all__ = ["fingerprinted", "open_unchanged"]

DIGEST_BYTES = 16
IN_MEMORY = 256 * 2**20  # larger files are hashed as they stream by, and read again to decode them


def fingerprinted(file: BinaryIO) -> tuple[str, BinaryIO]:
    """Return the fingerprint of an open file's bytes, and a file of the same bytes to decode them from."""
    if os.fstat(file.fileno()).st_size > IN_MEMORY:
        return _streamed(file), file
    content = file.read()
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest(), io.BytesIO(content)


@contextmanager
def open_unchanged(path: Path, fingerprint: str) -> Iterator[BinaryIO]:
    """Open the very bytes that have this fingerprint, as a file to decode them from.

    Raises ChangedImage when the file holds others by now, ImageError when it cannot be read.
    """
    with reader.open_file(path) as file:
        with reader.reasons():
            found, contents = fingerprinted(file)
        if found != fingerprint:
            raise ChangedImage("the file has changed since it was added; run `annotate-select add` again")
        yield contents


def _streamed(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    while block := file.read(2**20):
        digest.update(block)
    return digest.hexdigest()
