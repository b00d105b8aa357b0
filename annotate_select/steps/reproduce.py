"""Train a stored model again from what was recorded of its training, and say whether the same comes out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from annotate_select import __version__
from annotate_select.errors import FeaturesError, LearningError, listed
from annotate_select.features.store import Features
from annotate_select.learning.head import Head, fit_head
from annotate_select.progress import Progress, silent
from annotate_select.steps.class_map import class_map
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel, load_model, model_folder, models
from annotate_select.steps.standing import standing
from annotate_select.steps.training_record import TrainingRecord, checksum, libraries, read_record
from annotate_select.words import counted

__all__ = ["Reproduction", "reproduce"]

SAME = 1e-6  # of the largest weight: below, two weights differ by the order in which a processor adds
FEWEST_TOLD = 1e-3  # a difference of probabilities that somebody could see
BLOCK = 2**16  # rows asked at a time


@dataclass(frozen=True)
class Reproduction:
    """A model that was trained a second time, beside the stored one.

    `verdict` is "identical" (the same to the last bit), "same" (but for rounding) or "different". `weights` is the
    largest difference of two weights, as a share of the largest weight; `probabilities` the largest difference of what
    the two say of an image; `answers_changed` of how many of the `images` asked they name another class.
    `changed_since` lists what is not as it was then, which may explain a difference.
    """

    model: int
    verdict: str
    labels: int
    weights: float
    probabilities: float
    answers_changed: int
    images: int
    cv_accuracy: tuple[float | None, float | None]
    labels_changed_since: int
    changed_since: list[str]
    tuned: bool = False  # on a fine-tuned network, which was taken as it is stored

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        head = f"model {self.model}, trained again on its {counted(self.labels, 'label')},"
        if self.verdict == "identical":
            lines = [f"{head} comes out the same to the last bit"]
        elif self.verdict == "same":
            lines = [f"{head} comes out the same but for rounding (weights within {self.weights:.1e} of the largest)"]
        else:
            lines = [
                f"{head} comes out DIFFERENT: {self.answers_changed:,} of {counted(self.images)} "
                f"{'gets' if self.answers_changed == 1 else 'get'} another class, "
                f"probabilities differ by up to {self.probabilities:.3f}"
            ]
        if self.tuned:
            lines.append("  the fine-tuned network was not taught again: the head was fitted to what it sees")
        lines += [f"  changed since: {one}" for one in self.changed_since]
        if self.labels_changed_since:
            lines.append(f"  {self.labels_changed_since:,} of those labels have another answer today: train to use it")
        return "\n".join(lines)


def reproduce(home: Home, number: int, *, progress: Progress = silent) -> Reproduction:
    """Train model `number` again from the recorded state; the project is not changed.

    Raises LearningError when there is no such model or its training was not recorded, FeaturesError when the features
    it learned from are gone.
    """
    model, about, record = _recorded(home, number)
    features = home.store().stored(model.features, model.features_digest)
    learned = features.array[_rows(features, record.ids, number)]
    around = features.array[_rows(features, record.around, number)]
    again = fit_head(
        learned,
        record.labels,
        len(model.classes),
        kind=model.head.kind,
        seed=about["seed"],
        groups=record.groups,
        centre=model.head.centre,
        around=around,
        choose=not model.features_saw_labels,
        held_out=None if about.get("measured_on") is None else np.isin(record.ids, about["measured_on"]),
        progress=progress,
    )
    gap, moved = _answers(model.head, again, features.array)
    weights = _weights_apart(model.head, again)
    return Reproduction(
        model=number,
        verdict=_verdict(model.head, again, weights, gap),
        labels=len(learned),
        weights=weights,
        probabilities=gap,
        answers_changed=moved,
        images=len(features.array),
        cv_accuracy=(model.cv_accuracy, again.cv_accuracy),
        labels_changed_since=_labels_changed(home, model, record),
        changed_since=_changed(about, checksum(learned, around)),
        tuned=model.measured_on is not None,
    )


def _recorded(home: Home, number: int) -> tuple[TrainedModel, dict[str, Any], TrainingRecord]:
    known = [one.number for one in models(home)]
    if number not in known:
        have = f"the models are {listed(known)}" if known else "no model has been trained yet"
        raise LearningError(f"there is no model {number}; {have}")
    folder = model_folder(home, number)
    record = read_record(folder)
    if record is None:
        raise LearningError(
            f"model {number} was trained before trainings were recorded: its labels of then are not known; "
            "models trained from now on can be reproduced"
        )
    return load_model(home, number), json.loads((folder / "model.json").read_text()), record


def _rows(features: Features, ids: np.ndarray, number: int) -> np.ndarray:
    """Return the rows (l,) of the features that images of these ids (l,) have."""
    order = np.argsort(features.ids)
    at = np.minimum(np.searchsorted(features.ids[order], ids), len(order) - 1)
    rows = order[at]
    gone = int((features.ids[rows] != ids).sum())
    if gone:
        raise FeaturesError(
            f"{gone:,} of the {counted(len(rows))} that model {number} learned from have no features any more; "
            "put the images back and run `annotate-select embed`"
        )
    return rows


def _answers(stored: Head, again: Head, features: np.ndarray) -> tuple[float, int]:
    """Return the largest difference of probabilities over all rows, and how many get another class."""
    gap, moved = 0.0, 0
    for start in range(0, len(features), BLOCK):
        first = stored.probabilities(features[start : start + BLOCK])  # (b, C)
        second = again.probabilities(features[start : start + BLOCK])
        gap = max(gap, float(np.abs(first - second).max()))
        moved += int((first.argmax(axis=1) != second.argmax(axis=1)).sum())
    return gap, moved


def _weights_apart(stored: Head, again: Head) -> float:
    """Return the largest difference of two weights of the same layer, as a share of the largest there."""
    pairs = [(one, getattr(again.classifier, name)) for name, one in stored.classifier.arrays().items()]
    layers = [(one, other) for one, other in pairs if one.ndim == 2]
    tiny = float(np.finfo(float).tiny)
    return max(float(np.abs(one - other).max() / max(np.abs(one).max(), tiny)) for one, other in layers)


def _verdict(stored: Head, again: Head, weights: float, gap: float) -> str:
    if stored.to_bytes() == again.to_bytes():
        return "identical"
    return "same" if weights <= SAME and gap <= FEWEST_TOLD else "different"


def _changed(about: dict[str, Any], features: str) -> list[str]:
    """Name what is not as it was when the model was trained."""
    lines = []
    if about["version"] != __version__:
        lines.append(f"annotate-select {about['version']} then, {__version__} now")
    then, today = about["libraries"], libraries()
    for name in sorted({*then, *today}):
        if then.get(name) != today.get(name):
            lines.append(f"{name} {then.get(name, 'absent')} then, {today.get(name, 'absent')} now")
    if about["learned_from"] != features:
        lines.append("the features of these images: some have been encoded again")
    return lines


def _labels_changed(home: Home, model: TrainedModel, record: TrainingRecord) -> int:
    """Count the labels whose image has another label today, or none."""
    today = class_map(home, model)
    return int((standing(home, record.ids, today.classes).labels != today.places[record.labels]).sum())
