from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust.audit import AuditReport, compare


def nearest_mean(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Train the simplest classifier there is; its 'probabilities' are minus the distances to the class means."""
    means = np.array([features[labels == c].mean(axis=0) for c in range(2)])
    return lambda rows: -np.linalg.norm(rows[:, None] - means, axis=2)


def draw(rng: np.random.Generator, n: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw two overlapping classes in 20 dimensions; the smaller the spread, the more a row teaches."""
    labels = rng.integers(0, 2, n)
    return spread * rng.normal(size=(n, 20)) + 0.45 * labels[:, None], labels


def compared(seed: int, n_picks: int = 80, n_audit: int = 40, spread: tuple[float, float] = (1, 1)) -> AuditReport:
    rng = np.random.default_rng(seed)
    picks, audit, exam = draw(rng, n_picks, spread[0]), draw(rng, n_audit, spread[1]), draw(rng, 200)
    return compare(
        np.vstack([picks[0], audit[0]]),
        np.concatenate([picks[1], audit[1]]),
        ["pick"] * n_picks + ["audit"] * n_audit,
        exam[0],
        exam[1],
        nearest_mean,
        seed=0,
    )


def test_picks_that_teach_more_are_seen() -> None:
    report = compared(1, spread=(0.3, 1.5))
    assert (report.n_picks, report.n_audit, report.size) == (80, 40, 20)
    assert report.accuracy_picks is not None
    assert report.accuracy_audit is not None
    assert report.difference == pytest.approx(report.accuracy_picks - report.accuracy_audit)
    assert report.interval is not None
    assert 0 < report.interval.low < report.difference < report.interval.high
    low, high = 100 * report.interval.low, 100 * report.interval.high
    assert report.verdict == (
        f"picks beat chance by {100 * report.difference:.1f} points (95 % interval {low:.1f} to {high:.1f})"
    )


def test_picks_that_teach_less_are_seen() -> None:
    report = compared(1, spread=(1.5, 0.3))
    assert report.verdict.startswith("picks do worse than chance by ")
    assert report.verdict.endswith("; try another strategy")
    assert report.interval is not None
    assert report.interval.high < 0


def test_chance_is_rarely_called_a_difference() -> None:
    verdicts = [compared(seed).verdict for seed in range(100)]
    wrong = sum(not verdict.startswith("no difference shown yet (95 % interval ") for verdict in verdicts)
    assert wrong <= 8


def test_labels_with_other_roles_are_left_out() -> None:
    rng = np.random.default_rng(0)
    features, labels = draw(rng, 60)
    roles = np.array(["pick"] * 25 + ["audit"] * 25 + ["", "exam"] * 5)
    exam = draw(rng, 50)
    report = compare(features, labels, roles, *exam, nearest_mean, seed=0)
    inside = compare(features[:50], labels[:50], roles[:50], *exam, nearest_mean, seed=0)
    assert report == inside
    assert (report.n_picks, report.n_audit, report.size) == (25, 25, 12)


def test_the_same_seed_gives_the_same_report_and_it_can_be_written() -> None:
    report = compared(3)
    assert report == compared(3)
    assert json.loads(json.dumps(report.as_dict()))["verdict"] == report.verdict
    assert AuditReport.from_dict(json.loads(json.dumps(report.as_dict()))) == report


def test_models_are_always_trained_on_two_classes_and_equal_numbers() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 20))
    labels = np.array([0] * 14 + [1] + [0] * 14 + [1])
    sizes, classes = set(), set()

    def spy(some: np.ndarray, known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        sizes.add(len(known))
        classes.add(len(np.unique(known)))
        return nearest_mean(some, known)

    compare(features, labels, ["pick"] * 15 + ["audit"] * 15, *draw(rng, 30), spy, seed=0, repeats=10)
    assert sizes == {7}
    assert classes == {2}


@pytest.mark.parametrize(
    ("n_picks", "n_audit", "n_exam", "verdict"),
    [
        (90, 6, 50, "too few audit labels to tell: 6, at least 10 needed"),
        (4, 10, 50, "too few pick labels to tell: 4, at least 10 needed"),
        (90, 10, 19, "too few exam labels to tell: 19, at least 20 needed"),
        (0, 0, 0, "too few audit labels to tell: 0, at least 10 needed"),
    ],
)
def test_too_early_to_tell(n_picks: int, n_audit: int, n_exam: int, verdict: str) -> None:
    rng = np.random.default_rng(0)
    features, labels = draw(rng, n_picks + n_audit)
    report = compare(
        features, labels, ["pick"] * n_picks + ["audit"] * n_audit, *draw(rng, n_exam), nearest_mean, seed=0
    )
    assert report == AuditReport(n_picks, n_audit, 0, None, None, None, None, verdict)


def test_one_class_only_is_too_early() -> None:
    rng = np.random.default_rng(0)
    features, labels = draw(rng, 40)
    labels[20:] = 1
    report = compare(features, labels, ["pick"] * 20 + ["audit"] * 20, *draw(rng, 30), nearest_mean, seed=0)
    assert report.verdict == "too few classes to tell: all 20 audit labels are of one class"


def test_what_does_not_fit_is_refused() -> None:
    x, y = np.zeros((3, 2)), np.array([0, 1, 0])
    with pytest.raises(ExamError, match="equally many, got 3, 3 and 2"):
        compare(x, y, ["pick", "audit"], x, y, nearest_mean, seed=0)
    with pytest.raises(ExamError, match="exam has 3 rows of features, but 2 labels"):
        compare(x, y, ["pick"] * 3, x, y[:2], nearest_mean, seed=0)
    with pytest.raises(ExamError, match="repeats must be at least 2, got 1"):
        compare(x, y, ["pick"] * 3, x, y, nearest_mean, seed=0, repeats=1)
