"""What each encoder is worth, and how fast: Markdown tables, everything measured in the same run.

    python benchmarks/features.py [--data FOLDER] [--rows spaces,sets,compressed,novelty,supervised,...] [--sets a,b]

`spaces`: cifar10_small's 10,000 training images; every kind of autoencoder has as long as the dictionary took, and
neighbours and a linear probe are asked about 2,000 other images. `sets`: neighbours, each image among all others of its
set. `steadied`: what it gives the dictionary to learn from views. `compressed`: neighbours among efficientnet_lite0's
features, their principal components and their autoencoder's latents; `novelty`: how well each tells images of another
kind. `supervised`: the dictionary's features without labels and with them. `training`, `decoding`, `embedding`,
`learning`: images a second, see speed.py; `scale`, which runs when asked for by name: many images and the memory they
take, see scale.py. Pretrained networks' runtimes are in backbones.py. But for `supervised`, labels only score.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import scale
import speed
from features_learned import steadied, supervised
from features_scores import accuracy, linear

ROWS = ("spaces", "sets", "steadied", "compressed", "novelty", "supervised")
SPEED = ("training", "decoding", "embedding", "learning")
SEEDS = 3
OTHERS = (  # a pool and the strangers that come to it, decoded at the same size
    ("cifar10_small", "traffic_lights"),
    ("traffic_lights", "cifar10_small"),
    ("trashnet", "clothing"),
    ("clothing", "trashnet"),
    ("weather", "trashnet"),
    ("sign_digits", "weather"),
    ("blood_cells", "elpv"),
)


def spaces(data: Path) -> None:
    """Print the table of encoders on cifar10_small."""
    from PIL import Image
    from sklearn.decomposition import PCA

    from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
    from annotate_select.features.network import KINDS

    with (data / "cifar10_small" / "labels.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    images = np.stack([np.asarray(Image.open(data / "cifar10_small" / "images" / row["image"])) for row in rows])
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    first = np.array([row["split"] == "train" for row in rows])
    train, test = images[first], images[~first]

    def report(name: str, cpu: float, one: np.ndarray, other: np.ndarray) -> None:
        found = accuracy(one, labels[first], other, labels[~first], balanced=False)
        probe = linear(one, labels[first], other, labels[~first])
        print(f"| {name} | {one.shape[1]} | {cpu:.0f} | {found:.1f} | {probe:.1f} |", flush=True)

    print("| encoder | d | CPU seconds | kNN | linear |\n|---|---|---|---|---|")
    flat, flat_test = (part.reshape(len(part), -1) / np.float32(255) for part in (train, test))
    for name, white in (("pixels, PCA", False), ("pixels, whitened PCA", True)):
        model = PCA(128, whiten=white, random_state=0).fit(flat)
        report(name, 0, model.transform(flat), model.transform(flat_test))
    seconds: float | None = None
    for kind in KINDS:
        began, cpu = time.monotonic(), time.process_time()
        config = AutoencoderConfig(kind=kind, image_size=32, epochs=1000, most_images=10**7, seconds=seconds)
        config = AutoencoderConfig(image_size=32) if kind == "dictionary" else config
        model = Autoencoder(config).fit(train)
        spent = time.process_time() - cpu
        seconds = seconds or time.monotonic() - began
        report(kind, spent, model.transform(train), model.transform(test))
    report("efficientnet_lite0, pretrained", 0, *_pretrained(train, test))


def _pretrained(*parts: np.ndarray) -> list[np.ndarray]:
    found = [datasets.DataSet("cifar10_small", part, np.zeros(len(part), int), []) for part in parts]
    return [datasets.efficientnet_lite0(one) for one in found]


def sets(data: Path, names: list[str]) -> None:
    """Print neighbours' accuracy on every development set, from the cached features; balanced where classes are not."""
    from sklearn.decomposition import PCA

    kinds = ("pixels", "whitened pixels", "joint", "autoencoder", "efficientnet_lite0")
    print("| set | " + " | ".join(kinds) + " |\n|---|" + "---|" * len(kinds))
    for name in names:
        cells = []
        for kind in kinds:
            found, labels = datasets.features(name, kind.split()[-1], data)
            if kind.startswith("whitened"):
                found = PCA(whiten=True, random_state=0).fit_transform(found)
            sizes = np.bincount(labels)
            cells.append(accuracy(found, labels, found, labels, balanced=sizes.max() >= 10 * sizes.min()))
        print(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |", flush=True)


def compressed(data: Path, names: list[str]) -> None:
    """Print neighbours' accuracy in efficientnet_lite0's features and in 128 numbers made of them, as `sets` does.

    `error, held out`: of a tenth of the rows, with noise; principal components -> after training.
    """
    from annotate_select.features.compressed import EVENED, Compressed
    from annotate_select.features.derived import Part
    from annotate_select.features.dictionary import components
    from annotate_select.features.health import unit

    kinds = ("raw", "PCA", "PCA, evened", "compressed", "compressed, 64")
    print("| set | " + " | ".join(kinds) + " | error, held out | CPU seconds |\n" + "|---" * (len(kinds) + 3) + "|")
    for name in names:
        found, labels = datasets.features(name, "efficientnet_lite0", data)
        sizes, spaces = np.bincount(labels), [found]
        for share in (0.0, EVENED):
            weight, bias = components(unit(found), 128, 0, share)
            spaces.append(unit(found) @ weight.T + bias)
        began, part = time.process_time(), Part(name, "", found.shape[1])
        notes: list[str] = []
        model = Compressed.fit(part, found, progress=lambda *said, notes=notes: notes.append(said[3]))
        spaces.append(model.encode(found))
        spent = time.process_time() - began
        spaces.append(Compressed.fit(part, found, dim=64).encode(found))
        uneven = bool(sizes.max() >= 10 * sizes.min())
        cells = [f"{accuracy(space, labels, space, labels, balanced=uneven):.1f}" for space in spaces]
        after, before = notes[-1].removeprefix("held-out error ").split(", of components ")
        print(f"| {name} | {' | '.join(cells)} | {before} -> {after} | {spent:.0f} |", flush=True)


def novelty(data: Path, names: list[str]) -> None:
    """Print how often a strange image looks newer than one of the pool's kind: AUROC in per cent, means over the seeds.

    Strangers are another set, or a quarter of the set's own classes, kept from the pool. A quarter of the pool's kind
    is kept from it too. `distance`: what `predict` ranks by on other features.
    """
    print("| pool | strangers | distance | cosine distance | PCA error | error | novelty |\n" + "|---" * 7 + "|")
    for name, other in [*OTHERS, *((name, "a quarter of its classes") for name in names)]:
        found, labels = datasets.features(name, "efficientnet_lite0", data)
        figures = []
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            hidden = np.isin(labels, rng.permutation(labels.max() + 1)[: max(1, (labels.max() + 1) // 4)])
            strange = found[hidden] if other not in names else datasets.features(other, "efficientnet_lite0", data)[0]
            order = rng.permutation(np.flatnonzero(~hidden) if other not in names else len(found))
            pool, known = np.split(found[order], [3 * len(order) // 4])
            figures.append(_told_apart(pool, known, strange))
        cells = " | ".join(f"{one:.1f}" for one in 100 * np.mean(figures, axis=0))
        print(f"| {name} | {other} | {cells} |", flush=True)


def _told_apart(pool: np.ndarray, known: np.ndarray, strange: np.ndarray) -> list[float]:
    """Return the AUROC of each measure of how new `strange` rows are, against `known` ones."""
    from sklearn.decomposition import PCA
    from sklearn.metrics import roc_auc_score

    from annotate_select.features.compressed import Compressed
    from annotate_select.features.derived import Part
    from annotate_select.features.health import unit
    from annotate_select.trust.novelty import Reference

    asked = np.concatenate([known, strange])
    model = Compressed.fit(Part("pool", "", pool.shape[1]), pool)
    flat = PCA(model.dim, random_state=0).fit(unit(pool))
    scores = (
        Reference.of(pool).novelty(asked),
        -(unit(asked) @ unit(pool).T).max(axis=1),
        ((flat.inverse_transform(flat.transform(unit(asked))) - unit(asked)) ** 2).sum(axis=1),
        model.errors(asked),
        model.novelty(asked),
    )
    return [roc_auc_score(np.arange(len(asked)) >= len(known), one) for one in scores]


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--rows", default=",".join(ROWS + SPEED))
    parser.add_argument("--sets", default="")
    parser.add_argument("--images", type=int, default=100_000, help="of the row `scale`")
    parser.add_argument("--folder", type=Path, help="where the images of the row `scale` stay")
    given = parser.parse_args()
    names = given.sets.split(",") if given.sets else datasets.names(given.data)
    tables: dict[str, Callable[[], None]] = {
        "spaces": lambda: spaces(given.data),
        "sets": lambda: sets(given.data, names),
        "compressed": lambda: compressed(given.data, names),
        "novelty": lambda: novelty(given.data, names),
        "steadied": lambda: steadied(given.data, names),
        "supervised": lambda: supervised(given.data, names),
        "training": speed.training,
        "decoding": lambda: speed.decoding(given.data),
        "embedding": lambda: speed.embedding(given.data),
        "learning": lambda: speed.learning(given.data),
        "scale": lambda: scale.scale(given.data, given.images, given.folder, "autoencoder"),
    }
    for row in given.rows.split(","):
        tables[row]()
        print(flush=True)


if __name__ == "__main__":
    main()
