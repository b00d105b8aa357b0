"""checksums.json: a digest of every block of rows of features.npy and one of ids.npy, by which damage is found.

The file is written before the files it speaks of are renamed into place, and names what they will hold beside what
they hold still: whichever of the two a crash leaves, it is expected. Appending rows hashes only the blocks that change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from annotate_select.files import digest, write_whole

__all__ = [
    "FILE_NAME",
    "Checksums",
    "Sums",
    "damaged",
    "hashed",
    "of_ids",
    "present",
    "read",
    "sampled",
    "settled",
    "write",
]

FILE_NAME = "checksums.json"
BLOCK_BYTES = 2**20  # hashed together: 205 rows of 1,280 float32
SIZE = 16  # bytes of a digest


@dataclass(frozen=True)
class Sums:
    """The digests of a matrix of `rows` rows of `row_bytes` bytes, one for each `step` rows."""

    rows: int
    row_bytes: int
    step: int
    blocks: tuple[str, ...]

    def bounds(self, block: int) -> tuple[int, int]:
        """Return the rows, from and up to, of a block."""
        return block * self.step, min(self.rows, (block + 1) * self.step)


@dataclass(frozen=True)
class Checksums:
    """What features.npy and ids.npy may hold; more than one of each only while a change is under way."""

    features: tuple[Sums, ...]
    ids: tuple[str, ...]


def read(folder: Path) -> Checksums | None:
    """Return what checksums.json says, or None where there is none.

    Raises ValueError when there is one that cannot be understood.
    """
    path = folder / FILE_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        features = [
            Sums(int(one["rows"]), int(one["row_bytes"]), int(one["step"]), tuple(map(str, one["blocks"])))
            for one in content["features"]
        ]
        ids = tuple(map(str, content["ids"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error})") from error
    if any(one.step < 1 or len(one.blocks) != -(-one.rows // one.step) for one in features):
        raise ValueError(f"{path} does not fit together")
    return Checksums(tuple(features), ids)


def present(folder: Path) -> Checksums | None:
    """Return what checksums.json says; one that cannot be understood counts as none."""
    try:
        return read(folder)
    except ValueError:
        return None


def write(folder: Path, checksums: Checksums) -> None:
    """Write checksums.json, whole or not at all."""
    content = {"features": [asdict(one) for one in checksums.features], "ids": list(checksums.ids)}
    write_whole(folder / FILE_NAME, json.dumps(content) + "\n")


def of_ids(rows: np.ndarray) -> str:
    """Return the digest of what ids.npy holds."""
    return digest(np.ascontiguousarray(rows).tobytes(), SIZE)


def hashed(array: np.ndarray, old: Sums | None = None, touched: np.ndarray | None = None) -> Sums:
    """Return the digests of a matrix (m, d).

    With the digests of what it was before, and the rows (t,) that are not the same since, only their blocks are hashed.
    """
    row_bytes = array.shape[1] * array.dtype.itemsize
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    empty = Sums(len(array), row_bytes, step, ())
    blocks = -(-len(array) // step)
    anew = np.ones(blocks, bool)
    if old is not None and touched is not None and (old.row_bytes, old.step) == (row_bytes, step):
        for block in range(min(blocks, len(old.blocks))):
            anew[block] = old.bounds(block) != empty.bounds(block)
        anew[np.unique(touched) // step] = True
    digests = [_block(array, empty, i) if anew[i] else (old.blocks[i] if old else "") for i in range(blocks)]
    return Sums(len(array), row_bytes, step, tuple(digests))


def settled(array: np.ndarray, checksums: Checksums) -> Sums | None:
    """Return the digests that are those of a matrix (m, d), None where not even the shape fits.

    While a change is under way two may fit; where they differ, the matrix decides.
    """
    fitting = _fitting(array, checksums)
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    blocks = list(fitting[0].blocks)
    for block, choices in enumerate(zip(*(one.blocks for one in fitting), strict=True)):
        if len(set(choices)) > 1:
            blocks[block] = _block(array, fitting[0], block)
    return Sums(fitting[0].rows, fitting[0].row_bytes, fitting[0].step, tuple(blocks))


def damaged(array: np.ndarray, checksums: Checksums, blocks: np.ndarray | None = None) -> Iterator[tuple[int, int]]:
    """Yield the rows, from and up to, of each block of a matrix (m, d) that is not what it may be.

    `blocks` are the numbers of those to look at (default: all).
    """
    fitting = _fitting(array, checksums)
    if not fitting:
        if len(array):
            yield 0, len(array)
        return
    for block in range(len(fitting[0].blocks)) if blocks is None else blocks.tolist():
        if _block(array, fitting[0], block) not in {one.blocks[block] for one in fitting}:
            yield fitting[0].bounds(block)


def sampled(array: np.ndarray, checksums: Checksums) -> np.ndarray:
    """Return the numbers of the blocks a quick look takes: the last, and any one."""
    blocks = max((len(one.blocks) for one in _fitting(array, checksums)), default=0)
    return np.unique([blocks - 1, np.random.default_rng().integers(blocks)]) if blocks else np.empty(0, np.int64)


def _fitting(array: np.ndarray, checksums: Checksums) -> list[Sums]:
    shape = (len(array), array.shape[1] * array.dtype.itemsize)
    return [one for one in checksums.features if (one.rows, one.row_bytes) == shape]


def _block(array: np.ndarray, sums: Sums, block: int) -> str:
    start, stop = sums.bounds(block)
    return digest(np.ascontiguousarray(array[start:stop]).tobytes(), SIZE)
