from __future__ import annotations

import numpy as np
from scipy.optimize import check_grad
from sklearn.neural_network import MLPClassifier

from annotate_select.learning.calibration import log_loss, softmax
from annotate_select.learning.perceptron import Perceptron, fit_perceptron


def problem(n: int = 60, d: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64) + (x[:, 2] > 0.5)
    return x, y, rng.uniform(0.5, 1.5, n)


def drawn(d: int = 3, k: int = 3, hidden: int = 6) -> Perceptron:
    return Perceptron.drawn(d, k, np.random.default_rng(1), hidden=hidden)


def cost(one: Perceptron, x: np.ndarray, y: np.ndarray, weights: np.ndarray, strength: float) -> float:
    decay = (one.weights**2).sum() + (one.hidden_weights**2).sum()
    return weights.sum() * log_loss(one.logits(x), y, weights) + float(decay) / (2 * strength)


def test_nothing_near_what_is_found_costs_less() -> None:
    x, y, weights = problem()
    found = fit_perceptron(x, y, weights, 1.0, drawn(), tolerance=1e-9, iterations=5000)
    least = cost(found, x, y, weights, 1.0)
    assert least < cost(drawn(), x, y, weights, 1.0)
    rng = np.random.default_rng(2)
    for _ in range(20):
        moved = Perceptron(*(array + 1e-2 * rng.normal(size=array.shape) for array in found.arrays().values()))
        assert cost(moved, x, y, weights, 1.0) > least


def test_it_is_the_cost_that_scikit_learn_minimises() -> None:
    x, y, _ = problem()
    ours = fit_perceptron(x, y, np.ones(60), 0.5, drawn(), tolerance=1e-9, iterations=5000)
    theirs = MLPClassifier((6,), solver="lbfgs", alpha=2.0, max_iter=5000, tol=1e-12, random_state=0).fit(x, y)
    copied = Perceptron(theirs.coefs_[1], theirs.intercepts_[1], theirs.coefs_[0], theirs.intercepts_[0])
    np.testing.assert_allclose(softmax(copied.logits(x)), theirs.predict_proba(x), atol=1e-9)
    again = fit_perceptron(x, y, np.ones(60), 0.5, copied, tolerance=1e-9, iterations=5000)
    first, second, own = (cost(one, x, y, np.ones(60), 0.5) for one in (copied, again, ours))
    assert second > 0.9999 * first  # nothing left to gain
    assert own < 1.05 * first


def test_a_row_without_weight_teaches_nothing() -> None:
    x, y, weights = problem()
    half = np.where(np.arange(60) < 30, weights, 0.0)
    masked = fit_perceptron(x, y, half, 1.0, drawn())
    alone = fit_perceptron(x[:30], y[:30], half[:30], 1.0, drawn())
    np.testing.assert_array_equal(masked.hidden_weights, alone.hidden_weights)


def test_a_class_without_weight_has_no_probability() -> None:
    x, y, _ = problem()
    fitted = fit_perceptron(x, y, (y != 2).astype(float), 1.0, drawn())
    assert (softmax(fitted.logits(x))[:, 2] == 0).all()


def test_slopes_are_the_derivative_and_a_basis_changes_nothing() -> None:
    one = drawn()
    at = np.array([0.3, -0.2, 0.9])
    for k in range(3):
        error = check_grad(lambda row, k=k: one.logits(row[None])[0, k], lambda row, k=k: one.slopes(row)[:, k], at)
        assert error < 1e-6
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 3)))[0]
    x = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(one.lifted(basis).logits(x), one.logits(x @ basis))
