from __future__ import annotations

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_select.selection import coverage, farthest
from annotate_select.selection.clustering import assign, centroids
from annotate_select.selection.farthest import Traversal, shrink
from annotate_select.selection.geometry import directions
from annotate_select.selection.guard import Caps
from annotate_select.selection.pool import Pool
from annotate_select.selection.select import select


def circle(*degrees: float) -> np.ndarray:
    """Points on a circle round the origin, with their opposites so that the mean stays there."""
    angles = np.deg2rad(degrees)
    here = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([here, -here])


def bare_pool(points: np.ndarray) -> Pool:
    n = len(points)
    none = np.empty(0, dtype=np.int64)
    return Pool(points, np.arange(n), none, none, 1, (), None, np.arange(n, dtype=np.uint64), None, None, 0)


def by_brute_force(
    points: np.ndarray, centres: list[int], open_rows: np.ndarray, ties: np.ndarray, n: int
) -> list[int]:
    """Farthest-first as the textbook has it: all distances anew for each pick."""
    picked: list[int] = []
    for _ in range(n):
        gaps = ((points[:, None] - points[None, centres + picked]) ** 2).sum(axis=2).min(axis=1)
        left = [row for row in np.flatnonzero(open_rows).tolist() if row not in picked]
        picked.append(min(left, key=lambda row: (-gaps[row], ties[row], row)))
    return picked


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_farthest_first_is_exact(data: st.DataObject) -> None:
    """Whole numbers are exact in float32, so that ties are ties and every pick must agree."""
    n, d = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 3))
    size = data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    points = rng.integers(-size, size + 1, (n, d)).astype(np.float32)
    ties = rng.permutation(n).astype(np.uint64)
    centres = rng.choice(n, data.draw(st.integers(1, n - 1)), replace=False)
    open_rows = ~np.isin(np.arange(n), centres)
    expected = by_brute_force(points, centres.tolist(), open_rows, ties, int(open_rows.sum()))
    few = data.draw(st.integers(1, 45))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(farthest, "FEW", few)
        patch.setattr(farthest, "CAPPED", 1e4)
        patch.setattr(farthest, "ALIKE", 2e4)
        gaps = np.full(n, 1e3, dtype=np.float32)
        shrink(gaps, points, centres)
        traversal = Traversal(points, gaps, open_rows.copy(), ties, Caps(bare_pool(points)))
        traversal.run(len(expected))
    assert traversal.picked == expected


@pytest.mark.parametrize("few", [1, 16, 5000])
@pytest.mark.parametrize("weights", [None, "some"])
@pytest.mark.parametrize("groups", [None, 7])
def test_every_pick_of_kcenter_is_the_farthest(
    few: int, weights: str | None, groups: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(300, 8)) + rng.integers(0, 3, (300, 1)) * 4
    given_weights = None if weights is None else rng.uniform(0.1, 3, 300)
    given_groups = None if groups is None else rng.integers(0, groups, 300)
    labeled = rng.choice(300, 10, replace=False)
    labels = np.zeros(10, dtype=int)
    one = {"labeled": labeled, "labels": labels, "weights": given_weights, "groups": given_groups}
    expected = select(features, 100, "kcenter", **one)  # type: ignore[arg-type]
    monkeypatch.setattr(farthest, "FEW", few)
    np.testing.assert_array_equal(select(features, 100, "kcenter", **one).rows, expected.rows)  # type: ignore[arg-type]
    if groups is not None:
        return
    centred = features - features.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    scale = np.ones(300) if given_weights is None else given_weights
    known = labeled.tolist()
    for row, score in zip(expected.rows.tolist(), expected.scores.tolist(), strict=True):
        distances = np.linalg.norm(unit[:, None] - unit[None, known], axis=2).min(axis=1)
        left = np.setdiff1d(np.arange(300), known)
        far = left[distances[left] ** 2 > 0.01 + 1e-6]  # near-duplicates go last
        if len(far):
            assert distances[row] * scale[row] > (distances * scale)[far].max() - 1e-5
        assert score == pytest.approx(distances[row] * scale[row], abs=1e-3)
        known.append(row)


def test_kcenter_by_hand() -> None:
    # Rows 0 to 7 at 0, 10, 90, 100, 180, 190, 270, 280 degrees; row 0 is labelled.
    features = circle(0, 10, 90, 100)
    picks = select(features, 3, "kcenter", labeled=[0], labels=[0])
    # Opposite lies row 4; then 90, 100, 270 and 280 are nearest to 0 or 180 by 90, 80, 90 and 80 degrees.
    assert picks.rows[0] == 4
    assert set(picks.rows[1:].tolist()) == {2, 6}
    np.testing.assert_allclose(picks.scores, [2, np.sqrt(2), np.sqrt(2)], atol=1e-6)
    assert picks.reasons[1] == "nothing labelled or picked is nearer than 1.41 (0 is the same, 2 the opposite)"


def test_kcenter_weights_multiply_distances() -> None:
    features = circle(0, 10, 90, 100)
    picks = select(features, 1, "kcenter", labeled=[0], labels=[0], weights=[1, 1, 2, 1, 1, 1, 1, 1])
    assert picks.rows.tolist() == [2]  # 2 x 1.41 is more than 1 x 2
    np.testing.assert_allclose(picks.scores, [2 * np.sqrt(2)], atol=1e-6)


def test_kcenter_starts_at_the_most_typical() -> None:
    # Before scaling the mean is the origin; of directions, most are near 0 degrees: 0 and +-20 against one at 180.
    angles = np.deg2rad([20, 0, -20, 180])
    lengths = np.array([1, 1, 1, 1 + 2 * np.cos(angles[0])])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    picks = select(features, 2, "kcenter")
    assert picks.rows.tolist() == [1, 3]
    assert picks.scores[0] == 2
    assert picks.reasons[0] == "the most typical image, as nothing is labelled yet"


