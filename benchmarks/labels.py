"""How well wrong labels are found, and what several people's labels of one image come to.

    python benchmarks/labels.py [--data FOLDER] [--kinds pixels,efficientnet_lite0] [--sets a,b] [--seeds 3]

prints two tables and a line. Wrong labels: the area under precision and recall of a ranking of labels, those of three
real people (cifar10_small, each person alone) and planted ones: 20 % called any other class, or the next one.
`package`: odds of cross-validation and look-alikes together, as `check labels` ranks; `cleanlab`: what it does by
default, from the same cross-validation; `weighed`: the same after the classes were made as frequent as their labels
are. Where cleanlab is not installed, the probability of the label stands for it, which is what it ranks by.
Consensus: how often the votes of two or three people, ties drawn, and the package's estimate, without and with a
model's word, are right; and crowd-kit's Dawid and Skene, where it is installed. The line: how far ActiveLab's scores
are from cleanlab's.

The way to rank was chosen among four (probability, margin, odds, probability plus margin) on weather, sign_digits and
trashnet with planted mistakes and on 2,000 other images of cifar10_small; the images here had no part in it.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
from pathlib import Path

import datasets
import numpy as np
from sklearn.metrics import average_precision_score

from annotate_select.learning.head import fit_head
from annotate_select.trust.activelab import activelab
from annotate_select.trust.consensus import dawid_skene
from annotate_select.trust.label_errors import as_frequent, label_quality, pooled
from annotate_select.trust.look_alikes import NEIGHBOURS, neighbour_shares

PEOPLE = ("annotator_1", "annotator_2", "annotator_3")
IMAGES = 2000  # of a set
RATE = 0.2
NAME = "cifar10_people"
datasets.SMALL.add(NAME)


def people(data: Path) -> tuple[datasets.DataSet, np.ndarray]:
    """Return training images of cifar10_small with their true labels, and what three people said (n, 3)."""
    with (data / "cifar10_small" / "labels.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "train"]
    classes = sorted({row["label"] for row in rows})
    kept = np.random.default_rng(0).permutation(len(rows))[datasets.MOST : datasets.MOST + IMAGES]
    rows = [rows[one] for one in kept.tolist()]
    number = {name: index for index, name in enumerate(classes)}
    said = np.array([[number[row[who]] for who in PEOPLE] for row in rows])
    images = [data / "cifar10_small" / "images" / row["image"] for row in rows]
    labels = np.array([number[row["label"]] for row in rows])
    return datasets.DataSet(NAME, images, labels, classes), said


def people_features(found: datasets.DataSet, kind: str) -> np.ndarray:
    """Return features (n, d) of these images, made once and then read from the cache."""
    file = datasets.CACHE / f"{NAME}-{kind}.npz"
    if not file.exists():
        datasets.CACHE.mkdir(exist_ok=True)
        np.savez(file, features=datasets.KINDS[kind](found).astype(np.float32))
    with np.load(file) as stored:
        return np.asarray(stored["features"])


def opinions(features: np.ndarray, labels: np.ndarray, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what cross-validation says (n, C), and the package's mixture of it and the look-alikes (n, C)."""
    head = fit_head(features, labels, n_classes, seed=seed)
    frequencies = np.bincount(labels, minlength=n_classes) / len(labels)
    held_out = np.where(np.isnan(head.held_out), frequencies, np.asarray(head.held_out, np.float64))
    shares = neighbour_shares(features, labels, n_classes, head.centre)
    steadied = (NEIGHBOURS * shares + frequencies) / (NEIGHBOURS + 1)
    return held_out, pooled([as_frequent(held_out, frequencies), steadied], labels)[0]


def found(features: np.ndarray, given: np.ndarray, truth: np.ndarray, n_classes: int, seed: int) -> dict[str, float]:
    """Return, by way to rank, the area under precision and recall of finding the labels that are wrong."""
    held_out, together = opinions(features, given, n_classes, seed)
    wrong = given != truth
    weighed = as_frequent(held_out, np.bincount(given, minlength=n_classes) / len(given))
    ranks = {
        "package": label_quality(together, given),
        "cleanlab": _cleanlab(given, held_out),
        "weighed": _cleanlab(given, weighed),
    }
    return {name: float(average_precision_score(wrong, -quality)) for name, quality in ranks.items()}


