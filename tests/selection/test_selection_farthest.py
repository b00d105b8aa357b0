"""Farthest-first against the textbook's loop, with every size of its inner workings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotate_select.selection import farthest, kcenter
from annotate_select.selection.farthest import Traversal
from annotate_select.selection.guard import REPEATED, Caps
from annotate_select.selection.kcenter import loneliness
from annotate_select.selection.pool import Pool
from annotate_select.selection.select import select


def unit(points: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return (points / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def bare_pool(points: np.ndarray, groups: np.ndarray | None) -> Pool:
    n, none = len(points), np.empty(0, dtype=np.int64)
    return Pool(points, np.arange(n), none, none, 1, (), None, np.arange(n, dtype=np.uint64), None, groups, 0)


class Textbook:
    """All distances anew for each pick, in float64."""

    def __init__(self, points: np.ndarray, ties: np.ndarray, scale: np.ndarray, later: np.ndarray, limit: float):
        self.points, self.ties, self.scale, self.later, self.limit = (
            points.astype(np.float64),
            ties,
            scale,
            later,
            limit,
        )

    def keys(self, centres: list[int], open_rows: np.ndarray, at_cap: np.ndarray) -> np.ndarray:
        gaps = ((self.points[:, None] - self.points[None, centres]) ** 2).sum(axis=2).min(axis=1, initial=4.0)
        alike = gaps < self.limit
        tier = np.where(alike, 20.0, np.where(self.later, 5.0, 0.0) + np.where(at_cap, 10.0, 0.0))
        return np.where(open_rows, gaps * self.scale - tier, -np.inf)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_pick_is_the_farthest_whatever_the_sizes_inside(data: st.DataObject) -> None:
    n, d = data.draw(st.integers(2, 80)), data.draw(st.sampled_from([1, 2, 3, 12]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    exact = data.draw(st.booleans())  # small halves and quarters have no rounding, so that ties are ties
    points = (rng.integers(-1, 2, (n, d)) / 2).astype(np.float32) if exact else unit(rng.normal(size=(n, d)))
    groups = rng.integers(0, 3, n) if data.draw(st.booleans()) else None
    scale = rng.choice([0.0, 0.25, 1.0], n) if data.draw(st.booleans()) else None
    later = rng.random(n) < 0.3 if data.draw(st.booleans()) else None
    limit = data.draw(st.sampled_from([0.0, 0.01, 0.5]))
    covered = rng.choice(n, data.draw(st.integers(0, n // 2)), replace=False)
    ties = rng.permutation(n).astype(np.uint64)
    open_rows = ~np.isin(np.arange(n), covered)
    caps = Caps(bare_pool(points, groups))
    with pytest.MonkeyPatch.context() as patch:
        for name, values in {
            "FEW": [1, 2, 7, 30, 100],
            "MANY": [1, 9, 50, 100],
            "GROWTH": [2, 4],
            "LOOK_EVERY": [1, 3],
            "AT_ONCE": [1, 3, 100],
            "PART": [1, 4, 50],
        }.items():
            patch.setattr(farthest, name, data.draw(st.sampled_from(values)))
        traversal = Traversal(
            points,
            np.full(n, 4.0, dtype=np.float32),
            open_rows.copy(),
            ties,
            Caps(bare_pool(points, groups)),
            scale=None if scale is None else scale.astype(np.float32),
            limit=limit,
            later=later,
        )
        traversal.cover(covered)
        traversal.run(int(open_rows.sum()))
    assert sorted(traversal.picked) == np.flatnonzero(open_rows).tolist()
    book = Textbook(
        points, ties, np.ones(n) if scale is None else scale, np.zeros(n, dtype=bool) if later is None else later, limit
    )
    centres = covered.tolist()
    for row, squared in zip(traversal.picked, traversal.squared, strict=True):
        at_cap = caps.full(len(centres) - len(covered) + 1)[caps.groups]
        keys = book.keys(centres, open_rows, at_cap)
        if exact:
            assert row == min(np.flatnonzero(keys == keys.max()), key=lambda one: ties[one])
        else:
            assert keys[row] > keys.max() - 5e-6 or near_the_limit(points, centres, limit)
        assert squared == pytest.approx(book_gap(points, centres, row), abs=3e-6)
        centres.append(row)
        caps.add(row)
        open_rows[row] = False


def book_gap(points: np.ndarray, centres: list[int], row: int) -> float:
    gaps = ((points[row].astype(np.float64) - points[centres]) ** 2).sum(axis=1)
    return float(gaps.min(initial=4.0))


def near_the_limit(points: np.ndarray, centres: list[int], limit: float) -> bool:
    gaps = ((points[:, None].astype(np.float64) - points[None, centres]) ** 2).sum(axis=2).min(axis=1, initial=4.0)
    return limit > 0 and bool((np.abs(gaps - limit) < 2e-6).any())


@pytest.mark.parametrize("n", [3000])
def test_the_same_picks_as_one_product_a_pick(n: int) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 24))[rng.integers(0, 20, n)] + rng.normal(scale=0.4, size=(n, 24))
    picks = select(features, 400, "kcenter", near_duplicate=1.0)
    directions = unit(features - features.mean(axis=0))
    gaps = np.full(n, 4.0)
    for place, row in enumerate(picks.rows.tolist()):
        if place:
            assert gaps[row] > gaps.max() - 1e-6
        gaps = np.minimum(gaps, 2 - 2 * (directions.astype(np.float64) @ directions[row].astype(np.float64)))
        gaps[row] = -1


def test_nothing_but_copies_come_by_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farthest, "FEW", 8)
    monkeypatch.setattr(farthest, "MANY", 16)
    points = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (200, 1))
    ties = np.random.default_rng(0).permutation(200).astype(np.uint64)
    gaps = np.full(200, 4.0, dtype=np.float32)
    traversal = Traversal(points, gaps, np.ones(200, dtype=bool), ties, Caps(bare_pool(points, None)))
    traversal.run(200)
    assert traversal.picked == np.argsort(ties).tolist()


def test_equal_ties_fall_to_the_lower_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farthest, "FEW", 3)
    points = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (50, 1))
    gaps = np.full(50, 4.0, dtype=np.float32)
    traversal = Traversal(
        points, gaps, np.ones(50, dtype=bool), np.zeros(50, dtype=np.uint64), Caps(bare_pool(points, None))
    )
    traversal.run(50)
    assert traversal.picked == list(range(50))


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farthest, "TELL_EVERY", 0.0)
    monkeypatch.setattr(farthest, "FEW", 8)
    heard: list[tuple[str, int, int, str]] = []
    features = np.random.default_rng(0).normal(size=(300, 8))
    select(features, 40, "kcenter", progress=lambda *told: heard.append(told))
    assert len(heard) > 1
    assert heard[-1][0] == "picking"
    assert [told[1] for told in heard] == sorted(told[1] for told in heard)
    assert {told[2] for told in heard} == {40}


def test_loneliness_by_hand() -> None:
    # At 0, 90, 180 and 270 degrees, and the first three of them sampled.
    points = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=np.float32)
    everyone, sample = np.arange(4), np.arange(3)
    # The row of 270 degrees has all three: 180 degrees apart is 4. The others leave themselves out and have two.
    np.testing.assert_allclose(loneliness(points, everyone, sample), [4, 2, 4, 2], atol=1e-6)
    np.testing.assert_allclose(loneliness(points, everyone, everyone), [4, 4, 4, 4], atol=1e-6)
    assert loneliness(points, everyone, sample[:1]).tolist() == [0, 0, 0, 0]


def with_outliers() -> tuple[np.ndarray, np.ndarray]:
    """Ten groups of 40, the smallest distance between two 1.4; and 12 rows far from everything."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.eye(16)[:10], 40, axis=0) + rng.normal(scale=0.02, size=(400, 16))
    odd = rng.normal(size=(12, 16))
    return np.concatenate([groups, odd / np.linalg.norm(odd, axis=1, keepdims=True)]), np.arange(400, 412)


