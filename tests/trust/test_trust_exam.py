from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from annotate_select.errors import ExamError
from annotate_select.trust.exam import ExamReport, draw, evaluate
from annotate_select.trust.intervals import Interval, share_interval


def hashes(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


# --- draw ---


def test_the_lowest_hashes_are_drawn_in_order() -> None:
    values = np.array([50, 10, 2**64 - 1, 30, 20, 40], dtype=np.uint64)
    assert draw(values, 3).tolist() == [1, 4, 3]
    assert draw(values, 3, exclude=np.arange(6) == 4).tolist() == [1, 3, 5]


def test_growing_keeps_the_earlier_ones() -> None:
    values = hashes(1000)
    assert draw(values, 50).tolist() == draw(values, 100).tolist()[:50]


def test_taken_rows_come_first_even_when_the_pool_has_grown() -> None:
    values = hashes(1000)
    before = draw(values[:300], 40)
    after = draw(values, 60, taken=before)
    assert after[:40].tolist() == before.tolist()
    assert len(set(after.tolist())) == 60
    assert draw(values, 40, taken=before).tolist() == before.tolist()


def test_taken_rows_stay_although_they_are_excluded_by_now() -> None:
    values = np.array([1, 2, 3, 4, 5, 6], dtype=np.uint64)
    assert draw(values, 2, exclude=np.arange(6) < 3, taken=[0]).tolist() == [0, 3]


def test_every_image_has_the_same_chance() -> None:
    drawn = np.zeros(40)
    for seed in range(2000):
        drawn[draw(hashes(40, seed), 10)] += 1
    # Each count is binomial(2000, 1/4): 500 with a standard deviation of 19.4.
    assert np.abs(drawn - 500).max() < 4 * 19.4
    assert drawn.sum() == 20_000


def test_the_order_of_the_pool_does_not_matter() -> None:
    values = hashes(200)
    shuffled = np.random.default_rng(1).permutation(200)
    assert set(shuffled[draw(values[shuffled], 30)]) == set(draw(values, 30))


def test_too_few_are_available() -> None:
    with pytest.raises(ExamError, match="exam of 5 images was asked for, but only 4 of the 6 in the pool"):
        draw(hashes(6), 5, exclude=np.arange(6) < 2)


def test_more_than_half_is_refused_with_the_size_that_fits() -> None:
    assert len(draw(hashes(10), 5)) == 5
    with pytest.raises(ExamError, match="would keep 6 of 10 images from training, more than half; ask for at most 5"):
        draw(hashes(10), 6)


def test_groups_are_reserved_whole() -> None:
    values = np.array([0, 1, 2, 3, 10, 11, 12, 13, 14, 15], dtype=np.uint64)
    groups = np.array([0, 0, 1, -1, 0, 1, 1, -1, -1, -1])
    # Row 0 reserves rows 0, 1, 4; row 1 nothing more; row 2 rows 2, 5, 6, which makes 6 of 10.
    assert draw(values, 2, groups=groups).tolist() == [0, 1]
    with pytest.raises(ExamError, match=r"the groups they belong to would keep 6 of 10 .* at most 2"):
        draw(values, 3, groups=groups)


def test_rows_without_a_group_are_not_one_group() -> None:
    assert len(draw(hashes(10), 5, groups=np.full(10, -1))) == 5


def test_one_group_that_is_too_large_for_any_exam() -> None:
    with pytest.raises(ExamError, match="would keep 4 of 4 images from training, more than half; add more images"):
        draw(hashes(4), 1, groups=np.zeros(4, dtype=np.int64))


def test_an_exam_only_grows() -> None:
    with pytest.raises(ExamError, match="at least 1, got 0"):
        draw(hashes(10), 0)
    with pytest.raises(ExamError, match="at least 3, got 2; an exam only grows"):
        draw(hashes(10), 2, taken=[1, 2, 3])


# --- evaluate ---

NAMES = ("ok", "crack", "dent", "rust")
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1])
GUESSES = np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 2])  # dent never right, one unlabelled row, no rust anywhere


def one_hot(guesses: np.ndarray, n_classes: int = 4) -> np.ndarray:
    return np.eye(n_classes)[guesses] * 0.7 + 0.3 / n_classes


