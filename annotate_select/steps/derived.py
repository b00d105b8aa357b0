"""Features made of stored features: `a+b` side by side, `model:PATH`, what a trained model says, `compressed:NAME`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annotate_select.errors import FeaturesError, LearningError
from annotate_select.features.brought import bring
from annotate_select.features.compressed import MOST_ROWS, Compressed
from annotate_select.features.derived import (
    OUTPUTS,
    Concatenation,
    Derived,
    ModelOutput,
    Part,
    require_output,
)
from annotate_select.features.store import Features, FeatureStore
from annotate_select.files import digest
from annotate_select.learning.head import Head
from annotate_select.progress import Progress, silent
from annotate_select.steps.models import model_folder_at
from annotate_select.steps.stored_features import COMPRESSED, command_for, require_fresh

__all__ = [
    "COMPRESSED",
    "MODEL",
    "derived_name",
    "fill_derived",
    "is_derived",
    "make_derived",
    "model_part",
    "train_compressed",
]

MODEL = "model:"  # begins that of what a model says

ROWS = 4096  # read and scaled together
_TAKEN = re.compile(r":(\w+)$")


def is_derived(encoder: str) -> bool:
    """Tell whether an encoder's name asks for features made of others."""
    return encoder.startswith((MODEL, COMPRESSED)) or ("+" in encoder and ":" not in encoder)


def derived_name(encoder: str) -> str:
    """Return the name where none is given: `a+b`, `compressed-a`, or the model's project and number."""
    if encoder.startswith(COMPRESSED):
        return encoder.replace(COMPRESSED, "compressed-")
    if not encoder.startswith(MODEL):
        return encoder
    folder, _ = _asked(encoder)
    return re.sub(r"[^A-Za-z0-9._-]", "-", f"{folder.parent.parent.name}-model-{folder.name}").lstrip("._-")


def make_derived(store: FeatureStore, encoder: str) -> Concatenation | ModelOutput:
    """Return the encoder over the store's features that `a+b` or `model:PATH[:OUTPUT]` names, OUTPUT one of OUTPUTS.

    Raises FeaturesError when a part is not there; that of a model is what `model_part` names.
    """
    if encoder.startswith(MODEL):
        return _model(store, encoder)
    names = encoder.split("+")
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise FeaturesError(f"{encoder!r} must name two or more different features with + between them")
    return Concatenation([_part(store, name) for name in names])


def model_part(store: FeatureStore, encoder: str) -> str:
    """Return the name of the features here that the model of `model:PATH` was trained on; they may lack rows.

    Where there are none, the encoder comes from the model's own project, under a new name. Raises FeaturesError when it
    cannot.
    """
    folder, output = _asked(encoder)
    head, said = _read_model(folder)
    require_output(output, head)
    name, wanted = str(said["features"]), str(said["features_digest"])
    mine = _own(store, wanted)
    if mine is not None:
        return mine
    project = folder.parent.parent
    try:
        return bring(store, project / "features" / f"{name}-{wanted}", project.name)
    except FeaturesError as error:
        raise FeaturesError(
            f"the model {folder} was trained on features {name}-{wanted}, which this project does not have: {error}"
        ) from error


def fill_derived(
    store: FeatureStore,
    name: str,
    encoder: Derived,
    fingerprints: dict[int, str],
    *,
    replace: bool = False,
    progress: Progress = silent,
) -> None:
    """Store the rows that are missing, made of the parts' rows; `fingerprints` are the pool's, by id.

    Raises FeaturesError when a part has other features by now, or no row of an image's present bytes.
    """
    ids, prints = np.fromiter(fingerprints, np.int64, len(fingerprints)), list(fingerprints.values())
    pending = store.pending(name, encoder, ids, prints, replace=replace)
    parts = [_opened(store, name, part, fingerprints) for part in encoder.parts]
    batches = _batches(parts, ids, pending)
    store.extend(name, encoder, ids, prints, batches, progress=progress, replace=replace)


def train_compressed(
    store: FeatureStore,
    encoder: str,
    name: str,
    fingerprints: dict[int, str],
    *,
    dim: int | None,
    seed: int,
    progress: Progress = silent,
) -> Compressed:
    """Return the encoder that `compressed:NAME` names, learned from rows of images of the pool, a random MOST_ROWS.

    Raises FeaturesError when NAME is not there, has no row of an image's present bytes, or cannot be compressed so.
    """
    part = _part(store, encoder.removeprefix(COMPRESSED))
    opened = _opened(store, name, part, fingerprints)
    rows = np.flatnonzero(np.isin(opened.ids, np.fromiter(fingerprints, np.int64, len(fingerprints))))
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])
    return Compressed.fit(part, np.asarray(opened.array[chosen], np.float32), dim=dim, seed=seed, progress=progress)


def _opened(store: FeatureStore, name: str, part: Part, fingerprints: dict[int, str]) -> Features:
    if digest(store.definition(part.name)) != part.digest:
        require_fresh(store, name)
    try:
        return store.open(part.name, fingerprints)
    except FeaturesError as error:
        command = command_for(part.name, store.definition(part.name))
        raise FeaturesError(f"features {name!r} need {part.name!r}: {error} (`{command}`)") from error


def _batches(
    parts: Sequence[Features], ids: np.ndarray, positions: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (positions (b,), rows of all parts side by side (b, D))."""
    orders = [np.argsort(part.ids) for part in parts]
    for start in range(0, len(positions), ROWS):
        chosen = np.array(positions[start : start + ROWS])
        rows = [
            part.array[order[np.searchsorted(part.ids, ids[chosen], sorter=order)]]
            for part, order in zip(parts, orders, strict=True)
        ]
        yield chosen, np.hstack(rows)


def _part(store: FeatureStore, name: str) -> Part:
    return Part(name, digest(store.definition(name)), store.width(name))


def _model(store: FeatureStore, encoder: str) -> ModelOutput:
    folder, output = _asked(encoder)
    head, said = _read_model(folder)
    part = _part(store, model_part(store, encoder))
    return ModelOutput(part, head, [str(one) for one in said["classes"]], output)


def _read_model(folder: Path) -> tuple[Head, dict[str, Any]]:
    try:
        said = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        head = Head.from_bytes((folder / "weights.safetensors").read_bytes())
        return head, {name: said[name] for name in ("features", "features_digest", "classes")}
    except (LearningError, OSError, ValueError, KeyError, TypeError) as error:
        raise FeaturesError(f"{folder} holds no model that can be read ({error})") from error


def _own(store: FeatureStore, wanted: str) -> str | None:
    """Return the name of this project's features of a digest."""
    return next((name for name in store.names() if digest(store.definition(name)) == wanted), None)


def _asked(encoder: str) -> tuple[Path, str]:
    """Return the folder of the model in `model:PATH[:OUTPUT]`, PATH itself or the newest of a project, and the output.

    Raises FeaturesError when there is no model.
    """
    path = encoder.removeprefix(MODEL)
    found = _TAKEN.search(path)
    try:
        return model_folder_at(_TAKEN.sub("", path)), found[1] if found else OUTPUTS[0]
    except LearningError as error:
        raise FeaturesError(str(error)) from error
