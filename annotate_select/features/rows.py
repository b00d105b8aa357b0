"""The files under a feature store: features.npy, ids.npy, and the blocks of rows not yet merged into them.

features.npy    (m, d) float32
ids.npy         (n,) of ROW, written after features.npy; n <= m, and rows beyond n are what a crash left
checksums.json  see checksums.py
partial/*.npy   blocks, each a whole file of ids, fingerprints and features together

A row never moves: new rows are appended, and the row of an image whose bytes changed is written over in place. So the
old ids.npy stays true of the new features.npy, should the process die between the two renames.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from annotate_select.errors import FeaturesError
from annotate_select.features import checksums
from annotate_select.features.checksums import Checksums, Sums
from annotate_select.files import whole_file

__all__ = [
    "ROW",
    "BlockWriter",
    "compare",
    "corrupt",
    "damaged_rows",
    "merge",
    "partial_rows",
    "read_rows",
    "read_sound",
    "save",
    "whole_features",
    "write_rows",
]

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
    features = _load(folder / "features.npy", "r")
    if features.dtype != np.float32 or features.ndim != 2:
        why = f"it holds {features.dtype} of shape {features.shape}, not rows of float32"
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
            save(self._partial / f"{max(numbers, default=0) + 1:08d}.npy", rows)


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

    Features are copied in pieces, so memory holds only ids and fingerprints: 40 bytes a row. Raises FeaturesError
    where damaged rows would be taken over as if they were sound.
    """
    waiting = partial_rows(folder, dim)
    rows, targets = _targets(old, waiting)
    if len(waiting):

        def content(file: BinaryIO) -> None:
            _copy(file, features, dim)
            _overlay(file, file.tell() - len(features) * dim * 4, folder, dim, targets)

        write_rows(folder, rows, dim, content, _kept(folder, old, targets) if len(old) else None, targets)
    elif len(old) and checksums.present(folder) is None:
        sums = checksums.hashed(whole_features(folder))
        checksums.write(folder, Checksums((sums,), (checksums.of_ids(old),)))
    shutil.rmtree(folder / "partial", ignore_errors=True)


def write_rows(
    folder: Path,
    rows: np.ndarray,
    dim: int,
    content: Callable[[BinaryIO], None],
    old: Sums | None = None,
    touched: np.ndarray | None = None,
    ids: np.ndarray | None = None,
) -> None:
    """Write features.npy (n, dim), whose bytes `content` writes, then ids.npy, rows (n,) of ROW, and checksums.json.

    `old` are the digests of what is there and `touched` (t,) the rows that will differ. `ids` is what ids.npy shall
    hold where that is not `rows`. A crash in between leaves files that the checksums expect.
    """
    ids = rows if ids is None else ids
    path = folder / "features.npy"
    before, unknown = checksums.present(folder), path.exists()
    with whole_file(path) as temporary:
        with temporary.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), dim)}
            np.lib.format.write_array_header_1_0(file, header)
            content(file)
        sums = checksums.hashed(_load(temporary, "r"), old, touched)
        if before is not None or not unknown:
            before = before or Checksums((), ())
            both = Checksums((sums, *before.features), (checksums.of_ids(ids), *before.ids))
            checksums.write(folder, both)
    save(folder / "ids.npy", ids)
    checksums.write(folder, Checksums((sums,), (checksums.of_ids(ids),)))


def _kept(folder: Path, old: np.ndarray, touched: np.ndarray) -> Sums | None:
    """Return the digests of features.npy as it is, once the blocks of `touched` that have old rows are found sound."""
    known = checksums.present(folder)
    if known is None:
        return None
    whole = whole_features(folder)
    sums = checksums.settled(whole, known)
    if sums is None:
        raise damaged_rows(folder, 0, len(whole))
    edges = np.append(touched, len(old) - 1) // sums.step  # the last block grows
    for start, stop in checksums.damaged(whole, known, np.unique(edges[edges < len(sums.blocks)])):
        raise damaged_rows(folder, start, stop)
    return sums


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


def save(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
