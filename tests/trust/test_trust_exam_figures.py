"""What the exam says beside accuracy: macro F1's interval, calibration, the second estimate, and groups."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import fisher_exact

from annotate_select.errors import ExamError
from annotate_select.trust.calibration import Calibration, calibration
from annotate_select.trust.exam import ExamReport, evaluate
from annotate_select.trust.groups import Group, worst_groups
from annotate_select.trust.intervals import share_interval, wilson
from annotate_select.trust.macro_f1 import macro_f1, macro_f1_interval
from annotate_select.trust.powered import Powered, prediction_powered


def world(prior: list[float], recall: list[float]) -> np.ndarray:
    """Return the chances (C, C) of an image's class and what it is taken for, mistakes spread evenly."""
    chances = np.array(
        [
            [p * (r if i == j else (1 - r) / (len(prior) - 1)) for j in range(len(prior))]
            for i, (p, r) in enumerate(zip(prior, recall, strict=True))
        ]
    )
    return chances / chances.sum()


# --- macro F1 ---


@pytest.mark.parametrize(
    ("prior", "recall", "n", "least"),
    [
        ([0.25] * 4, [0.9] * 4, 60, 0.94),
        ([0.6, 0.3, 0.07, 0.03], [0.95, 0.85, 0.7, 0.5], 60, 0.94),
        ([0.1] * 10, np.linspace(0.6, 0.95, 10).tolist(), 30, 0.94),
        ([0.1] * 10, [0.95] * 10, 100, 0.94),
        ([0.97, 0.03], [0.98, 0.7], 60, 0.94),
    ],
)
def test_the_interval_of_macro_f1_holds_the_truth(
    prior: list[float], recall: list[float], n: int, least: float
) -> None:
    rng, chances = np.random.default_rng(0), world(prior, recall)
    f1 = 2 * chances.diagonal() / (chances.sum(axis=0) + chances.sum(axis=1))
    held = []
    for _ in range(600):
        counts = rng.multinomial(n, chances.ravel()).reshape(chances.shape)
        truth, found = f1[counts.sum(axis=1) > 0].mean(), macro_f1_interval(counts)
        held.append(found.low <= truth <= found.high)
    assert least - 0.02 < np.mean(held) <= 1.0


def test_many_images_make_it_narrow_about_the_estimate() -> None:
    counts = np.array([[900, 100], [50, 950]])
    found = macro_f1_interval(counts)
    assert found.low < macro_f1(counts) < found.high
    # the delta method, by the bootstrap of the images
    rng = np.random.default_rng(0)
    again = [macro_f1(one.reshape(2, 2)) for one in rng.multinomial(2000, counts.ravel() / 2000, size=4000)]
    assert found.low == pytest.approx(np.quantile(again, 0.025), abs=0.002)
    assert found.high == pytest.approx(np.quantile(again, 0.975), abs=0.002)


def test_one_class_alone_has_the_interval_of_its_share() -> None:
    found = macro_f1_interval(np.array([[9, 1], [0, 0]]))
    ends = wilson(9, 10)
    assert found.high - found.low == pytest.approx(
        2 * ends.high / (1 + ends.high) - 2 * ends.low / (1 + ends.low), abs=1e-9
    )


# --- calibration ---


def test_the_error_is_the_mean_gap_of_the_bins() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.4, 1, 200)
    right = rng.random(200) < sure**2
    found = calibration(right, sure, rng)
    assert found is not None
    order = np.argsort(sure)
    gaps = [abs(right[order][i : i + 20].mean() - sure[order][i : i + 20].mean()) for i in range(0, 200, 20)]
    assert found.error == pytest.approx(np.mean(gaps))
    assert [one.n for one in found.bins] == [20] * 10
    assert found.bins[0].interval == share_interval(int(right[order][:20].sum()), 20)
    assert found.p < 0.01
    assert "surer than it ought to be" in found.text()


def test_a_model_that_is_as_sure_as_it_ought_to_be_is_rarely_accused() -> None:
    rng = np.random.default_rng(1)
    chances = []
    for _ in range(200):
        sure = rng.uniform(0.3, 1, 60)
        found = calibration(rng.random(60) < sure, sure, rng)
        assert found is not None
        chances.append(found.p)
    assert np.mean(np.array(chances) <= 0.05) < 0.10  # .05 and three standard errors
    assert 0.4 < np.mean(chances) < 0.6


def test_calibration_says_other_things_of_other_models_and_nothing_of_few_images() -> None:
    rng = np.random.default_rng(0)
    timid = calibration(np.ones(100, dtype=bool), np.full(100, 0.6), rng)
    flat = calibration(np.arange(100) % 10 < 7, np.where(np.arange(100) < 50, 0.99, 0.41), rng)
    assert timid is not None
    assert flat is not None
    assert "right more often than it says" in timid.text()
    assert "says little of how often" in flat.text()
    assert calibration(np.ones(19, dtype=bool), np.ones(19), rng) is None
    assert Calibration.from_dict(json.loads(json.dumps(flat.as_dict()))) == flat


# --- the second estimate ---


