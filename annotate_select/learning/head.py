"""The classifier head: multinomial logistic regression on standardised features, with calibrated probabilities.

Fitting chooses the regularisation by cross-validation on log-loss, then fits one temperature on the held-out logits of
that choice. Classes are balanced: each counts the same however many labels it has, so that rare classes are found.
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

__all__ = ["Head", "fit_head"]

FORMAT = "annotate-select head 1"
# Regularisations tried, as multiples of 1 / d: standardised rows have a squared length near d, so the same multiple
# means the same smoothness in 1 dimension and in 2,000.
GRID = tuple(float(10**power) for power in np.arange(-2, 4.1, 0.75))
DEFAULT = 1.0
PATIENCE = 2  # stop along the grid after so many values that were worse than the best
BLOCK = 2**22  # numbers (rows x d) standardised at a time: 32 MB
# A column that hardly varied among a few labels can be thousands of its standard deviations away in the pool.
FARTHEST = 10.0


@dataclass(frozen=True, eq=False)
class Head:
    """A trained classifier of C classes on features of d dimensions.

    `regularisation` is the inverse strength C, as in scikit-learn: smaller is smoother. `cv_accuracy` is the plain
    share of held-out labels that were right in cross-validation at that regularisation, None when there were too few
    labels for it. `classes_seen` (C,) tells which classes had labels; the others get probability 0.
    """

    weights: np.ndarray  # (d, C) float64, for standardised features
    bias: np.ndarray  # (C,) float64
    mean: np.ndarray  # (d,) float64
    scale: np.ndarray  # (d,) float64, above 0
    temperature: float
    regularisation: float
    cv_accuracy: float | None
    n_labels: int
    classes_seen: np.ndarray  # (C,) bool

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return (n, C) float32 probabilities of features (n, d), read block by block, so a memory map will do.

        Raises LearningError when the features have another width or are not finite.
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise LearningError(
                f"this model needs features of shape (n, {len(self.mean)}), got {features.shape}; "
                "use the features it was trained on, or train again"
            )
        linear = Linear(self.weights[:, self.classes_seen], self.bias[self.classes_seen])
        out = np.zeros((len(features), len(self.bias)), dtype=np.float32)
        step = max(1, BLOCK // len(self.mean))
        for start in range(0, len(features), step):
            block = np.asarray(features[start : start + step], dtype=np.float64)
            _require_finite(block, start)
            logits = linear.logits(_standardise(block, self.mean, self.scale))
            out[start : start + step, self.classes_seen] = softmax(logits, self.temperature)
        return out

    def to_bytes(self) -> bytes:
        """Return the head as safetensors bytes, with its numbers as JSON in the metadata."""
        arrays = ("weights", "bias", "mean", "scale", "classes_seen")
        numbers = {
            "format": FORMAT,
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
                mean=tensors["mean"],
                scale=tensors["scale"],
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
    progress: Progress = silent,
) -> Head:
    """Train a head on features (l, d) and labels (l,), class numbers below `n_classes`.

    `groups` (l,) integers (negative: none) keep images of one patient, camera or session in one fold, so that
    `cv_accuracy` and the calibration are not flattered. Rows of one class or group only are never held out.
    Raises LearningError for fewer than two classes, features that are not finite, or lengths that differ.
    """
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    _require_trainable(features, labels, n_classes, groups)
    seen, y = np.unique(labels, return_inverse=True)  # y (l,): positions in `seen`
    mean, scale = features.mean(axis=0), _scale(features)
    x = _standardise(features, mean, scale)
    weights = len(y) / (len(seen) * np.bincount(y))[y]  # (l,) each class weighs the same
    folds = deal(y, None if groups is None else np.asarray(groups), np.random.default_rng(seed))
    strength, temperature, accuracy = _choose(x.astype(np.float32), y, weights, folds, progress)  # half the time
    linear = fit_linear(x, y, weights, strength, Linear.zeros(x.shape[1], len(seen)))
    progress("training", len(GRID) + 1, len(GRID) + 1, "")
    return Head(
        weights=_scatter(linear.weights, seen, n_classes),
        bias=_scatter(linear.bias, seen, n_classes),
        mean=mean,
        scale=scale,
        temperature=temperature,
        regularisation=strength,
        cv_accuracy=accuracy,
        n_labels=len(y),
        classes_seen=np.isin(np.arange(n_classes), seen),
    )


def _choose(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, folds: np.ndarray, progress: Progress
) -> tuple[float, float, float | None]:
    """Return the regularisation of least held-out log-loss, its temperature and its plain accuracy."""
    d, n_classes = x.shape[1], int(y.max()) + 1
    if folds.max() < 0:
        return DEFAULT / d, 1.0, None
    models = [Linear.zeros(d, n_classes)] * (int(folds.max()) + 1)
    scored = _scored(y, folds, n_classes)
    best, best_loss, best_logits, worse = DEFAULT / d, np.inf, np.zeros((len(y), n_classes)), 0
    for tried, multiple in enumerate(GRID):
        models, logits = _held_out(x, y, weights, folds, multiple / d, models)
        loss = log_loss(logits[scored], y[scored], weights[scored])
        progress("training", tried + 1, len(GRID) + 1, f"log-loss {loss:.3f}")
        if loss < best_loss:
            best, best_loss, best_logits, worse = multiple / d, loss, logits, 0
        else:
            worse += 1
        if worse == PATIENCE:
            break
    temperature = fit_temperature(best_logits[scored], y[scored], weights[scored])
    return best, temperature, float((best_logits[scored].argmax(axis=1) == y[scored]).mean())


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


def _scale(features: np.ndarray) -> np.ndarray:
    """Return the standard deviation (d,) of each column; 1 for a column that does not vary but by rounding."""
    spread = features.std(axis=0)
    rounding = 1e-7 * np.abs(features).max(axis=0)  # float32 features: the mean of equal numbers is not quite equal
    return np.where(spread > rounding, spread, 1.0)


def _standardise(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip((features - mean) / scale, -FARTHEST, FARTHEST))


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
    columns, classes = (head.mean, head.scale), (head.bias, head.classes_seen)
    arrays = (head.weights, head.bias, *columns)
    return bool(
        d > 0
        and all(one.shape == (d,) for one in columns)
        and all(one.shape == (n_classes,) for one in classes)
        and all(one.dtype == np.float64 and np.isfinite(one).all() for one in arrays)
        and head.classes_seen.dtype == bool
        and head.classes_seen.any()
        and (head.scale > 0).all()
        and 0 < head.temperature < np.inf
    )
