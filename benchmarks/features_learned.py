"""What the dictionary's projection learns from views and from labels: Markdown tables, see features.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import numpy as np
from features_scores import accuracy

if TYPE_CHECKING:
    from annotate_select.learning.head import Head

LABELS, SEEDS = (5, 20, 100), 3  # a class, drawn at random
FEW = (2, 5, 20)
SHARES = ((0, 1 / 3), (0.5, 1 / 3), (0.5, 0.0), (0.75, 1 / 3), (0.75, 0.0), (1, 0.0))


def steadied(data: Path, names: list[str]) -> None:
    """Print what it gives that views of an image move nearly equally far in every direction: neighbours, and the head.

    The first column is how far movement is evened out and how far variance is; half of a set is asked about.
    """
    from annotate_select.features.dictionary import components
    from annotate_select.features.dictionary import steadied as steady

    print("| set | movement, variance | kNN | " + " | ".join(f"head, {count} a class" for count in FEW) + " |")
    print("|---" * (3 + len(FEW)) + "|")
    for name in names:
        reduced, moved, labels = _reduced(name, data)
        sizes = np.bincount(labels)
        uneven = bool(sizes.max() >= 10 * sizes.min())
        for share, evened in SHARES:
            points = reduced @ steady(moved, share)
            weight, bias = components(points, 128, 0, evened)
            space = points @ weight.T + bias
            near = accuracy(space, labels, space, labels, balanced=uneven)
            cells = [f"{np.mean([_few(space, labels, count, seed) for seed in range(SEEDS)]):.1f}" for count in FEW]
            print(f"| {name} | {share:g}, {evened:.2g} | {near:.1f} | {' | '.join(cells)} |", flush=True)


def _few(space: np.ndarray, labels: np.ndarray, count: int, seed: int) -> float:
    """Return the balanced accuracy of the head that learned `count` labels of each class; in per cent."""
    order = np.random.default_rng(seed).permutation(len(labels))
    asked, free = np.split(order, [len(order) // 2])
    told = np.concatenate([free[labels[free] == one][:count] for one in range(labels.max() + 1)])
    return float(_head(space, labels, told, asked, seen=False)[0])


def supervised(data: Path, names: list[str]) -> None:
    """Print what labels fed back into the dictionary give, without them -> with them, as means over the seeds.

    Half of a set is asked about. `others`: only half of the classes had labels, neighbours are counted among the rest.
    """
    from annotate_select.features.dictionary import STEADIED, steadied

    print("| set | labels a class | head | its log loss | cross-validation says | kNN | kNN, others |\n|" + "---|" * 7)
    for name in names:
        points, moved, labels = _reduced(name, data)
        points = points @ steadied(moved, STEADIED)
        for count in LABELS:
            found = np.mean([_fed_back(points, labels, count, seed) for seed in range(SEEDS)], axis=0)
            digits = (1, 2, 1, 1, 1)
            cells = [f"{one:.{d}f} -> {two:.{d}f}" for (one, two), d in zip(found, digits, strict=True)]
            print(f"| {name} | {count} | " + " | ".join(cells) + " |", flush=True)


def _reduced(name: str, data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the points (n, 512) of a set by its own dictionary, how far views move them, and its labels."""
    from annotate_select.features.dictionary import EACH, WIDE, learn, reduced, shifts
    from annotate_select.features.images import Images
    from annotate_select.features.network import AutoencoderConfig, DictionaryEncoder
    from annotate_select.progress import silent

    found = datasets.load(name, data)
    config = AutoencoderConfig(image_size=32 if name in datasets.SMALL else 64)
    images, encoder = Images(datasets.decoded(found, config.image_size), config.image_size), DictionaryEncoder(config)
    rows = np.arange(len(images))
    learn(encoder, images, rows, config, silent)
    affine, points = reduced(encoder, images, rows, min(WIDE, len(rows) // EACH), config.seed, silent)
    return points, shifts(encoder, images, points, rows, affine, config, silent), found.labels


def _fed_back(points: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the five figures (5, 2), without labels and with `count` a class."""
    from annotate_select.features.dictionary import LONGER, components, guided_components

    rng = np.random.default_rng(seed)
    order, classes = rng.permutation(len(labels)), rng.permutation(labels.max() + 1)
    asked, free = np.split(order, [len(order) // 2])
    told = np.concatenate([free[labels[free] == one][:count] for one in classes])

    def space(rows: np.ndarray | None) -> np.ndarray:
        known = np.full(len(labels), -1)
        if rows is None:
            weight, bias = components(points, 128, 0, 0.0)
        else:
            known[rows] = labels[rows]
            weight, bias = guided_components(points, known, 128, 0, LONGER, 0.0)
        return np.asarray(points @ weight.T + bias)

    half = classes[: (len(classes) + 1) // 2]
    others = np.flatnonzero(~np.isin(labels, half))
    figures = []
    for every, some in ((space(None),) * 2, (space(told), space(told[np.isin(labels[told], half)]))):
        near = accuracy(every[asked], labels[asked], every[asked], labels[asked], balanced=True)
        rest = accuracy(some[others], labels[others], some[others], labels[others], balanced=True)
        figures.append([*_head(every, labels, told, asked, seen=bool(figures)), near, rest])
    return np.array(figures).T


def _head(space: np.ndarray, labels: np.ndarray, told: np.ndarray, asked: np.ndarray, *, seen: bool) -> list[float]:
    """Return balanced accuracy in per cent and log loss of the package's head, and what cross-validation says."""
    from annotate_select.learning.head import fit_head, mean_of

    def fit(choose: bool) -> Head:
        n_classes, centre = int(labels.max()) + 1, mean_of(space)
        return fit_head(space[told], labels[told], n_classes, centre=centre, choose=choose)

    found, wanted = fit(not seen).probabilities(space[asked]), labels[asked]  # as `train` does
    right = found.argmax(axis=1) == wanted
    balanced = 100 * float(np.mean([right[wanted == one].mean() for one in np.unique(wanted)]))
    loss = -np.log(np.maximum(found[np.arange(len(wanted)), wanted], 1e-9)).mean()
    return [balanced, float(loss), 100 * (fit(True).cv_accuracy or 0.0)]
