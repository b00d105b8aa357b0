"""What the exam's report needs beside labels and probabilities: columns to make groups by, and certainty elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate_select.annotations import exam as stored
from annotate_select.annotations import images
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel
from annotate_select.steps.opinions import certainty
from annotate_select.steps.rules import project_rules

__all__ = ["columns_of", "pool_certainty"]


def columns_of(home: Home, ids: Sequence[int]) -> dict[str, list[str | None]]:
    """Return what is known of images beside their pixels, one value each: source, group, and every metadata column."""
    found = [images.image(home.db, image_id) for image_id in ids]
    columns: dict[str, list[str | None]] = {
        "source": [one.source if one else None for one in found],
        "group": [one.group if one else None for one in found],
    }
    for name in sorted({name for one in found if one for name in one.metadata}):
        columns[name] = [(one.metadata.get(name) or None) if one else None for one in found]
    return columns


def pool_certainty(home: Home, model: TrainedModel) -> np.ndarray | None:
    """Return how sure a model was (m,) of the images outside the exam, when it was trained; None where it is unknown.

    Of an image it learned from, that is what cross-validation said. Features that saw labels cannot be held out, and
    what rules of the project change in the exam they would have to change here, too.
    """
    unlike = model.features_saw_labels or project_rules(home) is not None
    said = None if unlike else certainty(home, model.number)
    if said is None:
        return None
    ids, sure = said
    pool = images.pool_table(home.db).ids
    return sure[np.isin(ids, pool) & ~np.isin(ids, stored.kept_ids(home.db))]
