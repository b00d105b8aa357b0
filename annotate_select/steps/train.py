"""Train a head on the labels there are, and keep it: models/NUMBER/ holds weights and a description, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from annotate_select import __version__
from annotate_select.errors import LearningError, did_you_mean, listed
from annotate_select.features.store import Features
from annotate_select.files import digest, whole_folder
from annotate_select.learning.head import Head, fit_head, mean_of
from annotate_select.learning.kinds import HEADS
from annotate_select.progress import Progress, silent
from annotate_select.steps.embed import open_features
from annotate_select.steps.evidence import write_evidence
from annotate_select.steps.home import Home, now
from annotate_select.steps.labels import saw_labels, training_rows
from annotate_select.steps.models import TrainedModel, load_model, model_folder, models
from annotate_select.steps.opinions import write_opinions
from annotate_select.steps.standing import Standing, standing
from annotate_select.steps.training_record import TrainingRecord, checksum, libraries, write_record

__all__ = ["TRAINERS", "Lesson", "TrainedModel", "models", "train"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a head learns from: the labels (l,) of rows (l,) of features, and their groups (l,) where there are any.

    `saw_labels` says that labels had a part in the features, so that cross-validation on them would flatter.
    """

    features: Features
    rows: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    saw_labels: bool


def _on_features(home: Home, lesson: Lesson, progress: Progress, *, kind: str) -> Head:
    return fit_head(
        lesson.features.array[lesson.rows],
        lesson.labels,
        len(home.config.classes),
        kind=kind,
        seed=home.config.seed,
        groups=lesson.groups,
        centre=mean_of(lesson.features.array),
        choose=not lesson.saw_labels,
        progress=progress,
    )


# How each of HEADS is trained.
TRAINERS: dict[str, Callable[[Home, Lesson, Progress], Head]] = {
    "linear": partial(_on_features, kind="linear"),
    "mlp": partial(_on_features, kind="mlp"),
}


def train(
    home: Home, head: str | None = None, *, features: str | None = None, progress: Progress = silent
) -> TrainedModel:
    """Train a model of a kind of HEADS on every label outside the exam, and store it as the next number.

    The kind is by default the one under [train] in project.toml.
    Images of the exam, of the exam's groups, and near-duplicates of exam images never enter.
    Raises LearningError for another kind, or when fewer than two classes have labels.
    """
    head = head or home.config.train.head
    if head not in HEADS:
        raise LearningError(f"there is no head {head!r}{did_you_mean(head, list(HEADS))}; train one of {listed(HEADS)}")
    with home.lock("training a model"):
        opened = open_features(home, features)
        state = standing(home, opened.ids)
        rows, left_out = training_rows(opened, state)
        labels = state.labels[rows]
        _check(home, labels)
        seen = saw_labels(home.store(), opened.name)
        groups = state.groups[rows] if state.groups is not None else None
        lesson = Lesson(opened, rows, labels, groups, seen)
        return _store(home, head, lesson, TRAINERS[head](home, lesson, progress), state, left_out)


def _check(home: Home, labels: np.ndarray) -> None:
    seen = [home.config.classes[i] for i in np.unique(labels)]
    if len(seen) < 2:
        have = f"only {seen[0]!r} has labels" if seen else "no image outside the exam has a label"
        classes = listed(home.config.classes)
        raise LearningError(f"training needs labels of at least two of the classes {classes}; {have}; label more first")


def _store(home: Home, kind: str, lesson: Lesson, fitted: Head, state: Standing, left_out: int) -> TrainedModel:
    features, rows, groups, seed = lesson.features, lesson.rows, lesson.groups, home.config.seed
    record = TrainingRecord(features.ids[rows], lesson.labels, groups)
    while True:
        existing = models(home)
        number = existing[-1].number + 1 if existing else 1
        labels = [[state.keys[row], int(state.labels[row])] for row in rows.tolist()]
        description = {
            "number": number,
            "kind": kind,
            "classes": home.config.classes,
            "features": features.name,
            "features_digest": features.digest,
            "labels": len(rows),
            "labels_digest": digest(labels),
            "features_saw_labels": lesson.saw_labels,
            "cv_accuracy": fitted.cv_accuracy,
            "left_out": left_out,
            "seed": seed,
            "created_at": now(),
            "version": __version__,
            "libraries": libraries(),
            "learned_from": checksum(features.array[rows]),
        }
        try:
            with whole_folder(model_folder(home, number)) as folder:
                (folder / "weights.safetensors").write_bytes(fitted.to_bytes())
                (folder / "model.json").write_text(json.dumps(description, indent=1))
                write_record(folder, record)
                write_opinions(folder, fitted, features.array, features.ids, rows)
                write_evidence(folder, fitted, features.array[rows], record.ids, record.labels, groups, seed)
        except FileExistsError:
            continue  # another process stored that number meanwhile: take the next
        return load_model(home, number)
