"""The files under a feature store: features.npy, ids.npy, and the blocks of rows not yet merged into them.

features.npy   (m, d) float32
ids.npy        (n,) of ROW, written after features.npy; n <= m, and rows beyond n are what a crash left
partial/*.npy  blocks, each a whole file of ids, fingerprints and features together

A row never moves: new rows are appended, and the row of an image whose bytes changed is written over in place. So the
old ids.npy stays true of the new features.npy, should the process die between the two renames.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from annotate_select.errors import FeaturesError
from annotate_select.files import whole_file

__all__ = ["ROW", "BlockWriter", "compare", "merge", "partial_rows", "read_rows"]

ROW = np.dtype([("id", "<i8"), ("fingerprint", "S32")])

BLOCK_ROWS = 2048  # what a kill can make us encode again ...
BLOCK_BYTES = 64 * 2**20  # ... or this much memory, for wide features ...
BLOCK_SECONDS = 30.0  # ... or this much time, for slow encoders
COPY_BYTES = 64 * 2**20  # copied at once when old rows move into the new file


def read_rows(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (n,) of ROW and their features (n, d), memory-mapped; none yet: (0,) and (0, 0).

    Raises FeaturesError when a file is missing, truncated or holds something else.
    """
    features_file, ids_file = folder / "features.npy", folder / "ids.npy"
    if not ids_file.exists():
        return np.empty(0, ROW), np.empty((0, 0), np.float32)
    rows = _load(ids_file, None)
    features = _load(features_file, "r")
    if rows.dtype != ROW or rows.ndim != 1 or len(np.unique(rows["id"])) != len(rows):
        raise corrupt(ids_file, "it does not hold distinct ids and fingerprints")
    if features.dtype != np.float32 or features.ndim != 2:
        raise corrupt(features_file, f"it holds {features.dtype} of shape {features.shape}, not rows of float32")
    if len(features) < len(rows):
        raise corrupt(features_file, f"it has {len(features):,} rows where ids.npy names {len(rows):,}")
    return rows, features[: len(rows)]


def corrupt(path: Path, why: str) -> FeaturesError:
    """Return the error that says a file of the store cannot be used, and what to do."""
    return FeaturesError(
        f"{path} is corrupt: {why}; make the features anew with `annotate-select embed --retrain`, "
        f"or delete the folder {path.parent} and run `annotate-select embed`"
    )


def _load(path: Path, mmap_mode: Literal["r"] | None) -> np.ndarray:
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
            numbers = [int(path.stem) for path in _blocks(self._partial.parent)]
            _save(self._partial / f"{max(numbers, default=0) + 1:08d}.npy", rows)


def partial_rows(folder: Path, dim: int) -> np.ndarray:
    """Return the rows (m,) of ROW that wait in blocks; a block that cannot be read is removed, to be encoded again."""
    found = [np.empty(0, ROW)]
    for path in _blocks(folder):
        block = _read_block(path, dim)
        if block is None:
            path.unlink()
        else:
            found.append(_without_features(block))
    return np.concatenate(found)


def merge(folder: Path, dim: int, old: np.ndarray, features: np.ndarray) -> None:
    """Write old rows (n,) with their features (n, dim) and all blocks as one features.npy and ids.npy.

    Features are copied in pieces, so memory holds only ids and fingerprints: 40 bytes a row.
    """
    waiting = partial_rows(folder, dim)
    rows, targets = _targets(old, waiting)
    if len(waiting):
        with whole_file(folder / "features.npy") as temporary, temporary.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), dim)}
            np.lib.format.write_array_header_1_0(file, header)
            _copy(file, features, dim)
            _overlay(file, file.tell() - len(features) * dim * 4, folder, dim, targets)
        _save(folder / "ids.npy", rows)
    shutil.rmtree(folder / "partial", ignore_errors=True)


def _targets(old: np.ndarray, waiting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the merged rows, and for each waiting row its place among them: an id keeps its place, or is appended."""
    everything = np.concatenate([old, waiting])
    _, first, inverse = np.unique(everything["id"], return_index=True, return_inverse=True)
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    targets = place[inverse]
    rows = np.empty(len(first), ROW)
    rows[targets] = everything  # the last of an id wins
    return rows, targets[len(old) :]


def _copy(file: BinaryIO, features: np.ndarray, dim: int) -> None:
    step = max(1, COPY_BYTES // (dim * 4))
    for start in range(0, len(features), step):
        file.write(np.ascontiguousarray(features[start : start + step]).tobytes())


def _overlay(file: BinaryIO, begin: int, folder: Path, dim: int, targets: np.ndarray) -> None:
    """Write the features of every waiting row at its place, run by run of neighbouring places."""
    done = 0
    for path in _blocks(folder):
        block = _read_block(path, dim)
        if block is None:
            raise corrupt(path, "it cannot be read")
        places = targets[done : done + len(block)]
        done += len(block)
        for run in np.split(np.arange(len(block)), np.flatnonzero(np.diff(places) != 1) + 1):
            file.seek(begin + int(places[run[0]]) * dim * 4)
            file.write(np.ascontiguousarray(block["features"][run]).tobytes())


def _blocks(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in (folder / "partial").glob("*.npy") if not path.name.startswith(".")))


def _read_block(path: Path, dim: int) -> np.ndarray | None:
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


def _save(path: Path, array: np.ndarray) -> None:
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
