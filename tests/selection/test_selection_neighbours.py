from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_select.selection import neighbours
from annotate_select.selection.neighbours import nearest


def unit(n: int, d: int, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 70), st.integers(1, 9), st.integers(0, 1000))
def test_it_is_exact_where_that_is_quick(n: int, d: int, k: int, q: int, seed: int) -> None:
    points, queries = unit(n, d, seed), unit(q, d, seed + 1)
    found = nearest(points, k, queries=queries)
    assert (found.recall, found.probes) == (1.0, 0)
    cosines = queries @ points.T
    np.testing.assert_allclose(found.cosines, -np.sort(-cosines, axis=1)[:, :k], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(cosines, found.rows, axis=1), found.cosines, atol=1e-5)


def test_by_hand() -> None:
    angles = np.deg2rad([0, 10, 30, 90])
    found = nearest(np.stack([np.cos(angles), np.sin(angles)], axis=1), 2)
    assert found.rows.tolist() == [[0, 1], [1, 0], [2, 1], [3, 2]]
    np.testing.assert_allclose(found.cosines[:, 1], np.cos(np.deg2rad([10, 10, 20, 60])), atol=1e-6)


def recall(points: np.ndarray, k: int, rows: np.ndarray) -> float:
    cosines = points @ points.T
    least = -np.sort(-cosines, axis=1)[:, k - 1]
    return float((np.take_along_axis(cosines, rows, axis=1) >= least[:, None] - 1e-5).mean())


def test_large_pools_go_through_an_index_whose_recall_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    centres = unit(40, 16)
    points = centres[np.arange(3000) % 40] + 0.1 * unit(3000, 16, 1)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    heard: list[tuple[int, int]] = []
    found = nearest(points, 10, progress=lambda stage, done, total, note: heard.append((done, total)))
    assert found.recall >= 0.95
    assert 0 < found.probes < 60
    assert recall(points, 10, found.rows) == pytest.approx(found.recall, abs=0.03)
    assert (found.rows[:, 0] == np.arange(3000)).mean() > 0.99
    assert all(len(set(row)) == 10 for row in found.rows.tolist())
    assert heard[-1] == (3000, 3000)


def test_more_lists_are_looked_through_where_neighbours_are_scattered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    easy = np.repeat(unit(60, 32), 20, axis=0) + 0.01 * unit(1200, 32, 1)
    hard = unit(1200, 32)
    easy /= np.linalg.norm(easy, axis=1, keepdims=True)
    of_easy, of_hard = nearest(easy, 5), nearest(hard, 5)
    assert of_easy.probes == neighbours.FIRST_PROBES
    assert of_hard.probes > 4 * of_easy.probes
    assert recall(hard, 5, of_hard.rows) > 0.93


def test_all_lists_are_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit(900, 24)
    exact = nearest(points, 7)
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    found = nearest(points, 7, recall=2.0)  # more than there can be
    assert found.recall == 1.0
    np.testing.assert_allclose(found.cosines, exact.cosines, atol=1e-5)


def test_lists_of_fewer_points_than_are_asked_for_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    points = unit(400, 8)
    found = nearest(points, 390, recall=0.0)
    assert found.rows.min() >= 0
    assert all(len(set(row)) == 390 for row in found.rows.tolist())


def test_more_neighbours_than_points_no_queries_and_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit(5, 3)
    assert nearest(points, 9).rows.shape == (5, 5)
    assert nearest(points, 2, queries=points[:0]).rows.shape == (0, 2)
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    copies = np.tile(unit(1, 6), (2000, 1))
    found = nearest(copies, 4)
    assert found.recall == 1.0
    np.testing.assert_allclose(found.cosines, 1.0, atol=1e-5)


def test_the_same_seed_gives_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "EXACT", 1000)
    points = unit(1500, 12)
    first, second = nearest(points, 6, seed=3), nearest(points, 6, seed=3)
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.cosines, second.cosines)
