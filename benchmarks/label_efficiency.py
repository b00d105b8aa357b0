"""How many labels does picking save? Every strategy on every set and kind of features, against random.

    python benchmarks/label_efficiency.py [--strategies random,auto,coverage] [--features pixels,efficientnet_lite0]
        [--sets trashnet,weather] [--seeds 10] [--batch growing] [--audit .1] [--head linear] [--workers 2]
        [--curves] [--pictures]

prints Markdown tables: areas under the accuracy curve (balanced accuracy where the largest class has ten times the
images of the smallest), over the logarithm of 1 to 50 labels a class; paired differences to random with 95 %
intervals; labels needed for what random reaches at 20 labels a class; ranks; rare images found at 5 labels a class.
Runs are kept in benchmarks/cache and not made again. Features wider than 128 are reduced to 128 principal components.
`rivals:typiclust` and the like are scikit-activeml's strategies, see rivals.py.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])

import datasets
import numpy as np
from scipy.stats import rankdata
from sklearn.decomposition import PCA

from annotate_select.curves import area, by_budget, labels_ratio, picture, summaries
from annotate_select.learning.kinds import DEFAULT
from annotate_select.learning.learners import LEARNERS
from annotate_select.simulate import Replay, simulate, split

WIDEST = 128
IMBALANCED = 10  # times the smallest class: from here balanced accuracy is what counts
MOST_LABELS = 1000
RIVALS = ["rivals:typiclust", "rivals:badge", "rivals:dropquery", "rivals:coreset"]  # the best of scikit-activeml's
STRATEGIES = ["random", "auto", "graph_coverage", "coverage", "uncertainty_coverage", "margin"]
STRATEGIES += RIVALS if find_spec("skactiveml") else []
BATCHES = {  # labels a class after each round
    "growing": (1, 2, 5, 10, 20, 50),
    "1": tuple(range(1, 11)),
    "5": tuple(range(5, 51, 5)),
    "20": (20, 40, 60),
}


@dataclass(frozen=True)
class Case:
    """One set with one kind of features, and what was replayed on it."""

    name: str
    kind: str
    measure: str
    classes: int
    budgets: list[int]
    replays: list[Replay]

    def mean(self, strategy: str, column: str | None = None) -> np.ndarray:
        """Return the mean curve over seeds (budgets,)."""
        column = column or ("balanced" if self.measure.startswith("balanced") else "accuracies")
        return np.mean([getattr(one, column) for one in self.replays if one.strategy == strategy], axis=0)


def replayed(
    name: str,
    kind: str,
    strategies: list[str],
    seeds: int,
    batch: str,
    audit: float,
    head: str,
    workers: int,
    data: Path,
) -> Case:
    """Replay, or read from the cache, one set with one kind of features."""
    features, labels = datasets.features(name, kind, data)
    return case_of(name, kind, features, labels, strategies, seeds, batch, audit, head, workers)


def case_of(
    name: str,
    kind: str,
    features: np.ndarray,
    labels: np.ndarray,
    strategies: list[str],
    seeds: int,
    batch: str = "growing",
    audit: float = 0.0,
    head: str = DEFAULT,
    workers: int = 1,
) -> Case:
    """Replay, or read from the cache, features (n, d) and labels (n,)."""
    features, budgets = reduced(features), budgets_of(labels, batch)
    store = datasets.CACHE / "runs" / f"{name}-{kind}-{batch}.jsonl"
    found = simulate(
        features,
        labels,
        strategies=strategies,
        budgets=budgets,
        seeds=seeds,
        audit=audit,
        head=head,
        workers=workers,
        store=store,
    )
    measure = "balanced accuracy" if imbalanced(labels) else "accuracy"
    return Case(name, kind, measure, int(labels.max()) + 1, budgets, found)


def reduced(features: np.ndarray) -> np.ndarray:
    """Return features (n, d) as at most WIDEST principal components of them."""
    if features.shape[1] <= WIDEST:
        return features
    return np.asarray(PCA(WIDEST, random_state=0).fit_transform(features).astype(np.float32))


def budgets_of(labels: np.ndarray, batch: str) -> list[int]:
    """Return the labels there are after each round of BATCHES, as far as two thirds of the rows not tested on go."""
    classes, left = int(labels.max()) + 1, len(labels) - len(split(len(labels), 0))
    return [each * classes for each in BATCHES[batch] if each * classes <= min(MOST_LABELS, left * 2 // 3)]


def imbalanced(labels: np.ndarray) -> bool:
    """Tell whether the largest class is so large that balanced accuracy is what counts."""
    sizes = np.bincount(labels)
    return bool(sizes.max() >= IMBALANCED * sizes.min())


def areas_table(cases: list[Case], strategies: list[str]) -> str:
    """Return the areas of one kind of features, a strategy a line, the best of each set in bold."""
    values = np.array([[100 * area(c.budgets, c.mean(s).tolist()) for c in cases] for s in strategies])
    ranks = np.array([rankdata(-column) for column in values.T]).mean(axis=0)
    lines = [
        "| strategy | " + " | ".join(case.name for case in cases) + " | mean | mean rank |",
        "|---|" + "---|" * (len(cases) + 2),
    ]
    for at in np.argsort(-values.mean(axis=1), kind="stable").tolist():
        best = values[at] == values.max(axis=0)
        cells = [f"**{v:.1f}**" if top else f"{v:.1f}" for v, top in zip(values[at], best.tolist(), strict=True)]
        lines.append(f"| {strategies[at]} | {' | '.join(cells)} | {values[at].mean():.1f} | {ranks[at]:.1f} |")
    balanced = [case.name for case in cases if case.measure != "accuracy"]
    return "\n".join(lines) + f"\n\nBalanced accuracy on {', '.join(balanced) or 'none'}, accuracy on the others."


def against_random(cases: list[Case], strategy: str) -> str:
    """Return one strategy against random, set by set."""
    lines = [
        f"| {strategy} on | gain in area (95 %) | labels for random's 20 a class | worst budget, SE | "
        "rare found at 5 a class, over random's |",
        "|---|---|---|---|---|",
    ]
    ratios, gains = [], []
    for case in cases:
        one = next(s for s in summaries(case.replays, case.measure) if s.strategy == strategy)
        ratio = ratio_at(case, strategy, 20)
        rare = case.mean(strategy, "rare_found"), case.mean("random", "rare_found")
        at = next((i for i, b in enumerate(case.budgets) if b >= 5 * case.classes), len(case.budgets) - 1)
        lines.append(
            f"| {case.name} | {one.gain:+.1f} ({one.low:+.1f} to {one.high:+.1f}) | {ratio:.2f} | {one.worst:+.1f} | "
            f"{rare[0][at]:.1f} / {rare[1][at]:.1f} |"
        )
        ratios.append(ratio)
        gains.append(one.gain)
    known = [r for r in ratios if np.isfinite(r)]
    lines.append(f"| mean | {np.mean(gains):+.1f} | {np.mean(known):.2f} ({len(known)} of {len(ratios)}) | | |")
    return "\n".join(lines)


def ratio_at(case: Case, strategy: str, each: int) -> float:
    """Return the labels a strategy needs for what random has with `each` labels a class, over random's."""
    if each * case.classes not in case.budgets:
        return float("nan")
    at = case.budgets.index(each * case.classes)
    goal = float(case.mean("random")[at])
    return labels_ratio(case.budgets, case.mean(strategy).tolist(), goal, case.budgets[at])


