"""Which labels may be learned from, by a model or by an encoder: those the exam keeps nothing from."""

from __future__ import annotations

import numpy as np

from annotate_select.annotations import images
from annotate_select.features.derived import derived_parts
from annotate_select.features.store import Features, FeatureStore
from annotate_select.steps.home import Home
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.trust.leaks import blocked

__all__ = ["saw_labels", "training_labels", "training_rows", "unlearned"]


def training_rows(features: Features, state: Standing) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that may be trained on, and which of all (n,) bool the exam reserves, its own among them."""
    reserved = blocked(features.alike, np.flatnonzero(state.exam), state.groups).rows
    labelled = (state.labels != UNLABELLED) & state.in_pool
    return np.flatnonzero(labelled & ~reserved), reserved


def training_labels(home: Home, features: Features, ids: np.ndarray) -> np.ndarray:
    """Return the class number (n,) of each image of these ids that may be trained on, UNLABELLED for all others.

    By `features` are the near-duplicates of the exam's images known.
    """
    state = standing(home, features.ids)
    rows, _ = training_rows(features, state)
    known = dict(zip(state.ids[rows].tolist(), state.labels[rows].tolist(), strict=True))
    return np.array([known.get(one, UNLABELLED) for one in ids.tolist()], dtype=np.int64)


def saw_labels(store: FeatureStore, name: str) -> bool:
    """Say whether labels had a part in these features, so that cross-validation on them would flatter."""
    definition = store.definition(name)
    if definition.get("labels") or definition.get("kind") == "model":
        return True
    return any(saw_labels(store, part.name) for part in derived_parts(definition))


def unlearned(home: Home, features: Features, state: Standing, rows: np.ndarray) -> np.ndarray | None:
    """Say of which labelled rows (l,) a fine-tuned network has learned no label, nor one of their group.

    None of features of another kind. Raises FeaturesError when what it learned cannot be read.
    """
    store = home.store()
    if not store.definition(features.name).get("started_from"):
        return None
    from annotate_select.features.finetuned import learned_from

    learned = learned_from(store.encoder_folder(features.name, features.digest))
    table = images.pool_table(home.db)
    known = {one for one, print_ in zip(table.ids.tolist(), table.fingerprints, strict=True) if print_ in learned}
    seen = np.array([one in known for one in features.ids.tolist()], dtype=bool)
    if state.groups is not None:
        seen |= np.isin(state.groups, state.groups[seen])
    found: np.ndarray = ~seen[rows]
    return found
