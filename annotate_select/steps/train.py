"""Train a head on the labels there are, and keep it: models/NUMBER/ holds weights and a description, never a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select import __version__
from annotate_select.errors import LearningError, listed
from annotate_select.features.store import Features
from annotate_select.files import digest, whole_folder
from annotate_select.learning.head import Head, fit_head, mean_of
from annotate_select.progress import Progress, silent
from annotate_select.steps.embed import open_features
from annotate_select.steps.home import Home, now
from annotate_select.steps.labels import saw_labels, training_rows
from annotate_select.steps.standing import Standing, standing

__all__ = ["TrainedModel", "model_folder", "models", "train"]


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A stored model; `accuracy` is the exam's where it was evaluated, else the cross-validated one.

    Where the features saw labels, cross-validation would flatter: there is none, and `cv_accuracy` is None.
    """

    number: int
    head: Head
    classes: list[str]
    features: str
    features_digest: str
    labels: int
    labels_digest: str
    cv_accuracy: float | None
    exam_accuracy: float | None
    left_out: int
    created_at: str
    features_saw_labels: bool = False

    @property
    def accuracy(self) -> float | None:
        """The best estimate there is of how often the model is right."""
        return self.exam_accuracy if self.exam_accuracy is not None else self.cv_accuracy

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {name: value for name, value in vars(self).items() if name != "head"}


def train(
    home: Home, head: str = "linear", *, features: str | None = None, progress: Progress = silent
) -> TrainedModel:
    """Train a model on every label outside the exam, and store it as the next number.

    Images of the exam, of the exam's groups, and near-duplicates of exam images never enter.
    Raises LearningError when fewer than two classes have labels.
    """
    if head != "linear":
        raise LearningError(f"unknown head {head!r}; this version has linear")
    with home.lock("training a model"):
        opened = open_features(home, features)
        state = standing(home, opened.ids)
        rows, left_out = training_rows(opened, state)
        labels = state.labels[rows]
        _check(home, labels)
        seen = saw_labels(home.store(), opened.name)
        groups = state.groups[rows] if state.groups is not None else None
        fitted = fit_head(
            opened.array[rows],
            labels,
            len(home.config.classes),
            seed=home.config.seed,
            groups=groups,
            centre=mean_of(opened.array),
            choose=not seen,
            progress=progress,
        )
        return _store(home, opened, fitted, state, rows, left_out, seen)


def models(home: Home) -> list[TrainedModel]:
    """Return every stored model, oldest first.

    Raises LearningError naming a model whose files are damaged.
    """
    folder = home.root / "models"
    numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []
    return [_load(home, number) for number in numbers]


def model_folder(home: Home, number: int) -> Path:
    """Return where model `number` is kept."""
    return home.root / "models" / str(number)


def _check(home: Home, labels: np.ndarray) -> None:
    seen = [home.config.classes[i] for i in np.unique(labels)]
    if len(seen) < 2:
        have = f"only {seen[0]!r} has labels" if seen else "no image outside the exam has a label"
        classes = listed(home.config.classes)
        raise LearningError(f"training needs labels of at least two of the classes {classes}; {have}; label more first")


def _store(
    home: Home, features: Features, fitted: Head, state: Standing, rows: np.ndarray, left_out: int, seen: bool
) -> TrainedModel:
    while True:
        existing = models(home)
        number = existing[-1].number + 1 if existing else 1
        labels = [[state.keys[row], int(state.labels[row])] for row in rows.tolist()]
        description = {
            "number": number,
            "kind": "linear",
            "classes": home.config.classes,
            "features": features.name,
            "features_digest": features.digest,
            "labels": len(rows),
            "labels_digest": digest(labels),
            "features_saw_labels": seen,
            "cv_accuracy": fitted.cv_accuracy,
            "left_out": left_out,
            "seed": home.config.seed,
            "created_at": now(),
            "version": __version__,
        }
        try:
            with whole_folder(model_folder(home, number)) as folder:
                (folder / "weights.safetensors").write_bytes(fitted.to_bytes())
                (folder / "model.json").write_text(json.dumps(description, indent=1))
        except FileExistsError:
            continue  # another process stored that number meanwhile: take the next
        return _load(home, number)


def _load(home: Home, number: int) -> TrainedModel:
    folder = model_folder(home, number)
    try:
        description = json.loads((folder / "model.json").read_text())
        head = Head.from_bytes((folder / "weights.safetensors").read_bytes())
        report = folder / "exam.json"
        exam = json.loads(report.read_text())["accuracy"] if report.exists() else None
        return TrainedModel(
            number=number,
            head=head,
            classes=description["classes"],
            features=description["features"],
            features_digest=description["features_digest"],
            labels=description["labels"],
            labels_digest=description["labels_digest"],
            cv_accuracy=description["cv_accuracy"],
            exam_accuracy=exam,
            left_out=description["left_out"],
            created_at=description["created_at"],
            features_saw_labels=description.get("features_saw_labels", False),  # none before 0.2 did
        )
    except (LearningError, OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError(f"model {number} is damaged ({error}); delete {folder} and train again") from error
