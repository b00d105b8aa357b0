"""Encoders as they were saved beside their features: found by the definition, and refused once they differ from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder
from annotate_select.features.backbones import load_backbone
from annotate_select.features.compressed import Compressed
from annotate_select.features.definitions import differences, read_record
from annotate_select.features.derived import derived_parts, load_derived
from annotate_select.features.encoder import Encoder
from annotate_select.features.verify import Damage
from annotate_select.files import digest

__all__ = ["load_saved", "verify_encoder"]

HOLDING_WEIGHTS = ("autoencoder", "backbone", "onnx", "compressed", "model")  # of the others nothing is kept to damage


def load_saved(folder: Path, definition: Mapping[str, object]) -> Encoder:
    """Load the encoder in `folder` that features of this definition were made by.

    Raises FeaturesError when it cannot be loaded, or would make other features: a flipped bit in its weights still
    loads, and rows of two encoders in one space look like any others.
    """
    found = _load(folder, dict(definition))
    if digest(found.definition()) != digest(definition):
        what = differences(definition, found.definition()).replace("asked", "now")
        raise FeaturesError(
            f"the encoder in {folder} is damaged: it is no longer what made its features ({what}); put a copy of that "
            "folder back, or make the features anew with `annotate-select embed --retrain`"
        )
    return found


def verify_encoder(folder: Path) -> list[Damage]:
    """Return what is wrong with the encoder saved in NAME-DIGEST; nothing when it makes the features that are there.

    A function of the user's own is not run for that.
    """
    try:
        definition = read_record(folder, folder.name.rpartition("-")[2]).definition
    except FeaturesError as error:
        path, _, problem = str(error).partition(" is corrupt: ")
        return [Damage(path, problem.partition(";")[0], remedy="make the features anew with --retrain")]
    if definition.get("kind") not in HOLDING_WEIGHTS:
        return []
    try:
        load_saved(folder / "encoder", definition)
    except FeaturesError as error:
        problem, _, remedy = str(error).partition("; ")
        return [Damage(str(folder / "encoder"), problem, remedy=remedy)]
    return []


def _load(folder: Path, definition: dict[str, object]) -> Encoder:
    kind = definition.get("kind")
    if kind == "autoencoder":
        return Autoencoder.load(folder)
    if kind == "compressed":
        return Compressed.load(folder, definition)
    return load_derived(folder, definition) if derived_parts(definition) else load_backbone(folder, definition)
