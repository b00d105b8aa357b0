from __future__ import annotations

import re

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.selection import both
from annotate_select.selection.both import margin_diverse
from annotate_select.selection.select import select


def torn_pool() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three groups round their own axes with 40, 5 and 2 torn images among 100, 60 and 60."""
    rng = np.random.default_rng(0)
    number = np.repeat([0, 1, 2], [100, 60, 60])
    features = np.eye(3)[number] + rng.normal(scale=0.05, size=(220, 3))
    first = np.full(220, 0.99)
    first[:40], first[100:105], first[160:162] = 0.5, 0.52, 0.54
    return features, np.stack([first, 1 - first], axis=1), number


def test_the_smallest_group_of_close_calls_goes_first() -> None:
    features, probabilities, number = torn_pool()
    picks = select(features, 5, "cluster_margin", probabilities=probabilities, near_duplicate=1.0)
    # 10 n = 50 candidates: the 47 torn and 3 sure ones; at least n = 5 clusters cut the groups further.
    assert number[picks.rows[0]] != 0
    assert set(number[picks.rows].tolist()) == {0, 1, 2}
    np.testing.assert_allclose(picks.scores, 2 - 2 * probabilities[picks.rows].max(axis=1))


def test_turns_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    features, probabilities, number = torn_pool()
    given = {"probabilities": probabilities, "near_duplicate": 1.0}
    monkeypatch.setattr(both, "MOST_CLUSTERS", 3)
    monkeypatch.setattr(both, "CLUSTERED_TIMES", 6)
    picks = select(features, 7, "cluster_margin", **given)  # type: ignore[arg-type]
    # 42 candidates: 40 of the first group and 2 of the second, so the second has the first two turns.
    assert number[picks.rows].tolist() == [1, 0, 1, 0, 0, 0, 0]
    assert picks.reasons[0].endswith("; one of 2 look-alikes in doubt")
    assert picks.reasons[1].endswith("; one of 40 look-alikes in doubt")


def test_the_rest_follows_by_margin() -> None:
    features, probabilities, _ = torn_pool()
    weights = np.where(np.arange(220) < 3, 1.0, 0.0)
    picks = select(features, 6, "cluster_margin", probabilities=probabilities, weights=weights, near_duplicate=1.0)
    assert set(picks.rows[:3].tolist()) == {0, 1, 2}
    assert picks.scores[3:].tolist() == [0, 0, 0]


def test_margin_diverse_spreads_what_margin_heaps() -> None:
    """Twenty torn images lie together; five others, a little less torn, lie apart."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(100, 10))
    features[:20] = features[0] + rng.normal(scale=0.15, size=(20, 10))
    torn = np.full(100, 0.99)
    torn[:20] = 0.5 + np.arange(20) / 1000
    torn[20:25] = 0.55
    probabilities = np.stack([torn, 1 - torn], axis=1)
    heaped = select(features, 5, "margin", probabilities=probabilities, near_duplicate=1.0)
    spread = select(features, 5, "margin_diverse", probabilities=probabilities, near_duplicate=1.0)
    assert (heaped.rows < 20).all()
    assert (spread.rows < 20).sum() <= 2
    assert (spread.rows < 25).all()
    np.testing.assert_allclose(spread.scores, 2 - 2 * torn[spread.rows])
    assert (np.diff(spread.scores) <= 0).all()
    assert re.fullmatch(
        r"torn between class 0 .5\d and class 1 .[45]\d; stands for \d+ images in doubt", spread.reasons[0]
    )


def test_a_strategy_of_ones_own_may_not_doubt_without_a_model() -> None:
    with pytest.raises(SelectionError, match="there are no probabilities to be uncertain about; train a model first"):
        select(np.random.default_rng(0).normal(size=(20, 10)), 3, margin_diverse)
