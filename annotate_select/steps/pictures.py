"""The pool's images as pixels: of the bytes that were added, or not at all; what is left out is remembered."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import ChangedImage, FeaturesError, ImageError, listed
from annotate_select.files import storage_errors
from annotate_select.pool.decode import decode_many
from annotate_select.progress import Progress
from annotate_select.steps.home import Home
from annotate_select.words import counted, named, plain

__all__ = ["BATCH", "Pictures", "bring_back", "free_memory", "image_paths"]

BATCH = 64  # images decoded and encoded together
MOST_MEMORY = 0.5  # of what is free, for decoded images: learning from them takes some, too


class Pictures:
    """The images of a table of the pool, by their position in it."""

    def __init__(self, home: Home, table: PoolTable) -> None:
        self._home = home
        self._table = table
        self.unreadable: dict[int, str] = {}  # position -> why it could not be decoded
        self.changed: set[int] = set()  # positions whose files hold other bytes than were added

    def batches(self, positions: Sequence[int], size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions (b,), images (b, size, size, 3) uint8) of what can be used, at most BATCH at a time."""
        decoded = self._decoded(positions, size)
        while chunk := list(islice(decoded, BATCH)):
            good = [(position, image) for position, image in chunk if image is not None]
            if good:
                yield np.array([position for position, _ in good]), np.stack([image for _, image in good])

    def array(
        self, positions: Sequence[int], size: int, progress: Progress, doing: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which positions (m,) can be used, in their order, and their images (m, size, size, 3) uint8."""
        found = _room((len(positions), size, size, 3), self._home.root)
        read: list[int] = []
        for done, (position, image) in enumerate(self._decoded(positions, size), start=1):
            if image is not None:
                found[len(read)] = image
                read.append(position)
            if done % BATCH == 0 or done == len(positions):
                progress(doing, done, len(positions), "")
        return np.array(read, np.int64), found[: len(read)]

    def leave_out(self) -> dict[str, str]:
        """Take what cannot be read out of the pool, with a warning; return why, by key."""
        reasons = {self._table.keys[position]: why for position, why in sorted(self.unreadable.items())}
        if reasons:
            marked = [(int(self._table.ids[position]), why) for position, why in self.unreadable.items()]
            images.mark_unreadable(self._home.db, marked)
            some = listed((f"{plain(key)}: {why}" for key, why in reasons.items()), most=3)
            warnings.warn(
                f"{counted(len(reasons))} left out of the pool ({some}); mend or bring back the files, then run "
                "`annotate-select add`",
                stacklevel=2,
            )
        return reasons

    def require_some(self, read: np.ndarray) -> None:
        """Refuse to go on without a single image; all are left out. Raises FeaturesError."""
        if len(read) == 0:
            self.leave_out()
            self.require_unchanged()
            raise FeaturesError("not one image of the pool could be read; run `annotate-select add` again to see why")

    def require_unchanged(self) -> None:
        """Refuse files that changed since they were added. Raises FeaturesError that names some of them."""
        if self.changed:
            names = named((self._table.keys[position] for position in sorted(self.changed)), most=3)
            raise FeaturesError(
                f"{counted(len(self.changed), 'file', ('has', 'have'))} changed since being added ({names}); run "
                "`annotate-select add`, then this again"
            )

    def _decoded(self, positions: Sequence[int], size: int) -> Iterator[tuple[int, np.ndarray | None]]:
        """Yield (position, image), None for what cannot be used."""
        paths = image_paths(self._home, self._table, positions)
        prints = [self._table.fingerprints[position] for position in positions]
        for at, image in decode_many(paths, size, fingerprints=prints):
            position = int(positions[at])
            if isinstance(image, ChangedImage):
                self.changed.add(position)
            elif isinstance(image, ImageError):
                self.unreadable[position] = str(image)
            yield position, None if isinstance(image, ImageError) else image


def _room(shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """Return an array uint8 to fill: in memory where it takes no more than half of what is free, else in a file.

    The file lies in `folder`, and is gone with the array. Raises StorageError when there is no space for it either.
    """
    free = free_memory()
    if free is None or math.prod(shape) <= MOST_MEMORY * free:
        return np.empty(shape, np.uint8)
    with storage_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def free_memory() -> int | None:
    """Return how many bytes could be taken without swapping, None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def bring_back(home: Home) -> None:
    """Put into the pool again what left it while its files were away; other bytes than before are found on decoding."""
    roots = {source.name: home.source_root(source) for source in home.config.sources}
    gone = [one for one in images.away(home.db) if one.source in roots]
    back = [one.id for one in gone if _size(roots[one.source] / one.path) == one.size_bytes]
    if back:
        images.bring_back(home.db, back)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def image_paths(home: Home, table: PoolTable, positions: Sequence[int]) -> list[Path]:
    """Return the files of the images at these positions of the pool's table."""
    roots = {source.name: home.source_root(source) for source in home.config.sources}
    missing = sorted({table.sources[i] for i in positions} - set(roots))
    if missing:
        raise FeaturesError(f"project.toml has no source {missing[0]!r}; put its [[sources]] entry back")
    return [roots[table.sources[i]] / table.paths[i] for i in positions]
