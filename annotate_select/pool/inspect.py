"""What a file is, before it joins the pool: its fingerprint, its size, and whether it can be used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotate_select.errors import ImageError
from annotate_select.pool import reader
from annotate_select.pool.decode import read_with_header
from annotate_select.pool.exif import captured_at
from annotate_select.pool.fingerprint import fingerprinted
from annotate_select.pool.parallel import in_order

__all__ = ["Inspection", "inspect", "inspect_many"]


@dataclass(frozen=True)
class Inspection:
    """What a file turned out to be; `problem` says why it cannot be used, None when it can."""

    fingerprint: str  # BLAKE2b-128 of the bytes, 32 hex characters; "" if they cannot be read
    size_bytes: int
    mtime_ns: int
    width: int  # upright, after EXIF rotation; 0 with a problem
    height: int
    problem: str | None = None
    captured_at: str | None = None  # as the camera wrote it, ISO 8601


def inspect_many(paths: Sequence[Path], workers: int | None = None) -> Iterator[tuple[int, Inspection]]:
    """Inspect files on all cores; yield (position, Inspection) in order. Nothing is raised for a broken file."""
    return in_order(inspect, paths, workers)


def inspect(path: Path) -> Inspection:
    """Hash a file's bytes and decode it whole, so that a truncated one is found now and not in the middle of a round.

    JPEGs are decoded at 1/8 of their size: all their data still has to be there, only less arithmetic is done.
    """
    fingerprint, size_bytes, mtime_ns = "", 0, 0
    try:
        size_bytes, mtime_ns = _stat(path)
        with reader.open_file(path) as file:
            with reader.reasons():
                status = os.fstat(file.fileno())
                size_bytes, mtime_ns = status.st_size, status.st_mtime_ns
                fingerprint, contents = fingerprinted(file)
            _, (width, height), header = read_with_header(contents, size=1)
            with reader.reasons():
                taken = captured_at(header)
    except ImageError as error:
        return Inspection(fingerprint, size_bytes, mtime_ns, 0, 0, str(error))
    return Inspection(fingerprint, size_bytes, mtime_ns, width, height, captured_at=taken)


def _stat(path: Path) -> tuple[int, int]:
    """Return size and time of a file even when it may not be opened; zeros when it is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns
