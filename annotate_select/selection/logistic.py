"""The small classifier that strategies ask what labels teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

__all__ = ["fitted"]

MANY = 20  # labels; from more on scikit-learn looks at how many differ


def fitted(points: np.ndarray, labels: np.ndarray, strength: float) -> LogisticRegression:
    """Fit labels (l,) of points (l, d), each class weighing the same; `strength` is the inverse of the smoothing.

    Where more than half of the labels differ scikit-learn warns that they may be no classes. With every row twice and
    half of the strength that is no longer so, and the minimum is the same.
    """
    from sklearn.linear_model import LogisticRegression  # here, as loading it takes longer than most selections

    times = 2 if len(labels) > MANY and len(np.unique(labels)) > len(labels) // 2 else 1
    model = LogisticRegression(C=strength / times, class_weight="balanced", max_iter=1000)
    return model.fit(np.repeat(points.astype(np.float64), times, axis=0), np.repeat(labels, times))
