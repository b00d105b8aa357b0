"""The labelled images of the exam, and what a model says of them: where every figure of the exam starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.errors import ExamError, FeaturesError
from annotate_select.features.store import Features
from annotate_select.learning.head import mean_of
from annotate_select.steps.class_map import ClassMap, class_map, said
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel, model_folder
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.steps.training_record import read_record
from annotate_select.trust.leaks import near_learned
from annotate_select.words import counted, named

__all__ = ["ExamRows", "exam_rows", "features_of"]


@dataclass(frozen=True, eq=False)
class ExamRows:
    """The e exam images that carry a label: `rows` of a standing, and a model's `probabilities` (e, C) of `classes`.

    `classes` are the project's of today, and what else the model knows. `unlabelled` counts the images without a label,
    `left_out` labelled ones that the model may know from its training; `notes` say what a reader of any figure made of
    these has to know.
    """

    state: Standing
    rows: np.ndarray
    probabilities: np.ndarray
    classes: list[str]
    unlabelled: int
    left_out: int = 0
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

    An image of a class that the model does not know is among them: whatever it says there is a mistake. One that the
    model learned from, or one of its group, or one all but the same, is not: it would measure memory.
    Raises ExamError when there is no exam or nothing of it is left to measure by, FeaturesError when the model's
    features are gone.
    """
    features, today = features_of(home, model), class_map(home, model)
    state = standing(home, features.ids, today.classes)
    exam = np.flatnonzero(state.random & state.in_pool)
    if len(exam) == 0:
        raise ExamError("there is no exam yet; draw one with `annotate-select exam`")
    labelled = exam[state.labels[exam] != UNLABELLED]
    if len(labelled) == 0:
        raise ExamError(
            f"none of the exam's {counted(len(exam))} has a label yet; label them in the app, then evaluate"
        )
    known = _known(home, model, features, state, labelled)
    rows, left_out = labelled[~known], int(known.sum())
    if len(rows) == 0:
        raise ExamError(
            f"model {model.number} learned from each of the {counted(left_out, 'labelled exam image')}, from its "
            "group or from one all but the same; draw more of the exam with `annotate-select exam --size N`"
        )
    unknown = today.unknown(model.head.classes_seen)
    return ExamRows(
        state=state,
        rows=rows,
        probabilities=said(home, model, state.ids[rows], features.array[rows]),
        classes=today.classes,
        unlabelled=len(exam) - len(labelled),
        left_out=left_out,
        notes=(*_left_out(left_out, len(labelled)), *_not_learned(today.classes, unknown, state.labels[rows])),
    )


def features_of(home: Home, model: TrainedModel) -> Features:
    """Return the features a model was trained on; raises FeaturesError when they are gone or were replaced."""
    features = open_features(home, model.features)
    if features.digest != model.features_digest:
        raise FeaturesError(f"model {model.number} was trained on features that were replaced since; train a new one")
    return features


def _known(home: Home, model: TrainedModel, features: Features, state: Standing, rows: np.ndarray) -> np.ndarray:
    """Tell which rows (e,) a model learned from, or from their group, or from what is all but the same; (e,) bool.

    Of a model that an older version trained nothing is known, and so none is.
    """
    record = read_record(model_folder(home, model.number))
    if record is None:
        return np.zeros(len(rows), dtype=bool)
    learned = np.flatnonzero(np.isin(features.ids, record.ids))
    known = np.isin(rows, learned)
    if state.groups is not None:
        known |= np.isin(state.groups[rows], state.groups[learned])
    centre = model.head.centre if features.untaught is None else mean_of(features.untaught)
    return np.asarray(known | near_learned(features.alike[rows], features.alike[learned], centre))


def _left_out(left_out: int, labelled: int) -> list[str]:
    if not left_out:
        return []
    return [
        f"left out: {left_out:,} of the {counted(labelled, 'labelled exam image')}, because the model learned from "
        "them, from their groups or from images all but the same; the rest is no longer chosen by chance alone"
    ]


def _not_learned(classes: list[str], unknown: np.ndarray, labels: np.ndarray) -> list[str]:
    """Say which classes of the exam's labels a model cannot name."""
    missing = np.intersect1d(labels, unknown)
    if not len(missing):
        return []
    names, n = named(classes[at] for at in missing.tolist()), int(np.isin(labels, missing).sum())
    return [f"the model has not learned {names}: {counted(n, 'exam image')} it gets wrong for that"]
