"""How images of the pool look besides what they show, read from their files when it is first asked for, and kept."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.pool.looks import LOOKS, SIDE, looks_of_files
from annotate_select.progress import Progress, silent
from annotate_select.steps.by_print import ByPrint, prints_of
from annotate_select.steps.home import Home
from annotate_select.steps.pictures import image_paths

__all__ = ["Appearance"]

VERSION = 1  # of LOOKS, and how they are measured
EMPTY = {"looks": np.empty((0, len(LOOKS)))}


class Appearance:
    """Looks of images by their database ids (n,), asked for by rows of these; each file is read once.

    They are read at `side` pixels: only what was read at the same size compares. What was read stays in the project's
    folder, by the bytes of the files; it is derived, and safe to delete.
    """

    def __init__(self, home: Home, ids: np.ndarray, *, side: int = SIDE, progress: Progress = silent) -> None:
        self._home, self._ids, self._side, self._progress = home, ids, side, progress
        self._looks = np.empty((len(ids), len(LOOKS)))  # filled, and so given memory, where it is asked for
        self._read = np.zeros(len(ids), dtype=bool)

    @cached_property
    def _pool(self) -> tuple[PoolTable, dict[int, int]]:
        table = images.pool_table(self._home.db)
        sources = {source.name for source in self._home.config.sources}  # others have left project.toml
        rows = zip(table.ids.tolist(), table.sources, strict=True)
        return table, {int(image_id): at for at, (image_id, source) in enumerate(rows) if source in sources}

    @property
    def unreadable(self) -> int:
        """Count the images that were asked for and could not be read."""
        return int(np.isnan(self._looks[self._read]).any(axis=1).sum())

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Return (m, looks) of rows (m,), NaN for images that cannot be read or have left the pool."""
        fresh = rows[~self._read[rows]]
        if len(fresh):
            table, place = self._pool
            at = np.array([place.get(image_id, -1) for image_id in self._ids[fresh].tolist()])
            self._looks[fresh] = np.nan
            self._looks[fresh[at >= 0]] = self._kept_or_read(table, at[at >= 0].tolist())
            self._read[fresh] = True
        return np.asarray(self._looks[rows])

    def _kept_or_read(self, table: PoolTable, at: list[int]) -> np.ndarray:
        """Return the looks (m, looks) at some positions of the pool's table, NaN for files that cannot be read."""
        path = self._home.root / f"looks-{self._side}.npz"
        kept = ByPrint.read(path, VERSION, EMPTY)
        wanted = prints_of([table.fingerprints[position] for position in at])
        places = kept.places(wanted)
        found = np.full((len(at), len(LOOKS)), np.nan)
        found[places >= 0] = kept.columns["looks"][places[places >= 0]]
        missing = np.flatnonzero(places < 0)
        if len(missing):
            unread = [at[one] for one in missing.tolist()]
            paths, prints = image_paths(self._home, table, unread), [table.fingerprints[one] for one in unread]
            found[missing] = looks_of_files(paths, self._side, self._progress, prints)
            fresh = missing[np.isfinite(found[missing]).all(axis=1)]
            if len(fresh):
                kept.with_more(wanted[fresh], {"looks": found[fresh]}, []).write(path, VERSION)
        return found
