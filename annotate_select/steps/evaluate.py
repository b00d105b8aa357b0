"""Measure a model on the exam, and keep the report beside the model."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from annotate_select import __version__
from annotate_select.errors import LearningError
from annotate_select.files import write_whole
from annotate_select.learning.head import fit_head, mean_of
from annotate_select.steps.active_exam import active_estimate
from annotate_select.steps.basis import basis, read_result
from annotate_select.steps.exam_material import columns_of, pool_certainty
from annotate_select.steps.exam_rows import exam_rows
from annotate_select.steps.exam_strata import design_of
from annotate_select.steps.home import Home, now
from annotate_select.steps.labels import training_rows
from annotate_select.steps.marks import mark_of, remember_mark
from annotate_select.steps.models import RESULT, model_folder, models, require_model
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust import exam as trust
from annotate_select.trust.audit import AuditReport
from annotate_select.trust.audit import compare as compare_audit
from annotate_select.trust.compare import Comparison, compare_models
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.verdict import judge

__all__ = [
    "ExamAnswer",
    "audit",
    "audit_of",
    "compare",
    "evaluate",
    "exam_answers",
    "report_of",
]

AUDIT = "audit.json"


@dataclass(frozen=True)
class ExamAnswer:
    """A labelled exam image, and what a model says of it: its class and how sure it is, 0..1."""

    image_id: int
    key: str
    label: str
    predicted: str
    probability: float


def evaluate(home: Home, number: int | None = None) -> ExamReport:
    """Evaluate a model, by default the newest, on the exam images that carry a label, and store the report.

    Raises ExamError when there is no exam or none of it is labelled, LearningError when there is no model.
    """
    model = require_model(home, number)
    exam = exam_rows(home, model)
    report = trust.evaluate(
        exam.labels,
        exam.probabilities,
        exam.classes,
        model=model.number,
        unlabelled=exam.unlabelled,
        pool=pool_certainty(home, model),
        columns=columns_of(home, exam.ids.tolist()),
        design=design_of(home, exam.ids),
        seed=home.config.seed,
    )
    report = replace(report, active=active_estimate(home, model), left_out=exam.left_out, notes=exam.notes)
    mark = mark_of(home)
    late = remember_mark(home, model.number)
    if mark is not None:
        report = replace(report, verdict=judge(report.confusion, exam.classes, mark), marked_late=late)
    rests = {"at": now(), "version": __version__, "seed": home.config.seed, **basis(home)}
    write_whole(model_folder(home, model.number) / RESULT, json.dumps({**report.as_dict(), "rests": rests}, indent=1))
    return report


def compare(home: Home, number: int | None = None, against: int | None = None) -> Comparison:
    """Compare two models on the labelled exam images, by default the newest with the one before.

    Classes that were renamed, merged or added between the two are compared under today's names. Raises LearningError
    where there are no two models, ExamError where nothing of the exam is labelled, FeaturesError
    for a model whose features were replaced since.
    """
    model = require_model(home, number)
    before = [one.number for one in models(home) if one.number < model.number]
    if against is None and not before:
        raise LearningError(f"there is no model before model {model.number} to compare with; train another one")
    other = require_model(home, against if against is not None else before[-1])
    if other.number == model.number:
        raise LearningError(f"model {model.number} cannot be compared with itself; name another one")
    first, second = exam_rows(home, model), exam_rows(home, other)
    place = {image_id: i for i, image_id in enumerate(second.ids.tolist())}
    here = np.array([i for i, image_id in enumerate(first.ids.tolist()) if image_id in place], dtype=np.int64)
    there = np.array([place[image_id] for image_id in first.ids[here].tolist()], dtype=np.int64)
    classes = [*first.classes, *(name for name in second.classes if name not in first.classes)]
    return compare_models(
        first.labels[here],
        first.over(classes)[here],
        second.over(classes)[there],
        model=model.number,
        against=other.number,
        notes=[f"model {of.number}: {note}" for of, one in ((model, first), (other, second)) for note in one.notes],
    )


def exam_answers(home: Home, number: int | None = None) -> list[ExamAnswer]:
    """Return what a model, by default the newest, says of each labelled exam image; the surest mistakes first.

    Raises ExamError or LearningError as `evaluate` does.
    """
    model = require_model(home, number)
    exam = exam_rows(home, model)
    said, sure = exam.probabilities.argmax(axis=1), exam.probabilities.max(axis=1)
    order = np.lexsort((-sure, said == exam.labels))
    return [
        ExamAnswer(
            image_id=int(exam.ids[i]),
            key=exam.state.keys[exam.rows[i]],
            label=exam.classes[exam.labels[i]],
            predicted=exam.classes[said[i]],
            probability=float(sure[i]),
        )
        for i in order.tolist()
    ]


def report_of(home: Home, number: int | None = None) -> ExamReport | None:
    """Return the stored report of a model, by default of the newest that has one; None where there is none.

    One that cannot be read is none: `outdated` says so, and that it is to be made again.
    """
    for model in reversed(models(home)):
        if number in (None, model.number) and (found := _report(home, model.number)) is not None:
            return found
    return None


def _report(home: Home, number: int) -> ExamReport | None:
    try:
        found = read_result(home, number)
        return None if found is None else ExamReport.from_dict(found)
    except (LearningError, ValueError, KeyError, TypeError):
        return None


def audit(home: Home) -> AuditReport:
    """Compare what picks and audit picks have taught so far, by the exam, and keep the report beside the model.

    Raises ExamError or LearningError where too little is labelled.
    """
    model = require_model(home, None)
    features = open_features(home, model.features)
    state = standing(home, features.ids)
    rows, _ = training_rows(features, state)
    rows = np.array([row for row in rows.tolist() if state.roles[row]], dtype=np.int64)
    exam = np.flatnonzero(state.random & state.in_pool & (state.labels != UNLABELLED))
    array = features.alike  # a network that learned all these labels has nothing to learn from some of them
    choose = features.untaught is not None or not model.features_saw_labels
    classes, centre = len(home.config.classes), mean_of(array)
    report = compare_audit(
        array[rows],
        state.labels[rows],
        np.array([state.roles[row] for row in rows.tolist()]),
        array[exam],
        state.labels[exam],
        lambda some, labels: fit_head(some, labels, classes, centre=centre, choose=choose).probabilities,
        seed=home.config.seed,
    )
    write_whole(model_folder(home, model.number) / AUDIT, json.dumps(report.as_dict(), indent=1))
    return report


def audit_of(home: Home) -> tuple[int, AuditReport] | None:
    """Return the newest stored audit that can be read, and the number of the model it is beside; None without one."""
    for model in reversed(models(home)):
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads((model_folder(home, model.number) / AUDIT).read_text(encoding="utf-8"))
            return model.number, AuditReport.from_dict(stored)
    return None
