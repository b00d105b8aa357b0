"""When it is enough: what the next labels would bring, by the exam, and whether models still change their minds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Literal, cast

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.intervals import Interval
from annotate_select.words import counted

__all__ = ["Gain", "Stopping", "advise", "expected_gain", "kappa"]

AHEAD = 100  # labels
LAST = 5  # rounds: a curve is straight in the logarithm of labels only for a while
DRAWS = 1_000  # of a bootstrap
WORTH = 0.01  # of accuracy for the next 100 labels: less is called little
SETTLED = 0.99  # agreement of successive models at which Bloodgood and Vijay-Shanker stop
Advice = Literal["reached", "early", "go on", "little", "open"]


@dataclass(frozen=True)
class Gain:
    """How much accuracy (.01 is a point) the next `ahead` labels are expected to bring, with a 95 % interval."""

    ahead: int
    expected: float
    interval: Interval


@dataclass(frozen=True)
class Stopping:
    """What there is to say on whether to go on, and the sentence that says it.

    `agreement` is Cohen's kappa of the last successive models, oldest first, on images nobody labelled; `weakest` the
    class that the model finds least surely; `mixed` the two classes that labels contradict each other about most, where
    more labels bring little; None, or empty, where there is nothing yet to say it from.
    """

    advice: Advice
    rounds: int
    labels: int
    gain: Gain | None
    agreement: tuple[float, ...]
    weakest: str | None
    sentence: str
    mixed: tuple[str, str] | None = None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Stopping:
        """Read what `as_dict` gave, also after it went through JSON."""
        plain = dict(values)
        gain = cast("dict[str, object] | None", plain["gain"])
        if gain is not None:
            ends = cast("dict[str, float]", gain["interval"])
            gain_read = Gain(cast("int", gain["ahead"]), cast("float", gain["expected"]), Interval(**ends))
        plain["gain"] = gain_read if gain is not None else None
        mixed = cast("Sequence[str] | None", plain.get("mixed"))
        plain["mixed"] = None if mixed is None else (mixed[0], mixed[1])
        plain["agreement"] = tuple(cast("Sequence[float]", plain["agreement"]))
        return cls(**plain)  # type: ignore[arg-type]  # values as they were written


def expected_gain(labels: np.ndarray, right: np.ndarray, *, ahead: int = AHEAD, seed: int = 0) -> Gain | None:
    """Extrapolate the accuracy on the exam by a line in the logarithm of labels, through the last five rounds.

    `labels` (r,) trained on in each round, ascending; `right` (r, m) whether each of the same m exam images was right.
    The interval holds the doubt of a small exam (bootstrap over its images, all rounds together, since they share
    them) and of rounds that lie beside the line, added as variances. Nothing is promised beyond an accuracy of 0 or 1,
    and the interval lies around what is. Near saturation a line promises too much rather than too little. None for
    fewer than three rounds that differ in their labels. Raises ExamError for wrong shapes.
    """
    labels, right = np.asarray(labels, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if right.ndim != 2 or labels.shape != (len(right),) or right.shape[1] == 0:
        raise ExamError(f"right must be (rounds, images) with rounds for labels, got {right.shape} and {labels.shape}")
    labels, right = labels[-LAST:], right[-LAST:]
    if len(np.unique(labels)) < 3:
        return None
    x = np.log(labels)
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()  # (r,) a slope is their product with accuracies
    reach = float(np.log((labels[-1] + ahead) / labels[-1]))
    accuracy = right.mean(axis=1)
    slope = float(weights @ accuracy)
    m = right.shape[1]
    draws = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=DRAWS) / m  # (draws, m)
    sampling = float((draws @ (right.T @ weights)).var())
    beside = accuracy - accuracy.mean() - slope * (x - x.mean())
    scatter = float((beside**2).sum() / (len(x) - 2) * (weights**2).sum())
    least, most = -float(accuracy[-1]), 1 - float(accuracy[-1])
    expected = min(max(slope * reach, least), most)
    deviation = NormalDist().inv_cdf(0.975) * reach * float(np.sqrt(sampling + scatter))
    return Gain(ahead, expected, Interval(max(expected - deviation, least), min(expected + deviation, most)))


def kappa(first: np.ndarray, second: np.ndarray, n_classes: int) -> float:
    """Return Cohen's kappa of two models' classes (n,) of the same images; 1 where neither leaves any doubt.

    Source: Bloodgood and Vijay-Shanker, CoNLL 2009: models that agree this way have little left to learn.
    """
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (np.asarray(first), np.asarray(second)), 1)
    table /= table.sum()
    chance = float(table.sum(axis=1) @ table.sum(axis=0))
    return 1.0 if chance >= 1 else (float(table.trace()) - chance) / (1 - chance)


def advise(
    report: ExamReport,
    labels: Sequence[int],
    gain: Gain | None,
    agreement: Sequence[float],
    mixed: tuple[str, str] | None = None,
) -> Stopping:
    """Put exam, pass mark, expected gain and agreement into one sentence; never by accuracy on picked images.

    `mixed` are two classes that labels contradict each other about, said where more labels bring little.
    """
    weakest = _weakest(report)
    advice = _advice(report, gain)
    mixed = mixed if advice == "little" else None
    sentence = _sentence(report, advice, len(labels), gain, agreement, weakest, mixed)
    return Stopping(advice, len(labels), labels[-1], gain, tuple(agreement), weakest, sentence, mixed)


def _advice(report: ExamReport, gain: Gain | None) -> Advice:
    if report.verdict is not None and report.verdict.outcome == "pass":
        return "reached"
    if gain is None:
        return "early"
    if gain.interval.low > 0 and gain.expected >= WORTH:
        return "go on"
    return "little" if gain.interval.high < WORTH else "open"


def _weakest(report: ExamReport) -> str | None:
    """Return the class whose recall has the lowest upper end; of equals the first. None where all is found."""
    there = [one for one in report.classes if one.n and one.recall is not None and one.recall < 1]
    return min(there, key=lambda one: one.recall_interval.high).name if there else None


def _sentence(
    report: ExamReport,
    advice: Advice,
    rounds: int,
    gain: Gain | None,
    agreement: Sequence[float],
    weakest: str | None,
    mixed: tuple[str, str] | None,
) -> str:
    if advice == "reached":
        return "the pass mark is reached: for that, no more labels are needed"
    if gain is None:
        more = max(1, 3 - rounds)
        return f"too early to say what more labels would bring: it takes {counted(more, 'more round')}"
    low, high = 100 * gain.interval.low, 100 * gain.interval.high
    figures = f"{100 * gain.expected:+.1f} points (95 % interval {low:+.1f} to {high:+.1f})"
    promised = f"the next {counted(gain.ahead, 'label', ('brings', 'bring'))} about {figures}"
    helped = f"; {weakest} is found least, so its labels help most" if weakest is not None else ""
    if advice == "go on":
        return f"go on: {promised}{helped}"
    if advice == "open":
        return (
            f"not clear yet: {promised}, on {counted(report.n, 'exam image')}; a larger exam would tell sooner{helped}"
        )
    last = list(agreement)[-3:]
    if len(last) == 3 and np.mean(last) >= SETTLED:
        return f"enough: {promised}, and the last models agree on what nobody labelled"
    if mixed is not None:
        return (
            f"labels are no longer the problem: {promised}; {mixed[0]} and {mixed[1]} contradict each other: agree on "
            "what is which, look at Likely wrong on the Review page, or merge the two"
        )
    return (
        f"more labels bring little: {promised}; if that is not good enough, other features or clearer classes help more"
    )
