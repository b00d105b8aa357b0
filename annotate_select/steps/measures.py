"""Measures of the pool's files, made once an image and kept by its bytes; and all nuisances known of some images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import ImageError
from annotate_select.pool.exif import time_of
from annotate_select.pool.measures import NUMBERS, TEXTS, Measured, measure_many
from annotate_select.progress import Progress, silent
from annotate_select.steps.by_print import ByPrint, prints_of
from annotate_select.steps.home import Home
from annotate_select.steps.pictures import image_paths
from annotate_select.trust.nuisances import GROUP, Nuisance, category, colour, column, number

__all__ = ["FILE", "FROM_FILES", "Measures", "measured", "measures", "nuisances", "unmeasured"]

FILE = "measures.npz"  # in the project's folder: derived, safe to delete
VERSION = 1  # of what is measured, and how
EMPTY = {"numbers": np.empty((0, len(NUMBERS)), np.float32), "texts": np.empty((0, len(TEXTS)), np.int32)}
SAVE_EVERY = 5000  # images measured
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")
FROM_FILES = frozenset({
    "file_size", "format", "width", "height", "aspect", "jpeg_quality", "brightness", "contrast", "saturation", "hue",
    "sharpness", "colour", "border", "camera", "date", "hour", *(f"corner_{name}" for name in CORNERS),
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measures:
    """What was measured of n images: `numbers` (n, NUMBERS), `texts` (n, TEXTS); of damaged ones nothing, and why."""

    numbers: np.ndarray
    texts: list[tuple[str, ...]]
    damaged: dict[str, str]

    def at(self, kept: np.ndarray) -> Measures:
        """Return those of the images (n,) bool that are kept."""
        texts = [one for one, keep in zip(self.texts, kept.tolist(), strict=True) if keep]
        return Measures(self.numbers[kept], texts, self.damaged)


def measures(home: Home, table: PoolTable, rows: Sequence[int], *, progress: Progress = silent) -> Measures:
    """Measure the images at these rows of the pool's table; what was measured of the same bytes before is read."""
    stored = ByPrint.read(home.root / FILE, VERSION, EMPTY)
    wanted = prints_of([table.fingerprints[row] for row in rows])
    missing = {prints: row for row, prints in zip(rows, wanted.tolist(), strict=True)}
    for prints in wanted[stored.places(wanted) >= 0].tolist():
        missing.pop(prints, None)
    fresh: dict[bytes, Measured] = {}
    damaged: dict[str, str] = {}
    pending = list(missing.items())
    paths = image_paths(home, table, [row for _, row in pending])
    contents = [table.fingerprints[row] for _, row in pending]
    for done, (at, one) in enumerate(measure_many(paths, fingerprints=contents), start=1):
        prints, row = pending[at]
        if isinstance(one, ImageError):
            damaged[table.keys[row]] = str(one)
        else:
            fresh[prints] = one
        if len(fresh) == SAVE_EVERY or (fresh and done == len(pending)):
            stored = _with_more(stored, fresh)
            stored.write(home.root / FILE, VERSION)
            fresh = {}
        progress("measuring", done, len(pending), "")
    return _at(stored, wanted, damaged)


def unmeasured(n: int) -> Measures:
    """Return what is known of n images before any is measured."""
    return Measures(np.full((n, len(NUMBERS)), np.nan), [("",) * len(TEXTS)] * n, {})


def nuisances(home: Home, table: PoolTable, rows: Sequence[int], found: Measures) -> list[Nuisance]:
    """Return all that is known of the images at these rows besides what they show."""
    taken = [one[TEXTS.index("taken")] for one in found.texts]
    times = [time_of(table.captured_at[row] or said) for row, said in zip(rows, taken, strict=True)]
    folders = [str(PurePosixPath(table.paths[row]).parent) for row in rows]
    return [
        *measured(found),
        number("date", [_days(one) for one in times], "date", less="older", more="newer", unit=" days since 1970"),
        number("hour", [_hour(one) for one in times], "time of day", less="earlier in the day", more="later in the day",
               unit=" h"),
        category("folder", ["" if one == "." else one for one in folders], "folder"),
        category("source", [table.sources[row] for row in rows], "source"),
        category(GROUP, [table.groups[row] for row in rows], "group"),
        *_columns(home, table, rows),
    ]  # fmt: skip