def _cleanlab(given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    if not importlib.util.find_spec("cleanlab"):
        return np.asarray(probabilities[np.arange(len(given)), given])
    from cleanlab.rank import get_label_quality_scores

    return np.asarray(get_label_quality_scores(given, probabilities / probabilities.sum(axis=1, keepdims=True)))


def planted(truth: np.ndarray, n_classes: int, how: str, seed: int) -> np.ndarray:
    """Return labels (n,) of which a fifth is wrong: of any other class (even), or of the next one (next)."""
    rng = np.random.default_rng(seed)
    by = rng.integers(1, n_classes, len(truth)) if how == "even" else np.ones(len(truth), np.int64)
    return np.where(rng.random(len(truth)) < RATE, (truth + by) % n_classes, truth)


def mistakes(given: argparse.Namespace) -> None:
    """Print how well wrong labels are found."""
    print("| labels | features | wrong | package | cleanlab's default | the same, weighed |\n|---|---|---|---|---|---|")
    images, said = people(given.data)
    table = []
    for kind in given.kinds:
        x = people_features(images, kind)
        for at, name in enumerate(PEOPLE):
            areas = found(x, said[:, at], images.labels, len(images.classes), 0)
            table.append(_line(f"cifar10_small, {name}", kind, [float((said[:, at] != images.labels).mean())], [areas]))
        for one in given.sets:
            x_all, y_all = datasets.features(one, kind, given.data)
            rows = np.random.default_rng(0).permutation(len(y_all))[:IMAGES]
            x_one, y = x_all[rows], y_all[rows]
            for how in ("even", "next"):
                labels = [planted(y, int(y.max()) + 1, how, seed) for seed in range(given.seeds)]
                areas_of = [found(x_one, g, y, int(y.max()) + 1, seed) for seed, g in enumerate(labels)]
                table.append(_line(f"{one}, {how}", kind, [float((g != y).mean()) for g in labels], areas_of))
    means = {name: float(np.mean([row[name] for row in table])) for name in table[0]}
    print(f"| mean | | | {means['package']:.3f} | {means['cleanlab']:.3f} | {means['weighed']:.3f} |")


def _line(what: str, kind: str, wrong: list[float], areas: list[dict[str, float]]) -> dict[str, float]:
    means = {name: float(np.mean([one[name] for one in areas])) for name in areas[0]}
    cells = " | ".join(f"{means[name]:.3f}" for name in ("package", "cleanlab", "weighed"))
    print(f"| {what} | {kind} | {np.mean(wrong):.1%} | {cells} |", flush=True)
    return means


def agreed(given: argparse.Namespace) -> None:
    """Print how often votes and estimates of the true class are right."""
    print("\n| people | votes | package | crowd-kit | features | package with a model |\n|---|---|---|---|---|---|")
    images, said = people(given.data)
    n, n_classes, truth = len(images.labels), len(images.classes), images.labels
    for kind in given.kinds:
        x = people_features(images, kind)
        for chosen in ((0, 1, 2), (0, 1), (0, 2), (1, 2)):
            rows = np.repeat(np.arange(n), len(chosen))
            names = [PEOPLE[at] for at in chosen] * n
            labels = said[:, chosen].ravel()
            votes = np.zeros((n, n_classes))
            np.add.at(votes, (rows, labels), 1)
            drawn = [(votes + 0.1 * np.random.default_rng(s).random(votes.shape)).argmax(axis=1) for s in range(20)]
            alone = dawid_skene(rows, names, labels, n_classes).posterior.argmax(axis=1)
            _, together = opinions(x, drawn[0], n_classes, 0)
            told = dawid_skene(rows, names, labels, n_classes, probabilities=together).posterior.argmax(axis=1)
            print(
                f"| {' '.join(PEOPLE[at][-1] for at in chosen)} | {np.mean([d == truth for d in drawn]):.1%} | "
                f"{np.mean(alone == truth):.1%} | {_crowd_kit(rows, names, labels, truth)} | {kind} | "
                f"{np.mean(told == truth):.1%} |",
                flush=True,
            )


def _crowd_kit(rows: np.ndarray, names: list[str], labels: np.ndarray, truth: np.ndarray) -> str:
    if not importlib.util.find_spec("crowdkit"):
        return "not installed"
    import pandas as pd
    from crowdkit.aggregation.classification import DawidSkene

    said = pd.DataFrame({"task": rows, "worker": names, "label": labels})
    return f"{np.mean(DawidSkene(n_iter=100).fit_predict(said).sort_index().to_numpy() == truth):.1%}"


def second_opinions(given: argparse.Namespace) -> None:
    """Print the largest difference of ActiveLab's scores to cleanlab's, whose calibration of the model comes first."""
    if not importlib.util.find_spec("cleanlab"):
        return
    import pandas as pd
    from cleanlab.internal.multiannotator_utils import find_best_temp_scaler, temp_scale_pred_probs
    from cleanlab.multiannotator import get_active_learning_scores, get_label_quality_multiannotator

    images, said = people(given.data)
    wide = np.where(np.random.default_rng(0).random(said.shape) < 0.5, said, np.nan)  # half of what was said
    wide = wide[~np.isnan(wide).all(axis=1)]
    rng, n_classes = np.random.default_rng(0), len(images.classes)
    p, q = rng.dirichlet(np.ones(n_classes), len(wide)), rng.dirichlet(np.ones(n_classes), 200)
    theirs = get_active_learning_scores(pd.DataFrame(wide), p, q)
    temperature = find_best_temp_scaler(wide, p)
    p, q = temp_scale_pred_probs(p, temperature), temp_scale_pred_probs(q, temperature)
    told = get_label_quality_multiannotator(pd.DataFrame(wide), p, verbose=False)["label_quality"]
    rows, who = np.nonzero(~np.isnan(wide))
    names, votes = [PEOPLE[at] for at in who.tolist()], wide[rows, who].astype(int)
    ours = activelab(rows, names, votes, told["consensus_label"].to_numpy().astype(int), p, q)
    gap = max(np.abs(theirs[0] - ours.labelled).max(), np.abs(theirs[1] - ours.unlabelled).max())
    print(f"\nActiveLab's scores of {len(wide):,} labelled and {len(q)} new images: within {gap:.0e} of cleanlab's")


def main() -> None:
    """Print both tables, and the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["pixels", "efficientnet_lite0"])
    parser.add_argument("--sets", type=lambda text: text.split(","), default=["traffic_lights", "blood_cells"])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    mistakes(given)
    agreed(given)
    second_opinions(given)


if __name__ == "__main__":
    main()
