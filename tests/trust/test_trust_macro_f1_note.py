"""What macro F1 leaves out is said where something is left out, and only there."""

from __future__ import annotations

import json

import numpy as np

from annotate_select.trust.exam import ExamReport, evaluate

NAMES = ["coat", "hat", "shoe, left", "tie"]


def report(labels: list[int], said: list[int]) -> ExamReport:
    return evaluate(np.array(labels), np.eye(4)[said] * 0.9 + 0.025, NAMES)


def test_classes_that_were_predicted_but_are_not_in_the_exam_are_named() -> None:
    found = report([0, 0, 1, 1], [0, 2, 1, 3])
    assert found.macro_f1_note is not None
    assert found.macro_f1_note.startswith(
        'macro F1 is over the 2 classes in the exam; "shoe, left", tie are not in it, though 2 images were taken for'
    )
    assert found.macro_f1_note in found.text().splitlines()
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["macro_f1_note"] == found.macro_f1_note
    assert ExamReport.from_dict(plain).macro_f1_note == found.macro_f1_note


def test_one_is_singular() -> None:
    note = report([0, 0, 1, 1], [0, 2, 1, 1]).macro_f1_note
    assert note is not None
    assert '; "shoe, left" is not in it, though 1 image was taken for that' in note


def test_a_class_that_is_neither_there_nor_predicted_is_no_news() -> None:
    found = report([0, 0, 1, 1], [0, 1, 1, 0])
    assert found.macro_f1_note is None
    assert "macro F1 is over" not in found.text()
    assert found.as_dict()["macro_f1_note"] is None


def test_a_class_that_is_there_but_was_never_predicted_counts() -> None:
    found = report([0, 1, 2, 3], [0, 0, 0, 0])
    assert found.macro_f1_note is None
    assert found.macro_f1 == np.mean([0.4, 0, 0, 0])
