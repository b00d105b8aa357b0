"""The labelled images of the exam, and what a model says of them: where every figure of the exam starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.errors import ExamError, FeaturesError, listed
from annotate_select.features.store import Features
from annotate_select.selection.reasons import counted
from annotate_select.steps.class_map import ClassMap, class_map, said
from annotate_select.steps.embed import open_features
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel
from annotate_select.steps.standing import UNLABELLED, Standing, standing

__all__ = ["ExamRows", "exam_rows", "features_of"]


@dataclass(frozen=True, eq=False)
class ExamRows:
    """The e exam images that carry a label: `rows` of a standing, and a model's `probabilities` (e, C) of `classes`.

    `classes` are the project's of today, and what else the model knows. `unlabelled` counts the rest of the exam;
    `notes` say what a reader of any figure made of these has to know.
    """

    state: Standing
    rows: np.ndarray
    probabilities: np.ndarray
    classes: list[str]
    unlabelled: int
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> np.ndarray:
        """The database ids (e,) of these images."""
        ids: np.ndarray = self.state.ids[self.rows]
        return ids

    @property
    def labels(self) -> np.ndarray:
        """Their labels (e,), numbers of `classes`."""
        labels: np.ndarray = self.state.labels[self.rows]
        return labels

    def over(self, classes: list[str]) -> np.ndarray:
        """Return the probabilities (e, C') of these classes, which must hold all of its own."""
        places = np.array([classes.index(name) for name in self.classes])
        return ClassMap(classes, places).of(self.probabilities)


def exam_rows(home: Home, model: TrainedModel) -> ExamRows:
    """Return the exam images that carry a label today, and what a model says of them.

    An image of a class that the model does not know is among them: whatever it says there is a mistake.
    Raises ExamError when there is no exam or none of it is labelled, FeaturesError when the model's features are gone.
    """
    features, today = features_of(home, model), class_map(home, model)
    state = standing(home, features.ids, today.classes)
    exam = np.flatnonzero(state.random & state.in_pool)
    if len(exam) == 0:
        raise ExamError("there is no exam yet; draw one with `annotate-select exam`")
    rows = exam[state.labels[exam] != UNLABELLED]
    if len(rows) == 0:
        raise ExamError(f"none of the exam's {len(exam)} images has a label yet; label them in the app, then evaluate")
    return ExamRows(
        state=state,
        rows=rows,
        probabilities=said(home, model, state.ids[rows], features.array[rows]),
        classes=today.classes,
        unlabelled=len(exam) - len(rows),
        notes=tuple(_not_learned(today.classes, today.unknown(model.head.classes_seen), state.labels[rows])),
    )


def features_of(home: Home, model: TrainedModel) -> Features:
    """Return the features a model was trained on; raises FeaturesError when they are gone or were replaced."""
    features = open_features(home, model.features)
    if features.digest != model.features_digest:
        raise FeaturesError(f"model {model.number} was trained on features that were replaced since; train a new one")
    return features


def _not_learned(classes: list[str], unknown: np.ndarray, labels: np.ndarray) -> list[str]:
    """Say which classes of the exam's labels a model cannot name."""
    missing = np.intersect1d(labels, unknown)
    if not len(missing):
        return []
    names, n = listed(classes[at] for at in missing.tolist()), int(np.isin(labels, missing).sum())
    return [f"the model has not learned {names}: {counted(n, 'exam image')} it gets wrong for that"]
