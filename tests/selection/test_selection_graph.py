"""The two strategies that cover along chains of look-alikes."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection.select import select


def clusters(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kind = np.repeat(np.arange(len(sizes)), sizes)
    return 5 * np.eye(len(sizes), 12)[kind] + rng.normal(scale=0.6, size=(len(kind), 12)), kind


def test_every_cluster_gets_its_image_before_any_gets_two() -> None:
    features, kind = clusters([80, 60, 40, 20])
    assert sorted(kind[select(features, 4, "graph_coverage").rows].tolist()) == [0, 1, 2, 3]


def test_labelled_clusters_wait() -> None:
    features, kind = clusters([80, 60, 40, 20])
    labeled = [int(np.flatnonzero(kind == one)[0]) for one in (0, 1)]
    rows = select(features, 2, "graph_coverage", labeled=labeled, labels=[0, 1]).rows
    assert sorted(kind[rows].tolist()) == [2, 3]


def test_uncertainty_goes_where_the_doubt_is() -> None:
    features, kind = clusters([60, 60, 60])
    sure = np.where(np.arange(2) == (kind == 1)[:, None], 0.99, 0.01)
    sure[kind == 2] = 0.5
    labeled = [0, 60]
    picks = select(features, 5, "graph_uncertainty", labeled=labeled, labels=[0, 1], probabilities=sure)
    assert (kind[picks.rows] == 2).all()
    assert all(reason.startswith("torn between class 0 .50 and class 1 .50; ") for reason in picks.reasons)


def test_of_equal_doubts_the_rare_class_comes_first() -> None:
    """Two groups in the same doubt, one between common classes, one between a common and a rare one."""
    features, kind = clusters([50, 50, 50])
    opinion = np.array([[0.9, 0.05, 0.05], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])[kind]
    labeled = np.arange(12)
    labels = np.array([0] * 6 + [1] * 6)
    picks = select(
        features, 1, "graph_uncertainty", labeled=labeled, labels=labels, probabilities=opinion, near_duplicate=1.0
    )
    assert kind[picks.rows[0]] == 2


@pytest.mark.parametrize("strategy", ["graph_coverage", "graph_uncertainty"])
def test_a_pool_larger_than_one_graph(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is sampled in rounds; picks stay distinct and cover every cluster."""
    from annotate_select.selection import graph_coverage

    monkeypatch.setattr(graph_coverage, "NODES", 64)
    features, kind = clusters([150, 100, 80, 70])
    half = np.full((400, 2), 0.5)
    picks = select(features, 40, strategy, labeled=[0], labels=[0], probabilities=half)
    assert len(set(picks.rows.tolist())) == 40
    assert set(kind[picks.rows].tolist()) == {0, 1, 2, 3}
    fewer = select(features, 10, strategy, labeled=[0], labels=[0], probabilities=half)
    np.testing.assert_array_equal(fewer.rows, picks.rows[:10])
