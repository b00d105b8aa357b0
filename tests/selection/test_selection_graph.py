"""The kernel of chains of look-alikes, and the two strategies that cover under it."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection.graph import ALPHA, passed_on, reach
from annotate_select.selection.select import select


def test_two_points_reach_each_other_as_worked_out_by_hand() -> None:
    """Of two, S is [[0, 1], [1, 0]] whatever their distance: the inverse is [[1, a], [a, 1]] / (1 - a^2)."""
    np.testing.assert_allclose(reach(np.array([[1, 0], [0, 1]], dtype=np.float32)), [[1, ALPHA], [ALPHA, 1]], rtol=1e-5)


def test_one_point_and_none() -> None:
    assert reach(np.ones((1, 3), dtype=np.float32)).tolist() == [[1.0]]
    assert reach(np.ones((0, 3), dtype=np.float32)).shape == (0, 0)


def test_a_chain_reaches_farther_than_a_straight_look() -> None:
    """The far end of an arc is reached better than a cloud off it, which at first sight is more like the near end."""
    angle = np.linspace(0, np.pi / 2, 60)
    arc = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
    cloud = np.array([0.3, -0.75, 0.59]) + 0.05 * np.random.default_rng(0).normal(size=(40, 3))
    points = np.concatenate([arc, cloud / np.linalg.norm(cloud, axis=1, keepdims=True)]).astype(np.float32)
    kernel = reach(points)
    assert kernel[0, 59] > kernel[0, 60:].max()
    assert points[0] @ points[59] < (points[0] @ points[60:].T).min()
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(kernel), 1.0, rtol=1e-5)


def test_passed_on_labels_by_hand() -> None:
    """Two labels of class 0 count half each: .2 / 2 + .4 / 2 = .3 against .1 of class 1, and class 2 has none."""
    kernel = np.array([[0.2, 0.4, 0.1], [0.0, 0.0, 0.0]], dtype=np.float32)
    shares = passed_on(kernel, np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0.0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-5)


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
