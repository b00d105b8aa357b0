"""Features as they are stored: opened, checked against the pool and against what they were made of.

What made them is not loaded, so that whoever needs rows alone does not wait for torch.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from annotate_select.annotations import images
from annotate_select.errors import FeaturesError
from annotate_select.features.definitions import differences
from annotate_select.features.derived import derived_parts
from annotate_select.features.store import Features, FeatureStore
from annotate_select.files import digest
from annotate_select.steps.default_features import default_features
from annotate_select.steps.home import Home

__all__ = ["COMPRESSED", "command_for", "open_features", "require_fresh"]

COMPRESSED = "compressed:"  # begins the name of an encoder of latents


def open_features(home: Home, name: str | None = None) -> Features:
    """Open stored features, checked against the pool; without a name, the project's default or the only ones.

    Raises FeaturesError when there are none, several and no default, or they do not fit the pool as it is now.
    """
    store = home.store()
    name = name or default_features(home)
    table = images.pool_table(home.db)
    features = store.open(name, dict(zip(table.ids.tolist(), table.fingerprints, strict=True)))
    require_fresh(store, name)
    keys = dict(zip(table.ids.tolist(), table.keys, strict=True))
    found = [keys.get(i, "") for i in features.ids.tolist()]
    return replace(features, keys=found, untaught=_untaught(store, features))


def require_fresh(store: FeatureStore, name: str) -> None:
    """Refuse features whose parts have been replaced since. Raises FeaturesError that shows the difference."""
    definition = store.definition(name)
    for part in derived_parts(definition):
        if part.name not in store.names():
            continue  # removed: what was made of it stays true
        now = store.definition(part.name)
        if digest(now) != part.digest:
            before = store.stored_definition(part.name, part.digest)
            what = differences(before, now).replace("asked", "now") if before else f"digest {part.digest} stored"
            raise FeaturesError(
                f"features {name!r} were made of features {part.name!r} that were replaced since ({what}); make them "
                f"again with `{command_for(name, definition)} --retrain`"
            )


def command_for(name: str, definition: dict[str, object]) -> str:
    """Write the command that makes features like these."""
    kind, parts = definition.get("kind"), derived_parts(definition)
    encoder = str(definition.get("model", ""))
    if kind == "concatenation":
        encoder = "+".join(part.name for part in parts)
    elif kind == "model":
        encoder = "model:PATH"
    elif kind == "compressed":
        encoder = COMPRESSED + parts[0].name
    named = "" if name == (encoder.replace(COMPRESSED, "compressed-") or "autoencoder") else f" --name {name}"
    return f"annotate-select embed{f' --encoder {encoder}' if encoder else ''}{named}"


def _untaught(store: FeatureStore, features: Features) -> np.ndarray | None:
    """Return the rows of the features that a fine-tuned network started from; None of others, or once they are gone."""
    started = store.definition(features.name).get("started_from")
    if not isinstance(started, dict):
        return None
    try:
        before = store.stored(str(started["features"]), str(started["digest"]))
    except FeaturesError:
        return None
    if np.array_equal(before.ids, features.ids):
        return before.array
    order = np.argsort(before.ids)
    at = order[np.minimum(np.searchsorted(before.ids, features.ids, sorter=order), len(order) - 1)]
    return before.array[at] if (before.ids[at] == features.ids).all() else None
