"""The kernel of chains of look-alikes."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.chains import ALPHA, NEIGHBOURS, passed_on, reach, reach_from


def neighbours(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and cosines (m, 16) of the nearest of points (m, d) of length 1, each its own first."""
    cosines = points @ points.T
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, : NEIGHBOURS + 1]
    return rows, np.take_along_axis(cosines, rows, axis=1)


def reached(points: np.ndarray) -> np.ndarray:
    return reach(*neighbours(points))


def test_two_points_reach_each_other_as_worked_out_by_hand() -> None:
    """Of two, S is [[0, 1], [1, 0]] whatever their distance: the inverse is [[1, a], [a, 1]] / (1 - a^2)."""
    np.testing.assert_allclose(
        reached(np.array([[1, 0], [0, 1]], dtype=np.float32)), [[1, ALPHA], [ALPHA, 1]], rtol=1e-5
    )


def test_one_point_and_none() -> None:
    assert reached(np.ones((1, 3), dtype=np.float32)).tolist() == [[1.0]]
    assert reached(np.ones((0, 3), dtype=np.float32)).shape == (0, 0)


def test_a_chain_reaches_farther_than_a_straight_look() -> None:
    """The far end of an arc is reached better than a cloud off it, which at first sight is more like the near end."""
    angle = np.linspace(0, np.pi / 2, 60)
    arc = np.stack([np.cos(angle), np.sin(angle), np.zeros(60)], axis=1)
    cloud = np.array([0.3, -0.75, 0.59]) + 0.05 * np.random.default_rng(0).normal(size=(40, 3))
    points = np.concatenate([arc, cloud / np.linalg.norm(cloud, axis=1, keepdims=True)]).astype(np.float32)
    kernel = reached(points)
    assert kernel[0, 59] > kernel[0, 60:].max()
    assert points[0] @ points[59] < (points[0] @ points[60:].T).min()
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(kernel), 1.0, rtol=1e-5)


def test_passed_on_labels_by_hand() -> None:
    """Two labels of class 0 count half each: .2 / 2 + .4 / 2 = .3 against .1 of class 1, and class 2 has none."""
    kernel = np.array([[0.2, 0.4, 0.1], [0.0, 0.0, 0.0]], dtype=np.float32)
    shares = passed_on(kernel, np.array([0, 0, 1]), 3)
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0.0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-5)


@pytest.mark.parametrize("m", [1, 2, 40])
def test_columns_say_what_the_whole_says_of_shares(m: int) -> None:
    points = np.random.default_rng(0).normal(size=(m, 5)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    sources, labels = np.array([m - 1, 0]), np.array([0, 1])
    some, whole = reach_from(*neighbours(points), sources), reached(points)
    assert some.shape == (m, 2)
    np.testing.assert_allclose(passed_on(some, labels, 2), passed_on(whole[:, sources], labels, 2), atol=1e-3)
