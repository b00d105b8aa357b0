from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.selection import geometry
from annotate_select.selection.geometry import directions, largest_cosines, near


def test_rows_are_centred_and_of_length_one() -> None:
    # The mean is (2, 3); centred: (3, 4), (-3, -4), (0, 0).
    features = np.array([[5.0, 7.0], [-1.0, -1.0], [2.0, 3.0]])
    expected = np.array([[0.6, 0.8], [-0.6, -0.8], [0.0, 0.0]], dtype=np.float32)
    found = directions(features)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_what_rounding_leaves_of_a_constant_is_no_direction() -> None:
    features = np.full((1000, 3), 0.1, dtype=np.float32)
    features[0, 0] = np.nextafter(np.float32(0.1), np.float32(1))
    assert not directions(features)[1:].any()


def test_nothing_but_zeros() -> None:
    assert not directions(np.zeros((4, 2))).any()


def test_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(size=(50, 4))
    rows, others = np.arange(30), np.arange(25, 50)
    whole, cosines = directions(features), largest_cosines(directions(features), rows, others)
    monkeypatch.setattr(geometry, "BLOCK", 64)
    np.testing.assert_allclose(directions(features), whole, atol=1e-7)
    np.testing.assert_allclose(largest_cosines(whole, rows, others), cosines, atol=1e-6)
    np.testing.assert_allclose(cosines, (whole[rows] @ whole[others].T).max(axis=1), atol=1e-6)


def test_the_first_row_that_is_not_finite_is_named_in_later_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "BLOCK", 8)
    features = np.zeros((50, 4))
    features[[33, 40], 1] = np.nan
    with pytest.raises(SelectionError, match="row 33 holds NaN"):
        directions(features)


def test_near_is_above_the_threshold() -> None:
    unit = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32)
    rows = np.array([1, 2])
    assert near(unit, rows, np.array([0]), 0.79).tolist() == [True, False]
    assert near(unit, rows, np.array([0]), 0.81).tolist() == [False, False]
    assert near(unit, rows, np.array([1]), 1.0).tolist() == [False, False]
    assert near(unit, rows, np.empty(0, dtype=int), 0.5).tolist() == [False, False]
