"""How the files under a feature store are written: blocks merged into them, and images of earlier pools dropped.

New rows are appended, and the row of an image whose bytes changed is written over in place, once ids.npy no longer
says of which bytes it is. So the old ids.npy stays true of the new features.npy, should the process die between the
two renames. Where rows of images that left are dropped, the last rows move into their places: ids.npy says first that
nobody's row is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from annotate_select.errors import FeaturesError
from annotate_select.features import checksums
from annotate_select.features.checksums import Checksums, Sums
from annotate_select.features.rows import (
    DTYPES,
    ROW,
    blocks,
    corrupt,
    damaged_rows,
    load,
    partial_rows,
    read_block,
    read_rows,
    save,
    whole_features,
)
from annotate_select.files import whole_file

__all__ = ["FORGOTTEN", "compact", "merge", "out_of_range", "write_ids"]

COPY_BYTES = 4 * 2**20  # copied at once when old rows move into the new file: what the processor caches hold
FORGOTTEN = b""  # the fingerprint of no image's bytes: the row counts as not there
MOST_GONE = 0.1  # of the rows may be of images that left the pool


def merge(folder: Path, dim: int, old: np.ndarray, features: np.ndarray, dtype: str = "float32") -> None:
    """Write old rows (n,) with their features (n, dim) and all blocks as one features.npy and ids.npy.

    Features are copied in pieces, so memory holds only ids and fingerprints: 40 bytes a row. Raises FeaturesError
    where damaged rows would be taken over as if they were sound, and for numbers that `dtype` cannot hold.
    """
    waiting = partial_rows(folder, dim)
    rows, targets = _targets(old, waiting)
    converts = len(old) > 0 and features.dtype != DTYPES[dtype]
    if len(waiting) or converts:

        def content(file: BinaryIO) -> None:
            begin = file.tell()
            _copy(file, features, dim, dtype)
            _overlay(file, begin, folder, dim, targets, dtype)

        touched = np.arange(len(rows)) if converts else targets
        kept = _kept(folder, old, touched)
        _forget(folder, old, targets)
        write_rows(folder, len(rows), dim, dtype, content, rows, kept, touched)
    elif len(old) and checksums.present(folder) is None:
        sums = checksums.hashed(whole_features(folder))
        checksums.write(folder, Checksums((sums,), (checksums.of_ids(old),)))
    shutil.rmtree(folder / "partial", ignore_errors=True)


def compact(folder: Path, pool: np.ndarray) -> int:
    """Drop rows of images that are not in the pool, ids (p,), where they are many; return how many were dropped.

    Damaged features are left as they are. The order of the rows changes.
    """
    rows, features = read_rows(folder)
    keep = np.isin(rows["id"], pool)
    n = int(keep.sum())
    if n == 0 or len(rows) - n <= MOST_GONE * len(rows):
        return 0
    known = checksums.present(folder)
    if known is not None and any(checksums.damaged(whole_features(folder), known)):
        return 0
    holes, movers = np.flatnonzero(~keep[:n]), n + np.flatnonzero(keep[n:])
    marked, left = rows.copy(), rows[:n].copy()
    marked["id"][~keep], marked["fingerprint"][~keep] = -1 - np.flatnonzero(~keep), FORGOTTEN
    left[holes] = rows[movers]
    dim, dtype = features.shape[1], next(name for name, one in DTYPES.items() if one == features.dtype)

    def filled(file: BinaryIO) -> None:
        begin = file.tell()
        _copy(file, features, dim, dtype)
        for hole, mover in zip(holes.tolist(), movers.tolist(), strict=True):
            file.seek(begin + hole * dim * DTYPES[dtype].itemsize)
            file.write(features[mover].tobytes())

    write_ids(folder, marked)
    write_rows(folder, len(rows), dim, dtype, filled, left)
    whole = whole_features(folder)
    write_rows(folder, n, dim, dtype, lambda file: _copy(file, whole[:n], dim, dtype), left)
    return len(rows) - n


def write_ids(folder: Path, rows: np.ndarray) -> None:
    """Write ids.npy, rows (n,) of ROW, beside a features.npy that stays; either is expected until it is done."""
    known, now = checksums.present(folder), checksums.of_ids(rows)
    if known is not None:
        checksums.write(folder, Checksums(known.features, (now, *known.ids)))
    save(folder / "ids.npy", rows)
    if known is not None:
        checksums.write(folder, Checksums(known.features, (now,)))


def out_of_range(largest: float) -> FeaturesError:
    """Return the error for a number that float16 cannot hold."""
    return FeaturesError(
        f"features as large as {largest:.4g} do not fit into float16, which ends at 65,504; "
        'set features.dtype = "float32" in project.toml'
    )


def write_rows(
    folder: Path,
    n: int,
    dim: int,
    dtype: str,
    content: Callable[[BinaryIO], None],
    ids: np.ndarray,
    old: Sums | None = None,
    touched: np.ndarray | None = None,
) -> None:
    """Write features.npy (n, dim), whose bytes `content` writes, then `ids` (at most n,) of ROW, and checksums.json.

    `old` are the digests of what is there and `touched` (t,) the rows that will differ (default: all). A crash in
    between leaves files that the checksums expect.
    """
    path = folder / "features.npy"
    before, unknown = checksums.present(folder), path.exists()
    with whole_file(path) as temporary:
        with temporary.open("wb") as file:
            header = {"descr": DTYPES[dtype].str, "fortran_order": False, "shape": (n, dim)}
            np.lib.format.write_array_header_1_0(file, header)
            content(file)
        sums = checksums.hashed(load(temporary, "r"), old, touched)
        if before is not None or not unknown:
            before = before or Checksums((), ())
            both = Checksums((sums, *before.features), (checksums.of_ids(ids), *before.ids))
            checksums.write(folder, both)
    save(folder / "ids.npy", ids)
    checksums.write(folder, Checksums((sums,), (checksums.of_ids(ids),)))


def _forget(folder: Path, old: np.ndarray, targets: np.ndarray) -> None:
    """Say in ids.npy that the rows which will be written over are of no image; without old rows, remove it."""
    if len(old) == 0:
        (folder / "ids.npy").unlink(missing_ok=True)  # it belongs to features that are made anew
        return
    forgotten = old.copy()
    forgotten["fingerprint"][targets[targets < len(old)]] = FORGOTTEN
    if (forgotten != old).any():
        write_ids(folder, forgotten)


def _kept(folder: Path, old: np.ndarray, touched: np.ndarray) -> Sums | None:
    """Return the digests of features.npy as it is, once the blocks of `touched` that have old rows are found sound."""
    known = checksums.present(folder)
    if known is None or len(old) == 0:
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


def _copy(file: BinaryIO, features: np.ndarray, dim: int, dtype: str) -> None:
    step = max(1, COPY_BYTES // (dim * 4))
    for start in range(0, len(features), step):
        file.write(_bytes(features[start : start + step], dtype))


def _overlay(file: BinaryIO, begin: int, folder: Path, dim: int, targets: np.ndarray, dtype: str) -> None:
    """Write the features of every waiting row at its place, run by run of neighbouring places."""
    done = 0
    for path in blocks(folder):
        block = read_block(path, dim)
        if block is None:
            raise corrupt(path, "it cannot be read")
        places = targets[done : done + len(block)]
        done += len(block)
        for run in np.split(np.arange(len(block)), np.flatnonzero(np.diff(places) != 1) + 1):
            file.seek(begin + int(places[run[0]]) * dim * DTYPES[dtype].itemsize)
            file.write(_bytes(block["features"][run], dtype))


def _bytes(rows: np.ndarray, dtype: str) -> memoryview:
    """Return the bytes of rows as they are stored."""
    if rows.dtype == np.float32 and dtype == "float16":
        with np.errstate(over="ignore"):
            stored = rows.astype(DTYPES[dtype])
        if not np.isfinite(stored).all() and np.isfinite(rows).all():
            raise out_of_range(float(np.abs(rows).max()))
    else:
        stored = np.ascontiguousarray(rows, DTYPES[dtype])
    return stored.reshape(-1).view(np.uint8).data