def measured(found: Measures) -> list[Nuisance]:
    """Return what was measured of files, as nuisances: all but the time, which a project may know better."""
    numbers = found.numbers

    def of(*names: str) -> np.ndarray:
        return numbers[:, [NUMBERS.index(name) for name in names]]

    def bands(name: str) -> list[str]:
        return [f"{name}_{band}" for band in "rgb"]

    def plain(name: str) -> np.ndarray:
        return of(name)[:, 0]

    return [
        number("brightness", plain("brightness"), less="darker", more="brighter", unit=" %", scale=100),
        number("contrast", plain("contrast"), less="flatter", more="richer in contrast", unit=" %", scale=100),
        number("saturation", plain("saturation"), less="paler", more="more colourful", unit=" %", scale=100),
        number("hue", plain("hue"), less="nearer to red and yellow", more="nearer to blue and purple", unit=" degrees"),
        number("sharpness", plain("sharpness"), less="more blurred", more="sharper"),
        colour("colour", of(*bands("colour")), "mean colour"),
        colour("border", of(*bands("border")), "colour of the border"),
        *(colour(f"corner_{name}", of(*bands(name)), f"colour of the {name.replace('_', ' ')} corner")
          for name in CORNERS),
        number("file_size", plain("file_size"), "file size", less="smaller as a file", more="larger as a file",
               unit=" kB", scale=1e-3),
        number("width", plain("width"), less="narrower", more="wider", unit=" pixels"),
        number("height", plain("height"), less="less high", more="higher", unit=" pixels"),
        number("aspect", plain("aspect"), "shape", less="more upright", more="more oblong", unit=" wide to 1 high"),
        number("jpeg_quality", plain("jpeg_quality"), "JPEG quality", less="of lower JPEG quality",
               more="of higher JPEG quality"),
        *(category(name, [one[TEXTS.index(name)] or None for one in found.texts]) for name in ("format", "camera")),
    ]  # fmt: skip


def _columns(home: Home, table: PoolTable, rows: Sequence[int]) -> list[Nuisance]:
    """Return the metadata columns; one called like something measured gets `metadata:` before its name."""
    known = images.metadata_of_pool(home.db)
    given = [known.get(image_id, {}) for image_id in table.ids[list(rows)].tolist()]
    names = sorted({name for one in given for name in one})
    return [
        column(
            f"metadata:{name}" if name in FROM_FILES | {"folder", "source", GROUP} else name,
            [one.get(name) for one in given],
            name,
        )
        for name in names
    ]


def _days(at: datetime | None) -> float:
    return at.replace(tzinfo=None).toordinal() - datetime(1970, 1, 1).toordinal() if at else float("nan")


def _hour(at: datetime | None) -> float:
    return at.hour + at.minute / 60 if at and (at.hour or at.minute) else float("nan")


def _with_more(stored: ByPrint, fresh: dict[bytes, Measured]) -> ByPrint:
    place = {word: at for at, word in enumerate(stored.words)}
    texts = [[place.setdefault(word, len(place)) for word in one.texts] for one in fresh.values()]
    numbers = [one.numbers for one in fresh.values()]
    columns = {"numbers": np.array(numbers), "texts": np.array(texts)}
    return stored.with_more(np.array(list(fresh)), columns, list(place))


def _at(stored: ByPrint, wanted: np.ndarray, damaged: dict[str, str]) -> Measures:
    """Return the measures of fingerprints (k,)."""
    places = stored.places(wanted)
    known, nothing = places >= 0, ("",) * len(TEXTS)
    numbers = np.full((len(wanted), len(NUMBERS)), np.nan)
    numbers[known] = stored.columns["numbers"][places[known]]
    codes = stored.columns["texts"]
    texts = [tuple(stored.words[one] for one in codes[at]) if at >= 0 else nothing for at in places.tolist()]
    return Measures(numbers, texts, damaged)
