from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection import typiclust as module
from annotate_select.selection.geometry import Workers, directions
from annotate_select.selection.pool import seeded_hashes
from annotate_select.selection.select import select
from annotate_select.selection.typiclust import typicality


def blobs(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Groups round the axes of a space with a dimension each."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(len(sizes)), sizes)
    return np.eye(len(sizes))[number] + rng.normal(scale=0.03, size=(len(number), len(sizes))), number


def typical(points: np.ndarray, sample: np.ndarray | None = None) -> np.ndarray:
    rows = np.arange(len(points))
    with Workers() as workers:
        return typicality(points.astype(np.float32), rows, rows if sample is None else sample, workers)


def test_typicality_by_hand() -> None:
    # At 0, 10, 30 and 70 degrees; each looks at its 4 // 2 nearest.
    angles = np.deg2rad([0, 10, 30, 70])
    gaps = [(10, 30), (10, 20), (20, 30), (40, 60)]
    expected = [1 / np.mean([2 * np.sin(np.deg2rad(gap / 2)) for gap in pair]) for pair in gaps]
    np.testing.assert_allclose(typical(np.stack([np.cos(angles), np.sin(angles)], axis=1)), expected, rtol=1e-4)


def test_copies_and_a_row_alone_have_a_typicality() -> None:
    np.testing.assert_allclose(typical(np.tile([[0.6, 0.8]], (9, 1))), 1e5)
    assert typical(np.array([[0.6, 0.8]])).tolist() == [0.0]


def test_a_sample_stands_for_a_large_cluster() -> None:
    angles = np.deg2rad([0, 10, 30, 70])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    expected = [1 / (2 * np.sin(np.deg2rad(gap / 2))) for gap in (70, 10, 30, 70)]  # rows 0 and 3 know each other only
    np.testing.assert_allclose(typical(points, np.array([0, 3])), expected, rtol=1e-4)


def test_it_takes_the_most_typical_of_each_group_the_largest_first() -> None:
    features, number = blobs([20, 90, 50])
    picks = select(features, 3, "typiclust", near_duplicate=1.0)
    assert number[picks.rows].tolist() == [1, 2, 0]
    assert picks.reasons[0] == "the most typical of 90 look-alikes, none labelled or picked already"
    unit = directions(features).astype(np.float64)
    for row, score in zip(picks.rows.tolist(), picks.scores.tolist(), strict=True):
        members = np.flatnonzero(number == number[row])
        gaps = np.sort(np.linalg.norm(unit[members][:, None] - unit[members], axis=2), axis=1)
        closest = 1 / gaps[:, 1 : 1 + min(20, len(members) // 2)].mean(axis=1)
        assert row == members[np.argmax(closest)]
        assert score == pytest.approx(closest.max(), rel=2e-2)


def test_groups_with_labels_come_last() -> None:
    features, number = blobs([20, 90, 50])
    labeled = np.flatnonzero(number == 1)[:1]
    picks = select(features, 2, "typiclust", labeled=labeled, labels=[0], near_duplicate=1.0)
    assert number[picks.rows].tolist() == [2, 0]


def test_turns_go_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLUSTERS", 2)
    features, number = blobs([30, 60])
    picks = select(np.concatenate([features, features]), 5, "typiclust", near_duplicate=1.0)
    assert np.tile(number, 2)[picks.rows].tolist() == [1, 0, 1, 0, 1]
    assert picks.reasons[2] == "number 2 in typicality of 120 look-alikes, none labelled or picked already"


def test_what_lies_alone_waits() -> None:
    features, number = blobs([30, 4, 40])
    picks = select(features, 72, "typiclust", near_duplicate=1.0)
    few = select(features, 3, "typiclust", near_duplicate=1.0)
    assert number[few.rows].tolist() == [2, 0, 2]
    assert set(picks.rows.tolist()) <= set(range(74))


def test_near_duplicates_and_weights_of_nothing_wait() -> None:
    features, number = blobs([30, 40])
    weights = np.where(np.arange(70) % 2, 0.0, 1.0)
    picks = select(np.tile(features, 4), 36, "typiclust", weights=weights, near_duplicate=1.0)
    assert (weights[picks.rows[:35]] > 0).all()
    assert weights[picks.rows[35]] == 0
    assert number[picks.rows[0]] == 1
    doubled = np.repeat(np.random.default_rng(0).normal(size=(40, 8)), 2, axis=0)
    rows = select(doubled, 50, "typiclust").rows
    assert len(set((rows[:40] // 2).tolist())) == 40


def test_large_clusters_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 25)
    features, number = blobs([300, 200])
    picks = select(features, 2, "typiclust", near_duplicate=1.0)
    assert number[picks.rows].tolist() == [0, 1]
    hashes = seeded_hashes(seeded_hashes(np.arange(500), 1), 0)
    unit = directions(features).astype(np.float64)
    for row, score in zip(picks.rows.tolist(), picks.scores.tolist(), strict=True):
        members = np.flatnonzero(number == number[row])
        sample = members[np.argsort(hashes[members])[:25]]
        gaps = np.linalg.norm(unit[members][:, None] - unit[sample], axis=2)
        gaps[members[:, None] == sample] = np.inf
        closest = 1 / np.sort(gaps, axis=1)[:, :20].mean(axis=1)
        assert score == pytest.approx(closest.max(), rel=2e-2)
