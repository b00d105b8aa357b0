"""Novelty: how often a strange image looks newer than one of the pool's kind, by features alone and with looks.

    python benchmarks/novelty.py [--data FOLDER] [--sets a,b] [--kinds autoencoder,efficientnet_lite0]

A pool of 2,000 images of a set at most, 500 known ones that are kept from it, and 500 strangers: of another set, of a
quarter of the set's classes that the pool lacks, or the known images themselves, changed. AUROC in per cent of what
`predict` calls novelty, 50 is chance. The autoencoder learns from the pool; pretrained features are those of
datasets.py, and of these no changed images are made.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np

from annotate_select.pool.looks import looks
from annotate_select.trust.novelty import Reference

OTHERS = {  # the set whose images are strangers
    "clothing": "trashnet",
    "trashnet": "clothing",
    "weather": "trashnet",
    "blood_cells": "elpv",
    "sign_digits": "weather",
    "cifar10_small": "traffic_lights",
    "traffic_lights": "cifar10_small",
}
POOL, ASKED, SIDE = 2_000, 500, 64


def darker(pixels: np.ndarray) -> np.ndarray:
    """Take two fifths of the light."""
    return pixels * 0.6


def redder(pixels: np.ndarray) -> np.ndarray:
    """Change the light's colour."""
    return pixels * np.array([1.15, 1.0, 0.75])


def blurred(pixels: np.ndarray) -> np.ndarray:
    """Average 3 x 3 pixels."""
    padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = pixels.shape[1:3]
    shifted = [padded[:, down : down + height, across : across + width] for down in range(3) for across in range(3)]
    return np.asarray(np.mean(shifted, axis=0))


def noisier(pixels: np.ndarray) -> np.ndarray:
    """Add noise of 10 of 255."""
    return pixels + 10 * np.random.default_rng(0).normal(size=pixels.shape)


def closer(pixels: np.ndarray) -> np.ndarray:
    """Cut half of the width and height out of the middle, and enlarge that."""
    from PIL import Image

    side = pixels.shape[1]
    box = (side // 4, side // 4, side - side // 4, side - side // 4)
    found = [Image.fromarray(one.astype(np.uint8)).resize((side, side), box=box) for one in pixels]
    return np.stack([np.asarray(one, dtype=np.float64) for one in found])


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "darker": darker, "redder": redder, "blurred": blurred, "noisier": noisier, "closer": closer,
}  # fmt: skip


def changed(images: np.ndarray, name: str) -> np.ndarray:
    """Return images (n, H, W, 3) uint8, changed."""
    found: np.ndarray = CHANGES[name](images.astype(np.float64)).clip(0, 255).round().astype(np.uint8)
    return found


def told_apart(pool: tuple[np.ndarray, np.ndarray], asked: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Return the AUROC in per cent by features and by features and looks, of known and of strange (features, looks)."""
    from sklearn.metrics import roc_auc_score

    strange = np.repeat([False, True], [len(asked[0][0]), len(asked[1][0])])
    plain, seeing = Reference.of(pool[0]), Reference.of(pool[0], lambda rows: pool[1][rows])
    alone = np.concatenate([plain.novelty(features) for features, _ in asked])
    both = np.concatenate([seeing.novelty(features, seen) for features, seen in asked])
    return 100 * float(roc_auc_score(strange, alone)), 100 * float(roc_auc_score(strange, both))


def split(labels: np.ndarray, without_classes: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of the pool, of the known, and of classes that neither has, if that is asked for."""
    rng = np.random.default_rng(0)
    n_classes = int(labels.max()) + 1
    hidden = np.isin(labels, rng.permutation(n_classes)[: max(1, n_classes // 4)] if without_classes else [])
    order = rng.permutation(np.flatnonzero(~hidden))
    pool = order[: min(POOL, 3 * len(order) // 4)]
    return pool, order[len(pool) : len(pool) + ASKED], rng.permutation(np.flatnonzero(hidden))[:ASKED]


def by_autoencoder(name: str, data: Path) -> None:
    """Print the rows of a set on features that were learned from the pool."""
    from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig

    found = datasets.load(name, data)
    images = datasets.decoded(found, SIDE)
    for without in (False, True):
        pool, known, hidden = split(found.labels, without)
        encoder = Autoencoder(AutoencoderConfig(image_size=SIDE)).fit(images[pool])

        def both(some: np.ndarray, encoder: Autoencoder = encoder) -> tuple[np.ndarray, np.ndarray]:
            return encoder.encode(some), looks(some)

        strangers = {"a quarter of its classes": images[hidden]} if without else _strangers(name, images[known], data)
        for stranger, strange in strangers.items():
            report(name, "autoencoder", stranger, told_apart(both(images[pool]), [both(images[known]), both(strange)]))


def _strangers(name: str, known: np.ndarray, data: Path) -> dict[str, np.ndarray]:
    other = datasets.decoded(datasets.load(OTHERS[name], data), SIDE)
    rows = np.random.default_rng(1).permutation(len(other))[:ASKED]
    return {OTHERS[name]: other[rows], **{change: changed(known, change) for change in CHANGES}}


def by_pretrained(name: str, kind: str, data: Path) -> None:
    """Print the rows of a set on stored features."""

    def of(which: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        features, labels = datasets.features(which, kind, data)
        return features, looks(datasets.decoded(datasets.load(which, data), SIDE)), labels

    features, seen, labels = of(name)
    for without in (False, True):
        pool, known, hidden = split(labels, without)
        strange = (features[hidden], seen[hidden])
        if not without:
            others, of_others, _ = of(OTHERS[name])
            rows = np.random.default_rng(1).permutation(len(others))[:ASKED]
            strange = (others[rows], of_others[rows])
        stranger = "a quarter of its classes" if without else OTHERS[name]
        asked = [(features[known], seen[known]), strange]
        report(name, kind, stranger, told_apart((features[pool], seen[pool]), asked))


def report(name: str, kind: str, stranger: str, found: tuple[float, float]) -> None:
    """Print one row."""
    print(f"| {name} | {kind} | {stranger} | {found[0]:.0f} | {found[1]:.0f} |", flush=True)


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--sets", default="")
    parser.add_argument("--kinds", default="autoencoder,efficientnet_lite0")
    given = parser.parse_args()
    there = datasets.names(given.data)
    names = given.sets.split(",") if given.sets else [one for one in OTHERS if {one, OTHERS[one]} <= set(there)]
    print("| pool | features | strangers | by features | with looks |\n|---|---|---|---|---|", flush=True)
    for kind in given.kinds.split(","):
        for name in names:
            if kind == "autoencoder":
                by_autoencoder(name, given.data)
            else:
                by_pretrained(name, kind, given.data)


if __name__ == "__main__":
    main()
