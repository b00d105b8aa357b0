"""Labels that the exam keeps out of training, because the exam would measure memory: which, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.steps.home import Home
from annotate_select.steps.leaks import Leak, leaks_among, pairs
from annotate_select.steps.standing import standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.leaks import blocked
from annotate_select.words import counted

__all__ = ["LeaksReport", "check_leaks"]


@dataclass(frozen=True)
class LeaksReport:
    """What is kept from training: exam images, and labelled images too close to one."""

    exam: int
    reserved: int  # images of the pool, labelled or not, beside the exam's own
    leaks: list[Leak]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Say what is kept out, and which labels that costs."""
        head = (
            f"{counted(self.exam, verbs=('is', 'are'))} the exam's; {self.reserved:,} more "
            f"{'is' if self.reserved == 1 else 'are'} kept from training for its sake"
        )
        if not self.leaks:
            return f"{head}; none of them has a label"
        return f"{head}, {len(self.leaks):,} of them labelled: {pairs(self.leaks, 10)}"


def check_leaks(home: Home, features: str | None = None) -> LeaksReport:
    """Name the labelled images that would leak the exam into training, each with the exam image it is like.

    Raises ExamError where there is no exam, FeaturesError where there are no features.
    """
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    exam = np.flatnonzero(state.exam & state.in_pool)
    if len(exam) == 0:
        raise ExamError("there is no exam yet; draw one with `annotate-select exam`")
    reserved = blocked(opened.alike, exam, state.groups).rows
    beside = int((reserved & ~state.exam & state.in_pool).sum())
    return LeaksReport(len(exam), beside, leaks_among(opened.alike, state, reserved))
