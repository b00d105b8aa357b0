"""When it is enough: gathered from the exam and the last models, and kept beside the newest."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from annotate_select.files import write_whole
from annotate_select.steps.basis import outdated, read_stopping
from annotate_select.steps.check_labels import contradicting_classes
from annotate_select.steps.class_map import class_map, said
from annotate_select.steps.exam_rows import exam_rows
from annotate_select.steps.home import Home
from annotate_select.steps.models import STOPPING, TrainedModel, model_folder, models
from annotate_select.steps.standing import UNLABELLED, Standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.stopping import LAST, Stopping, advise, expected_gain, kappa

__all__ = ["conclude", "stopping_of"]

FEWEST = 3  # labels that contradict each other about two classes before these are named
LOOKED_AT = 2_000  # unlabelled images on which successive models are compared


def conclude(home: Home, report: ExamReport) -> Stopping | None:
    """Say whether more labels are worth it, from the newest model's report and the models before; None for an older.

    Only models of the same features and classes, whatever these were called then, are on one curve.
    """
    trained = models(home)
    newest = trained[-1]
    if report.model != newest.number:
        return None
    known = set(class_map(home, newest).names)
    same = [
        one
        for one in trained
        if one.features_digest == newest.features_digest and set(class_map(home, one).names) == known
    ]
    same = sorted(same, key=lambda one: (one.labels, one.number))[-LAST:]
    exam = exam_rows(home, newest)
    array = open_features(home, newest.features).array
    free, measured = _unlabelled(exam.state), array[exam.rows]
    right = np.array([said(home, one, exam.ids, measured).argmax(axis=1) == exam.labels for one in same])
    gain = expected_gain(np.array([one.labels for one in same]), right, seed=home.config.seed)
    labels, agreement = [one.labels for one in same], _agreement(home, same, array[free])
    found = advise(report, labels, gain, agreement)
    if found.advice == "little":
        found = advise(report, labels, gain, agreement, _mixed(home))
    write_whole(model_folder(home, newest.number) / STOPPING, json.dumps(found.as_dict(), indent=1))
    return found


def stopping_of(home: Home) -> Stopping | None:
    """Return what was last said; None where the newest model has not been evaluated, or its result no longer holds."""
    trained = models(home)
    if not trained or outdated(home, trained[-1].number) is not None:
        return None
    found = read_stopping(home, trained[-1].number)
    try:
        return None if found is None else Stopping.from_dict(found)
    except (ValueError, KeyError, TypeError):
        return None


def _unlabelled(state: Standing) -> np.ndarray:
    """Return some rows without a label, the same ones from round to round as long as they have none."""
    free = np.flatnonzero((state.labels == UNLABELLED) & state.in_pool & ~state.exam)
    return np.sort(free[np.argsort(state.tokens[free], kind="stable")[:LOOKED_AT]])


def _mixed(home: Home) -> tuple[str, str] | None:
    """Return the two classes that labels contradict each other about most, by `check labels`; None of too few."""
    most = contradicting_classes(home).most_common(1)
    return most[0][0] if most and most[0][1] >= FEWEST else None


def _agreement(home: Home, trained: list[TrainedModel], unlabelled: np.ndarray) -> list[float]:
    """Return kappa of each two successive models on images (n, d) nobody labelled."""
    if len(unlabelled) == 0:
        return []
    today = [class_map(home, one) for one in trained]
    answers = [of.of(one.head.probabilities(unlabelled)).argmax(axis=1) for of, one in zip(today, trained, strict=True)]
    return [round(kappa(a, b, max(len(of.classes) for of in today)), 4) for a, b in pairwise(answers)]
