"""What grouping needs to know of a pool: where every row lies, and which rows the exam reserves. Made once and kept."""

from __future__ import annotations

import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from annotate_select.annotations import exam, images
from annotate_select.errors import LearningError
from annotate_select.features.store import Features
from annotate_select.files import digest, whole_file
from annotate_select.learning.head import mean_of
from annotate_select.selection.groups import Parts, parts_of
from annotate_select.selection.pool import seeded_hashes
from annotate_select.steps.class_map import class_map
from annotate_select.steps.home import Home
from annotate_select.steps.standing import Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.steps.train import TrainedModel, models
from annotate_select.trust.leaks import blocked

__all__ = ["Ground", "Opinion", "ground", "opinion"]

FORMAT = 1  # of the stored file, and of how parts are made


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a model says of each of n rows: the class it takes them for, and how sure it is."""

    classes: list[str]
    number: np.ndarray  # (n,) int64
    probability: np.ndarray  # (n,) float32


@dataclass(eq=False)
class Ground:
    """Features and, of each of their n rows, what labels do not change; `free` is in the pool and not the exam's."""

    stamp: object
    features: Features
    hashes: np.ndarray  # (n,) uint64
    free: np.ndarray  # (n,) bool
    parts: Parts
    opinions: dict[tuple[object, ...], Opinion] = field(default_factory=dict)


# The same pool is grouped again after every group: reading a million rows from the database each time takes seconds.
_held: WeakKeyDictionary[Home, dict[str, Ground]] = WeakKeyDictionary()
_making = threading.Lock()


def ground(home: Home, features: str | None, seed: int) -> Ground:
    """Return the ground of some features; made anew when images, features or the exam have changed.

    Raises FeaturesError as `open_features` does.
    """
    with _making:  # of two requests at once the second takes what the first has made
        held = _held.setdefault(home, {})
        stamp = _stamp(home, seed)
        name = features or ""
        if name not in held or held[name].stamp != stamp:
            held[name] = _made(home, features, seed, stamp)
        return held[name]


def opinion(home: Home, here: Ground) -> Opinion:
    """Return what the newest model says of every row.

    Raises LearningError when there is no model, or none of these features and classes.
    """
    with _making:
        model = _newest(home, here)
        today = class_map(home, model)
        which = model.number, model.created_at, *today.names
        if which not in here.opinions:
            probabilities = today.of(model.head.probabilities(here.features.array))
            here.opinions.clear()
            here.opinions[which] = Opinion(today.classes, probabilities.argmax(axis=1), probabilities.max(axis=1))
        return here.opinions[which]


def _newest(home: Home, here: Ground) -> TrainedModel:
    found = models(home)
    if not found:
        raise LearningError("there is no model yet; train one with `annotate-select train`")
    model = found[-1]
    if model.features_digest != here.features.digest:
        raise LearningError(
            f"model {model.number} was trained on features {model.features!r} as they were, not on "
            f"{here.features.name!r} as they are; train a new one with `annotate-select train`"
        )
    if not class_map(home, model).fits(home.config.classes):
        raise LearningError(
            f"the classes have changed since model {model.number} was trained; train a new one with "
            "`annotate-select train`"
        )
    return model


def _stamp(home: Home, seed: int) -> object:
    """Return what differs once images, features or the exam have changed; quick to find out."""
    folder = home.store().folder
    files = sorted((str(path), path.stat().st_mtime_ns) for path in folder.glob("*/*.npy"))
    return seed, files, home.config.select.features, images.counts(home.db), len(exam.kept_ids(home.db))


def _made(home: Home, features: str | None, seed: int, stamp: object) -> Ground:
    opened = open_features(home, features)
    now = standing(home, opened.ids)
    hashes = seeded_hashes(now.tokens, seed)
    path = home.store().encoder_folder(opened.name, opened.digest).parent / "groups" / "parts.npz"
    made_of = _made_of(opened, now, seed)
    stored = _stored(path, made_of)
    if stored is None:
        reserved = blocked(opened.alike, np.flatnonzero(now.exam), now.groups).rows
        stored = parts_of(opened.array, mean_of(opened.array), hashes, seed), reserved
        _store(path, *stored, made_of)
    parts, reserved = stored
    return Ground(stamp, opened, hashes, now.in_pool & ~reserved & ~now.exam, parts)


def _made_of(features: Features, now: Standing, seed: int) -> str:
    """Name what the stored file depends on: format, seed, the rows, the exam and the groups."""
    arrays = [now.ids, now.tokens, now.exam, now.groups if now.groups is not None else np.empty(0)]
    return digest([FORMAT, seed, features.digest, *(digest(one.tobytes()) for one in arrays)])


def _stored(path: Path, made_of: str) -> tuple[Parts, np.ndarray] | None:
    """Return what is stored; None when there is nothing, it is of other rows, or the file is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            if str(held["made_of"]) != made_of:
                return None
            return Parts(held["mean"], held["number"], held["cosine"]), held["reserved"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # a cache: made again


def _store(path: Path, parts: Parts, reserved: np.ndarray, made_of: str) -> None:
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, reserved=reserved, made_of=np.array(made_of), **vars(parts))
