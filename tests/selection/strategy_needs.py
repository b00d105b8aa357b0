"""What tests that go over the whole table give a strategy that cannot do without."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.pool import Picks
from annotate_select.selection.select import select
from annotate_select.selection.table import STRATEGIES

__all__ = ["LABELLESS", "give", "select_for"]

LABELLESS = [name for name, entry in STRATEGIES.items() if "labels" not in entry.needs]


def give(strategy: str, n: int, given: dict[str, object]) -> dict[str, object]:
    """Add to what is given for n rows what the strategy needs besides: samples of the probabilities, rows of `like`."""
    needs, given = STRATEGIES[strategy].needs, dict(given)
    probabilities = given.get("probabilities")
    if "samples" in needs and isinstance(probabilities, np.ndarray) and probabilities.ndim == 2:
        given["probabilities"] = samples(probabilities)
    if "like" in needs:
        given.setdefault("like", np.unique([1 % n, n // 2, n - 1]))
    return given


def samples(probabilities: np.ndarray) -> np.ndarray:
    """Return (3, n, C) opinions of three models, one bolder and one shyer than probabilities (n, C)."""
    powers = np.stack([probabilities, probabilities**2, probabilities**0.5])
    return np.asarray(powers / powers.sum(axis=2, keepdims=True))


def select_for(strategy: str, features: np.ndarray, n: int, **given: object) -> Picks:
    """Select with all the strategy needs; where that is a label, of one more row, unlike all others."""
    if strategy not in LABELLESS and "labeled" not in given:
        odd = np.zeros((1, features.shape[1]))
        odd[0, 0] = -3 * np.abs(features).max()
        features = np.concatenate([features, odd])
        for name in ("probabilities", "groups", "weights"):
            if isinstance(given.get(name), np.ndarray):
                values = np.asarray(given[name])
                given[name] = np.concatenate([values, values[-1:]])
        given |= {"labeled": [len(features) - 1], "labels": [0]}
    return select(features, n, strategy, **give(strategy, len(features), given))  # type: ignore[arg-type]
