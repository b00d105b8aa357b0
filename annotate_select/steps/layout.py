"""Lay out the feature space in two dimensions, once, and keep it beside the features it was made of."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.annotations import images
from annotate_select.features.plane import METHODS, plane
from annotate_select.features.store import Features
from annotate_select.files import digest, whole_file
from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home
from annotate_select.steps.stored_features import open_features

__all__ = ["Layout", "layout", "layouts"]

FORMAT = 1  # of the stored file, and of the way points are computed
BETTER = "tsne"  # what is shown once it has been computed
QUICK = "pca"


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each of the n images of the pool lies; `digest` is that of the features."""

    points: np.ndarray  # (n, 2) float32 in [0, 1]
    ids: np.ndarray  # (n,) int64
    keys: list[str]
    method: str
    features: str
    digest: str


def layout(
    home: Home, features: str | None = None, method: str | None = None, *, progress: Progress = silent
) -> Layout:
    """Return the layout of stored features by `method`, computing it where none is stored of the rows they have now.

    Without a method it is the better layout if that has been computed, else the principal components, which take about
    a second. Raises FeaturesError as `open_features` does, or for an unknown method.
    """
    opened = open_features(home, features)
    folder, made_of = _folder(home, opened), _made_of(home, opened)
    if method is None:
        method = BETTER if _stored(folder, BETTER, made_of) is not None else QUICK
    points = _stored(folder, method, made_of) if method in METHODS else None
    if points is None:
        points = plane(opened.array, method, home.config.seed, progress)
        _store(folder / f"{method}.npz", points, made_of)
    here = np.isin(opened.ids, images.pool_table(home.db).ids)
    keys = [key for key, kept in zip(opened.keys, here.tolist(), strict=True) if kept]
    return Layout(points[here], opened.ids[here], keys, method, opened.name, opened.digest)


def layouts(home: Home, features: str | None = None) -> list[str]:
    """Return the methods whose layouts are stored, of the rows that the features have now.

    Raises FeaturesError as `open_features` does.
    """
    opened = open_features(home, features)
    folder, made_of = _folder(home, opened), _made_of(home, opened)
    return [method for method in METHODS if _stored(folder, method, made_of) is not None]


def _folder(home: Home, features: Features) -> Path:
    return home.store().encoder_folder(features.name, features.digest).parent / "layouts"


def _made_of(home: Home, features: Features) -> str:
    """Name what a layout depends on: format, seed, and id and bytes of every row."""
    rows = home.store().covers(features.name)
    return digest([FORMAT, home.config.seed, features.digest, digest(rows.tobytes())])


def _stored(folder: Path, method: str, made_of: str) -> np.ndarray | None:
    """Return stored points (n, 2), None when there are none, they are of other rows, or the file is damaged."""
    try:
        with (folder / f"{method}.npz").open("rb") as file, np.load(file, allow_pickle=False) as held:
            return np.asarray(held["points"]) if str(held["made_of"]) == made_of else None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # a cache: made again


def _store(path: Path, points: np.ndarray, made_of: str) -> None:
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, points=points, made_of=np.array(made_of))
