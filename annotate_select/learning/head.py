"""The classifier head: multinomial logistic regression on the directions of features, with calibrated probabilities.

Features are centred on the mean of the pool and scaled to length 1, as selection sees them. Standardising each column
by the few labels there are is 10 to 20 points worse with 1 to 10 labels a class: a column that hardly varied among the
labels explodes in the pool. Fitting chooses the regularisation by cross-validation on log-loss, then fits one
temperature on the held-out logits of that choice. Classes are balanced: each counts the same however many labels it
has, so that rare classes are found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from annotate_select.errors import LearningError
from annotate_select.learning.calibration import fit_temperature, log_loss, softmax
from annotate_select.learning.folds import deal
from annotate_select.learning.softmax_regression import Linear, fit_linear
from annotate_select.progress import Progress, silent

__all__ = ["Head", "fit_head", "mean_of"]

FORMAT = "annotate-select head 2"
# Regularisations tried: the inverse strength C for rows of length 1, where 1 is very smooth and 10,000 separates.
GRID = tuple(float(10**power) for power in np.arange(0, 4.6, 0.75))
DEFAULT = 10.0  # when too few labels are there to choose by, or the features saw them
PATIENCE = 2  # stop along the grid after so many values that were worse than the best
BLOCK = 2**22  # numbers (rows x d) held at a time: 32 MB
FEWEST_DIMENSIONS = 8  # below, a direction alone says too little: rows keep their lengths, up to FARTHEST
FARTHEST = 10.0  # times the usual length
ROUNDING = 1e-6  # of the usual length: a row nearer to the centre has no direction


@dataclass(frozen=True, eq=False)
class Head:
    """A trained classifier of C classes on features of d dimensions.

    `regularisation` is the inverse strength C, as in scikit-learn: smaller is smoother. `cv_accuracy` is the plain
    share of held-out labels that were right in cross-validation at that regularisation, None when there were too few
    labels for it. `classes_seen` (C,) tells which classes had labels; the others get probability 0. `held_out` is what
    cross-validation said of each label without having learned from it, NaN where it says nothing; a stored head has
    none.
    """

    weights: np.ndarray  # (d, C) float64, for directions
    bias: np.ndarray  # (C,) float64
    centre: np.ndarray  # (d,) float64, what directions start from
    length: float  # the usual distance from there, above 0
    temperature: float
    regularisation: float
    cv_accuracy: float | None
    n_labels: int
    classes_seen: np.ndarray  # (C,) bool
    held_out: np.ndarray | None = None  # (l, C) float32 probabilities, in the order of the labels

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return (n, C) float32 probabilities of features (n, d), read block by block, so a memory map will do.

        Raises LearningError when the features have another width or are not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.centre):
            raise LearningError(
                f"this model needs features of shape (n, {len(self.centre)}), got {features.shape}; "
                "use the features it was trained on, or train again"
            )
        linear = Linear(self.weights[:, self.classes_seen], self.bias[self.classes_seen])
        out = np.zeros((len(features), len(self.bias)), dtype=np.float32)
        step = max(1, BLOCK // len(self.centre))
        for start in range(0, len(features), step):
            block = np.asarray(features[start : start + step], dtype=np.float64)
            _require_finite(block, start)
            logits = linear.logits(_directions(block, self.centre, self.length))
            out[start : start + step, self.classes_seen] = softmax(logits, self.temperature)
        return out

    def to_bytes(self) -> bytes:
        """Return the head as safetensors bytes, with its numbers as JSON in the metadata."""
        arrays = ("weights", "bias", "centre", "classes_seen")
        numbers = {
            "format": FORMAT,
            "length": self.length,
            "temperature": self.temperature,
            "regularisation": self.regularisation,
            "cv_accuracy": self.cv_accuracy,
            "n_labels": self.n_labels,
        }
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in arrays}
        # One entry, since safetensors writes several in any order, and equal heads should be equal bytes.
        return bytes(save(tensors, {"head": json.dumps(numbers)}))

    @classmethod
    def from_bytes(cls, content: bytes) -> Head:
        """Read what `to_bytes` wrote; nothing is unpickled. Raises LearningError for anything else."""
        try:
            tensors, numbers = load(content), _metadata(content)
            accuracy = numbers["cv_accuracy"]
            head = cls(
                weights=tensors["weights"],
                bias=tensors["bias"],
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


def fit_head(
    features: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    seed: int = 0,
    groups: np.ndarray | None = None,
    centre: np.ndarray | None = None,
    choose: bool = True,
    progress: Progress = silent,
) -> Head:
    """Train a head on features (l, d) and labels (l,), class numbers below `n_classes`.

    `centre` (d,) is the mean of all the features there are, labelled or not (default: of these). `groups` (l,)
    integers (negative: none) keep images of one patient, camera or session in one fold, so that `cv_accuracy` and the
    calibration are not flattered. Rows of one class or group only are never held out. Features that were made with
    these labels deceive cross-validation: without `choose` there is none, and the default regularisation is taken.
    Raises LearningError for fewer than two classes, features that are not finite, or lengths that differ.
    """
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    _require_trainable(features, labels, n_classes, groups)
    seen, y = np.unique(labels, return_inverse=True)  # y (l,): positions in `seen`
    centre = features.mean(axis=0) if centre is None else np.asarray(centre, dtype=np.float64)
    if centre.shape != features.shape[1:]:
        raise LearningError(f"centre must have shape {features.shape[1:]}, got {centre.shape}")
    length = _usual_length(features - centre)
    basis = _span(_directions(features, centre, length))  # (d, r)
    x = _directions(features, centre, length) @ basis  # (l, r)
    weights = len(y) / (len(seen) * np.bincount(y))[y]  # (l,) each class weighs the same
    folds = np.full(len(y), -1)
    if choose:
        folds = deal(y, None if groups is None else np.asarray(groups), np.random.default_rng(seed))
    strength, temperature, accuracy, held_out = _choose(x.astype(np.float32), y, weights, folds, progress)
    linear = fit_linear(x, y, weights, strength, Linear.zeros(x.shape[1], len(seen)))
    progress("training", len(GRID) + 1, len(GRID) + 1, "")
    return Head(
        weights=_scatter(basis @ linear.weights, seen, n_classes),
        bias=_scatter(linear.bias, seen, n_classes),
        centre=centre,
        length=length,
        temperature=temperature,
        regularisation=strength,
        cv_accuracy=accuracy,
        n_labels=len(y),
        classes_seen=np.isin(np.arange(n_classes), seen),
        held_out=None if accuracy is None else _scatter(held_out, seen, n_classes).astype(np.float32),
    )


def mean_of(features: np.ndarray) -> np.ndarray:
    """Return the mean (d,) float64 of features (n, d), n above 0, read block by block."""
    step = max(1, BLOCK // features.shape[1])
    parts = [features[start : start + step].sum(axis=0, dtype=np.float64) for start in range(0, len(features), step)]
    return np.asarray(np.sum(parts, axis=0) / len(features))


def _choose(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, folds: np.ndarray, progress: Progress
) -> tuple[float, float, float | None, np.ndarray]:
    """Return the regularisation of least held-out log-loss, its temperature, plain accuracy, and probabilities."""
    d, n_classes = x.shape[1], int(y.max()) + 1
    if folds.max() < 0:
        return DEFAULT, 1.0, None, np.full((len(y), n_classes), np.nan)
    models = [Linear.zeros(d, n_classes)] * (int(folds.max()) + 1)
    scored = _scored(y, folds, n_classes)
    best, best_loss, best_logits, worse = DEFAULT, np.inf, np.zeros((len(y), n_classes)), 0
    for tried, strength in enumerate(GRID):
        models, logits = _held_out(x, y, weights, folds, strength, models)
        loss = log_loss(logits[scored], y[scored], weights[scored])
        progress("training", tried + 1, len(GRID) + 1, f"log-loss {loss:.3f}")
        if loss < best_loss:
            best, best_loss, best_logits, worse = strength, loss, logits, 0
        else:
            worse += 1
        if worse == PATIENCE:
            break
    temperature = fit_temperature(best_logits[scored], y[scored], weights[scored])
    held_out = np.where(scored[:, None], softmax(best_logits, temperature), np.nan)  # (l, K)
    return best, temperature, float((best_logits[scored].argmax(axis=1) == y[scored]).mean()), held_out


def _held_out(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, folds: np.ndarray, strength: float, models: list[Linear]
) -> tuple[list[Linear], np.ndarray]:
    """Fit one model a fold, each from where the last strength left it; return them and their held-out logits (l, K)."""
    logits = np.zeros((len(y), models[0].bias.size))
    fitted = []
    for fold, start in enumerate(models):
        out = folds == fold
        model = fit_linear(x, y, np.where(out, 0.0, weights), strength, start, tolerance=1e-4, iterations=200)
        logits[out] = model.logits(x[out])
        fitted.append(model)
    return fitted, logits


def _scored(y: np.ndarray, folds: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (l,) which rows are held out by a fold whose training still has their class."""
    in_fold = np.zeros((folds.max() + 2, n_classes), dtype=np.int64)  # the last line is fold -1
    np.add.at(in_fold, (folds, y), 1)
    left = in_fold.sum(axis=0) - in_fold  # (folds + 1, K) labels that stay in training
    return np.asarray((folds >= 0) & (left[folds, y] > 0))


