"""The pass mark: whether the exam proves that a model is good enough, that it is not, or neither yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, log
from typing import Literal, cast

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.words import counted, named

__all__ = ["Mark", "Requirement", "Verdict", "judge"]

MOST = 20_000  # further exam labels: whoever needs more than these does not label an exam
Outcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Mark:
    """What a model must reach: shares 0..1 of all exam images, and of those of a class, at a confidence."""

    accuracy: float | None
    recall: Mapping[str, float]
    confidence: float

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {"accuracy": self.accuracy, "recall": dict(self.recall), "confidence": self.confidence}


@dataclass(frozen=True)
class Requirement:
    """One share that is asked for, and what `right` of `n` exam images say of it.

    `more` is about how many further labels of such images would decide it if the share stayed as it is, 0 where it is
    decided, None where more than 20,000 would not. Where the exam has none of them, it is how many are needed at least,
    even if all are right. `exam_more` is about how many further exam images hold so many of them: of a class, these are
    as many as it has in the exam; None where that cannot be told.
    """

    what: str
    wanted: float
    right: int
    n: int
    outcome: Outcome
    more: int | None
    exam_more: int | None = None

    def text(self) -> str:
        """Say what was asked, what there is, and what that proves."""
        asked = f"{self.what} of at least {100 * self.wanted:g} %"
        if self.n == 0:
            needed = (
                ""
                if self.more is None
                else f"; at least {self.more:,} {'is' if self.more == 1 else 'are'} needed, even if all are right"
            )
            return f"{asked}: not enough exam labels to tell: none of these images is in the exam yet{needed}"
        seen = f"{100 * self.right / self.n:.1f} % of {self.n:,}"
        if self.outcome != "undecided":
            return f"{asked}: {self.outcome} ({seen})"
        if self.more is None:
            return f"{asked}: not enough exam labels to tell ({seen}), and it is too close to the mark for any number"
        told = f"{asked}: not enough exam labels to tell ({seen}): label about {self.more:,} more"
        if self.exam_more in (None, self.more):
            return told
        return f"{told} of these, which takes about {counted(self.exam_more or 0, 'more exam image')}"


@dataclass(frozen=True)
class Verdict:
    """What the exam proves of a pass mark: the whole outcome, and that of each requirement."""

    outcome: Outcome
    requirements: tuple[Requirement, ...]
    confidence: float

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Verdict:
        """Read what `as_dict` gave, also after it went through JSON."""
        rows = cast("Sequence[Mapping[str, object]]", values["requirements"])
        return cls(
            outcome=cast("Outcome", values["outcome"]),
            requirements=tuple(Requirement(**row) for row in rows),  # type: ignore[arg-type]  # values as they were written
            confidence=cast("float", values["confidence"]),
        )

    def text(self) -> str:
        """Say it in a line, and each requirement in one of its own."""
        sure = f"with {100 * self.confidence:g} % confidence"
        head = {
            "pass": f"pass: the mark is reached, {sure}",
            "fail": f"fail: the mark is not reached, {sure}",
            "undecided": f"not enough exam labels to tell {sure}",
        }[self.outcome]
        return "\n".join([head, *(f"  {one.text()}" for one in self.requirements)])


def judge(confusion: np.ndarray | Sequence[Sequence[int]], class_names: Sequence[str], mark: Mark) -> Verdict:
    """Judge a confusion matrix (C, C), rows the true classes, by exact binomial tests.

    Passed is what would be reached by luck with at most 1 - confidence if the model were just below the mark; all
    requirements must be passed, so a false pass stays that rare without correction. Failed is the mark when any
    requirement is, each at its part of 1 - confidence (Bonferroni), so a false fail stays that rare too.
    Raises ExamError for a mark that asks nothing, or for a class that is not there.
    """
    confusion = np.asarray(confusion, dtype=np.int64)
    asked: list[tuple[str, float, int, int]] = []
    if mark.accuracy is not None:
        asked.append(("accuracy", mark.accuracy, int(confusion.trace()), int(confusion.sum())))
    for name, wanted in mark.recall.items():
        if name not in class_names:
            raise ExamError(f"the pass mark names the class {name!r}, which is not one of {named(class_names)}")
        row = confusion[list(class_names).index(name)]
        asked.append((f"recall of {name}", wanted, int(row[list(class_names).index(name)]), int(row.sum())))
    if not asked:
        raise ExamError("the pass mark asks for nothing; set exam.pass_accuracy or exam.pass_recall in project.toml")
    risk = 1 - mark.confidence
    found = tuple(_requirement(*one, int(confusion.sum()), risk, risk / len(asked)) for one in asked)
    outcomes = {one.outcome for one in found}
    outcome: Outcome = "fail" if "fail" in outcomes else "undecided" if "undecided" in outcomes else "pass"
    return Verdict(outcome, found, mark.confidence)


def _requirement(
    what: str, wanted: float, right: int, n: int, exam: int, pass_risk: float, fail_risk: float
) -> Requirement:
    """Judge a share by `n` of the `exam` images."""
    if n == 0:
        return Requirement(what, wanted, right, n, "undecided", _least(wanted, pass_risk))
    outcome = str(_outcomes(np.array([right]), np.array([n]), wanted, pass_risk, fail_risk)[0])
    more: int | None = 0
    if outcome == "undecided":
        more = _more(right, n, wanted, pass_risk, fail_risk)
    exam_more = None if more is None else -(-more * exam // n)  # rounded up
    return Requirement(what, wanted, right, n, cast("Outcome", outcome), more, exam_more)


def _least(wanted: float, pass_risk: float) -> int | None:
    """Return of how many images all must be right for a pass; None where no number proves it."""
    return max(1, ceil(log(pass_risk) / log(wanted) - 1e-9)) if 0 < wanted < 1 else None


def _outcomes(right: np.ndarray, n: np.ndarray, wanted: float, pass_risk: float, fail_risk: float) -> np.ndarray:
    """Return the outcome (k,) of each count: P(right or more) and P(right or fewer) of n at exactly the mark."""
    from scipy.stats import binom

    passed = binom.sf(right - 1, n, wanted) <= pass_risk
    failed = binom.cdf(right, n, wanted) <= fail_risk
    return np.where(passed, "pass", np.where(failed, "fail", "undecided"))


def _more(right: int, n: int, wanted: float, pass_risk: float, fail_risk: float) -> int | None:
    """Return after how many further labels, with the share as it is, it is decided and stays so."""
    more = np.unique(np.geomspace(1, MOST, 300).astype(np.int64))  # about: steps of three per cent
    counts = np.rint(right / n * (n + more)).astype(np.int64)
    open_still = np.flatnonzero(_outcomes(counts, n + more, wanted, pass_risk, fail_risk) == "undecided")
    first = int(open_still[-1]) + 1 if len(open_still) else 0
    return int(more[first]) if first < len(more) else None