def main() -> None:
    """Replay what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("--features", default="pixels,autoencoder,efficientnet_lite0")
    parser.add_argument("--sets", default="")
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--batch", choices=list(BATCHES), default="growing")
    parser.add_argument("--audit", type=float, default=0.0, help="share drawn at random; a project's is .1")
    parser.add_argument("--head", choices=list(LEARNERS), default=DEFAULT, help="what is trained on the labels")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--curves", action="store_true", help="print every measure at every budget, too")
    parser.add_argument("--pictures", action="store_true", help="write curves as PNG into benchmarks/cache/curves")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    strategies = given.strategies.split(",")
    sets = given.sets.split(",") if given.sets else datasets.names(given.data)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {given.seeds} seeds\n")
    for kind in given.features.split(","):
        cases = [
            replayed(n, kind, strategies, given.seeds, given.batch, given.audit, given.head, given.workers, given.data)
            for n in sets
        ]
        print(f"## {kind}: area under the curve, %\n\n{areas_table(cases, strategies)}\n", flush=True)
        for strategy in strategies:
            if strategy != "random" and "random" in strategies:
                print(f"{against_random(cases, strategy)}\n", flush=True)
        for case in cases if given.curves else []:
            print(f"### {case.name}, {kind}\n\n{by_budget(case.replays)}\n", flush=True)
        for case in cases if given.pictures else []:
            file = datasets.CACHE / "curves" / f"{case.name}-{kind}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(case.replays, f"{case.name}, {kind}", case.measure))


if __name__ == "__main__":
    main()
