"""An encoder of another project, brought into this one under a name of its own, so that nothing here is replaced."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from annotate_select.errors import FeaturesError
from annotate_select.features.definitions import read_record
from annotate_select.features.derived import derived_parts
from annotate_select.features.saved import load_saved
from annotate_select.features.store import FeatureStore
from annotate_select.files import storage_errors, whole_folder, write_whole

__all__ = ["bring"]


def bring(store: FeatureStore, theirs: Path, project: str) -> str:
    """Copy the encoder of `theirs`, features/NAME-DIGEST of that project; return the name it has here, PROJECT-NAME.

    Its features keep their digest, and have no row yet. Raises FeaturesError when it is not there, is damaged, or is
    more than files: a function of that project's own, or features made of others.
    """
    name, _, wanted = theirs.name.rpartition("-")
    if not (theirs / "definition.json").exists():
        raise FeaturesError(f"{theirs} is gone; train a new model there")
    definition = read_record(theirs, wanted).definition
    if definition.get("kind") == "function" or derived_parts(definition):
        raise FeaturesError(f"features of the kind {definition['kind']} are not brought along; make them here first")
    mine = _free_name(store, f"{project}-{name}", wanted)
    with whole_folder(store.folder / f"{mine}-{wanted}") as temporary, storage_errors(temporary):
        shutil.copytree(theirs / "encoder", temporary / "encoder")
        load_saved(temporary / "encoder", definition)
        moment = datetime.now(UTC).isoformat(timespec="microseconds")
        content = {"name": mine, "created_at": moment, "definition": definition}
        write_whole(temporary / "definition.json", json.dumps(content, indent=2) + "\n")
    return mine


def _free_name(store: FeatureStore, wish: str, digest: str) -> str:
    """Return a name that no other encoder here has."""
    wish = re.sub(r"[^A-Za-z0-9._-]", "-", wish).lstrip("._-")[-80:]
    return f"{wish}-{digest[:8]}" if wish in store.names() else wish