def _usual_length(centred: np.ndarray) -> float:
    """Return the root mean square length of rows (l, d); 1 when rounding alone makes them differ."""
    largest = float(np.abs(centred).max())
    if largest == 0.0:
        return 1.0
    return float(largest * np.sqrt(np.mean(np.einsum("ij,ij->i", centred / largest, centred / largest))))


def _directions(features: np.ndarray, centre: np.ndarray, length: float) -> np.ndarray:
    """Return rows (n, d) from the centre, of length 1; below 8 dimensions in units of the usual length."""
    rows = (features - centre) / length
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]  # (n, 1)
    if len(centre) < FEWEST_DIMENSIONS:
        return np.asarray(rows * np.minimum(1.0, FARTHEST / np.maximum(lengths, FARTHEST)))
    return np.where(lengths > ROUNDING, rows / np.maximum(lengths, ROUNDING), 0.0)


def _span(x: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (d, r) of the rows (l, d), in which the weights lie: few labels then cost little."""
    if len(x) >= x.shape[1]:
        return np.eye(x.shape[1])
    return np.asarray(np.linalg.qr(x.T)[0])


def _scatter(values: np.ndarray, seen: np.ndarray, n_classes: int) -> np.ndarray:
    """Spread the last axis (K) over all classes (C), 0 where a class was not seen."""
    out = np.zeros((*values.shape[:-1], n_classes))
    out[..., seen] = values
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
        got = f"only class {seen[0]} ({len(labels)} labels)" if len(seen) else "no labels"
        raise LearningError(
            f"training needs labels of at least 2 classes, got {got}; label images of another class first"
        )


def _require_finite(block: np.ndarray, start: int) -> None:
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        row = start + int(np.flatnonzero(~finite)[0])
        raise LearningError(f"features must be finite, got NaN or infinity in row {row}; make the features again")


def _metadata(content: bytes) -> dict[str, float]:
    """Read our JSON from the header of safetensors bytes, which `load` has already found sound but does not return."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    stored = json.loads(header["__metadata__"]["head"])
    if stored["format"] != FORMAT:
        raise ValueError(f"format {stored['format']!r} instead of {FORMAT!r}")
    numbers: dict[str, float] = stored
    return numbers


def _whole(head: Head) -> bool:
    """Tell whether shapes and types fit together and every number can be computed with."""
    d, n_classes = head.weights.shape if head.weights.ndim == 2 else (0, 0)
    classes = (head.bias, head.classes_seen)
    arrays = (head.weights, head.bias, head.centre)
    return bool(
        d > 0
        and head.centre.shape == (d,)
        and all(one.shape == (n_classes,) for one in classes)
        and all(one.dtype == np.float64 and np.isfinite(one).all() for one in arrays)
        and head.classes_seen.dtype == bool
        and head.classes_seen.any()
        and 0 < head.length < np.inf
        and 0 < head.temperature < np.inf
    )
