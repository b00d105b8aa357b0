"""When it is enough: an extrapolation that holds what its interval promises, agreement, and the sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from annotate_select.errors import ExamError
from annotate_select.trust.exam import ExamReport, evaluate
from annotate_select.trust.intervals import Interval
from annotate_select.trust.stopping import Gain, Stopping, advise, expected_gain, kappa
from annotate_select.trust.verdict import Mark, judge

LABELS = np.array([100, 150, 200, 250, 300])


def report(right: int = 80, n: int = 100, mark: float | None = None) -> ExamReport:
    """A report of two classes, the second of which is hard to find."""
    labels = np.array([0] * (n // 2) + [1] * (n - n // 2))
    said = labels.copy()
    said[right:] = 0
    made = evaluate(labels, np.eye(2)[said], ["ok", "dent"])
    if mark is None:
        return made
    return ExamReport(**{**vars(made), "verdict": judge(made.confusion, ["ok", "dent"], Mark(mark, {}, 0.95))})


def test_a_line_in_the_logarithm_is_continued() -> None:
    n = 10_000
    accuracy = 0.5 + 0.1 * np.log(LABELS / 100)
    right = np.arange(n)[None, :] < (accuracy * n)[:, None]
    found = expected_gain(LABELS, right)
    assert found is not None
    assert found.expected == pytest.approx(0.1 * np.log(400 / 300), abs=2e-3)
    assert found.interval.low < found.expected < found.interval.high


def test_the_interval_holds_the_truth_as_often_as_promised() -> None:
    rng, held, slope = np.random.default_rng(0), [], 0.08
    truth = slope * np.log(400 / 300)
    for _ in range(400):
        ease = rng.uniform(0, 1, 150)  # an exam of 150 images, the same in every round
        wobble = rng.normal(0, 0.1, (5, 150))  # each model has moods of its own
        right = ease + wobble < (0.55 + slope * np.log(LABELS / 100))[:, None]
        found = expected_gain(LABELS, right)
        assert found is not None
        held.append(found.interval.low <= truth <= found.interval.high)
    assert np.mean(held) >= 0.93


def test_few_rounds_say_nothing_and_wrong_shapes_are_errors() -> None:
    assert expected_gain(np.array([10, 20]), np.ones((2, 5))) is None
    assert expected_gain(np.array([10, 20, 20]), np.ones((3, 5))) is None
    with pytest.raises(ExamError, match="right must be"):
        expected_gain(np.array([10, 20]), np.ones((3, 5)))


def test_nothing_is_promised_beyond_everything_right() -> None:
    right = np.array([[False] * 4, [True, True, False, False], [True] * 4])
    found = expected_gain(np.array([10, 20, 40]), right)
    assert found is not None
    assert found.expected == 0


@pytest.mark.parametrize(
    ("labels", "accuracy"),
    [([10, 20, 40], [0.5, 0.8, 0.98]), ([30, 60, 100], [0.6, 0.8, 0.9]), ([9, 18, 36], [1, 0.5, 0.1])],
)
def test_what_is_expected_lies_in_its_interval_and_that_in_what_can_be(
    labels: list[int], accuracy: list[float]
) -> None:
    right = np.arange(50)[None, :] < np.round(np.array(accuracy) * 50)[:, None]
    found = expected_gain(np.array(labels), right)
    assert found is not None
    assert found.interval.low <= found.expected <= found.interval.high <= 1 - accuracy[-1] + 1e-9
    assert found.interval.low >= -accuracy[-1]
    assert found.interval.low < found.interval.high


def test_kappa_is_cohens() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    second[:200] = first[:200]
    assert kappa(first, second, 4) == pytest.approx(cohen_kappa_score(first, second))
    assert kappa(np.zeros(5, int), np.zeros(5, int), 3) == 1.0


@pytest.mark.parametrize(
    ("gain", "agreement", "advice", "said"),
    [
        (None, [], "early", "too early"),
        (Gain(100, 0.03, Interval(0.01, 0.05)), [0.8, 0.85], "go on", "go on: the next 100 labels bring about +3.0"),
        (Gain(100, 0.02, Interval(-0.01, 0.05)), [0.8, 0.85], "open", "not clear yet"),
        (Gain(100, 0.001, Interval(-0.004, 0.006)), [0.9, 0.9, 0.9], "little", "more labels bring little"),
        (Gain(100, 0.001, Interval(-0.004, 0.006)), [0.99, 0.995, 1.0], "little", "enough: the next 100 labels"),
    ],
)
def test_the_sentence(gain: Gain | None, agreement: list[float], advice: str, said: str) -> None:
    found = advise(report(), [100, 150, 200], gain, agreement)
    assert found.advice == advice
    assert said in found.sentence
    assert found.weakest == "dent"
    assert ("dent is found least" in found.sentence) is (advice in ("go on", "open"))
    assert Stopping.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_a_mark_that_is_reached_ends_it() -> None:
    found = advise(report(right=99, mark=0.8), [100], None, [])
    assert (found.advice, found.sentence) == (
        "reached",
        "the pass mark is reached: for that, no more labels are needed",
    )
    assert advise(report(right=80, mark=0.8), [100], None, []).advice == "early"


def test_classes_that_contradict_each_other_are_named_where_more_labels_bring_little() -> None:
    little, much = Gain(100, 0.001, Interval(-0.004, 0.006)), Gain(100, 0.03, Interval(0.01, 0.05))
    found = advise(report(), [100, 150, 200], little, [0.9, 0.9, 0.9], ("dent", "ok"))
    assert "labels are no longer the problem" in found.sentence
    assert "dent and ok contradict each other" in found.sentence
    assert Stopping.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert advise(report(), [100, 150, 200], much, [0.9, 0.9, 0.9], ("dent", "ok")).mixed is None
