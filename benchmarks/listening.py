"""What two parts of the default head give, the weights of labels and the soft whitening: Markdown tables.

    python benchmarks/listening.py [--part weights] [--data FOLDER] [--features pixels,efficientnet_lite0]
        [--sets a,b] [--seeds 10] [--strategies random,auto] [--workers 2]

replays each strategy as label_efficiency.py does, with the part and without it: `weights` lets labels count by how many
images are nearest to them, `whitening` shortens the few directions that hold nearly all. Printed is accuracy with it
minus accuracy without, in points (balanced accuracy where the largest class has ten times the images of the smallest),
mean over seeds. Features wider than 128 are reduced to 128 principal components.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
sys.path.insert(0, str(Path(__file__).parent))

import datasets
import numpy as np
from label_efficiency import BATCHES, budgets_of, imbalanced, reduced

from annotate_select.learning import spreading
from annotate_select.simulate import replay, split

EACH = BATCHES["growing"]
PARTS = {"weights": ("FEW", np.inf), "whitening": ("soft_whitening", lambda points: None)}  # as if they were not there


def gains(job: tuple[str, str, str, str, int, Path]) -> np.ndarray:
    """Return what a part gives (6,) at 1, 2, 5, 10, 20 and 50 labels a class, in points; NaN where not replayed."""
    part, name, kind, strategy, seed, data = job
    warnings.simplefilter("ignore")
    features, labels = datasets.features(name, kind, data)
    features, budgets, test = reduced(features), budgets_of(labels, "growing"), split(len(labels), seed)

    def reached() -> np.ndarray:
        found = replay(features, labels, strategy=strategy, budgets=budgets, test=test, seed=seed)
        return np.array(found.balanced if imbalanced(labels) else found.accuracies)

    with mock.patch.object(spreading, *PARTS[part]):
        without = reached()
    out = np.full(len(EACH), np.nan)
    out[: len(budgets)] = 100 * (reached() - without)
    return out


def main() -> None:
    """Replay, and print a table a kind of features."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(PARTS), default="weights")
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--features", default="pixels,autoencoder,efficientnet_lite0")
    parser.add_argument("--sets", default="")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--strategies", default="random,auto")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    sets = given.sets.split(",") if given.sets else datasets.names(given.data)
    strategies, seeds = given.strategies.split(","), range(given.seeds)
    with ProcessPoolExecutor(given.workers) as pool:
        for kind in given.features.split(","):
            jobs = [(given.part, n, kind, s, i, given.data) for s in strategies for n in sets for i in seeds]
            each = np.reshape(list(pool.map(gains, jobs)), (len(strategies), len(sets), given.seeds, -1)).mean(axis=2)
            print(f"### {kind}\n\n| strategy | set | 1 a class | 2 | 5 | 10 | 20 | 50 |")
            print("|---" * 8 + "|")
            for strategy, rows in zip(strategies, each, strict=True):
                for name, row in [*zip(sets, rows, strict=True), ("mean", np.nanmean(rows, axis=0))]:
                    cells = ["" if np.isnan(one) else f"{round(one, 1) + 0.0:+.1f}" for one in row.tolist()]
                    print(f"| {strategy} | {name} | {' | '.join(cells)} |")
            print(flush=True)


if __name__ == "__main__":
    main()
