"""Train a head on the labels there are, and keep it: models/NUMBER/ holds weights and a description, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from annotate_select import __version__
from annotate_select.annotations.classes import last_change
from annotate_select.errors import LearningError, did_you_mean, listed
from annotate_select.features.store import Features
from annotate_select.files import digest, whole_folder
from annotate_select.learning.head import Head, fit_head, mean_of
from annotate_select.learning.kinds import HEADS
from annotate_select.learning.learners import LEARNERS
from annotate_select.learning.spreading import NODES
from annotate_select.progress import Progress, silent
from annotate_select.steps.evidence import write_evidence
from annotate_select.steps.home import Home, now
from annotate_select.steps.labels import saw_labels, training_rows, unlearned
from annotate_select.steps.leaks import leaks_among
from annotate_select.steps.models import TrainedModel, load_model, model_folder, models
from annotate_select.steps.opinions import write_opinions
from annotate_select.steps.standing import Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.steps.training_record import TrainingRecord, checksum, libraries, write_record
from annotate_select.words import counted, named

__all__ = ["TRAINERS", "Lesson", "TrainedModel", "models", "train"]


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a head learns from: the labels (l,) of rows (l,) of features, their groups (l,) where there are any, and
    the names of the classes; and rows `around` (u,) without labels, for a head that listens to them.

    `saw_labels` says that labels had a part in the features, so that cross-validation on them would flatter, and
    `held_out` (l,) bool which of them had none, where some are known to.
    """

    features: Features
    rows: np.ndarray
    around: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    classes: list[str]
    saw_labels: bool
    held_out: np.ndarray | None


def _on_features(home: Home, lesson: Lesson, progress: Progress, *, kind: str) -> Head:
    return fit_head(
        lesson.features.array[lesson.rows],
        lesson.labels,
        len(lesson.classes),
        kind=kind,
        seed=home.config.seed,
        groups=lesson.groups,
        centre=mean_of(lesson.features.array),
        around=lesson.features.array[lesson.around],
        choose=not lesson.saw_labels,
        held_out=lesson.held_out,
        progress=progress,
    )


# How each of HEADS is trained.
TRAINERS: dict[str, Callable[[Home, Lesson, Progress], Head]] = {
    "spreading": partial(_on_features, kind="spreading"),
    "linear": partial(_on_features, kind="linear"),
    "mlp": partial(_on_features, kind="mlp"),
    "finetune": partial(_on_features, kind="linear"),  # on what the network sees that learned the classes
}

MOST_LEAKS = 20  # that a model's description names: `check leaks` has all


def train(
    home: Home,
    head: str | None = None,
    *,
    features: str | None = None,
    minutes: float | None = None,
    views: str | None = None,
    progress: Progress = silent,
) -> TrainedModel:
    """Train a model of a kind of HEADS on every label outside the exam, and store it as the next number.

    The kind is by default the one under [train] in project.toml. `finetune` first teaches the classes to the network
    under the features, within some `minutes`, on `views` of the images.
    Images of the exam, of the exam's groups, and near-duplicates of exam images never enter.
    Raises LearningError for another kind, when fewer than two classes have labels, and when the features are of nothing
    to fine-tune.
    """
    head = head or home.config.train.head
    if head not in HEADS:
        raise LearningError(f"there is no head {head!r}{did_you_mean(head, list(HEADS))}; train one of {listed(HEADS)}")
    kind, note = head, ""
    if head == "finetune":
        from annotate_select.steps.finetune import tuned_features

        tuned = tuned_features(home, features, minutes, views, progress)
        kind = head if tuned.features != tuned.started_from else "linear"
        features, note = tuned.features, tuned.text()
    elif minutes is not None or views is not None:
        raise LearningError(f"minutes and views are for head finetune, got head {head!r}; leave them out")
    with home.lock("training a model"):
        opened = open_features(home, features)
        moment = last_change(home.db)  # before the names: a change in between has them its own way
        classes = list(home.config.classes)
        state = standing(home, opened.ids, classes)
        rows, reserved = training_rows(opened, state)
        labels = state.labels[rows]
        leaks = leaks_among(opened.alike, state, reserved)
        _check(classes, labels, len(leaks))
        seen = saw_labels(home.store(), opened.name)
        held_out = unlearned(home, opened, state, rows)
        groups = state.groups[rows] if state.groups is not None else None
        around = _around(state.in_pool & ~reserved, rows, head, home.config.seed)
        lesson = Lesson(opened, rows, around, labels, groups, classes, seen, held_out)
        about = {
            "kind": kind,
            "classes": classes,
            "classes_at": moment,
            "left_out": len(leaks),
            "leaks": [asdict(one) for one in leaks[:MOST_LEAKS]],
            "note": note,
        }
        return _store(home, lesson, TRAINERS[head](home, lesson, progress), state, about)


def _around(free: np.ndarray, rows: np.ndarray, head: str, seed: int) -> np.ndarray:
    """Draw the rows (u,), ascending, that a head listens to: of those that are free (n,), and not learned from."""
    if head not in LEARNERS or not LEARNERS[head].listens:
        return np.empty(0, dtype=np.int64)
    around = np.setdiff1d(np.flatnonzero(free), rows)
    return np.sort(np.random.default_rng(seed).permutation(around)[:NODES])


def _check(classes: list[str], labels: np.ndarray, leaks: int) -> None:
    seen = [classes[i] for i in np.unique(labels)]
    if len(seen) < 2:
        near = f" (beside {counted(leaks, 'labelled image')} too near to the exam to be learned from)"
        beside = near if leaks else ""
        have = f"only {seen[0]!r} has labels" if seen else "no image outside the exam has a label"
        raise LearningError(
            f"training needs labels of at least two of the classes {named(classes)}; {have}{beside}; label more first"
        )


def _store(home: Home, lesson: Lesson, fitted: Head, state: Standing, about: Mapping[str, object]) -> TrainedModel:
    features, rows, groups, seed = lesson.features, lesson.rows, lesson.groups, home.config.seed
    record = TrainingRecord(features.ids[rows], lesson.labels, groups, features.ids[lesson.around])
    measured = None if lesson.held_out is None else features.ids[rows[lesson.held_out]].tolist()
    while True:
        existing = models(home)
        number = existing[-1].number + 1 if existing else 1
        labels = [[state.keys[row], int(state.labels[row])] for row in rows.tolist()]
        description = {
            "number": number,
            "features": features.name,
            "features_digest": features.digest,
            "labels": len(rows),
            "labels_digest": digest(labels),
            "features_saw_labels": lesson.saw_labels,
            "cv_accuracy": fitted.cv_accuracy,
            **about,
            "seed": seed,
            "created_at": now(),
            "version": __version__,
            "libraries": libraries(),
            "learned_from": checksum(features.array[rows], features.array[lesson.around]),
            "measured_on": measured,
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
