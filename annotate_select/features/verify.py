"""Look for damage in the files of a feature store, and forget damaged rows so that they are encoded again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.errors import FeaturesError
from annotate_select.features import checksums
from annotate_select.features.checksums import Checksums
from annotate_select.features.merge import FORGOTTEN, write_ids
from annotate_select.features.rows import read_rows, whole_features

__all__ = ["Damage", "mend", "verify"]

SHOWN = 3  # runs of damaged rows that a line names
FINITE_BYTES = 16 * 2**20  # looked through at once


@dataclass(frozen=True)
class Damage:
    """What is wrong with one file, and what to do."""

    path: str
    problem: str
    rows: tuple[tuple[int, int], ...] = ()  # from and up to, of features.npy
    remedy: str = ""


def verify(folder: Path) -> list[Damage]:
    """Return what is wrong with features.npy, ids.npy and checksums.json of NAME-DIGEST; nothing when all is sound."""
    name = folder.name.rpartition("-")[0]
    remedy = f"run `annotate-select features verify {name} --mend`, then `annotate-select embed` again"
    try:
        known = checksums.read(folder)
    except ValueError as error:
        again = "run `annotate-select embed` again: it writes the file anew"
        return [Damage(str(folder / checksums.FILE_NAME), str(error), remedy=again), *_of_rows(folder, None, remedy)]
    return _of_rows(folder, known, remedy)


def mend(folder: Path) -> int:
    """Forget the rows that are damaged, so that the next embedding encodes just them; return how many images.

    Without an ids.npy to trust all are forgotten. The files themselves stay what they are but for ids.npy.
    """
    known = checksums.present(folder)
    try:
        rows, _ = read_rows(folder)
        array = whole_features(folder)
    except FeaturesError:
        return _forget_all(folder)
    if known is not None and checksums.of_ids(rows) not in known.ids:
        return _forget_all(folder)
    bad = np.flatnonzero(_bad(rows, array, known)[: len(rows)])
    if len(bad) == 0:
        return 0
    forgotten = rows.copy()
    forgotten["fingerprint"][bad] = FORGOTTEN
    write_ids(folder, forgotten)
    checksums.write(folder, Checksums((checksums.hashed(array),), (checksums.of_ids(forgotten),)))
    return len(bad)


def _of_rows(folder: Path, known: Checksums | None, remedy: str) -> list[Damage]:
    try:
        rows, _ = read_rows(folder)
        array = whole_features(folder) if len(rows) else np.empty((0, 0), np.float32)
    except FeaturesError as error:
        path, _, problem = str(error).partition(" is corrupt: ")
        return [Damage(path, problem.partition(";")[0], remedy=remedy)]
    found = []
    if known is not None and len(rows) and checksums.of_ids(rows) not in known.ids:
        found.append(Damage(str(folder / "ids.npy"), "it is not what was written", remedy=remedy))
    runs = _runs(_bad(rows, array, known))
    if runs:
        some = ", ".join(f"{start:,} to {stop - 1:,}" for start, stop in runs[:SHOWN])
        more = f" and {len(runs) - SHOWN} more runs of rows" if len(runs) > SHOWN else ""
        problem = f"rows {some}{more} are not what was written, or not finite"
        found.append(Damage(str(folder / "features.npy"), problem, runs, remedy))
    return found


def _bad(rows: np.ndarray, array: np.ndarray, known: Checksums | None) -> np.ndarray:
    """Return of each row (m,) of features.npy whether it is damaged, or not finite; forgotten rows may be that."""
    bad = np.zeros(len(array), bool)
    for start, stop in checksums.damaged(array, known) if known is not None and len(array) else ():
        bad[start:stop] = True
    step = max(1, FINITE_BYTES // max(1, array.shape[1] * array.dtype.itemsize))
    for start in range(0, len(rows), step):
        chosen = slice(start, min(start + step, len(rows)))
        bad[chosen] |= ~np.isfinite(array[chosen]).all(axis=1) & (rows["fingerprint"][chosen] != FORGOTTEN)
    return bad


def _runs(bad: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return the rows, from and up to, of every run of bad rows (m,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    return tuple((int(start), int(stop)) for start, stop in edges.reshape(-1, 2))


def _forget_all(folder: Path) -> int:
    try:
        count = len(np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError, TypeError):
        count = 0
    for name in ("ids.npy", "features.npy", checksums.FILE_NAME):
        (folder / name).unlink(missing_ok=True)
    return count
