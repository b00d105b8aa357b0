from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection.chance import inclusions, systematic, uniforms
from annotate_select.selection.guard import REPEATED
from annotate_select.selection.select import select


def test_uniforms_are_inside_0_and_1_and_fall_with_the_hash() -> None:
    hashes = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    first, middle, last = uniforms(hashes)
    assert 1 > first > 1 - 1e-15
    np.testing.assert_allclose(middle, 0.5, atol=1e-15)
    assert 0 < last < 1e-15


def test_every_row_is_as_likely() -> None:
    features = np.eye(20)
    counts = np.zeros(20)
    for seed in range(400):
        counts[select(features, 5, "random", seed=seed).rows] += 1
    # Each of 20 rows is expected 100 times; chi-square of 19 degrees is above 43.8 once in a thousand. Drawing without
    # replacement makes it smaller still.
    assert ((counts - 100) ** 2 / 100).sum() < 43.8


def test_weights_are_chances() -> None:
    weights = np.array([3.0, 1.0, 0.0, 0.0])
    firsts = [int(select(np.eye(4), 1, "random", seed=seed, weights=weights).rows[0]) for seed in range(600)]
    assert set(firsts) == {0, 1}
    assert 420 <= firsts.count(0) <= 480  # expected 450, standard deviation 10.6


def test_small_weights_are_ordered_by_chance_too_and_before_none_at_all() -> None:
    """u^(1 / w) is below the smallest number for most of them."""
    weights = np.concatenate([[1.0], np.full(60, 1e-5), np.full(60, 1e-6), np.zeros(60)])
    firsts = np.array([select(np.eye(181), 121, "random", seed=s, weights=weights).rows[:31] for s in range(40)])
    assert set(select(np.eye(181), 121, "random", weights=weights).rows) == set(range(121))
    assert (firsts[:, 0] == 0).all()
    # Of 30 draws about 10 in 11 are of the ten times heavier, a little less as these are used up.
    assert 24 < np.mean([np.sum(one[1:] <= 60) for one in firsts]) < 28.5


def test_reason() -> None:
    assert select(np.eye(3), 1, "random").reasons == ["drawn at random"]
    assert select(np.eye(3), 1, "random", weights=[1, 2, 3]).reasons == ["drawn at random, by weight"]


@pytest.mark.parametrize(
    ("weights", "n", "expected"),
    [
        (None, 1, [0.25] * 4),
        ([0, 0, 0, 0], 2, [0.5] * 4),
        ([4, 2, 1, 1], 1, [0.5, 0.25, 0.125, 0.125]),
        ([8, 1, 1, 0], 2, [1, 0.5, 0.5, 0]),  # 2 * 8 / 10 is more than 1, and the others share what is left
        ([64, 8, 1, 1], 3, [1, 1, 0.5, 0.5]),  # without the first, the second has 2 * 8 / 10
        ([1e300, 1e300, 1e300, 1e300], 3, [0.75] * 4),
        ([3, 1, 0, 0], 2, [1, 1, 0, 0]),
        ([3, 1, 0, 0], 3, [1, 1, 0.5, 0.5]),
        ([3, 1, 2, 1], 4, [1, 1, 1, 1]),
    ],
)
def test_inclusions(weights: list[float] | None, n: int, expected: list[float]) -> None:
    given = None if weights is None else np.array(weights, dtype=np.float64)
    np.testing.assert_allclose(inclusions(given, 4, n), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("chances", "start", "expected"),
    [
        ([0.5, 0.5, 0.5, 0.5], 0.25, [0, 2]),
        ([0.5, 0.5, 0.5, 0.5], 0.75, [1, 3]),
        ([1.0, 0.25, 0.25, 0.5], 0.3, [0, 2]),
        ([1.0, 0.25, 0.25, 0.5], 0.7, [0, 3]),
        ([1.0, 0.0, 1.0], 0.5, [0, 2]),
        ([0.0, 0.75, 0.0, 0.25], 1 - 2**-53, [3]),
    ],
)
def test_systematic(chances: list[float], start: float, expected: list[int]) -> None:
    assert systematic(np.array(chances), start).tolist() == expected


@pytest.mark.parametrize("weights", [None, np.arange(20) % 4 + 0.0])
def test_every_row_is_drawn_as_often_as_its_score_says(weights: np.ndarray | None) -> None:
    features = np.random.default_rng(0).normal(size=(20, 5))
    counts, chances = np.zeros(20), inclusions(weights, 20, 5)
    for seed in range(400):
        picks = select(features, 5, "stratified", seed=seed, weights=weights)
        counts[picks.rows] += 1
        np.testing.assert_allclose(picks.scores, chances[picks.rows])
    assert (counts[chances == 0] == 0).all()
    likely = chances > 0
    # Chi-square of 19 degrees is above 43.8 once in a thousand, as for random.
    assert ((counts - 400 * chances)[likely] ** 2 / (400 * chances)[likely]).sum() < 43.8


def test_every_kind_gets_its_share() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(4), [40, 20, 10, 10])
    features = np.eye(4)[kinds] + rng.normal(scale=0.05, size=(80, 4))
    for seed in range(20):
        picks = select(features, 8, "stratified", seed=seed)
        assert np.bincount(kinds[picks.rows]).tolist() == [4, 2, 1, 1]


def test_reasons_name_the_group_and_the_chance() -> None:
    assert select(np.eye(10), 1, "stratified").reasons == [
        "drawn at random from group 1 of 1, 10 images; each had a chance of 10 %"
    ]
    weighted = select(np.eye(8), 1, "stratified", weights=[1, 0, 0, 0, 0, 0, 0, 0])
    assert weighted.reasons == ["drawn at random from group 1 of 1, 8 images; by its weight it had a chance of 100 %"]


def test_what_the_guard_drops_is_replaced_without_a_chance() -> None:
    features = np.eye(9)[[0, 1, 2, 3, 4, 5, 6, 7, 8] + [0] * 31]
    picks = select(features, 12, "stratified")
    assert set(features[picks.rows[:9]].argmax(axis=1)) == set(range(9))
    replaced = [not score for score in picks.scores.tolist()]
    assert any(replaced[:9])
    assert [
        reason.removesuffix(REPEATED).endswith("in place of one passed over") for reason in picks.reasons
    ] == replaced
    assert [reason.endswith(REPEATED) for reason in picks.reasons] == [False] * 9 + [True] * 3
