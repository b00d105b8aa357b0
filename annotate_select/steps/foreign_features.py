"""What a model of another project sees of images of this one: rows of exactly the features it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import images
from annotate_select.errors import FeaturesError
from annotate_select.features.derived import derived_parts
from annotate_select.features.rows import read_sound
from annotate_select.features.store import FeatureStore
from annotate_select.files import digest
from annotate_select.progress import Progress, silent
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel
from annotate_select.steps.pictures import image_paths
from annotate_select.steps.predict import encoded
from annotate_select.words import counted

__all__ = ["Foreign", "exam_features", "learned_features"]


@dataclass(frozen=True, eq=False)
class Foreign:
    """A model of another project, which is open for reading; `where` is how its user calls that project."""

    home: Home
    model: TrainedModel
    where: str

    @property
    def name(self) -> str:
        """The model and its project, in words."""
        return f"model {self.model.number} of {self.where}"


def exam_features(
    home: Home, other: Foreign, ids: np.ndarray, prints: Sequence[str], progress: Progress = silent
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a foreign model sees (e, d) of images of this project, and which of them can be seen (e,) bool.

    `ids` (e,) and fingerprints are this project's. Stored rows of the same definition and bytes are taken, there or
    here, for they are the same numbers; of other images the files are read, and encoded by the model's own encoder.
    Raises FeaturesError when its features were replaced since, or its encoder cannot be loaded or must not be run.
    """
    store, wanted = other.home.store(), other.model.features_digest
    if digest(store.definition(other.model.features)) != wanted:
        raise FeaturesError(
            f"{other.name} was trained on features that were replaced since; train a new one there, and name that"
        )
    found = np.zeros((len(ids), len(other.model.head.centre)), dtype=np.float32)
    seen = np.zeros(len(ids), dtype=bool)
    for one in (store, home.store()):
        for name in one.names():
            _take(one, f"{name}-{wanted}", prints, found, seen)
    missing = np.flatnonzero(~seen)
    if len(missing):
        _encode(home, other, ids, missing, found, seen, progress)
    return found, seen


def learned_features(other: Foreign, ids: Sequence[int]) -> np.ndarray:
    """Return the stored features (l, d) of images there by id, those that are still stored."""
    rows, array = read_sound(other.home.store().folder / f"{other.model.features}-{other.model.features_digest}")
    places = np.flatnonzero(np.isin(rows["id"], np.asarray(ids, dtype=np.int64)))
    return np.asarray(array[places], dtype=np.float32)


def _take(store: FeatureStore, folder: str, prints: Sequence[str], found: np.ndarray, seen: np.ndarray) -> None:
    """Fill in, of images not seen yet, the rows that a store has of their very bytes."""
    rows, array = read_sound(store.folder / folder)
    wanted = np.array([one.encode() for one in prints], dtype="S32")
    places = np.flatnonzero(np.isin(rows["fingerprint"], wanted[~seen]))
    row_of = dict(zip(rows["fingerprint"][places].tolist(), places.tolist(), strict=True))
    hits = [(at, row_of[one]) for at, one in enumerate(wanted.tolist()) if not seen[at] and one in row_of]
    if hits:
        at, row = np.array(hits).T
        _require_width(array.shape[1], found.shape[1], folder)
        found[at], seen[at] = array[row], True


def _encode(
    home: Home,
    other: Foreign,
    ids: np.ndarray,
    missing: np.ndarray,
    found: np.ndarray,
    seen: np.ndarray,
    progress: Progress,
) -> None:
    """Fill in what the other project's encoder makes of this project's files."""
    store = other.home.store()
    if _runs_code(store, store.definition(other.model.features)):
        raise FeaturesError(
            f"{counted(len(missing), 'exam image', ('has', 'have'))} no features {other.model.features!r} in "
            f"{other.where}, and a function of another project's own is not run from here; add these images there and "
            "run `annotate-select embed`"
        )
    table = images.pool_table(home.db)
    place = {image_id: at for at, image_id in enumerate(table.ids.tolist())}
    paths = image_paths(home, table, [place[one] for one in ids[missing].tolist()])
    encoder = load_encoder(other.home, other.model.features)
    _require_width(encoder.dim, found.shape[1], other.model.features)
    done = 0
    for positions, features, broken in encoded(other.home, encoder, paths):
        at = missing[positions]
        found[at], seen[at] = features, True
        done += len(positions) + len(broken)
        progress("encoding images", done, len(paths), "")


def _require_width(width: int, wanted: int, what: str) -> None:
    if width != wanted:
        raise FeaturesError(
            f"the features {what} have {width} dimensions, but the model was trained on {wanted}; "
            "train a new one on them there"
        )


def _runs_code(store: FeatureStore, definition: dict[str, object]) -> bool:
    """Say whether features are made, at any remove, by a function that a definition merely names."""
    parts = [store.definition(part.name) for part in derived_parts(definition) if part.name in store.names()]
    return definition.get("kind") == "function" or any(_runs_code(store, part) for part in parts)
