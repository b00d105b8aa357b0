"""Kernel coverage by lazy greedy against every gain worked out anew for each pick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_select.selection import covering, kernel_coverage
from annotate_select.selection.covering import Kernels, cosine_kernel, gaussian, top_hat
from annotate_select.selection.kernel_coverage import cover, probcover_radius, robust_sigma
from annotate_select.selection.pool import Pool
from annotate_select.selection.select import select

KERNELS = {"gaussian": gaussian(0.7), "cosine": cosine_kernel, "top hat": top_hat(0.9)}


def unit(points: np.ndarray) -> np.ndarray:
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), dtype=np.float32)


def pool_of(points: np.ndarray, covered: np.ndarray, hashes: np.ndarray, weights: np.ndarray | None = None) -> Pool:
    n = len(points)
    none = np.empty(0, dtype=np.int64)
    free = np.setdiff1d(np.arange(n), covered)
    return Pool(points, free, covered, none, 1, (), None, hashes.astype(np.uint64), weights, None, 0)


def gains_of(pool: Pool, before: list[int], kernel: str, worth: np.ndarray) -> np.ndarray:
    """Return (n,) what each row would add to the covered rows and those picked before, in float64."""
    values = KERNELS[kernel]((pool.features @ pool.features.T).copy()).astype(np.float64)
    best = values[[*pool.covered.tolist(), *before]].max(axis=0, initial=0.0)
    return np.asarray(np.maximum(values - best, 0) @ worth)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_other_row_would_have_added_more(data: st.DataObject) -> None:
    n, d = data.draw(st.integers(4, 60)), data.draw(st.sampled_from([2, 3, 8]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    points = unit(rng.normal(size=(n, d)))
    covered = rng.choice(n, data.draw(st.integers(0, n // 3)), replace=False)
    weights = rng.choice([0.5, 1.0, 3.0], n) if data.draw(st.booleans()) else None
    pool = pool_of(points, covered, rng.permutation(n), weights)
    kernel, most = data.draw(st.sampled_from(list(KERNELS))), data.draw(st.integers(1, n - len(covered)))
    chosen = cover(pool, most, KERNELS[kernel])
    rows = chosen.rows.tolist()
    for at, row in enumerate(rows):
        gains = gains_of(pool, rows[:at], kernel, np.ones(n) if weights is None else weights)
        free = np.setdiff1d(pool.candidates, rows[:at])
        assert gains[row] >= gains[free].max() - 1e-3
        assert chosen.scores[at] == pytest.approx(gains[row], abs=1e-3)
    assert (np.diff(chosen.scores) <= 1e-3).all()  # a gain never grows


def test_coverage_by_hand() -> None:
    """Three equal rows and one across: the first covers three, the other one by itself."""
    points = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    chosen = cover(pool_of(points, np.empty(0, dtype=np.int64), np.array([2, 1, 0, 3])), 2, cosine_kernel)
    assert chosen.rows.tolist() == [2, 3]  # of the three the lowest hash
    assert chosen.scores.tolist() == [3.0, 1.0]
    assert chosen.reasons == [
        "of 4 images it stands for the most by itself; nothing is labelled or picked yet",
        "nearer to 1 image than anything picked before",
    ]


def test_the_first_pick_is_compared_with_what_there_is_only() -> None:
    points = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    order = np.array([2, 1, 0, 3])
    labelled = cover(pool_of(points, np.array([3]), order), 1, cosine_kernel)
    assert labelled.reasons == ["nearer to 3 images than anything labelled or picked before"]
    drawn = replace(pool_of(points, np.empty(0, dtype=np.int64), order), taken=np.array([3]), candidates=np.arange(3))
    assert cover(drawn, 1, cosine_kernel).reasons == ["nearer to 3 images than the one already in this batch"]


def test_kernels_by_hand() -> None:
    cosines = np.array([[1.0, 0.5, -0.5]], dtype=np.float32)
    np.testing.assert_allclose(gaussian(1.0)(cosines.copy()), [[1.0, np.exp(-1), np.exp(-3)]], rtol=1e-6)
    np.testing.assert_array_equal(cosine_kernel(cosines.copy()), [[1.0, 0.5, 0.0]])
    np.testing.assert_array_equal(top_hat(1.0)(cosines.copy()), [[1.0, 1.0, 0.0]])  # cosine .5 is distance 1


def test_kernel_rows_come_back_the_same_when_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covering, "CACHE", 1)  # as many slots as are asked for at once, and no more
    points = unit(np.random.default_rng(0).normal(size=(200, 6)))
    kernels = Kernels(points, np.arange(150), np.arange(50, 200), gaussian(1.0))
    rng = np.random.default_rng(1)
    for _ in range(30):
        rows = rng.choice(150, 40, replace=False)
        np.testing.assert_allclose(kernels(rows), gaussian(1.0)(points[rows] @ points[50:].T), rtol=1e-5)


def test_a_sampled_pool_is_covered_nearly_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(2).normal(size=(3000, 8))
    points[:, :2] *= 3
    every = select(points, 40, "facility_location", seed=3)
    monkeypatch.setattr(kernel_coverage, "DRAWN", 600)
    monkeypatch.setattr(kernel_coverage, "REFERENCE", 500)
    some = select(points, 40, "facility_location", seed=3)
    centred = unit(points - points.mean(axis=0))

    def covered(rows: np.ndarray) -> float:
        return float(np.maximum(centred @ centred[rows].T, 0).max(axis=1).mean())

    assert covered(some.rows) >= 0.97 * covered(every.rows)
    assert covered(some.rows) > covered(select(points, 40, "random").rows)
    assert some.reasons[0].startswith("of 600 images ")
    assert some.reasons[1].startswith("nearer to about ")


def test_sigma_is_the_median_gap_of_labels_within_bounds() -> None:
    angles = np.array([0.0, 0.4, 1.0, 2.0])  # nearest others: .4, .4, .6 and 1 apart; the median cosine is between
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    pool = pool_of(points, np.empty(0, dtype=np.int64), np.arange(4))
    middle = (np.cos(0.4) + np.cos(0.6)) / 2
    assert robust_sigma(replace(pool, labeled=np.arange(4))) == pytest.approx(np.sqrt(2 - 2 * middle), rel=1e-4)
    assert robust_sigma(replace(pool, labeled=np.arange(1))) == 1.0
    twins = replace(pool, space=np.repeat(points[:1], 4, axis=0), labeled=np.arange(4))
    assert robust_sigma(twins) == 0.2  # near-duplicates do not make the kernel vanish


def test_probcover_balls_hold_a_cluster_and_coverage_goes_on_when_all_is_held() -> None:
    rng = np.random.default_rng(4)
    kind = np.repeat(np.arange(3), 50)
    features = 4 * np.eye(3, 9)[kind] + rng.normal(scale=0.3, size=(150, 9))
    picks = select(features, 8, "probcover", n_classes=3)
    assert sorted(kind[picks.rows[:3]].tolist()) == [0, 1, 2]
    np.testing.assert_allclose(picks.scores[:3], 50, atol=5)  # a ball in twenty touches another cluster
    assert all("every image is near one labelled or picked" in reason for reason in picks.reasons[3:])


def test_probcover_radius_has_a_way_out_where_purity_fails() -> None:
    """Noise has no clusters: the rule's ball holds nobody, so the one that holds 1 % of the rows is taken."""
    points = unit(np.random.default_rng(5).normal(size=(1000, 60)))
    pool = replace(pool_of(points, np.empty(0, dtype=np.int64), np.arange(1000)), n_classes=10)
    held = np.mean(2 - 2 * points @ points.T <= probcover_radius(pool) ** 2 + 1e-6)
    assert held == pytest.approx(0.01, abs=0.002)


def test_uncertainty_coverage_leaves_what_is_sure() -> None:
    rng = np.random.default_rng(6)
    kind = np.repeat([0, 1], [80, 20])
    features = 4 * np.eye(2, 9)[kind] + rng.normal(scale=0.5, size=(100, 9))
    opinion = np.where(kind[:, None] == 0, [1.0, 0.0], [0.55, 0.45])
    picks = select(features, 5, "uncertainty_coverage", probabilities=opinion, labeled=[0], labels=[0])
    assert (kind[picks.rows] == 1).all()
    assert picks.reasons[0].startswith("torn between class 0 .55 and class 1 .45; nearer to ")
