"""Soft whitening: what is shortened, what is noise, and where nothing is done."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.learning.whitening import _beyond_noise, principal, soft_whitening, unit


def drawn(variances: np.ndarray, m: int = 3000, seed: int = 0) -> np.ndarray:
    """Return points (m, d) float32 of such variances along turned axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(len(variances), len(variances))))[0]
    return (rng.normal(size=(m, len(variances))) * np.sqrt(variances) @ axes.T).astype(np.float32)


def in_use(points: np.ndarray) -> float:
    variances = np.linalg.eigvalsh((points.T @ points).astype(np.float64))
    return float(variances.sum() ** 2 / np.sum(variances**2))


def test_what_few_directions_hold_is_shortened_until_more_count() -> None:
    points = drawn(np.arange(1, 65) ** -1.7)
    whitened = soft_whitening(points)
    assert whitened is not None
    assert np.allclose(whitened, whitened.T, atol=1e-6)
    standing_out = _beyond_noise(np.linalg.eigvalsh((points.T @ points).astype(np.float64)), len(points))
    assert in_use(points) < 4
    assert in_use(points @ whitened) == pytest.approx(standing_out, rel=1e-3)


def test_each_direction_becomes_as_short_as_said() -> None:
    """Along the principal axes the map is 1 / sqrt(1 + v / s) with one s for all, so about 1 where v is small."""
    points = drawn(np.arange(1, 65) ** -1.7)
    variances, axes = np.linalg.eigh((points.T @ points).astype(np.float64))
    whitened = soft_whitening(points)
    assert whitened is not None
    turned = axes.T @ whitened @ axes
    factors = np.diag(turned)
    assert np.allclose(turned, np.diag(factors), atol=1e-5)
    softness = variances[-8:] / (factors[-8:] ** -2 - 1)
    assert np.allclose(softness, softness[0], rtol=1e-3)
    assert factors[-1] < 0.5
    assert factors[0] > 0.99


@pytest.mark.parametrize("signal", [1, 3, 9])
@pytest.mark.parametrize("d", [12, 64, 128])
def test_noise_in_all_other_directions_is_not_made_louder(signal: int, d: int) -> None:
    assert soft_whitening(drawn(np.r_[np.full(signal, 1.0), np.full(d - signal, 0.01)])) is None


def test_directions_that_no_point_uses_change_nothing() -> None:
    """Units that are always 0, or that follow from others, say nothing of the noise among these."""
    few = drawn(np.arange(1, 25) ** -1.7)
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 64)))[0]
    alone = soft_whitening(few)
    assert alone is not None
    for inside in (np.eye(64)[:24], turned[:24]):
        wide = soft_whitening((few @ inside).astype(np.float32))
        assert wide is not None
        np.testing.assert_allclose(wide, np.eye(64) + inside.T @ (alone - np.eye(24)) @ inside, atol=1e-5)


def test_nothing_becomes_more_than_32_times_as_short() -> None:
    whitened = soft_whitening(drawn(np.exp(-np.arange(24.0))))
    assert whitened is not None
    assert 1 / 32 < np.linalg.eigvalsh(whitened)[0] < 1 / 20


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((5, 4)),
        np.ones((5, 1)),
        np.eye(6),
        np.tile([3.0, 4.0], (7, 1)),
        np.empty((0, 3)),
        np.ones((1, 40)),
    ],
)
def test_where_nothing_can_be_told_nothing_is_done(points: np.ndarray) -> None:
    assert soft_whitening(points.astype(np.float32)) is None


def test_noise_is_told_by_a_multiple_of_the_median_by_hand() -> None:
    """The multiple of singular values is 1.43 for very many points, 2.86 for as many as directions."""
    assert _beyond_noise(np.array([1.0, 1.0, 1.0, 2.0, 2.1]), 10**9) == 1
    assert _beyond_noise(np.array([1.0, 1.0, 1.0, 8.1, 8.2]), 5) == 1
    assert _beyond_noise(np.array([0.0, 0.0, 0.0, 1.0, 1.0, 30.0]), 3) == 1  # what no point uses is no noise


def test_wide_features_are_seen_in_128_directions() -> None:
    points = drawn(np.arange(1, 201) ** -2.0, m=400)
    basis = principal(points, seed=0)
    assert basis.shape == (200, 128)
    assert np.allclose(basis.T @ basis, np.eye(128), atol=1e-4)
    assert np.array_equal(basis, principal(points, seed=0))
    assert np.sum((points @ basis) ** 2) > 0.998 * np.sum(points**2)
    assert np.array_equal(principal(points[:, :128], seed=0), np.eye(128))


def test_rows_of_zeros_stay() -> None:
    assert np.allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])
