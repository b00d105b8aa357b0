"""The feature space in two dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from annotate_select.errors import FeaturesError
from annotate_select.features import plane as module
from annotate_select.features.plane import alike, plane
from annotate_select.selection.geometry import directions


def clusters(n: int, d: int = 16, k: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return features (n, d) in k clusters, and the cluster of each row."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, k, n)
    return (6 * rng.normal(size=(k, d))[of] + rng.normal(size=(n, d))).astype(np.float32), of


def neighbours_of_the_same_cluster(points: np.ndarray, of: np.ndarray) -> float:
    apart = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((of[np.argsort(apart, axis=1)[:, :5]] == of[:, None]).mean())


def test_pca_is_that_of_the_directions() -> None:
    features, _ = clusters(400)
    turned = directions(features).astype(np.float64)
    turned -= turned.mean(axis=0)
    left, lengths, _ = np.linalg.svd(turned, full_matrices=False)
    points = plane(features, "pca")
    for axis in range(2):
        assert abs(np.corrcoef(points[:, axis], left[:, axis] * lengths[axis])[0, 1]) > 0.999
    spread = points.std(axis=0)
    assert spread[0] / spread[1] == pytest.approx(lengths[0] / lengths[1], rel=0.02)  # both axes have one scale


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("n", [0, 1, 2, 5, 40])
def test_any_number_of_rows_has_points_inside(method: str, n: int) -> None:
    points = plane(clusters(n)[0], method)
    assert points.shape == (n, 2)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()
    assert ((points >= 0) & (points <= 1)).all()


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_rows_that_are_all_the_same_lie_together(method: str) -> None:
    points = plane(np.ones((30, 4), np.float32), method)
    assert np.allclose(points, 0.5)


def test_features_of_one_dimension_lie_on_a_line() -> None:
    points = plane(np.linspace(0, 1, 20, dtype=np.float32)[:, None], "pca")
    assert np.unique(points[:, 1]).size == 1


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_same_seed_gives_the_same_points(method: str) -> None:
    features, _ = clusters(200)
    assert np.array_equal(plane(features, method, seed=3), plane(features.copy(), method, seed=3))


def test_tsne_keeps_neighbours_better_than_pca() -> None:
    features, _ = clusters(500, k=12)
    turned = directions(features)
    kept = {name: trustworthiness(turned, plane(features, name), n_neighbors=10) for name in ("pca", "tsne")}
    assert kept["tsne"] > 0.9
    assert kept["tsne"] > kept["pca"] + 0.02


def test_rows_outside_the_sample_are_placed_among_their_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 150)
    features, of = clusters(600)
    points = plane(features, "tsne")
    assert neighbours_of_the_same_cluster(points, of) > 0.97


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    features, _ = clusters(100)
    whole, near = plane(features), alike(features, 7, 9)
    monkeypatch.setattr(module, "BLOCK", 16 * 7)
    assert np.allclose(plane(features), whole, atol=1e-6)
    assert np.array_equal(alike(features, 7, 9)[0], near[0])


def test_an_unknown_method_is_one_clear_error() -> None:
    with pytest.raises(FeaturesError, match=r"no layout 'tsn' \(did you mean tsne\?\); choose one of pca, tsne"):
        plane(np.zeros((3, 2)), "tsn")


def test_alike_is_exact() -> None:
    features, _ = clusters(300)
    turned = directions(features)
    rows, cosines = alike(features, 5, 12)
    expected = turned @ turned[5]
    expected[5] = -np.inf
    order = np.argsort(-expected)[:12]
    assert rows.tolist() == order.tolist()
    assert np.allclose(cosines, expected[order], atol=1e-5)


def test_there_are_no_more_alike_than_there_are() -> None:
    features, _ = clusters(4)
    assert sorted(alike(features, 0, 12)[0].tolist()) == [1, 2, 3]
    assert len(alike(features[:1], 0, 12)[0]) == 0
