from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.selection import uncertainty
from annotate_select.selection.chance import uniforms
from annotate_select.selection.pool import Pool, seeded_hashes
from annotate_select.selection.select import select
from annotate_select.selection.uncertainty import bald_scores, entropy_scores, least_confidence_scores, margin_scores

# Exact in binary, so that ties are ties.
P = np.array([[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.25, 0.375, 0.375], [0.75, 0.25, 0.0]])
POINTS = np.eye(5)
LN2 = np.log(2)


def test_margin_scores() -> None:
    assert margin_scores(P).tolist() == [0.75, 1.0, 0.0, 1.0, 0.5]


def test_entropy_scores() -> None:
    last = 2 * LN2 - 0.75 * np.log(3)
    fourth = 0.25 * 2 * LN2 + 0.75 * (3 * LN2 - np.log(3))
    np.testing.assert_allclose(entropy_scores(P), [1.5 * LN2, LN2, 0.0, fourth, last], atol=1e-15)


def test_least_confidence_scores() -> None:
    assert least_confidence_scores(P).tolist() == [0.5, 0.5, 0.0, 0.625, 0.25]


@pytest.mark.parametrize("score", [margin_scores, entropy_scores, least_confidence_scores])
def test_one_class_leaves_nothing_to_doubt(score: Callable[[np.ndarray], np.ndarray]) -> None:
    assert score(np.ones((2, 1))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("strategy", "order", "scores"),
    [
        ("margin", [{1, 3}, {0}, {4}, {2}], [1.0, 1.0, 0.75, 0.5, 0.0]),
        ("least_confidence", [{3}, {0, 1}, {4}, {2}], [0.625, 0.5, 0.5, 0.25, 0.0]),
        ("entropy", [{3}, {0}, {1}, {4}, {2}], None),
    ],
)
def test_the_most_uncertain_first(strategy: str, order: list[set[int]], scores: list[float] | None) -> None:
    picks = select(POINTS, 5, strategy, probabilities=P)
    left = picks.rows.tolist()
    for tied in order:
        assert {left.pop(0) for _ in tied} == tied
    if scores is not None:
        assert picks.scores.tolist() == scores
    assert (np.diff(picks.scores) <= 0).all()


def test_weights_multiply_scores() -> None:
    picks = select(POINTS, 5, "margin", probabilities=P, weights=[8, 1, 9, 0.5, 1])
    assert picks.rows.tolist() == [0, 1, 4, 3, 2] or picks.rows.tolist() == [0, 1, 3, 4, 2]
    assert picks.scores.tolist() == [6.0, 1.0, 0.5, 0.5, 0.0]


def test_ties_fall_by_hash_and_so_by_seed() -> None:
    firsts = {int(select(POINTS, 1, "margin", probabilities=P, seed=seed).rows[0]) for seed in range(20)}
    assert firsts == {1, 3}


@pytest.mark.parametrize(
    ("strategy", "row", "reason"),
    [
        ("margin", 3, "torn between crack .38 and dent .38"),
        ("margin", 0, "thought ok .50, next crack .25"),
        ("margin", 2, "thought ok 1.00, next crack .00"),
        ("entropy", 0, "spread over ok .50, crack .25, dent .25: entropy 1.04 of at most 1.10"),
        ("least_confidence", 4, "the likeliest class is ok .75"),
    ],
)
def test_reasons_tell_the_numbers(strategy: str, row: int, reason: str) -> None:
    picks = select(POINTS, 5, strategy, probabilities=P, class_names=["ok", "crack", "dent"])
    assert picks.reasons[picks.rows.tolist().index(row)] == reason


def test_classes_without_names_have_numbers() -> None:
    picks = select(POINTS, 1, "least_confidence", probabilities=P)
    assert picks.reasons == ["the likeliest class is class 1 .38"]


def test_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 100)
    whole = select(np.eye(100), 30, "margin", probabilities=probabilities)
    monkeypatch.setattr(uncertainty, "BLOCK", 40)
    np.testing.assert_array_equal(select(np.eye(100), 30, "margin", probabilities=probabilities).rows, whole.rows)


@pytest.mark.parametrize("values", [1, 3, 1000])
def test_the_order_is_that_of_scores_then_hashes(values: int) -> None:
    rng = np.random.default_rng(values)
    scores = rng.integers(0, values, 500) / values
    hashes = rng.permutation(500).astype(np.uint64) // np.uint64(2)  # some are the same: then the row decides
    expected = np.lexsort((np.arange(500), hashes, -scores))
    np.testing.assert_array_equal(uncertainty.descending(scores, hashes), expected)


