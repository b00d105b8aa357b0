"""Labelled images that the exam keeps out of training, because it would measure memory: which, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.steps.standing import UNLABELLED, Standing
from annotate_select.trust.leaks import closest
from annotate_select.words import plain

__all__ = ["Leak", "leaks_among", "pairs"]

GROUP = "of the same group"


@dataclass(frozen=True)
class Leak:
    """A labelled image that is not trained on, the exam image it is too like, and their cosine; or the group's name."""

    key: str
    exam_key: str
    why: str
    cosine: float


def leaks_among(array: np.ndarray, state: Standing, reserved: np.ndarray) -> list[Leak]:
    """Return the labelled images among the `reserved` rows (n,) bool, the most alike first, by features (n, d)."""
    exam = np.flatnonzero(state.exam & state.in_pool)
    rows = np.flatnonzero(reserved & ~state.exam & state.in_pool & (state.labels != UNLABELLED))
    if not len(exam) or not len(rows):
        return []
    near, cosines = closest(array, exam, rows)
    found = zip(rows.tolist(), near.tolist(), cosines.tolist(), strict=True)
    return sorted((_leak(state, exam, row, other, cosine) for row, other, cosine in found), key=lambda one: -one.cosine)


def pairs(leaks: Sequence[Leak], most: int, total: int | None = None) -> str:
    """Name the first pairs, and how many more there are; `total` where these are only some."""
    shown = ", ".join(
        f"{plain(one.key)} ({one.why} {'as' if one.why == GROUP else 'of'} {plain(one.exam_key)})"
        for one in leaks[:most]
    )
    more = (len(leaks) if total is None else total) - min(most, len(leaks))
    return f"{shown} and {more:,} more" if more else shown


def _leak(state: Standing, exam: np.ndarray, row: int, near: int, cosine: float) -> Leak:
    same = exam[state.groups[exam] == state.groups[row]] if state.groups is not None else exam[:0]
    if len(same):
        return Leak(state.keys[row], state.keys[int(same[0])], GROUP, round(cosine, 4))
    return Leak(state.keys[row], state.keys[near], "near-duplicate", round(cosine, 4))
