from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from annotate_select.errors import SelectionError
from annotate_select.selection import geometry
from annotate_select.selection.geometry import Directions, Workers, directions, largest_cosines, near


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


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32])
def test_some_rows_have_the_same_bits_as_all(kind: type) -> None:
    features = (1000 * np.random.default_rng(1).normal(size=(200, 33))).astype(kind)
    whole, mask = directions(features), np.arange(200) % 3 == 0
    for rows in (np.array([7, 3, 199]), [5, 5], slice(10, 60, 7), mask, np.empty(0, dtype=np.int64), 8, np.int64(9)):
        found = Directions(features)[rows]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, whole[rows])


def test_rows_are_made_all_at_once_when_some_were_as_much_work() -> None:
    space = Directions(np.random.default_rng(2).normal(size=(20, 3)))
    first, second, third, fourth = [space[:10] for _ in range(4)]
    assert not np.shares_memory(first, second)
    assert np.shares_memory(third, fourth)
    np.testing.assert_array_equal(first, third)
    assert np.shares_memory(third, space.all)
    assert not space.all.flags.writeable
    assert len(space) == 20


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


@pytest.mark.parametrize("factor", [1e-307, 1e-200, 1e-30, 1e-15, 1.0, 1e15, 1e30, 1e200, 1e304])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_as_exact_as_float32_can_say_at_any_scale(factor: float, offset: float) -> None:
    features = np.random.default_rng(0).normal(size=(200, 5)) + offset
    centred = features - features.mean(axis=0)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(directions(features * factor), expected, atol=2e-7)


@pytest.mark.parametrize("factor", [1e-44, 1e-38, 1e-30, 1e30, 1e37])
def test_float32_near_its_ends(factor: float) -> None:
    features = np.random.default_rng(0).integers(-3, 4, (40, 3)).astype(np.float32)
    found = directions((features.astype(np.float64) * factor).astype(np.float32))
    # Below 1e-38 float32 itself knows only a digit or two.
    np.testing.assert_allclose(found, directions(features), atol=0.2 if factor < 1e-40 else 1e-6)


def test_rows_near_the_mean_keep_their_direction() -> None:
    """A mean that float32 cannot hold must not bend what is near it."""
    rng = np.random.default_rng(0)
    features = (1000.1 + rng.integers(-4, 5, (500, 6)) / 256).astype(np.float32)
    exact = features.astype(np.float64) - features.astype(np.float64).mean(axis=0)
    expected = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(directions(features), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int8, np.int64, np.uint16])
def test_the_same_numbers_give_the_same_bits(kind: type) -> None:
    numbers = np.random.default_rng(0).integers(0, 100, (300, 7))
    expected = directions(numbers.astype(np.float32))
    np.testing.assert_array_equal(directions(numbers.astype(kind)), expected)
    np.testing.assert_array_equal(directions(np.asfortranarray(numbers.astype(kind))), expected)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_beside_numbers_of_any_size(kind: type, value: float) -> None:
    features = np.ones((100, 3), dtype=kind)
    features[0] = 6e4
    features[[57, 70], 2] = value
    with pytest.raises(SelectionError, match="row 57 holds NaN"):
        directions(features)


def test_workers_leave_blas_as_it_was() -> None:
    def count() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    with threadpool_limits(2):
        before = count()
        with Workers() as outer:
            assert set(count()) == {1}
            with Workers() as inner:
                assert inner.map(lambda here: here.stop, 10, 4) == [4, 8, 10]
            assert set(count()) == {1}
            assert outer.map(lambda here: here.start, 0, 4) == []
        assert count() == before
        with pytest.raises(ZeroDivisionError), Workers() as some:
            some.map(lambda here: 1 // here.start, 10, 4)
        assert count() == before