def test_it_is_unbiased_and_holds_the_truth_however_wrong_the_certainty() -> None:
    rng = np.random.default_rng(0)
    held, errors, before = [], [], []
    for _ in range(800):
        sure, pool = rng.beta(4, 0.7, 60), rng.beta(4, 0.7, 600)
        right = rng.random(60) < sure**2  # far surer than it is right
        found = prediction_powered(right, sure, pool)
        estimate, interval = (
            (right.mean(), share_interval(int(right.sum()), 60)) if found is None else (found.accuracy, found.interval)
        )
        truth = 4 / 4.7 * 5 / 5.7  # E[sure^2] of this beta distribution
        held.append(interval.low <= truth <= interval.high)
        errors.append(estimate - truth)
        before.append(right.mean() - truth)
    assert 0.93 - 0.016 < np.mean(held) < 0.97 + 0.016  # two standard errors beside 93 to 97 %
    assert abs(np.mean(errors)) < 3 * np.std(errors) / 800**0.5 + 0.002
    assert np.mean(np.square(errors)) < 0.9 * np.mean(np.square(before))


def test_it_is_not_shown_where_it_does_not_help() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(200) < 0.8
    assert prediction_powered(right, rng.random(200), rng.random(1000)) is None  # certainty says nothing
    assert prediction_powered(right, np.full(200, 0.7), np.full(1000, 0.7)) is None
    assert prediction_powered(right, 1 - right * 0.5, rng.random(1000)) is None  # surer of what is wrong
    assert prediction_powered(np.ones(100, dtype=bool), rng.random(100), rng.random(900)) is None
    few = right[:39]
    assert prediction_powered(few, few * 0.5 + 0.2, rng.random(1000)) is None
    with pytest.raises(ExamError, match="equally many, got 200 and 3"):
        prediction_powered(right, np.ones(3), np.ones(5))


def test_certainty_that_knows_all_counts_the_pool() -> None:
    rng = np.random.default_rng(0)
    right, pool = rng.random(100) < 0.8, (rng.random(5000) < 0.8).astype(float)
    found = prediction_powered(right, right * 0.999 + 0.0005, pool)
    assert found is not None
    assert found.accuracy == pytest.approx(pool.mean(), abs=0.01)
    assert found.interval.high - found.interval.low < 0.04
    assert Powered.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert "5,000 more images" in found.text()


# --- groups ---


def test_groups_have_fishers_chances_corrected_for_how_many_there_are() -> None:
    right = np.array([False] * 8 + [True] * 4 + [True] * 38)
    camera = ["a"] * 12 + ["b"] * 20 + ["c"] * 9 + [None] * 9
    found = worst_groups(right, {"camera": camera, "all": ["x"] * 50, "name": [str(i) for i in range(50)]})
    assert [(one.column, one.value, one.n) for one in found] == [("camera", "a", 12), ("camera", "b", 20)]
    worst = fisher_exact([[4, 8], [38, 0]], alternative="less").pvalue
    assert found[0].p == pytest.approx(2 * worst)
    assert (found[0].worse, found[1].worse) == (True, False)
    assert found[0].text() == "camera a: right on 33.3 % (13.8 to 60.9) of 12"
    assert Group.from_dict(json.loads(json.dumps(found[0].as_dict()))) == found[0]


def test_groups_by_chance_are_rarely_accused() -> None:
    rng = np.random.default_rng(0)
    accused = 0
    for _ in range(200):
        right, column = rng.random(100) < 0.8, rng.integers(0, 5, 100).astype(str).tolist()
        accused += any(one.worse for one in worst_groups(right, {"camera": column}))
    assert accused / 200 < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


# --- together ---


def test_the_report_has_them_all_and_survives_json() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet([0.3, 0.3, 0.3], 120)
    labels = np.where(
        rng.random(120) < probabilities.max(axis=1), probabilities.argmax(axis=1), rng.integers(0, 3, 120)
    )
    labels[:5] = -1
    labels[60:90] = (probabilities[60:90].argmax(axis=1) + 1) % 3  # all of them wrong
    camera = ["old" if 60 <= i < 90 else "new" for i in range(120)]
    pool = rng.dirichlet([0.3, 0.3, 0.3], 900).max(axis=1)
    report = evaluate(labels, probabilities, ("a", "b", "c"), model=4, pool=pool, columns={"camera": camera})
    assert report.calibration is not None
    assert report.macro_f1_interval == macro_f1_interval(np.array(report.confusion))
    assert [one.value for one in report.groups if one.worse] == ["old"]
    assert report.groups[0].n == 30
    assert ExamReport.from_dict(json.loads(json.dumps(report.as_dict(), allow_nan=False))) == report
    assert "worse than on the rest: camera old: right on 0.0 % (0.0 to 11.4) of 30" in report.text()
    plain = {
        name: value for name, value in report.as_dict().items() if name not in ("calibration", "groups", "powered")
    }
    plain.pop("macro_f1_interval")  # as a report of an older version has it
    old = ExamReport.from_dict(plain)
    assert (old.calibration, old.powered, old.groups, old.macro_f1_interval) == (None, None, (), None)
