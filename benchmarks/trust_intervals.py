"""Whether the exam's intervals hold the truth as often as they promise: simulated exams with the truth known.

Called by trust.py: `python benchmarks/trust.py --rows intervals`. Each cell is the share, of 2,000 exams, whose 95 %
interval held the truth; those outside 93 to 97 % are bold. A share of few images cannot always be inside: where no
interval whatever could, because no run of neighbouring counts has such a chance, the cell is marked `d`, discrete.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

from annotate_select.trust.compare import paired_difference
from annotate_select.trust.intervals import Interval, share_interval, wilson
from annotate_select.trust.macro_f1 import macro_f1_interval
from annotate_select.trust.powered import prediction_powered

SIZES = (20, 50, 100, 400)
LOW, HIGH = 0.93, 0.97
WORLDS = {  # classes: their shares, and how often each is recognised; mistakes are spread evenly
    "2 classes, even": ([0.5, 0.5], [0.9, 0.8]),
    "4 classes, even": ([0.25] * 4, [0.9] * 4),
    "4 classes, two rare": ([0.6, 0.3, 0.07, 0.03], [0.95, 0.85, 0.7, 0.5]),
    "10 classes, even": ([0.1] * 10, np.linspace(0.6, 0.95, 10).tolist()),
    "10 classes, nearly perfect": ([0.1] * 10, [0.95] * 10),
    "2 classes, one rare": ([0.97, 0.03], [0.98, 0.7]),
    "20 classes, ever rarer": ((1 / np.arange(1, 21)).tolist(), np.linspace(0.95, 0.6, 20).tolist()),
}
RANDOM_WORLDS = 20  # drawn by a seed: 2 to 30 classes, even or not, found more or less well, confused in three ways
PAIRS = {  # chances that only the newer model is right, and only the older one
    "2 points better": (0.06, 0.04),
    "equally good": (0.05, 0.05),
    "10 points better": (0.15, 0.05),
}
SURE = {  # beta of the certainty, and how often a model so sure is right
    "as sure as it ought to be": ((4.0, 0.7), lambda sure: sure),
    "far too sure": ((4.0, 0.7), lambda sure: sure**2),
    "certainty that says nothing": ((4.0, 0.7), lambda sure: np.full(len(sure), 0.85)),
}
Interval_of = Callable[[int, int], Interval]


def intervals(exams: int) -> list[str]:
    """Return the lines of the table; `exams` are simulated for each cell."""
    lines = ["| figure | truth | 20 images | 50 | 100 | 400 |", "|---|---|---|---|---|---|"]
    for name, interval in (("accuracy", share_interval), ("accuracy, by Wilson", wilson)):
        for truth in (0.6, 0.8, 0.9, 0.95, 0.99):
            cells = [_mark(_share(exams, n, truth, interval), n, truth) for n in SIZES]
            lines.append(_line(name, f"{truth:.0%}", cells))
        cells = [_mark(_share(exams, n, 1 - 0.17 / n, interval), n, 1 - 0.17 / n) for n in SIZES]
        lines.append(_line(name, "a mistake in one exam of six", cells))
        cells = [_mark(_share(exams, n, None, interval)) for n in SIZES]
        lines.append(_line(name, "any, 50 to 99 %", cells))
    for name, interval in (("recall", share_interval), ("recall, by Wilson", wilson)):
        for prior, truth in ((0.2, 0.9), (0.05, 0.7), (0.05, 0.9), (0.05, 0.98)):
            cells = [_recall(exams, n, prior, truth, interval) for n in SIZES]
            lines.append(_line(name, f"{truth:.0%} of a class that is {prior:.0%} of all", cells))
    for name, (prior, recall) in WORLDS.items():
        lines.append(_line("macro F1", name, [_mark(_macro(exams, n, prior, recall)) for n in SIZES]))
    found = [[_macro_of(exams // 4, n, one) for one in _worlds(np.random.default_rng(n))] for n in SIZES]
    lines.append(
        _line("macro F1", f"{RANDOM_WORLDS} random worlds, mean", [_mark(float(np.mean(one))) for one in found])
    )
    lines.append(_line("macro F1", "the worst of these", [_mark(min(one)) for one in found]))
    for name in ("4 classes, two rare", "2 classes, one rare"):
        cells = [_mark(_macro(exams, n, *WORLDS[name], _bootstrap)) for n in SIZES]
        lines.append(_line("macro F1, by bootstrap", name, cells))
    for name, (shape, right) in SURE.items():
        found = [_powered(exams, n, shape, right) for n in SIZES]
        lines.append(_line("second estimate (PPI++)", name, [_mark(held) for held, _ in found]))
        lines.append(_line("its error, of that of the exam", name, [f"{error:.2f}" for _, error in found]))
    for name, (gained, lost) in PAIRS.items():
        lines.append(_line("two models, paired", name, [_mark(_paired(exams, n, gained, lost)) for n in SIZES]))
    return lines


def _share(exams: int, n: int, truth: float | None, interval: Interval_of) -> float:
    rng = np.random.default_rng(n)
    truths = rng.uniform(0.5, 0.99, exams) if truth is None else np.full(exams, truth)
    return _held([(interval(int(k), n), one) for k, one in zip(rng.binomial(n, truths), truths, strict=True)])


def _recall(exams: int, n: int, prior: float, truth: float, interval: Interval_of) -> str:
    """Exams in which the class has no image are not counted: there is no recall then."""
    rng = np.random.default_rng(n)
    images = rng.binomial(n, prior, exams)
    images = images[images > 0]
    right = rng.binomial(images, truth)
    held = _held([(interval(int(k), int(m)), truth) for k, m in zip(right, images, strict=True)])
    return _mark(held, int(np.median(images)), truth)


def _macro(
    exams: int,
    n: int,
    prior: list[float],
    recall: list[float],
    interval: Callable[[np.ndarray], Interval] = macro_f1_interval,
) -> float:
    size = len(prior)
    chances = np.array([[p * (r if i == j else (1 - r) / (size - 1)) for j in range(size)]
                        for i, (p, r) in enumerate(zip(prior, recall, strict=True))])  # fmt: skip
    return _macro_of(exams, n, chances, interval)


def _macro_of(
    exams: int, n: int, chances: np.ndarray, interval: Callable[[np.ndarray], Interval] = macro_f1_interval
) -> float:
    """The truth is the mean F1, among all images, of the classes that the exam has; chances (C, C) of what for what."""
    rng, size = np.random.default_rng(n), len(chances)
    f1 = 2 * chances.diagonal() / (chances.sum(axis=0) + chances.sum(axis=1))
    counts = rng.multinomial(n, chances.ravel() / chances.sum(), exams).reshape(exams, size, size)
    return _held([(interval(one), float(f1[one.sum(axis=1) > 0].mean())) for one in counts])


def _worlds(rng: np.random.Generator) -> list[np.ndarray]:
    """Return chances (C, C) of an image being of a class (rows) and being taken for one (columns), random worlds."""
    return [_world(rng) for _ in range(RANDOM_WORLDS)]


def _world(rng: np.random.Generator) -> np.ndarray:
    size = int(rng.choice([2, 3, 4, 6, 10, 15, 20, 30]))
    priors = [np.ones(size), np.arange(1, size + 1) ** -rng.uniform(0.5, 1.6), rng.dirichlet(np.ones(size)) + 1e-3]
    prior = priors[rng.integers(3)]
    usual = rng.uniform(0.6, 0.98)
    recall = np.clip(rng.beta(12 * usual, 12 * (1 - usual), size), 0.2, 0.995)
    taken = [np.ones((size, size)), np.tile(prior, (size, 1)), rng.dirichlet(np.full(size, 0.3), size) + 1e-6]
    wrong = taken[rng.integers(3)]
    np.fill_diagonal(wrong, 0)
    chances = (1 - recall)[:, None] * wrong / wrong.sum(axis=1, keepdims=True)
    np.fill_diagonal(chances, recall)
    weighed = prior[:, None] * chances
    return np.asarray(weighed / weighed.sum())


def _powered(
    exams: int, n: int, shape: tuple[float, float], right: Callable[[np.ndarray], np.ndarray]
) -> tuple[float, float]:
    """Return how often the truth is held, and the error of the estimate as a part of that of the exam alone.

    Where there is no second estimate, because it would not help, the exam's own is what is told.
    """
    rng = np.random.default_rng(n)
    truth = float(right(rng.beta(*shape, 2_000_000)).mean())
    found, errors = [], []
    for _ in range(exams):
        sure, pool = rng.beta(*shape, n), rng.beta(*shape, 1000)
        hits = rng.random(n) < right(sure)
        second = prediction_powered(hits, sure, pool)
        found.append((share_interval(int(hits.sum()), n) if second is None else second.interval, truth))
        errors.append((hits.mean() - truth, (hits.mean() if second is None else second.accuracy) - truth))
    alone, ours = np.sqrt(np.mean(np.square(errors), axis=0))
    return _held(found), float(ours / alone)


def _bootstrap(confusion: np.ndarray, again: int = 200) -> Interval:
    """Return the middle 95 % of the macro F1 of exams drawn from the exam, as is often done."""
    n = int(confusion.sum())
    drawn = np.random.default_rng(0).multinomial(n, confusion.ravel() / n, again).reshape(again, *confusion.shape)
    right, images = np.diagonal(drawn, axis1=1, axis2=2), drawn.sum(axis=2)  # (again, C)
    f1 = 2 * right / np.maximum(images + drawn.sum(axis=1), 1)
    here = images > 0
    means = (f1 * here).sum(axis=1) / here.sum(axis=1)
    return Interval(float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))


def _paired(exams: int, n: int, gained: float, lost: float) -> float:
    rng = np.random.default_rng(n)
    counts = rng.multinomial(n, [gained, lost, 1 - gained - lost], exams).tolist()
    return _held([(paired_difference(up, down, n), gained - lost) for up, down, _ in counts])


def _held(found: list[tuple[Interval, float]]) -> float:
    return float(np.mean([one.low <= truth <= one.high for one, truth in found]))


def _mark(held: float, n: int = 0, truth: float = 0.0) -> str:
    inside = 100 * LOW <= round(100 * held, 1) <= 100 * HIGH
    discrete = not inside and n > 0 and not _possible(n, truth)
    return f"{100 * held:.1f}" if inside else f"**{100 * held:.1f}**{' d' if discrete else ''}"


def _possible(n: int, truth: float) -> bool:
    """Say whether some run of neighbouring counts of n has a chance between 93 and 97 %."""
    below = np.concatenate([[0.0], np.cumsum(binom.pmf(np.arange(n + 1), n, truth))])
    runs = below[None, :] - below[:, None]
    return bool(((runs >= LOW) & (runs <= HIGH)).any())


def _line(*cells: str | list[str]) -> str:
    flat = [one for cell in cells for one in (cell if isinstance(cell, list) else [cell])]
    return f"| {' | '.join(flat)} |"
