"""The audit: did the images a strategy picked teach more than images drawn by chance?

What can honestly be said from one project. The random share of every batch (the audit picks) shows what chance would
have taught. Models are trained on equally many picks and audit picks, and compared on the exam. The picks were chosen
one after another, knowing the labels before them, so a random half of them is a little worse than what the strategy
would have picked with so few labels, and the interval is rather too wide (about 1.4 times, on simulated projects): the
comparison is, if anything, hard on the strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.trust.intervals import Interval
from annotate_select.words import counted

__all__ = ["AuditReport", "Fit", "compare"]

# (features (l, d), labels (l,)) -> (features (n, d)) -> probabilities (n, C)
Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]

FEWEST_LABELS = 10  # of picks and of audit picks
FEWEST_EXAM = 20
RESAMPLES = 2000


@dataclass(frozen=True)
class AuditReport:
    """The exam accuracy of models trained on `size` picks and on `size` audit picks; `difference` = picks - audit.

    Accuracies, difference and interval (95 %) are shares of 1, and None where the verdict is that it is too early.
    """

    n_picks: int
    n_audit: int
    size: int
    accuracy_picks: float | None
    accuracy_audit: float | None
    difference: float | None
    interval: Interval | None
    verdict: str

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AuditReport:
        """Read what `as_dict` gave, also after it went through JSON."""
        interval = values["interval"]
        return cls(**{**values, "interval": Interval(**interval) if interval else None})


def compare(
    features: np.ndarray,
    labels: np.ndarray,
    roles: Sequence[str] | np.ndarray,
    exam_features: np.ndarray,
    exam_labels: np.ndarray,
    fit: Fit,
    seed: int,
    repeats: int = 20,
) -> AuditReport:
    """Compare what picks and audit picks teach, at equal numbers of labels.

    `features` (l, d), `labels` (l,) and `roles` (l,) "pick" or "audit" (others are left out) are the labelled images
    outside the exam; `exam_features` (e, d) and `exam_labels` (e,) measure. Each repeat trains one model on a random
    half of the rarer role and one on as many of the other. Half, so that the repeats differ: the interval holds the
    luck of which images were labelled, beside that of which are in the exam. Raises ExamError when lengths differ.
    """
    labels, roles = np.asarray(labels), np.asarray(roles)
    _require(features, labels, roles, exam_features, exam_labels, repeats)
    picks, audit = np.flatnonzero(roles == "pick"), np.flatnonzero(roles == "audit")
    too_early = _too_early(labels, picks, audit, len(exam_labels))
    if too_early:
        return AuditReport(len(picks), len(audit), 0, None, None, None, None, too_early)
    size, rng = min(len(picks), len(audit)) // 2, np.random.default_rng(seed)

    def right(rows: np.ndarray) -> np.ndarray:
        """Train on `size` of the rows; return (e,) 1.0 where the exam image is recognised."""
        some = _some(rows, labels, size, rng)
        predicted = fit(features[some], labels[some])(exam_features).argmax(axis=1)
        return np.asarray(predicted == exam_labels, dtype=np.float64)

    by_picks = np.array([right(picks) for _ in range(repeats)])  # (repeats, e)
    by_audit = np.array([right(audit) for _ in range(repeats)])
    difference = float(by_picks.mean() - by_audit.mean())
    luck = _luck(by_picks, size, len(picks)) + _luck(by_audit, size, len(audit))
    interval = _interval((by_picks - by_audit).mean(axis=0), luck, rng)
    verdict = _verdict(difference, interval)
    accuracies = float(by_picks.mean()), float(by_audit.mean())
    return AuditReport(len(picks), len(audit), size, *accuracies, difference, interval, verdict)


def _too_early(labels: np.ndarray, picks: np.ndarray, audit: np.ndarray, n_exam: int) -> str:
    """Say what is missing for a comparison, or nothing."""
    for name, rows in (("audit", audit), ("pick", picks)):
        if len(rows) < FEWEST_LABELS:
            return f"too few {name} labels to tell: {len(rows)}, at least {FEWEST_LABELS} needed"
        if len(np.unique(labels[rows])) < 2:
            return f"too few classes to tell: all {counted(len(rows), f'{name} label')} are of one class"
    if n_exam < FEWEST_EXAM:
        return f"too few exam labels to tell: {n_exam}, at least {FEWEST_EXAM} needed"
    return ""


def _some(rows: np.ndarray, labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `size` rows at random, again until they are of two classes, for one class teaches nothing."""
    while True:
        some = np.sort(rng.permutation(rows)[:size])
        if len(np.unique(labels[some])) > 1:
            return some


def _luck(right: np.ndarray, size: int, n: int) -> float:
    """Return the variance of the mean accuracy that comes from which n images were labelled, right (repeats, e).

    Delete-d jackknife: accuracies of samples of `size` out of n vary (n - size) / size times as much as their mean
    would if n other images had been labelled. Source: Shao and Wu, Annals of Statistics 17 (1989).
    """
    between = float(right.mean(axis=1).var(ddof=1))
    return between * size / (n - size) + between / len(right)


def _interval(gains: np.ndarray, luck: float, rng: np.random.Generator) -> Interval:
    """Bootstrap the mean of gains (e,), one an exam image, and add the variance `luck` of the labelled images."""
    n_exam = len(gains)
    means = np.array([gains[rng.integers(n_exam, size=n_exam)].mean() for _ in range(RESAMPLES)])
    low, high = np.quantile(means + rng.normal(0.0, np.sqrt(luck), RESAMPLES), [0.025, 0.975])
    return Interval(float(low), float(high))


def _verdict(difference: float, interval: Interval) -> str:
    figures = f"95 % interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"
    if interval.low > 0:
        return f"picks beat chance by {100 * difference:.1f} points ({figures})"
    if interval.high < 0:
        return f"picks do worse than chance by {-100 * difference:.1f} points ({figures}); try another strategy"
    return f"no difference shown yet ({figures} points)"


def _require(
    features: np.ndarray,
    labels: np.ndarray,
    roles: np.ndarray,
    exam_features: np.ndarray,
    exam_labels: np.ndarray,
    repeats: int,
) -> None:
    if not len(features) == len(labels) == len(roles):
        raise ExamError(
            f"features, labels and roles must be equally many, got {len(features)}, {len(labels)} and {len(roles)}"
        )
    if len(exam_features) != len(exam_labels):
        raise ExamError(f"the exam has {len(exam_features)} rows of features, but {len(exam_labels)} labels")
    if repeats < 2:
        raise ExamError(f"repeats must be at least 2, got {repeats}")
