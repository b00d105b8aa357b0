"""The stored models: models/NUMBER/ holds weights and a description, never a pickle. Reading them loads no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from annotate_select.config import FILE_NAME
from annotate_select.errors import LearningError
from annotate_select.learning.head import Head
from annotate_select.steps.home import Home
from annotate_select.steps.leaks import Leak, pairs
from annotate_select.words import counted

__all__ = [
    "RESULT",
    "STOPPING",
    "TrainedModel",
    "load_model",
    "model_folder",
    "model_folder_at",
    "models",
    "newest_model",
    "require_model",
]

RESULT = "exam.json"  # in a model's folder: its report, and under "rests" what that rests on
STOPPING = "stopping.json"  # in a model's folder: whether more labels are worth it


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A stored model; `accuracy` is the exam's where it was evaluated, else the cross-validated one.

    Where the features saw labels, cross-validation would flatter: there is none, and `cv_accuracy` is None; or, of a
    fine-tuned network, it is the share right of the `measured_on` labels that the network has not learned. `note` says
    what fine-tuning came to. `left_out` counts the labelled images that are too near to the exam to be learned from;
    `leaks` are the nearest of them.
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
    kind: str = "linear"  # of HEADS
    measured_on: int | None = None
    note: str = ""
    leaks: tuple[Leak, ...] = ()
    classes_at: int | None = None  # the last change of classes before it; an older version did not note that

    @property
    def accuracy(self) -> float | None:
        """The best estimate there is of how often the model is right."""
        return self.exam_accuracy if self.exam_accuracy is not None else self.cv_accuracy

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "head"}
        return {**plain, "leaks": [asdict(one) for one in self.leaks]}

    def kept_out(self) -> str:
        """Say which labelled images were left out, naming the first; nothing where none was."""
        if not self.left_out:
            return ""
        which = f": {pairs(self.leaks, 3, self.left_out)}" if self.leaks else ""  # an older version named none
        return (
            f"{counted(self.left_out, 'labelled image')} left out because "
            f"{'it is' if self.left_out == 1 else 'they are'} too near to the exam{which} "
            "(annotate-select check leaks)"
        )


def models(home: Home) -> list[TrainedModel]:
    """Return every stored model, oldest first.

    Raises LearningError naming a model whose files are damaged.
    """
    return [load_model(home, number) for number in _numbers(home)]


def newest_model(home: Home) -> TrainedModel | None:
    """Return the model trained last, None while there is none; of the others nothing is read."""
    numbers = _numbers(home)
    return load_model(home, numbers[-1]) if numbers else None


def require_model(home: Home, number: int | None = None) -> TrainedModel:
    """Return model `number`, by default the newest. Raises LearningError when there is none."""
    found = [model for model in models(home) if number in (None, model.number)]
    if not found:
        which = f"model {number}" if number is not None else "model yet"
        raise LearningError(f"there is no {which}; train one with `annotate-select train`")
    return found[-1]


def model_folder(home: Home, number: int) -> Path:
    """Return where model `number` is kept."""
    return home.root / "models" / str(number)


def model_folder_at(path: str | Path) -> Path:
    """Return the folder of a model, of any project: `path` itself, or the newest model of the project at `path`.

    Raises LearningError when nothing is there, or no model.
    """
    folder = Path(path).expanduser().resolve()
    if (folder / "model.json").exists():
        return folder
    if not folder.exists():
        raise LearningError(f"there is no {folder}; name a project, or a model in it (PROJECT/models/NUMBER)")
    numbers = _numbered(folder / "models")
    if numbers:
        return folder / "models" / str(numbers[-1])
    if (folder / FILE_NAME).exists():
        raise LearningError(f"the project {folder} has no model yet; train one there with `annotate-select train`")
    raise LearningError(f"{folder} is neither a model (models/NUMBER of a project) nor a project with a model")


def load_model(home: Home, number: int) -> TrainedModel:
    """Read model `number`; raises LearningError when its files are damaged, other than the exam's report beside it."""
    folder = model_folder(home, number)
    try:
        description = json.loads((folder / "model.json").read_text())
        head = Head.from_bytes((folder / "weights.safetensors").read_bytes())
        return TrainedModel(
            number=number,
            head=head,
            classes=description["classes"],
            features=description["features"],
            features_digest=description["features_digest"],
            labels=description["labels"],
            labels_digest=description["labels_digest"],
            cv_accuracy=description["cv_accuracy"],
            exam_accuracy=_exam_accuracy(folder / RESULT),
            left_out=description["left_out"],
            created_at=description["created_at"],
            features_saw_labels=description.get("features_saw_labels", False),  # none before 0.2 did
            kind=description.get("kind", "linear"),
            measured_on=None if description.get("measured_on") is None else len(description["measured_on"]),
            note=description.get("note", ""),
            leaks=tuple(Leak(**one) for one in description.get("leaks", ())),
            classes_at=description.get("classes_at"),
        )
    except (LearningError, OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError(f"model {number} is damaged ({error}); delete {folder} and train again") from error


def _exam_accuracy(report: Path) -> float | None:
    """Return the accuracy of a stored report; None where it cannot be read, for the model is as good without it."""
    try:
        return float(json.loads(report.read_text(encoding="utf-8"))["accuracy"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _numbers(home: Home) -> list[int]:
    return _numbered(home.root / "models")


def _numbered(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []
