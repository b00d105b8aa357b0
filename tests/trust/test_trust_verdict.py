"""The pass mark: proved, disproved or neither, and how rarely luck decides."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binom

from annotate_select.errors import ExamError
from annotate_select.trust.verdict import Mark, Verdict, judge

NAMES = ["ok", "dent"]


def confusion(ok: int, of_ok: int, dent: int, of_dent: int) -> np.ndarray:
    return np.array([[ok, of_ok - ok], [of_dent - dent, dent]])


def test_many_right_passes_many_wrong_fails() -> None:
    mark = Mark(0.9, {}, 0.95)
    assert judge(confusion(195, 200, 98, 100), NAMES, mark).outcome == "pass"
    assert judge(confusion(150, 200, 80, 100), NAMES, mark).outcome == "fail"


def test_the_borders_are_those_of_the_exact_test() -> None:
    for n in (20, 57, 200):
        for right in range(n + 1):
            found = judge(confusion(right, n, 0, 0), NAMES, Mark(0.8, {}, 0.95)).outcome
            passed = binom.sf(right - 1, n, 0.8) <= 0.05
            failed = binom.cdf(right, n, 0.8) <= 0.05
            assert found == ("pass" if passed else "fail" if failed else "undecided")


def test_a_false_verdict_is_as_rare_as_promised() -> None:
    rng = np.random.default_rng(0)
    mark = Mark(0.85, {"ok": 0.85, "dent": 0.85}, 0.95)
    at_the_mark = [
        judge(confusion(int(a), 60, int(b), 40), NAMES, mark).outcome
        for a, b in zip(rng.binomial(60, 0.85, 600), rng.binomial(40, 0.85, 600), strict=True)
    ]
    assert at_the_mark.count("pass") <= 0.05 * 600  # not good enough by a hair: passed at most one time in twenty
    assert at_the_mark.count("fail") <= 0.05 * 600 + 15  # good enough by a hair; 15 is two standard errors and a half


def test_undecided_says_how_many_labels_would_decide() -> None:
    found = judge(confusion(56, 60, 0, 0), NAMES, Mark(0.88, {}, 0.95))
    (asked,) = found.requirements
    assert found.outcome == "undecided"
    assert asked.more is not None
    n = 60 + asked.more
    right = round(56 / 60 * n)
    assert judge(confusion(right, n, 0, 0), NAMES, Mark(0.88, {}, 0.95)).outcome == "pass"
    before = 60 + asked.more // 2
    assert judge(confusion(round(56 / 60 * before), before, 0, 0), NAMES, Mark(0.88, {}, 0.95)).outcome == "undecided"
    assert f"label about {asked.more} more" in found.text()


def test_a_share_at_the_mark_is_never_decided() -> None:
    (asked,) = judge(confusion(90, 100, 0, 0), NAMES, Mark(0.9, {}, 0.95)).requirements
    assert asked.more is None
    assert "too close to the mark for any number" in asked.text()


def test_a_class_without_exam_images_decides_nothing() -> None:
    found = judge(confusion(99, 100, 0, 0), NAMES, Mark(0.9, {"dent": 0.5}, 0.95))
    assert found.outcome == "undecided"
    assert "none of these images is in the exam yet; at least 5 are needed, even if all are right" in found.text()
    asked = found.requirements[1]
    assert (asked.more, asked.exam_more) == (5, None)
    assert judge(confusion(99, 100, 5, 5), NAMES, Mark(None, {"dent": 0.5}, 0.95)).outcome == "pass"
    assert judge(confusion(99, 100, 4, 4), NAMES, Mark(None, {"dent": 0.5}, 0.95)).outcome == "undecided"
    (never,) = judge(confusion(99, 100, 0, 0), NAMES, Mark(None, {"dent": 1.0}, 0.95)).requirements
    assert (never.more, never.text().endswith("none of these images is in the exam yet")) == (None, True)


def test_of_a_class_it_says_how_many_exam_images_that_takes() -> None:
    (asked,) = judge(confusion(53, 53, 4, 7), NAMES, Mark(None, {"dent": 0.25}, 0.95)).requirements
    assert asked.more is not None
    assert asked.exam_more == -(-asked.more * 60 // 7)
    assert asked.text().endswith(
        f"label about {asked.more} more of these, which takes about {asked.exam_more} more exam images"
    )
    (all_of_it,) = judge(confusion(56, 60, 0, 0), NAMES, Mark(0.88, {}, 0.95)).requirements
    assert all_of_it.exam_more == all_of_it.more


def test_one_failed_requirement_fails_all() -> None:
    found = judge(confusion(195, 200, 2, 20), NAMES, Mark(0.8, {"dent": 0.6}, 0.95))
    assert [one.outcome for one in found.requirements] == ["pass", "fail"]
    assert found.outcome == "fail"


def test_it_comes_back_from_json() -> None:
    found = judge(confusion(56, 60, 18, 20), NAMES, Mark(0.9, {"dent": 0.8}, 0.9))
    assert Verdict.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_a_mark_that_asks_nothing_or_of_a_class_that_is_not_there() -> None:
    with pytest.raises(ExamError, match="asks for nothing"):
        judge(confusion(1, 1, 1, 1), NAMES, Mark(None, {}, 0.95))
    with pytest.raises(ExamError, match="names the class 'hole'"):
        judge(confusion(1, 1, 1, 1), NAMES, Mark(None, {"hole": 0.5}, 0.95))