def pool_of(probabilities: np.ndarray, hashes: np.ndarray) -> Pool:
    n, none = len(probabilities), np.empty(0, dtype=np.int64)
    return Pool(np.eye(n), np.arange(n), none, none, 3, ("ok", "crack", "dent"), probabilities, hashes, None, None, 0)


def test_power_margin_is_the_log_of_the_margin_score_and_gumbel_noise() -> None:
    hashes = seeded_hashes(np.arange(5, dtype=np.uint64), 3)
    chosen = uncertainty.power_margin(pool_of(P, hashes), 5)
    gumbel = -np.log(-np.log(uniforms(hashes)))
    with np.errstate(divide="ignore"):
        expected = np.log(margin_scores(P)) + gumbel
        assert chosen.rows.tolist() == np.argsort(-expected).tolist()
        np.testing.assert_allclose(np.log(chosen.scores), expected[chosen.rows], rtol=1e-12)
    assert (chosen.rows[-1], chosen.scores[-1]) == (2, 0.0)  # certain


def test_power_margin_tells_its_luck() -> None:
    hashes = np.full(5, 2**62, dtype=np.uint64)  # a quarter of the hashes are lower: u is .75
    chosen = uncertainty.power_margin(pool_of(P, hashes), 5)
    assert chosen.rows.tolist() == [1, 3, 0, 4, 2]
    assert chosen.reasons[2] == "thought ok .50, next crack .25; drawn with the luck of 1 in 4"


def test_power_margin_draws_in_proportion_to_the_margin_score() -> None:
    p = np.array([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]])  # 1, .5 and 0; times the weights 1, 1 and 0
    firsts = [
        int(select(np.eye(3), 1, "power_margin", probabilities=p, weights=[0.5, 2, 1], seed=seed).rows[0])
        for seed in range(600)
    ]
    assert 160 <= firsts.count(0) <= 240  # expected 200 of 600, standard deviation 11.5
    assert not firsts.count(2)


# Two models, exact in binary: sure and opposed; both torn; in agreement.
SAMPLES = np.array([[[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]], [[0.0, 1.0], [0.5, 0.5], [0.75, 0.25]]])


def test_bald_scores() -> None:
    np.testing.assert_allclose(bald_scores(SAMPLES, np.arange(3)), [LN2, 0.0, 0.0], atol=1e-15)
    assert bald_scores(SAMPLES[:1], np.arange(3)).tolist() == [0.0, 0.0, 0.0]
    assert bald_scores(np.ones((4, 2, 1)), np.arange(2)).tolist() == [0.0, 0.0]


def test_bald_takes_what_models_disagree_over() -> None:
    picks = select(np.eye(3), 3, "bald", probabilities=SAMPLES, class_names=["crack", "dent"])
    assert picks.rows[0] == 0
    assert picks.reasons[0] == "1 of 2 models disagrees: crack .50, dent .50; information .69 nats"
    assert (
        picks.reasons[picks.rows.tolist().index(2)] == "agreed by 2 models: crack .75, dent .25; information .00 nats"
    )
    three = np.stack([SAMPLES[1], SAMPLES[1] * 0.25 + SAMPLES[0] * 0.75, SAMPLES[0] * 0.75 + SAMPLES[1] * 0.25])
    # For the first row dent .5 and crack .5: crack, the first of equals, is denied by one of three.
    assert (
        select(np.eye(3), 1, "bald", probabilities=three).reasons[0].startswith("1 of 3 models disagrees: class 0 .50")
    )


def test_bald_by_weight_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).dirichlet(np.ones(3), (4, 50))
    weights = np.linspace(0, 2, 50)
    whole = select(np.eye(50), 20, "bald", probabilities=samples, weights=weights)
    order = np.argsort(-bald_scores(samples, np.arange(50)) * weights)[:20]
    assert whole.rows.tolist() == order.tolist()
    monkeypatch.setattr(uncertainty, "BLOCK", 24 * 8)
    np.testing.assert_array_equal(
        select(np.eye(50), 20, "bald", probabilities=samples, weights=weights).rows, whole.rows
    )


def test_bald_without_samples() -> None:
    with pytest.raises(
        SelectionError, match=r"no samples that could disagree; give probabilities of shape \(T, n, C\)"
    ):
        select(POINTS, 1, "annotate_select.selection.uncertainty:bald", probabilities=P)
