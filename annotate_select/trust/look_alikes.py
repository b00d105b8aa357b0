"""What the labelled images that look most like an image are called: an opinion that no model was trained for."""

from __future__ import annotations

import numpy as np

from annotate_select.errors import FeaturesError

__all__ = ["NEIGHBOURS", "neighbour_shares"]

NEIGHBOURS = 10
BLOCK = 2**22  # cosines held at a time: 16 MB
MOST = 20_000  # labelled images that are looked through for neighbours: of more, a random part is as good


def neighbour_shares(
    features: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    centre: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    k: int = NEIGHBOURS,
    seed: int = 0,
) -> np.ndarray:
    """Return of each labelled image (l, C) which share of its `k` nearest others has which label; rows sum to 1.

    `features` (l, d) and `labels` (l,) of the labelled images; nearest by the cosine of directions from `centre` (d,).
    Images of its own group (negative: none) are nobody's neighbours: they are often labelled in one go. A row that has
    no neighbour is even. Raises FeaturesError for features that are not finite, or of another length.
    """
    x, y = np.asarray(features, dtype=np.float32), np.asarray(labels)
    if x.ndim != 2 or y.shape != (len(x),):
        raise FeaturesError(f"labels must be one for each of {len(x)} rows, got {y.shape}")
    if not np.isfinite(x).all():
        raise FeaturesError("features must be finite, got NaN or infinity; make the features again")
    centred = x - np.asarray(centre, dtype=np.float32)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    there = np.arange(len(x))
    if len(x) > MOST:
        there = np.sort(np.random.default_rng(seed).choice(len(x), MOST, replace=False))
    shares = np.full((len(x), n_classes), 1 / n_classes)
    nearest = min(k, len(there) - 1)
    step = max(1, BLOCK // max(1, len(there)))
    for start in range(0, len(x) if nearest > 0 else 0, step):
        rows = np.arange(start, min(start + step, len(x)))
        cosines = unit[rows] @ unit[there].T  # (b, m)
        cosines[rows[:, None] == there] = -np.inf
        if groups is not None:
            cosines[(groups[rows, None] == groups[there]) & (groups[rows, None] >= 0)] = -np.inf
        found = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]  # (b, k)
        near = np.isfinite(np.take_along_axis(cosines, found, axis=1))
        counts = np.zeros((len(rows), n_classes))
        np.add.at(counts, (np.arange(len(rows))[:, None], y[there[found]]), near)
        known = near.any(axis=1)
        shares[rows[known]] = counts[known] / near[known].sum(axis=1, keepdims=True)
    return shares
