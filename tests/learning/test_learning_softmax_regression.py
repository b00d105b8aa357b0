from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from annotate_select.learning.calibration import softmax
from annotate_select.learning.softmax_regression import Linear, fit_linear


def problem(n: int = 300, d: int = 6, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, k, n)
    return rng.normal(size=(k, d))[labels] + rng.normal(size=(n, d)), labels


@pytest.mark.parametrize("strength", [0.01, 1.0, 30.0])
def test_the_same_as_scikit_learn(strength: float) -> None:
    x, y = problem()
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y))
    ours = fit_linear(x, y, weights, strength, Linear.zeros(6, 3), tolerance=1e-8)
    theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(x, y, sample_weight=weights)
    np.testing.assert_allclose(softmax(ours.logits(x)), theirs.predict_proba(x), atol=2e-4)


def test_rows_of_weight_0_change_nothing() -> None:
    x, y = problem()
    half = np.where(np.arange(len(y)) < 150, 1.0, 0.0)
    masked = fit_linear(x, y, half, 1.0, Linear.zeros(6, 3))
    alone = fit_linear(x[:150], y[:150], half[:150], 1.0, Linear.zeros(6, 3))
    np.testing.assert_allclose(masked.weights, alone.weights, atol=1e-4)


def test_a_class_without_weight_gets_probability_0() -> None:
    x, y = problem()
    fitted = fit_linear(x, y, (y != 2).astype(float), 1.0, Linear.zeros(6, 3))
    probabilities = softmax(fitted.logits(x))
    assert (probabilities[:, 2] == 0).all()
    # Two columns w and -w hold half of what one column of 2 w pays.
    one_column = LogisticRegression(C=2.0, tol=1e-10).fit(x[y != 2], y[y != 2])
    np.testing.assert_allclose(probabilities[:, 1], one_column.predict_proba(x)[:, 1], atol=2e-3)


def test_a_warm_start_leads_to_the_same_place() -> None:
    x, y = problem()
    ones = np.ones(len(y))
    start = fit_linear(x, y, ones, 0.01, Linear.zeros(6, 3))
    warm = fit_linear(x, y, ones, 1.0, start, tolerance=1e-8)
    cold = fit_linear(x, y, ones, 1.0, Linear.zeros(6, 3), tolerance=1e-8)
    np.testing.assert_allclose(warm.weights, cold.weights, atol=1e-3)


def test_float32_agrees_with_float64() -> None:
    x, y = problem()
    ones = np.ones(len(y))
    single = fit_linear(x.astype(np.float32), y, ones, 1.0, Linear.zeros(6, 3), tolerance=1e-4)
    double = fit_linear(x, y, ones, 1.0, Linear.zeros(6, 3))
    np.testing.assert_allclose(softmax(single.logits(x)), softmax(double.logits(x)), atol=0.01)
