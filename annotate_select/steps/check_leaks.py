"""Labels that the exam keeps out of training, because the exam would measure memory: which, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.errors import ExamError, listed
from annotate_select.steps.embed import open_features
from annotate_select.steps.home import Home
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.trust.leaks import blocked, closest

__all__ = ["Leak", "LeaksReport", "check_leaks"]

GROUP = "of the same group"


@dataclass(frozen=True)
class Leak:
    """A labelled image that is not trained on, the exam image it is too like, and their cosine; or the group's name."""

    key: str
    exam_key: str
    why: str
    cosine: float


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
        head = f"{self.exam:,} images are the exam's; {self.reserved:,} more are kept from training for its sake"
        if not self.leaks:
            return f"{head}; none of them has a label"
        return f"{head}, {len(self.leaks):,} of them labelled: {self.pairs(10)}"

    def pairs(self, most: int) -> str:
        """Name the first pairs, the most alike first, and how many more there are."""
        return listed((_pair(one) for one in self.leaks), most=most)


def check_leaks(home: Home, features: str | None = None) -> LeaksReport:
    """Name the labelled images that would leak the exam into training, each with the exam image it is like.

    Raises ExamError where there is no exam, FeaturesError where there are no features.
    """
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    exam = np.flatnonzero(state.exam & state.in_pool)
    if len(exam) == 0:
        raise ExamError("there is no exam yet; draw one with `annotate-select exam`")
    reserved = blocked(opened.alike, exam, state.groups).rows & ~state.exam & state.in_pool
    rows = np.flatnonzero(reserved & (state.labels != UNLABELLED))
    near, cosines = closest(opened.alike, exam, rows)
    pairs = zip(rows.tolist(), near.tolist(), cosines.tolist(), strict=True)
    leaks = [_leak(state, exam, row, other, cosine) for row, other, cosine in pairs]
    leaks.sort(key=lambda one: -one.cosine)
    return LeaksReport(len(exam), int(reserved.sum()), leaks)


def _pair(one: Leak) -> str:
    return f"{one.key} ({one.why} {'as' if one.why == GROUP else 'of'} {one.exam_key})"


def _leak(state: Standing, exam: np.ndarray, row: int, near: int, cosine: float) -> Leak:
    same = exam[state.groups[exam] == state.groups[row]] if state.groups is not None else exam[:0]
    if len(same):
        return Leak(state.keys[row], state.keys[int(same[0])], GROUP, round(cosine, 4))
    return Leak(state.keys[row], state.keys[near], "near-duplicate", round(cosine, 4))
