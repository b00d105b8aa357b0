"""The files under a feature store: features.npy, ids.npy, and the blocks of rows not yet merged into them.

features.npy    (m, d) float32, or float16 where the project says so
ids.npy         (n,) of ROW, written after features.npy; n <= m, and rows beyond n are what a crash left
checksums.json  see checksums.py
partial/*.npy   blocks, each a whole file of ids, fingerprints and features together

How they are written is in merge.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from annotate_select.errors import FeaturesError
from annotate_select.features import checksums
from annotate_select.files import whole_file

__all__ = [
    "DTYPES",
    "ROW",
    "BlockWriter",
    "blocks",
    "compare",
    "corrupt",
    "damaged_rows",
    "load",
    "partial_rows",
    "read_block",
    "read_rows",
    "read_sound",
    "save",
    "whole_features",
]

ROW = np.dtype([("id", "<i8"), ("fingerprint", "S32")])

DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ("float32", "float16")}  # what features.npy may hold

BLOCK_ROWS = 2048  # what a kill can make us encode again ...
BLOCK_BYTES = 64 * 2**20  # ... or this much memory, for wide features ...
BLOCK_SECONDS = 30.0  # ... or this much time, for slow encoders


def read_rows(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (n,) of ROW and their features (n, d), memory-mapped; none yet: (0,) and (0, 0).

    Raises FeaturesError when a file is missing, truncated or holds something else.
    """
    features_file, ids_file = folder / "features.npy", folder / "ids.npy"
    if not ids_file.exists():
        return np.empty(0, ROW), np.empty((0, 0), np.float32)
    rows = load(ids_file, None)
    if rows.dtype != ROW or rows.ndim != 1 or len(np.unique(rows["id"])) != len(rows):
        raise corrupt(ids_file, "it does not hold distinct ids and fingerprints")
    features = whole_features(folder)
    if len(features) < len(rows):
        raise corrupt(features_file, f"it has {len(features):,} rows where ids.npy names {len(rows):,}")
    return rows, features[: len(rows)]


def whole_features(folder: Path) -> np.ndarray:
    """Return features.npy (m, d), memory-mapped, rows beyond those that ids.npy names included.

    Raises FeaturesError when it is missing, truncated or holds something else.
    """
    features = load(folder / "features.npy", "r")
    if features.dtype not in DTYPES.values() or features.ndim != 2:
        why = f"it holds {features.dtype} of shape {features.shape}, not rows of {' or '.join(DTYPES)}"
        raise corrupt(folder / "features.npy", why)
    return features


