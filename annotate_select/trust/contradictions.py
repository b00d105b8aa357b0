"""Images that are all but the same, under different labels: at least one of the two is wrong."""

from __future__ import annotations

import numpy as np

from annotate_select.errors import FeaturesError

__all__ = ["contradictions"]

BLOCK = 2**22  # cosines held at a time: 16 MB


def contradictions(
    features: np.ndarray, labels: np.ndarray, centre: np.ndarray, limit: float, most: int = 1_000
) -> list[tuple[int, int, float]]:
    """Return pairs of rows (first < second) of other labels whose cosine is above `limit`, the most alike first.

    `features` (n, d) of the labelled images alone; `labels` (n,) class numbers; cosines are of directions from
    `centre` (d,), the pool's mean. At most `most` pairs. Raises FeaturesError for features that are not finite, or of
    another length.
    """
    features, labels = np.asarray(features, dtype=np.float32), np.asarray(labels)
    if features.ndim != 2 or labels.shape != (len(features),):
        raise FeaturesError(f"labels must be one for each of {len(features)} rows, got {labels.shape}")
    if not np.isfinite(features).all():
        raise FeaturesError("features must be finite, got NaN or infinity; make the features again")
    centred = features - np.asarray(centre, dtype=np.float32)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.where(lengths > 0, centred / np.maximum(lengths, np.finfo(np.float32).tiny), 0)
    found: list[tuple[int, int, float]] = []
    step = max(1, BLOCK // max(1, len(unit)))
    for start in range(0, len(unit), step):
        cosines = unit[start : start + step] @ unit[start:].T  # (b, n - start)
        other = labels[start : start + step, None] != labels[None, start:]
        rows, columns = np.nonzero((cosines > limit) & other)
        later = columns > rows  # each pair once
        values = cosines[rows[later], columns[later]]
        pairs = zip((rows[later] + start).tolist(), (columns[later] + start).tolist(), values.tolist(), strict=True)
        found = sorted([*found, *((a, b, min(1.0, cosine)) for a, b, cosine in pairs)], key=lambda one: -one[2])[:most]
    return found
