"""The classifier head: a classifier of the directions of features, with calibrated probabilities.

Features are centred on the mean of the pool and scaled to length 1, as selection sees them. Standardising each column
by the few labels there are is 10 to 20 points worse with 1 to 10 labels a class: a column that hardly varied among the
labels explodes in the pool. Fitting chooses the regularisation by cross-validation on log-loss, then fits one
temperature on the held-out logits of that choice. Classes are balanced: each counts the same however many labels it
has, so that rare classes are found. The classifier is multinomial logistic regression, or has a hidden layer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from annotate_select.errors import LearningError, listed
from annotate_select.learning.calibration import softmax
from annotate_select.learning.classifier import Classifier
from annotate_select.learning.directions import directions, span, usual_length
from annotate_select.learning.folds import deal
from annotate_select.learning.learners import LEARNERS, best_strength, learner_of
from annotate_select.learning.perceptron import Perceptron
from annotate_select.learning.spreading import listening, surroundings
from annotate_select.progress import Progress, silent
from annotate_select.words import counted

__all__ = ["Head", "fit_head", "mean_of"]

BLOCK = 2**22  # numbers (rows x d) held at a time: 32 MB


@dataclass(frozen=True, eq=False)
class Head:
    """A trained classifier of C classes on features of d dimensions.

    `regularisation` is the inverse strength C, as in scikit-learn: smaller is smoother. `cv_accuracy` is the plain
    share of held-out labels that were right in cross-validation at that regularisation, None when there were too few
    labels for it. `classes_seen` (C,) tells which classes had labels; the others get probability 0. `held_out` is what
    cross-validation said of each label without having learned from it, NaN where it says nothing; a stored head has
    none.
    """

    classifier: Classifier  # of directions (n, d), all classes C, float64
    centre: np.ndarray  # (d,) float64, what directions start from
    length: float  # the usual distance from there, above 0
    temperature: float
    regularisation: float
    cv_accuracy: float | None
    n_labels: int
    classes_seen: np.ndarray  # (C,) bool
    held_out: np.ndarray | None = None  # (l, C) float32 probabilities, in the order of the labels

    @property
    def kind(self) -> str:
        """Return the name of its kind, of LEARNERS."""
        return next(name for name, one in LEARNERS.items() if type(self.classifier) is one.kind)

    @property
    def hidden_units(self) -> int:
        """Return how wide the layer before the last is; 0 where there is none."""
        return len(self.classifier.weights) if isinstance(self.classifier, Perceptron) else 0

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return (n, C) float32 probabilities of features (n, d), read block by block, so a memory map will do.

        Raises LearningError when the features have another width or are not finite.
        """
        self._require_width(features)
        known = self.classifier.only(self.classes_seen)
        out = np.zeros((len(features), len(self.classes_seen)), dtype=np.float32)
        for start, rows in self._directions(features):
            out[start : start + len(rows), self.classes_seen] = softmax(known.logits(rows), self.temperature)
        return out

    def penultimate(self, features: np.ndarray) -> np.ndarray:
        """Return what the hidden units say (n, h) float32, 0 or more, of features (n, d), read block by block.

        Raises LearningError as `probabilities` does, and for a linear head, which has no such layer.
        """
        self._require_width(features)
        if not isinstance(self.classifier, Perceptron):
            raise LearningError("a linear model has no layer before its last; train one with the head mlp")
        out = np.empty((len(features), self.hidden_units), dtype=np.float32)
        for start, rows in self._directions(features):
            out[start : start + len(rows)] = self.classifier.hidden(rows)
        return out

    def slopes(self, row: np.ndarray) -> np.ndarray:
        """Return how the logit of each class changes (d, C) as the direction of features (d,) does."""
        _, rows = next(self._directions(row[None]))
        return self.classifier.slopes(rows[0])

    def to_bytes(self) -> bytes:
        """Return the head as safetensors bytes, with its numbers as JSON in the metadata."""
        numbers = {
            "format": LEARNERS[self.kind].format,
            "length": self.length,
            "temperature": self.temperature,
            "regularisation": self.regularisation,
            "cv_accuracy": self.cv_accuracy,
            "n_labels": self.n_labels,
        }
        arrays = {**self.classifier.arrays(), "centre": self.centre, "classes_seen": self.classes_seen}
        tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        # One entry, since safetensors writes several in any order, and equal heads should be equal bytes.
        return bytes(save(tensors, {"head": json.dumps(numbers)}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Head:
        """Read what `to_bytes` wrote; nothing is unpickled. Raises LearningError for anything else."""
        try:
            tensors, numbers = load(content), _metadata(content)
            kind, accuracy = _kind_of(numbers["format"]), numbers["cv_accuracy"]
            head = cls(
                classifier=kind(**{name: tensors[name] for name in kind.names()}),
                centre=tensors["centre"],
                length=float(numbers["length"]),
                temperature=float(numbers["temperature"]),
                regularisation=float(numbers["regularisation"]),
                cv_accuracy=None if accuracy is None else float(accuracy),
                n_labels=int(numbers["n_labels"]),
                classes_seen=tensors["classes_seen"],
            )
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise LearningError(f"this is not a stored model ({error}); train again to replace it") from error
        if not _whole(head):
            raise LearningError("this stored model does not fit together; train again to replace it")
        return head

    def _require_width(self, features: np.ndarray) -> None:
        if features.ndim != 2 or features.shape[1] != len(self.centre):
            raise LearningError(
                f"this model needs features of shape (n, {len(self.centre)}), got {features.shape}; "
                "use the features it was trained on, or train again"
            )

    def _directions(self, features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield where a block of features (n, d) starts, and the directions of its rows (b, d)."""
        step = max(1, BLOCK // len(self.centre))
        for start in range(0, len(features), step):
            block = np.asarray(features[start : start + step], dtype=np.float64)
            _require_finite(block, start)
            yield start, directions(block, self.centre, self.length)


def fit_head(
    features: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    kind: str = "linear",
    seed: int = 0,
    groups: np.ndarray | None = None,
    centre: np.ndarray | None = None,
    around: np.ndarray | None = None,
    choose: bool = True,
    held_out: np.ndarray | None = None,
    progress: Progress = silent,
) -> Head:
    """Train a head of a kind of LEARNERS on features (l, d) and labels (l,), class numbers below `n_classes`.

    `centre` (d,) is the mean of all the features there are, labelled or not (default: of these); `around` (u, d) those
    of images without labels, to which `spreading` listens, up to 4,000 (default: none). `groups` (l,)
    integers (negative: none) keep images of one patient, camera or session in one fold, so that `cv_accuracy` and the
    calibration are not flattered. Rows of one class or group only are never held out. Features that were made with
    these labels deceive cross-validation: without `choose` there is none, and the default regularisation is taken.
    `held_out` (l,) bool takes its place: the rows whose labels the features have not seen are one fold, in which the
    regularisation is chosen and the probabilities are calibrated; the head learns from all rows in the end.
    Raises LearningError for an unknown kind, fewer than two classes, features that are not finite, or lengths that
    differ.
    """
    learner = learner_of(kind)
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    _require_trainable(features, labels, n_classes, groups)
    seen, y = np.unique(labels, return_inverse=True)  # y (l,): positions in `seen`
    centre = features.mean(axis=0) if centre is None else np.asarray(centre, dtype=np.float64)
    if centre.shape != features.shape[1:]:
        raise LearningError(f"centre must have shape {features.shape[1:]}, got {centre.shape}")
    length = usual_length(features - centre)
    basis = span(directions(features, centre, length))  # (d, r)
    x = directions(features, centre, length) @ basis  # (l, r)
    weights = len(y) / (len(seen) * np.bincount(y))[y]  # (l,) each class weighs the same
    folds = np.full(len(y), -1)
    if held_out is not None:
        folds = np.where(held_out, 0, -1)
    elif choose:
        folds = deal(y, None if groups is None else np.asarray(groups), np.random.default_rng(seed))
    known = np.isin(np.arange(n_classes), seen)
    near = None
    if learner.listens:
        near = surroundings(x @ basis.T, y, directions(_besides(around, features), centre, length), seed)
        weights = near.weighed(y, weights)
    chosen = best_strength(learner, x.astype(np.float32), y, weights, folds, seed=seed, progress=progress)
    start = learner.start(x.shape[1], len(seen), seed)
    fitted = learner.fit(x, y, weights, chosen.strength, start).lifted(basis)
    if near is not None:
        fitted, chosen = listening(fitted, chosen, near, y, weights, folds)
    progress("training", len(learner.grid) + 1, len(learner.grid) + 1, "")
    return Head(
        classifier=fitted.spread(known),
        centre=centre,
        length=length,
        temperature=chosen.temperature,
        regularisation=chosen.strength,
        cv_accuracy=chosen.accuracy,
        n_labels=len(y),
        classes_seen=known,
        held_out=None if chosen.accuracy is None else _of_all(chosen.held_out, known),
    )


def _besides(around: np.ndarray | None, features: np.ndarray) -> np.ndarray:
    """Return what is around (u, d) float64, checked; nothing is none."""
    around = features[:0] if around is None else np.asarray(around, dtype=np.float64)
    if around.shape[1:] != features.shape[1:]:
        raise LearningError(f"around must have shape (images, {features.shape[1]}), got {around.shape}")
    _require_finite(around, 0)
    return around


def mean_of(features: np.ndarray) -> np.ndarray:
    """Return the mean (d,) float64 of features (n, d), n above 0, read block by block."""
    step = max(1, BLOCK // features.shape[1])
    parts = [features[start : start + step].sum(axis=0, dtype=np.float64) for start in range(0, len(features), step)]
    return np.asarray(np.sum(parts, axis=0) / len(features))


def _of_all(held_out: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return probabilities (l, K) of known classes as those of all (l, C), 0 for the others."""
    out = np.zeros((len(held_out), len(known)), dtype=np.float32)
    out[:, known] = held_out
    return out


def _require_trainable(features: np.ndarray, labels: np.ndarray, n_classes: int, groups: np.ndarray | None) -> None:
    if features.ndim != 2 or features.shape[1] < 1:
        raise LearningError(f"features must have shape (labels, d) with d of at least 1, got {features.shape}")
    if labels.shape != (len(features),):
        raise LearningError(f"labels must be one for each of the {len(features)} rows of features, got {labels.shape}")
    if groups is not None and np.shape(groups) != labels.shape:
        raise LearningError(f"groups must be one for each of the {len(labels)} labels, got {np.shape(groups)}")
    if groups is not None and not np.issubdtype(np.asarray(groups).dtype, np.integer):
        raise LearningError(f"groups must be integers (negative: no group), got {np.asarray(groups).dtype}")
    if len(labels) and not np.issubdtype(labels.dtype, np.integer):
        raise LearningError(f"labels must be class numbers (integers), got {labels.dtype}")
    wrong = labels[(labels < 0) | (labels >= n_classes)] if len(labels) else labels
    if len(wrong):
        raise LearningError(f"labels must be class numbers from 0 to {n_classes - 1}, got {wrong[0]}")
    _require_finite(features, 0)
    seen = np.unique(labels)
    if len(seen) < 2:
        got = f"only class {seen[0]} ({counted(len(labels), 'label')})" if len(seen) else "no labels"
        raise LearningError(
            f"training needs labels of at least 2 classes, got {got}; label images of another class first"
        )


def _require_finite(block: np.ndarray, start: int) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        row = start + int(np.flatnonzero(~finite)[0])
        raise LearningError(f"features must be finite, got NaN or infinity in row {row}; make the features again")


def _metadata(content: bytes) -> dict[str, Any]:
    """Read our JSON from the header of safetensors bytes, which `load` has already found sound but does not return."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    numbers: dict[str, Any] = json.loads(header["__metadata__"]["head"])
    return numbers


def _kind_of(stored: str) -> type[Classifier]:
    kinds = {one.format: one.kind for one in LEARNERS.values()}
    if stored not in kinds:
        raise ValueError(f"format {stored!r} instead of {listed(kinds)}")
    return kinds[stored]


def _whole(head: Head) -> bool:
    """Tell whether shapes and types fit together and every number can be computed with."""
    arrays, shapes = head.classifier.arrays(), head.classifier.shapes()
    d, n_classes = head.classifier.dim, len(arrays["bias"].ravel())
    arrays, shapes = {**arrays, "centre": head.centre}, {**shapes, "centre": (d,)}
    return bool(
        d > 0
        and all(arrays[name].shape == shape for name, shape in shapes.items())
        and all(one.dtype in (np.float32, np.float64) and np.isfinite(one).all() for one in arrays.values())
        and head.classes_seen.shape == (n_classes,)
        and head.classes_seen.dtype == bool
        and head.classes_seen.any()
        and 0 < head.length < np.inf
        and 0 < head.temperature < np.inf
    )
