from __future__ import annotations

import numpy as np
import pytest

from annotate_select.learning.calibration import COLDEST, HOTTEST, fit_temperature, log_loss, softmax


def test_softmax_by_hand() -> None:
    logits = np.log([[1.0, 3.0], [9.0, 1.0]])
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75], [0.9, 0.1]])
    np.testing.assert_allclose(softmax(logits, temperature=2.0)[1], [0.75, 0.25])  # square roots: 3 to 1


def test_softmax_survives_huge_logits() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e5, -1e5], [1e300, 0.0]])), [[1.0, 0.0], [1.0, 0.0]])


def test_log_loss_by_hand() -> None:
    logits = np.log([[1.0, 3.0], [9.0, 1.0]])
    labels = np.array([1, 0])
    assert log_loss(logits, labels) == pytest.approx(-(np.log(0.75) + np.log(0.9)) / 2)
    assert log_loss(logits, labels, weights=np.array([3.0, 1.0])) == pytest.approx(
        -(3 * np.log(0.75) + np.log(0.9)) / 4
    )
    assert log_loss(logits, labels, temperature=2.0) == pytest.approx(
        -(np.log(np.sqrt(3) / (1 + np.sqrt(3))) + np.log(0.75)) / 2
    )


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_temperature_is_recovered_from_many_labels(truth: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(20_000, 4)) * 2
    honest = softmax(logits, truth)
    labels = (honest.cumsum(axis=1) > rng.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.05)


def test_no_labels_leave_the_temperature_alone() -> None:
    assert fit_temperature(np.empty((0, 3)), np.empty(0, dtype=np.int64)) == 1.0


def test_few_lucky_labels_do_not_make_the_model_sure() -> None:
    logits = np.tile([[2.0, 0.0]], (5, 1))
    labels = np.zeros(5, dtype=np.int64)
    assert 0.5 < fit_temperature(logits, labels) < 1.0  # without the prior it would run to COLDEST
    many = fit_temperature(np.repeat(logits, 2000, axis=0), np.repeat(labels, 2000))
    assert COLDEST <= many < 0.4


def test_temperature_is_bounded() -> None:
    logits = np.tile([[500.0, 0.0]], (4000, 1))
    labels = np.arange(4000) % 2  # sure of itself, and right half of the time
    assert HOTTEST * 0.95 < fit_temperature(logits, labels) <= HOTTEST


def test_weights_count_like_repeated_rows() -> None:
    logits = np.array([[2.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    labels = np.array([0, 1, 0])
    weighted = fit_temperature(logits, labels, weights=np.array([2.0, 0.5, 0.5]))
    plain = fit_temperature(logits, labels)
    assert weighted < plain  # the weight lies on a row that was right