@pytest.fixture
def report() -> ExamReport:
    return evaluate(LABELS, one_hot(GUESSES), NAMES, model=3, unlabelled=2)


def test_a_report_worked_out_by_hand(report: ExamReport) -> None:
    assert (report.n, report.unlabelled, report.model) == (9, 3, 3)
    assert report.accuracy == pytest.approx(5 / 9)
    assert report.interval == share_interval(5, 9)
    assert report.confusion == ((3, 1, 0, 0), (1, 2, 0, 0), (2, 0, 0, 0), (0, 0, 0, 0))
    # F1: ok 2*3/(4+6), crack 2*2/(3+3), dent 0; rust is not in the exam.
    assert report.macro_f1 == pytest.approx((0.6 + 2 / 3 + 0) / 3)


def test_classes_worked_out_by_hand(report: ExamReport) -> None:
    ok, crack, dent, rust = report.classes
    assert (ok.name, ok.n, ok.recall, ok.precision) == ("ok", 4, 3 / 4, 3 / 6)
    assert (ok.recall_interval, ok.precision_interval) == (share_interval(3, 4), share_interval(3, 6))
    assert (crack.recall, crack.precision) == (2 / 3, 2 / 3)
    assert (dent.n, dent.recall, dent.precision, dent.precision_interval) == (2, 0.0, None, Interval(0.0, 1.0))
    assert (rust.n, rust.recall, rust.recall_interval) == (0, None, Interval(0.0, 1.0))


def test_macro_f1_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels, guesses = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    report = evaluate(labels, one_hot(guesses), NAMES)
    assert report.macro_f1 == pytest.approx(f1_score(labels, guesses, average="macro"))
    assert report.model is None


def test_a_report_survives_json(report: ExamReport) -> None:
    written = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert written["accuracy"] == report.accuracy
    assert written["interval"] == {"low": report.interval.low, "high": report.interval.high}
    assert ExamReport.from_dict(written) == report
    assert ExamReport.from_dict(report.as_dict()) == report


def test_the_text_says_what_matters(report: ExamReport) -> None:
    lines = report.text().splitlines()
    assert lines[0].startswith("model 3: accuracy 55.6 % (26.7 to 81.1) on 9 exam images, macro F1 0.42")
    assert " ".join(lines[2].split()) == "ok 4 75.0 % (30.1 to 98.7) 50.0 % (18.8 to 81.2)"
    assert lines[5].split() == ["rust", "0", "-", "-"]
    assert lines[6] == "commonest mistake: dent taken for ok, 2 of 2"
    assert "3 exam images have no label yet" in lines[7]


def test_the_text_of_a_perfect_model_has_no_mistakes() -> None:
    text = evaluate(np.array([0, 1]), one_hot(np.array([0, 1]), 2), ("a", "b")).text()
    assert text.startswith("accuracy 100.0 %")
    assert len(text.splitlines()) == 4


def test_no_label_yet() -> None:
    with pytest.raises(ExamError, match="no image of the exam has a label yet"):
        evaluate(np.array([-1, -1]), one_hot(np.array([0, 1])), NAMES)
    with pytest.raises(ExamError, match="no image of the exam has a label yet"):
        evaluate(np.empty(0, dtype=np.int64), np.empty((0, 4)), NAMES)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ExamError, match=r"shape \(10, 4\), got \(10, 3\)"):
        evaluate(LABELS, one_hot(GUESSES, 3), NAMES)
    with pytest.raises(ExamError, match="from 0 to 3, got 4"):
        evaluate(np.array([0, 4]), one_hot(np.array([0, 1])), NAMES)
    with pytest.raises(ExamError, match="finite"):
        evaluate(np.array([0, 1]), np.full((2, 4), np.nan), NAMES)


def test_the_interval_holds_the_true_accuracy() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(500):
        labels = rng.integers(0, 2, 80)
        wrong = rng.random(80) < 0.15
        report = evaluate(labels, one_hot(np.where(wrong, 1 - labels, labels), 2), ("a", "b"))
        held += report.interval.low <= 0.85 <= report.interval.high
    assert 0.92 < held / 500 < 0.985
