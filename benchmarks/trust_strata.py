"""What an exam drawn by strata saves, and whether its interval holds the truth: simulated pools, and real images.

Called by trust.py: `python benchmarks/trust.py --rows strata`. Each simulated pool of 2,000 images is drawn anew from a
world of 30 kinds of images that the model finds more or less hard; it is clustered as `exam --stratify` does, and its
exam is drawn twice, evenly over strata and by chance alone. The truth is the accuracy of the world, or of two models
the difference of theirs. Of real sets a model learns 200 images and the rest is the pool, whose accuracy is the truth;
their features are made by datasets.py, and sets that are not there are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np

from annotate_select.learning.head import fit_head, mean_of
from annotate_select.steps.exam_strata import strata_of
from annotate_select.trust.compare import paired_difference
from annotate_select.trust.intervals import Interval, share_interval
from annotate_select.trust.stratified import Design, even_order, worth

POOL, KINDS, DIM, SIZES = 2000, 30, 16, (20, 50, 100, 300)
SETS, REAL = ("blood_cells", "clothing", "trashnet", "cifar10_small"), ("pixels", "autoencoder")
PAIRED = 2  # worlds of which two models are compared, too
LEARNED = 200  # images of a real set that the model learns
Wrong = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def _hard(share: float, hard: float, easy: float) -> Wrong:
    """Make the smallest kinds, to this share of the images, hard."""

    def wrong(_: np.random.Generator, sizes: np.ndarray) -> np.ndarray:
        order = np.argsort(sizes)
        few = np.cumsum(sizes[order]) <= share
        few[0] = True
        out = np.empty(len(sizes))
        out[order] = np.where(few, hard, easy)
        return out

    return wrong


WORLDS: dict[str, Wrong] = {  # how often the model is wrong on each kind
    "a fifth of the images are hard (60 % wrong), the rest easy (3 %)": _hard(0.2, 0.6, 0.03),
    "every kind has its own difficulty (beta 0.5, 2.5)": lambda rng, sizes: rng.beta(0.5, 2.5, len(sizes)),
    "kinds differ little (5 to 25 % wrong)": lambda rng, sizes: rng.uniform(0.05, 0.25, len(sizes)),
    "kinds do not differ (15 % wrong)": lambda _, sizes: np.full(len(sizes), 0.15),
    "one rare kind is hard (80 % wrong), the rest 4 %": _hard(0.03, 0.8, 0.04),
    "98 % right, the mistakes in few kinds": _hard(0.05, 0.35, 0.003),
    "half of the images are coins, half are sure": _hard(0.5, 0.5, 0.01),
}


HEAD = (
    "| what | images | error by chance | error, strata | as many by chance | held by chance | held, strata, as if by "
    "chance | held, strata | width by chance | width, strata |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Pool:
    """Images of a pool: the order in which each way of drawing takes them, their strata, and what models get right."""

    even: np.ndarray
    chance: np.ndarray
    strata: np.ndarray
    right: np.ndarray  # (n,) bool of the model
    before: np.ndarray  # (n,) bool of the model before it
    truth: tuple[float, float]  # accuracy in the world, and how much better than the model before


def _pool(rng: np.random.Generator, wrong: Wrong) -> Pool:
    """Draw a pool from a world: 30 kinds of all sizes, normal features round their middles, mistakes by kind."""
    sizes = rng.dirichlet(np.ones(KINDS))
    errors = wrong(rng, sizes)
    others = np.clip(errors + rng.uniform(-0.02, 0.08, KINDS), 0.0, 1.0)
    kind = rng.choice(KINDS, POOL, p=sizes)
    middles = rng.normal(size=(KINDS, DIM))
    features = (middles[kind] + 0.5 * rng.normal(size=(POOL, DIM))).astype(np.float32)
    tokens = rng.integers(0, 2**64, POOL, dtype=np.uint64)
    hashes = rng.integers(0, 2**64, POOL, dtype=np.uint64)
    strata = strata_of(features, tokens, 0)
    dice = rng.random((2, POOL))
    dice[1] = np.where(rng.random(POOL) < 0.7, dice[0], dice[1])  # two models mostly fail on the same images
    truth = (1 - float(sizes @ errors), float(sizes @ (others - errors)))
    return Pool(
        even=even_order(strata, hashes, rng),
        chance=np.argsort(hashes),
        strata=strata,
        right=dice[0] >= errors[kind],
        before=dice[1] >= others[kind],
        truth=truth,
    )


def strata(exams: int, data: Path) -> list[str]:
    """Return the lines of the table; `exams` are drawn for each cell."""
    lines = list(HEAD)
    for number, (name, wrong) in enumerate(WORLDS.items()):
        rng = np.random.default_rng(number)
        pools = (_pool(rng, wrong) for _ in range(exams))
        one, two = _Cells(), _Cells()
        for pool in pools:
            one.add(pool, pool.right.astype(np.int64), pool.truth[0], _accuracy)
            if number < PAIRED:
                two.add(pool, pool.right.astype(np.int64) - pool.before, pool.truth[1], _difference)
        lines += one.lines(name) + two.lines(f"two models, {name}")
    for name in SETS:
        for kind in REAL:
            lines += _real(name, kind, exams, data)
    return lines


class _Cells:
    """What exams of every size said: errors, whether the interval held the truth, and its width."""

    def __init__(self) -> None:
        self.found: dict[int, list[tuple[float, ...]]] = {n: [] for n in SIZES}

    def add(
        self, pool: Pool, values: np.ndarray, truth: float, interval: Callable[[np.ndarray, float], Interval]
    ) -> None:
        """Draw an exam of every size both ways, and measure the mean of values (n,)."""
        for n, rows in self.found.items():
            if 2 * n > len(values):
                continue
            even, chance = pool.even[:n], pool.chance[:n]
            design = Design(np.zeros(n), pool.strata[even], n, len(values))
            says = (
                interval(values[chance], n),
                interval(values[even], n),
                interval(values[even], worth(values[even], design)),
            )
            held = [one.low <= truth <= one.high for one in says]
            errors = values[chance].mean() - truth, values[even].mean() - truth
            rows.append((*errors, *held, says[0].high - says[0].low, says[2].high - says[2].low))

    def lines(self, name: str) -> list[str]:
        """Return a line of the table for every size."""
        out = []
        for n, rows in self.found.items():
            if not rows:
                continue
            means, squares = np.mean(rows, axis=0), np.mean(np.square(rows)[:, :2], axis=0)
            cells = [f"{100 * one:.1f}" for one in np.sqrt(squares)] + [f"{n * squares[0] / squares[1]:.0f}"]
            cells += [_mark(one) for one in means[2:5]] + [f"{100 * one:.1f}" for one in means[5:]]
            out.append(f"| {name} | {n} | {' | '.join(cells)} |")
        return out


def _accuracy(right: np.ndarray, n: float) -> Interval:
    return share_interval(min(float(right.mean()), 1.0) * n, n)


def _difference(better: np.ndarray, n: float) -> Interval:
    return paired_difference(float((better > 0).mean()) * n, float((better < 0).mean()) * n, n)


def _real(name: str, kind: str, exams: int, data: Path) -> list[str]:
    """Return the lines of a real set: one model, one clustering, and an exam for each of many seeds."""
    if name not in datasets.names(data) and not (datasets.CACHE / f"{name}-{kind}.npz").exists():
        return []
    features, labels = datasets.features(name, kind, data)
    order = np.random.default_rng(0).permutation(len(labels))
    taught, rows = order[:LEARNED], order[LEARNED:]
    head = fit_head(features[taught], labels[taught], int(labels.max()) + 1, centre=mean_of(features[rows]), seed=0)
    right = head.probabilities(features[rows]).argmax(axis=1) == labels[rows]
    found = strata_of(features[rows], rows.astype(np.uint64), 0)
    rng, cells, truth = np.random.default_rng(0), _Cells(), float(right.mean())
    for _ in range(exams):
        hashes = rng.integers(0, 2**64, len(rows), dtype=np.uint64)
        pool = Pool(even_order(found, hashes, rng), np.argsort(hashes), found, right, right, (truth, 0.0))
        cells.add(pool, right.astype(np.int64), truth, _accuracy)
    return cells.lines(f"{name}, {kind}: {truth:.0%} of {len(rows):,} right")


def _mark(held: float) -> str:
    inside = 93 <= round(100 * held, 1) <= 97
    return f"{100 * held:.1f}" if inside else f"**{100 * held:.1f}**"
