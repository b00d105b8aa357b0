"""How each kind of head learns, and how its regularisation is chosen: by cross-validation on log-loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annotate_select.errors import LearningError, did_you_mean, listed
from annotate_select.learning.calibration import fit_temperature, log_loss, softmax
from annotate_select.learning.classifier import Classifier
from annotate_select.learning.perceptron import Perceptron, fit_perceptron
from annotate_select.learning.softmax_regression import Linear, fit_linear
from annotate_select.learning.spreading import Spreading
from annotate_select.progress import Progress

__all__ = ["LEARNERS", "Choice", "Learner", "best_strength", "learner_of"]

PATIENCE = 2  # stop along the grid after so many values that were worse than the best
NOTHING = 0.05  # largest difference of a logit between rows that is none; where there is one, it is ten times that


@dataclass(frozen=True)
class Learner:
    """A kind of classifier, and how it learns.

    `start` takes the width of rows, how many classes, and a seed; `fit` what `fit_linear` takes. `grid` has the inverse
    strengths C that are tried, in this order, for rows of length 1, each from where the last one ended and with no more
    than `iterations`; `default` is for when too few labels are there to choose by, or the features saw them. With
    `tempered`, each is judged at the temperature that suits it, so that a smooth one does not lose for being unsure.
    """

    kind: type[Classifier]
    format: str  # names it in stored bytes
    start: Callable[[int, int, int], Any]
    fit: Callable[..., Any]
    grid: tuple[float, ...]
    default: float
    iterations: int
    tempered: bool
    listens: bool = False  # to the images without labels, once it has learned


LINEAR = Learner(
    kind=Linear,
    format="annotate-select head 2",
    start=lambda d, n_classes, _: Linear.zeros(d, n_classes),
    fit=fit_linear,
    grid=tuple(float(10**power) for power in np.arange(0, 4.6, 0.75)),  # 10,000 separates
    default=10.0,
    iterations=200,
    tempered=False,
)
LEARNERS = {
    "linear": LINEAR,
    "spreading": replace(LINEAR, kind=Spreading, format="annotate-select spreading head 1", listens=True),
    # From loose to smooth: where a strength is too smooth for its labels every weight is 0, and stays so.
    "mlp": Learner(
        kind=Perceptron,
        format="annotate-select mlp head 1",
        start=lambda d, n_classes, seed: Perceptron.drawn(d, n_classes, np.random.default_rng(seed)),
        fit=fit_perceptron,
        grid=(10.0, 3.0, 1.0, 0.3, 0.1),
        default=3.0,
        iterations=100,
        tempered=True,
    ),
}


def learner_of(kind: str) -> Learner:
    """Return the learner of that name. Raises LearningError for another."""
    if kind not in LEARNERS:
        near = did_you_mean(kind, list(LEARNERS))
        raise LearningError(f"there is no head {kind!r}{near}; train one of {listed(LEARNERS)}")
    return LEARNERS[kind]


@dataclass(frozen=True, eq=False)
class Choice:
    """A regularisation, and what was said at it of rows that were held out: calibrated probabilities (l, K).

    These are NaN for rows that never were. Where none was, `accuracy` is None.
    """

    strength: float
    temperature: float
    accuracy: float | None
    held_out: np.ndarray


def best_strength(
    learner: Learner,
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    folds: np.ndarray,
    *,
    seed: int,
    progress: Progress,
) -> Choice:
    """Return the regularisation of least held-out log-loss, its temperature and plain accuracy.

    Rows (l, d), labels (l,) below K, weights (l,), and the fold (l,) of each as `deal` has it.
    """
    n_classes = int(y.max()) + 1
    if folds.max() < 0:
        return Choice(learner.default, 1.0, None, np.full((len(y), n_classes), np.nan))
    models = [learner.start(x.shape[1], n_classes, seed)] * (int(folds.max()) + 1)
    scored = _scored(y, folds, n_classes)
    best, best_loss, best_logits, worse = learner.default, np.inf, np.zeros((len(y), n_classes)), 0
    for tried, strength in enumerate(learner.grid):
        models, logits = _held_out(learner, x, y, weights, folds, strength, models)
        if tried and any(np.ptp(one.logits(x), axis=0).max() < NOTHING for one in models):
            break  # too smooth to tell rows apart: of hard labels that has the least loss, but nothing is learned
        told = (logits[scored], y[scored], weights[scored])
        loss = log_loss(*told, fit_temperature(*told) if learner.tempered else 1.0)
        progress("training", tried + 1, len(learner.grid) + 1, f"log-loss {loss:.3f}")
        if loss < best_loss:
            best, best_loss, best_logits, worse = strength, loss, logits, 0
        else:
            worse += 1
        if worse == PATIENCE:
            break
    temperature = fit_temperature(best_logits[scored], y[scored], weights[scored])
    held_out = np.where(scored[:, None], softmax(best_logits, temperature), np.nan)  # (l, K)
    return Choice(best, temperature, float((best_logits[scored].argmax(axis=1) == y[scored]).mean()), held_out)


def _held_out(
    learner: Learner,
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    folds: np.ndarray,
    strength: float,
    models: list[Classifier],
) -> tuple[list[Classifier], np.ndarray]:
    """Fit one model a fold, each from where `models` are; return them and their held-out logits (l, K)."""
    logits = np.zeros((len(y), models[0].bias.size))
    fitted = []
    for fold, start in enumerate(models):
        out = folds == fold
        model = learner.fit(
            x, y, np.where(out, 0.0, weights), strength, start, tolerance=1e-4, iterations=learner.iterations
        )
        logits[out] = model.logits(x[out])
        fitted.append(model)
    return fitted, logits


def _scored(y: np.ndarray, folds: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (l,) which rows are held out by a fold whose training still has their class."""
    in_fold = np.zeros((folds.max() + 2, n_classes), dtype=np.int64)  # the last line is fold -1
    np.add.at(in_fold, (folds, y), 1)
    left = in_fold.sum(axis=0) - in_fold  # (folds + 1, K) labels that stay in training
    return np.asarray((folds >= 0) & (left[folds, y] > 0))