def blobs(sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Tight groups round the axes of a space with a dimension each."""
    rng = np.random.default_rng(seed)
    number = np.repeat(np.arange(len(sizes)), sizes)
    return np.eye(len(sizes))[number] + rng.normal(scale=0.03, size=(len(number), len(sizes))), number


def test_kmeans_takes_one_of_each_group_the_largest_first() -> None:
    features, number = blobs([20, 90, 50, 70, 35])
    picks = select(features, 5, "kmeans", near_duplicate=1.0)
    assert number[picks.rows].tolist() == [1, 3, 2, 4, 0]
    assert picks.scores.tolist() == [90, 70, 50, 35, 20]
    assert picks.reasons[0] == "stands for 90 images; nothing is labelled yet"


def test_kmeans_takes_the_middle_of_a_group() -> None:
    features, number = blobs([30, 40, 50])
    centred = features - features.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    for row in select(features, 3, "kmeans", near_duplicate=1.0).rows:
        members = np.flatnonzero(number == number[row])
        middle = unit[members].mean(axis=0)
        assert row == members[np.argmax(unit[members] @ middle)]


def test_kmeans_leaves_out_what_a_label_stands_for() -> None:
    features, number = blobs([20, 90, 50, 70])
    labeled = [int(np.flatnonzero(number == 1)[0])]
    picks = select(features, 3, "kmeans", labeled=labeled, labels=[0], near_duplicate=1.0)
    assert number[picks.rows].tolist() == [3, 2, 0]
    centred = features - features.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosine = float(unit[picks.rows[0]] @ unit[labeled[0]])
    assert picks.reasons[0] == f"stands for 70 images; nothing labelled is closer than cosine {cosine:.2f}".replace(
        "0.", "."
    )


def test_kmeans_counts_audits_as_covered() -> None:
    features, number = blobs([60, 60, 60, 60])
    picks = select(features, 4, "kmeans", audit=0.25, near_duplicate=1.0)
    assert sorted(number[picks.rows].tolist()) == [0, 1, 2, 3]


def test_weights_are_mass() -> None:
    features, number = blobs([20, 90, 50])
    picks = select(features, 3, "kmeans", weights=np.where(number == 0, 10.0, 1.0), near_duplicate=1.0)
    assert number[picks.rows].tolist() == [0, 1, 2]
    assert picks.scores.tolist() == [200, 90, 50]


def test_few_different_images_are_filled_up_by_chance() -> None:
    features = np.eye(3)[np.arange(30) % 3]
    picks = select(features, 8, "kmeans")
    assert set(picks.rows[:3] % 3) == {0, 1, 2}
    assert picks.reasons[3:] == ["drawn at random, as every group of look-alikes has its image"] * 5


def test_many_labels_do_not_make_endless_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "MOST_COVERED_CLUSTERS", 2)
    rng = np.random.default_rng(0)
    picks = select(rng.normal(size=(200, 8)), 5, "kmeans", labeled=np.arange(100), labels=np.zeros(100, dtype=int))
    assert len(set(picks.rows.tolist())) == 5
    assert picks.rows.min() >= 100


@pytest.mark.parametrize("k", [1, 5, 64, 100])
def test_centroids_are_k_directions_in_two_levels_too(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate_select.selection.clustering.FLAT", 16)
    points = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = centroids(points, np.arange(100), k, hashes=np.arange(100, dtype=np.uint64), seed=0)
    assert found.shape == (k, 6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert len(np.unique(assign(points, np.arange(100), found)[0])) > 0.6 * k


def test_centroids_are_as_near_as_those_of_many_steps_on_all_rows() -> None:
    rng = np.random.default_rng(0)
    middles, share = rng.normal(size=(60, 16)), rng.dirichlet(np.full(60, 0.5))
    points = directions(middles[rng.choice(60, 4000, p=share)] + 0.5 * rng.normal(size=(4000, 16)))
    apart = []
    for seed in range(8):
        found = centroids(points, np.arange(4000), 40, hashes=np.arange(4000, dtype=np.uint64), seed=seed)
        many = faiss.Kmeans(16, 40, niter=30, seed=seed, spherical=True, max_points_per_centroid=256)
        start = points[rng.permutation(4000)[:40]]
        many.train(points, init_centroids=start)
        mean = [1 - (points @ each.T).max(axis=1).mean() for each in (found, np.asarray(many.centroids))]
        apart.append(mean[0] / mean[1])
    assert np.mean(apart) < 1.01


def test_clustering_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    select(np.random.default_rng(0).normal(size=(50, 8)), 40, "kmeans")
    select(np.ones((50, 8)), 40, "kmeans")
    assert capfd.readouterr() == ("", "")


def test_equal_rows_cannot_be_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate_select.selection.clustering.FLAT", 4)
    points = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (40, 1))
    found = centroids(points, np.arange(40), 20, hashes=np.arange(40, dtype=np.uint64), seed=0)
    np.testing.assert_allclose(found, points[:20], atol=1e-6)


def test_centroids_follow_weights() -> None:
    points = np.array([[1, 0], [0, 1]], dtype=np.float32)[[0, 1, 1, 1]]
    weights = np.array([300.0, 1.0, 1.0, 1.0])
    found = centroids(points, np.arange(4), 1, hashes=np.arange(4, dtype=np.uint64), seed=0, weights=weights)
    np.testing.assert_allclose(found, [np.array([1, 0.01]) / np.linalg.norm([1, 0.01])], atol=1e-5)