def read_sound(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """As `read_rows`, with a quick look for damage: at ids.npy and two blocks of features.npy.

    Raises FeaturesError as `read_rows` does, and naming the rows that are damaged.
    """
    while True:
        before = _stamp(folder)
        try:
            rows, features = read_rows(folder)
            _require_sound(folder, rows)
            return rows, features
        except FeaturesError:
            if _stamp(folder) == before:  # else another process changed the files between two looks
                raise


def _require_sound(folder: Path, rows: np.ndarray) -> None:
    known = checksums.present(folder)
    if known is None or len(rows) == 0:
        return
    if checksums.of_ids(rows) not in known.ids:
        raise corrupt(folder / "ids.npy", "it is not what was written")
    whole = whole_features(folder)
    for start, stop in checksums.damaged(whole, known, checksums.sampled(whole, known)):
        raise damaged_rows(folder, start, stop)


def _stamp(folder: Path) -> list[tuple[int, int, int]]:
    found = []
    for name in ("ids.npy", "features.npy", checksums.FILE_NAME):
        with suppress(OSError):
            stat = (folder / name).stat()
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return found


def damaged_rows(folder: Path, start: int, stop: int) -> FeaturesError:
    """Return the error that says which rows are not what was written, and what to do."""
    name = folder.name.rpartition("-")[0]
    return FeaturesError(
        f"{folder / 'features.npy'} is damaged: rows {start:,} to {stop - 1:,} are not what was written; "
        f"run `annotate-select features verify {name} --mend`, then `annotate-select embed` encodes them again"
    )


def corrupt(path: Path, why: str) -> FeaturesError:
    """Return the error that says a file of the store cannot be used, and what to do."""
    return FeaturesError(
        f"{path} is corrupt: {why}; make the features anew with `annotate-select embed --retrain`, "
        f"or delete the folder {path.parent} and run `annotate-select embed`"
    )


def load(path: Path, mmap_mode: Literal["r"] | None) -> np.ndarray:
    """Return what a .npy file holds. Raises FeaturesError when it is missing or cannot be read."""
    try:
        return np.asanyarray(np.load(path, mmap_mode=mmap_mode, allow_pickle=False))
    except FileNotFoundError as error:
        raise corrupt(path, "it is missing") from error
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise corrupt(path, str(error).splitlines()[0] if str(error) else "it cannot be read") from error


def compare(rows: np.ndarray, ids: np.ndarray, fingerprints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Say of each image whether it has a row (n,), and whether that row was made of its present bytes (n,).

    rows (m,) of ROW, of which the last of an id counts; ids (n,); fingerprints (n,) S32.
    """
    if len(rows) == 0:
        return np.zeros(len(ids), bool), np.zeros(len(ids), bool)
    order = np.argsort(rows["id"], kind="stable")
    place = np.searchsorted(rows["id"], ids, side="right", sorter=order) - 1  # (n,) the last row of each id
    at = order[np.maximum(place, 0)]
    present = (place >= 0) & (rows["id"][at] == ids)
    return present, present & (rows["fingerprint"][at] == fingerprints)


class BlockWriter:
    """Gathers encoded rows and writes them to `folder/partial`, a whole block at a time."""

    def __init__(self, folder: Path, dim: int) -> None:
        self._partial = folder / "partial"
        self._dtype = _block_type(dim)
        self._waiting: list[np.ndarray] = []
        self._since = time.monotonic()
        self._most = max(1, min(BLOCK_ROWS, BLOCK_BYTES // self._dtype.itemsize))

    def add(self, ids: np.ndarray, fingerprints: np.ndarray, features: np.ndarray) -> None:
        """Take rows: ids (b,), fingerprints (b,) S32, features (b, dim); writes a block when one is full."""
        block = np.empty(len(ids), self._dtype)
        block["id"], block["fingerprint"], block["features"] = ids, fingerprints, features
        self._waiting.append(block)
        if sum(map(len, self._waiting)) >= self._most or time.monotonic() - self._since > BLOCK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits, if anything does."""
        self._since = time.monotonic()
        if self._waiting:
            rows, self._waiting = np.concatenate(self._waiting), []
            numbers = [int(path.stem) for path in blocks(self._partial.parent)]
            save(self._partial / f"{max(numbers, default=0) + 1:08d}.npy", rows)


def partial_rows(folder: Path, dim: int) -> np.ndarray:
    """Return the rows (m,) of ROW that wait in blocks; a block that cannot be read is removed, to be encoded again."""
    found = [np.empty(0, ROW)]
    for path in blocks(folder):
        block = read_block(path, dim)
        if block is None:
            path.unlink()
        else:
            found.append(_without_features(block))
    return np.concatenate(found)


def blocks(folder: Path) -> Iterator[Path]:
    """Return the files of the blocks that wait, in the order they were written."""
    return iter(sorted(path for path in (folder / "partial").glob("*.npy") if not path.name.startswith(".")))


def read_block(path: Path, dim: int) -> np.ndarray | None:
    """Return a block (b,) of ids, fingerprints and features, None when it cannot be read."""
    try:
        block = np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError, SyntaxError):
        return None
    return block if block.dtype == _block_type(dim) and len(block) else None


def _without_features(block: np.ndarray) -> np.ndarray:
    rows = np.empty(len(block), ROW)
    rows["id"], rows["fingerprint"] = block["id"], block["fingerprint"]
    return rows


def _block_type(dim: int) -> np.dtype[np.void]:
    return np.dtype([("id", "<i8"), ("fingerprint", "S32"), ("features", "<f4", (dim,))])


def save(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
