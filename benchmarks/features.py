"""What each encoder is worth, and how fast: Markdown tables, everything measured in the same run.

    python benchmarks/features.py [--data FOLDER] [--rows spaces,sets,compressed,novelty,supervised,...] [--sets a,b]

`spaces`: cifar10_small's 10,000 training images; every kind of autoencoder has as long as the dictionary took, and
neighbours and a linear probe are asked about 2,000 other images. `sets`: neighbours, each image among all others of its
set. `compressed`: neighbours among efficientnet_lite0's features, their principal components and their autoencoder's
latents; `novelty`: how well each tells images of another kind. `supervised`: the dictionary's features without labels
and with them. `training`, `decoding`, `embedding`, `learning`: images a second, see speed.py; `scale`, which runs when
asked for by name: many images and the memory they take, see scale.py. Pretrained networks' runtimes are in
backbones.py. But for `supervised`, labels only score.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import numpy as np
import scale
import speed

if TYPE_CHECKING:
    from annotate_select.learning.head import Head

ROWS = ("spaces", "sets", "compressed", "novelty", "supervised", "training", "decoding", "embedding", "learning")
K = 20
LABELS, SEEDS = (5, 20, 100), 3  # a class, drawn at random
OTHERS = (  # a pool and the strangers that come to it, decoded at the same size
    ("cifar10_small", "traffic_lights"),
    ("traffic_lights", "cifar10_small"),
    ("trashnet", "clothing"),
    ("clothing", "trashnet"),
    ("weather", "trashnet"),
    ("sign_digits", "weather"),
    ("blood_cells", "elpv"),
)


def accuracy(train: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray, *, balanced: bool) -> float:
    """Return the share of test rows (m, d) that K neighbours by cosine, one vote each, name rightly; in per cent.

    Where `test` is `train` itself, a row is not its own neighbour.
    """
    from annotate_select.features.health import unit

    cosine = unit(test) @ unit(train).T
    if test is train:
        np.fill_diagonal(cosine, -2)
    near = np.argpartition(-cosine, K, axis=1)[:, :K]
    votes = np.zeros((len(test), labels.max() + 1))
    np.add.at(votes, (np.arange(len(test))[:, None], labels[near]), 1)
    right = votes.argmax(axis=1) == wanted
    if balanced:
        return 100 * float(np.mean([right[wanted == one].mean() for one in np.unique(wanted)]))
    return 100 * float(right.mean())


def linear(train: np.ndarray, labels: np.ndarray, test: np.ndarray, wanted: np.ndarray) -> float:
    """Return the accuracy of logistic regression on standardised features, its best of three strengths; in per cent."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = train.mean(axis=0), train.std(axis=0) + 1e-6
    models = [LogisticRegression(C=c, max_iter=300).fit((train - mean) / deviation, labels) for c in (0.001, 0.01, 0.1)]
    return 100 * max(float(model.score((test - mean) / deviation, wanted)) for model in models)


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


def supervised(data: Path, names: list[str]) -> None:
    """Print what labels fed back into the dictionary give, without them -> with them, as means over the seeds.

    Half of a set is asked about. `others`: only half of the classes had labels, neighbours are counted among the rest.
    """
    print("| set | labels a class | head | its log loss | cross-validation says | kNN | kNN, others |\n|" + "---|" * 7)
    for name in names:
        codes, labels = _codes(name, data)
        for count in LABELS:
            found = np.mean([_fed_back(codes, labels, count, seed) for seed in range(SEEDS)], axis=0)
            digits = (1, 2, 1, 1, 1)
            cells = [f"{one:.{d}f} -> {two:.{d}f}" for (one, two), d in zip(found, digits, strict=True)]
            print(f"| {name} | {count} | " + " | ".join(cells) + " |", flush=True)


def _codes(name: str, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes (n, 3600) of a set by its own dictionary, and its labels."""
    import torch

    from annotate_select.features.dictionary import learn
    from annotate_select.features.images import Images
    from annotate_select.features.network import AutoencoderConfig, DictionaryEncoder
    from annotate_select.progress import silent

    found = datasets.load(name, data)
    config = AutoencoderConfig(image_size=32 if name in datasets.SMALL else 64)
    images, encoder = Images(datasets.decoded(found, config.image_size), config.image_size), DictionaryEncoder(config)
    rows = np.arange(len(images))
    learn(encoder, images, rows, 0, silent)
    with torch.no_grad():
        parts = [encoder.code(images.batch(rows[at : at + 256])).numpy() for at in range(0, len(rows), 256)]
    return np.concatenate(parts), found.labels


def _fed_back(codes: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the five figures (5, 2), without labels and with `count` a class."""
    from annotate_select.features.dictionary import LONGER, components, guided_components

    rng = np.random.default_rng(seed)
    order, classes = rng.permutation(len(labels)), rng.permutation(labels.max() + 1)
    asked, free = np.split(order, [len(order) // 2])
    told = np.concatenate([free[labels[free] == one][:count] for one in classes])

    def space(rows: np.ndarray | None) -> np.ndarray:
        known = np.full(len(labels), -1)
        if rows is None:
            weight, bias = components(codes, 128, 0)
        else:
            known[rows] = labels[rows]
            weight, bias = guided_components(codes, known, 128, 0, LONGER)
        return np.asarray(codes @ weight.T + bias)

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


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument(
        "--rows", default="spaces,sets,compressed,novelty,supervised,training,decoding,embedding,learning"
    )
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
