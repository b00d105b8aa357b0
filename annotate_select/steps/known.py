"""Features and labels that are known already, for `simulate`: of a project, a labelled manifest, or arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from annotate_select import config as settings
from annotate_select.errors import ImageError, SourceError, first_line
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.pool.decode import decode_many
from annotate_select.pool.manifest import read_manifest
from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.words import counted, named, plain

__all__ = ["Known", "known", "known_of_project"]

FEWEST = 10


@dataclass(frozen=True, eq=False)
class Known:
    """Features (n, d), their labels (n,) as numbers of `classes`, and what they are features of."""

    name: str
    features: np.ndarray
    labels: np.ndarray
    classes: list[str]

    def text(self) -> str:
        """Say how much there is to replay with: classes are counted that have labels, whatever project.toml names."""
        occur = len(np.unique(self.labels))
        none = len(self.classes) - occur
        without = f" ({named(self.without_label())} {'has' if none == 1 else 'have'} no label)" if none else ""
        return f"{plain(self.name)}: {counted(len(self.labels))}, {counted(occur, 'class')}{without}"

    def without_label(self) -> list[str]:
        """Return the classes that no image has."""
        return [name for number, name in enumerate(self.classes) if number not in self.labels]


def known(source: Path, *, progress: Progress = silent) -> Known:
    """Read a .npz file with `features` (n, d) and `labels` (n,), or a CSV with a header `image,label`.

    The images of a CSV get features of an autoencoder trained on them. Raises SourceError.
    """
    if not source.is_file():
        what = "has no project.toml" if source.is_dir() else "is not there"
        raise SourceError(
            f"{source} {what}; give a project's folder, a CSV with a header `image,label`, or a .npz file with "
            "the arrays `features` and `labels`"
        )
    found = _arrays(source) if source.suffix == ".npz" else _images(source, progress)
    return _checked(found, source)


def known_of_project(home: Home, features: str | None = None) -> Known:
    """Return the labelled images of a project, on its features. Raises SourceError when there are too few."""
    opened = open_features(home, features)
    now = standing(home, opened.ids)
    rows = np.flatnonzero((now.labels != UNLABELLED) & now.in_pool)
    found = Known(opened.name, np.asarray(opened.array[rows], np.float32), now.labels[rows], list(home.config.classes))
    return _checked(found, home.root / settings.FILE_NAME)


def _checked(found: Known, source: Path) -> Known:
    if len(found.labels) < FEWEST or len(np.unique(found.labels)) < 2:
        raise SourceError(
            f"{source} has {counted(len(found.labels), 'labelled image')} of "
            f"{counted(len(np.unique(found.labels)), 'class')}; replaying needs at least {FEWEST} of 2"
        )
    return found


def _arrays(source: Path) -> Known:
    try:
        with ZipFile(source):  # anything else might be a pickle, of which numpy says how to open it unsafely
            pass
        with np.load(source, allow_pickle=False) as stored:
            features, labels = stored["features"], stored["labels"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise SourceError(
            f"{source} is not a .npz file with `features` and `labels`, numbers or texts: {first_line(error)}; "
            "np.savez(path, features=..., labels=...) writes one, and .astype(str) makes texts of objects"
        ) from error
    if features.ndim != 2 or labels.shape != (len(features),):
        raise SourceError(
            f"{source}: features must have shape (n, d) and labels (n,), got {features.shape} and {labels.shape}"
        )
    if features.dtype.kind not in "fiub":
        raise SourceError(f"{source}: features must be real numbers, got {features.dtype}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise SourceError(
            f"{source}: {counted(int(np.isnan(labels).sum()), 'label', ('is', 'are'))} NaN, the first of row "
            f"{int(np.isnan(labels).argmax())}; leave images without a label out"
        )
    classes, numbers = np.unique(labels, return_inverse=True)
    return Known(source.stem, features, numbers, [str(one) for one in classes])


def _images(source: Path, progress: Progress) -> Known:
    rows = [row for row in read_manifest(source) if row.metadata.get("label")]
    if not rows:
        raise SourceError(f"{source} has no column `label`, or nothing in it; replaying needs known labels")
    config = AutoencoderConfig()
    beside = source.parent / "images"  # where labelled sets often keep them
    folder = source.parent if (source.parent / rows[0].image).exists() or not beside.is_dir() else beside
    paths = [folder / row.image for row in rows]
    pixels, kept = [], []
    for at, one in decode_many(paths, config.image_size):
        if not isinstance(one, ImageError):  # unreadable images are left out, as in a project
            pixels.append(one)
            kept.append(at)
        progress("decoding", at + 1, len(paths), "")
    if not kept:
        raise SourceError(f"none of the {counted(len(paths))} of {source} can be read, such as {paths[0]}")
    images = np.stack(pixels)
    features = Autoencoder(config).fit(images, progress).encode(images)
    classes, numbers = np.unique([rows[at].metadata["label"] for at in kept], return_inverse=True)
    return Known(source.stem, features, numbers, [str(one) for one in classes])