def test_outliers_are_left_for_last() -> None:
    features, odd = with_outliers()
    plain = select(features, 20, "kcenter")
    robust = select(features, 20, "kcenter_robust")
    assert np.isin(plain.rows, odd).sum() >= 8
    assert np.isin(robust.rows, odd).sum() == 0
    assert len(set((robust.rows[:10] // 40).tolist())) == 10
    assert robust.reasons[0] == "the most typical image, as nothing is labelled yet"


def test_of_the_lonely_the_reason_says_so() -> None:
    features, odd = with_outliers()
    picks = select(features, 412, "kcenter_robust", near_duplicate=1.0)
    lonely = [number for number, text in enumerate(picks.reasons) if "loneliest 5%" in text]
    assert lonely == list(range(412 - 20, 412))  # a twentieth of 412, rounded down
    assert set(odd) <= set(picks.rows[lonely].tolist())
    distinct = select(features, 412, "kcenter_robust", near_duplicate=0.9)
    assert "left for last" in distinct.reasons[10]  # after one of each group, before copies
    assert distinct.reasons[-1].endswith(REPEATED)


def test_rows_without_worth_wait_longer_than_lonely_ones() -> None:
    features, odd = with_outliers()
    weights = np.ones(412)
    weights[:10] = 0
    picks = select(features, 412, "kcenter_robust", near_duplicate=1.0, weights=weights)
    assert set(picks.rows[-10:].tolist()) == set(range(10))
    assert set(odd) <= set(picks.rows[-30:-10].tolist())


def test_loneliness_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit(np.random.default_rng(0).normal(size=(100, 6)))
    whole = loneliness(points, np.arange(100), np.arange(0, 100, 3))
    monkeypatch.setattr(kcenter, "STEP", 24)
    np.testing.assert_allclose(loneliness(points, np.arange(100), np.arange(0, 100, 3)), whole, atol=1e-6)
    cosines = points @ points[::3].T
    cosines[np.arange(0, 100, 3), np.arange(34)] = -9
    np.testing.assert_allclose(whole, 2 - 2 * np.sort(cosines, axis=1)[:, -3], atol=1e-5)
