"""An exam drawn evenly over strata: every image as likely as any other, and an interval that holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust.exam import ExamReport, draw, evaluate
from annotate_select.trust.intervals import share_interval
from annotate_select.trust.powered import Powered
from annotate_select.trust.stratified import Design, Stratified, even_order, worth

SIZES = (1, 2, 3, 5, 8, 11)
STRATA = np.repeat(np.arange(len(SIZES)), SIZES)
N = len(STRATA)


def hashes(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 2**64, n, dtype=np.uint64)


def ordered(seed: int, strata: np.ndarray = STRATA) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return even_order(strata, hashes(len(strata), rng), rng)


def one_hot(guesses: np.ndarray) -> np.ndarray:
    return np.eye(2)[guesses] * 0.8 + 0.1


# --- the order of drawing ---


def test_every_image_is_as_likely_at_every_place() -> None:
    times = 6000
    counts = np.zeros((N, N))
    for seed in range(times):
        counts[ordered(seed), np.arange(N)] += 1
    chance = 1 / N
    # Each of 900 counts is binomial: more than 4.5 standard deviations happen to one of them in 1 of 160 such tests.
    assert np.abs(counts - times * chance).max() < 4.5 * np.sqrt(times * chance * (1 - chance))
    for n in (5, 10, 15):
        among = counts[:, :n].sum(axis=1)
        squares = ((among - times * n / N) ** 2).sum() / (times * n / N * (1 - n / N))
        assert squares < 2 * N  # its mean is N, whatever the strata


def test_each_beginning_has_of_each_stratum_its_share() -> None:
    rng = np.random.default_rng(0)
    for seed in range(50):
        sizes = rng.integers(5, 60, 12)
        strata = np.repeat(np.arange(12), sizes)
        came = np.cumsum(strata[ordered(seed, strata)][:, None] == np.arange(12), axis=0)  # (n, 12)
        shares = np.arange(1, len(strata) + 1)[:, None] * sizes / len(strata)
        assert np.abs(came - shares).max() < 2


def test_neighbouring_strata_are_balanced_together() -> None:
    """Of 64 strata too small for one image each, the first and the second half still have half of every exam."""
    strata = np.repeat(np.arange(64), 10)
    for seed in range(50):
        came = np.cumsum(strata[ordered(seed, strata)] < 32)
        assert np.abs(came - np.arange(1, 641) / 2).max() <= 1


def test_an_order_is_a_permutation_and_the_same_for_the_same_seed() -> None:
    assert sorted(ordered(3).tolist()) == list(range(N))
    assert ordered(3).tolist() == ordered(3).tolist()
    assert ordered(3).tolist() != ordered(4).tolist()
    assert ordered(0, np.zeros(4, dtype=np.int64)).shape == (4,)
    assert ordered(0, np.zeros(0, dtype=np.int64)).shape == (0,)


def test_the_order_of_the_pool_does_not_matter() -> None:
    shuffled = np.random.default_rng(9).permutation(N)
    values = hashes(N, np.random.default_rng(1))
    plain = even_order(STRATA, values, np.random.default_rng(2))
    moved = even_order(STRATA[shuffled], values[shuffled], np.random.default_rng(2))
    assert shuffled[moved].tolist() == plain.tolist()


def test_it_is_drawn_as_the_exam_is_without_what_may_not_be() -> None:
    ranks = np.empty(N, dtype=np.int64)
    order = ordered(5)
    ranks[order] = np.arange(N)
    first = draw(ranks, 6)
    assert first.tolist() == order[:6].tolist()
    assert draw(ranks, 10, taken=first).tolist() == order[:10].tolist()  # grown, it goes on in the order
    assert not set(draw(ranks, 6, exclude=np.isin(np.arange(N), order[:6]))) & set(order[:6])


def test_two_drawings_together_still_have_equal_chances() -> None:
    """Where images left the pool in between, what is left has an order of its own."""
    drawn = np.zeros(N)
    times = 3000
    for seed in range(times):
        first = ordered(seed)[:6]
        left = np.setdiff1d(np.arange(N), first)
        drawn[np.concatenate([first, left[ordered(seed + times, STRATA[left])[:6]]])] += 1
    assert np.abs(drawn - times * 12 / N).max() < 4.5 * np.sqrt(times * 12 / N * (1 - 12 / N))


def test_lengths_must_agree() -> None:
    with pytest.raises(ExamError, match="equally many, got 3 and 2"):
        even_order(np.zeros(3), np.zeros(2, dtype=np.uint64), np.random.default_rng(0))
    with pytest.raises(ExamError, match="equally many, got 50 and 3"):
        worth(np.zeros(50), Design(np.zeros(3), np.zeros(3), 50, 1000))


# --- what it is worth ---


def design(strata: np.ndarray, *, drawn: int | None = None, pool: int = 10**9) -> Design:
    return Design(np.zeros(len(strata), dtype=np.int64), strata, drawn or len(strata), pool)


def test_what_lies_between_strata_is_not_counted_and_at_most_half_is_believed() -> None:
    strata = np.repeat(np.arange(10), 10)
    apart = (strata < 5).astype(float)  # all of the variance is between strata
    assert worth(apart, design(strata)) == pytest.approx(200)
    within = np.tile([0.0, 1.0], 50)  # none of it is
    assert worth(within, design(strata)) == 100
    assert worth(np.ones(100), design(strata)) == 100
    assert worth(apart[::3], design(strata[::3])) == 34  # fewer than 40


def test_luck_is_seldom_believed() -> None:
    rng = np.random.default_rng(0)
    found = [worth(rng.random(100) < 0.8, design(np.arange(100))) for _ in range(300)]
    assert min(found) == 100
    assert np.mean(found) < 103
    assert np.mean(np.array(found) > 100) < 0.25  # one standard error: 16 of 100, more where the variance is skewed


def test_what_is_not_labelled_and_a_small_pool_make_it_worth_less() -> None:
    strata = np.repeat(np.arange(10), 10)
    apart = np.where(strata < 5, 1.0, 0.0)
    apart[::10] = 0.5
    whole = worth(apart, design(strata))
    part = worth(apart, design(strata, drawn=200))
    assert 100 < part < whole
    assert (whole, part) == (pytest.approx(200), pytest.approx(100 / 0.75))  # half of what can be saved
    assert worth(apart, design(strata, pool=200)) == pytest.approx(100 / 0.75)
    assert worth(apart, design(strata, pool=100)) == 100  # all of the pool: nothing is left to be saved


def test_strata_of_few_images_are_joined_with_their_neighbours_within_a_drawing() -> None:
    values = np.repeat([0.0, 1.0] * 5, 4)
    fine = np.arange(40)  # each image a stratum of its own
    assert worth(values, design(fine)) == pytest.approx(80)
    mixed = Design(np.arange(40) % 2, fine, 40, 10**9)  # of two drawings every second image: 4 of 8 differ
    assert worth(values, mixed) < 60


def test_the_interval_of_accuracy_holds_the_truth_and_is_narrower() -> None:
    """Kinds differ: of a fifth of the images six in ten are wrong, of the rest three in a hundred."""
    strata = np.repeat(np.arange(40), 50)
    errors = np.where(strata < 8, 0.6, 0.03)
    rng, held, narrower = np.random.default_rng(1), 0, []
    for _ in range(600):
        right = rng.random(2000) >= errors
        rows = even_order(strata, hashes(2000, rng), rng)[:100]
        n = worth(right[rows], design(strata[rows], pool=2000))
        interval = share_interval(right[rows].mean() * n, n)
        held += interval.low <= 1 - errors.mean() <= interval.high
        classical = share_interval(int(right[rows].sum()), 100)
        narrower.append((interval.high - interval.low) / (classical.high - classical.low))
    assert 0.93 < held / 600 < 0.99
    assert np.mean(narrower) < 0.95


# --- what evaluate and compare make of it ---

LABELS = np.tile([0, 1], 50)
WRONG = np.arange(100) < 20  # the mistakes are in strata 0 and 1
GUESSES = np.where(WRONG, 1 - LABELS, LABELS)
EVEN = design(np.repeat(np.arange(10), 10), pool=5000)


def test_evaluate_keeps_every_figure_and_narrows_the_accuracys_interval() -> None:
    plain = evaluate(LABELS, one_hot(GUESSES), ("a", "b"))
    even = evaluate(LABELS, one_hot(GUESSES), ("a", "b"), design=EVEN)
    assert plain.stratified is None
    assert (even.accuracy, even.classes, even.macro_f1, even.confusion) == (
        plain.accuracy, plain.classes, plain.macro_f1, plain.confusion,
    )  # fmt: skip
    found = even.stratified or pytest.fail("nothing is said of strata")
    assert (found.strata, found.n) == (10, 100)
    assert found.worth == pytest.approx(worth(~WRONG, EVEN), abs=0.1)
    assert even.interval == share_interval(0.8 * found.worth, found.worth)
    assert plain.interval.low < even.interval.low < 0.8 < even.interval.high < plain.interval.high
    assert "evenly over kinds of images (10 strata): its 100 images tell as much of the accuracy as" in even.text()
    assert ExamReport.from_dict(even.as_dict()) == even
    assert even.as_dict()["stratified"] == {**vars(found), "text": found.text()}


def test_evaluate_without_labels_of_some_uses_the_strata_of_the_others() -> None:
    labels = np.where(np.arange(100) % 2, LABELS, -1)
    found = evaluate(labels, one_hot(GUESSES), ("a", "b"), design=EVEN).stratified
    assert found is not None
    assert (found.n, found.strata) == (50, 10)
    assert found.worth == pytest.approx(50 / (1 - 0.5 * (1 / 2 - 50 / 5000)), abs=0.1)


def test_where_strata_bring_nothing_the_interval_is_as_it_was() -> None:
    few = Design(EVEN.draws[:20], np.arange(20) % 3, 20, 5000)
    report = evaluate(LABELS[:20], one_hot(LABELS[:20]), ("a", "b"), design=few)
    assert report.interval == share_interval(20, 20)
    assert report.stratified == Stratified(3, 20, 20.0)
    assert "rather too wide than too narrow" in report.text()
    of_chance = Design(np.full(100, -1), np.zeros(100, dtype=np.int64), 100, 5000)
    assert evaluate(LABELS, one_hot(GUESSES), ("a", "b"), design=of_chance).stratified is None


def test_a_second_estimate_is_told_only_where_it_is_narrower_still() -> None:
    second = Powered(0.8, share_interval(96, 120), 100, 1000, 1.0, 0.08)
    assert second.beside(share_interval(60, 75)) == Powered(
        **{**vars(second), "narrower": pytest.approx(0.2, abs=0.03)}
    )
    assert second.beside(share_interval(104, 130)) is None
