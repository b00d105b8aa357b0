"""What each head gives: `linear`, `spreading` and `mlp` on the same random labels, as a Markdown table.

    python benchmarks/heads.py [--data FOLDER] [--cache FOLDER] [--sets a,b] [--kind autoencoder] [--seeds 3]
        [--heads linear,spreading,mlp]

Half of each set is asked about. Of the other half each class has 2, 5, 20 or 100 labels where it has so many, or all;
`spreading` listens to the rest of that half.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import datasets
import numpy as np

from annotate_select.learning.calibration import log_loss
from annotate_select.learning.head import fit_head, mean_of
from annotate_select.learning.learners import LEARNERS

SETS = "sign_digits,cifar10_small,trashnet,weather,fashion_30to1,elpv"
COUNTS, ALL = (2, 5, 20, 100), 10**9


def scores(features: np.ndarray, labels: np.ndarray, count: int, seed: int, kind: str) -> np.ndarray:
    """Return balanced accuracy in per cent, log-loss, what cross-validation says in per cent, and CPU seconds."""
    asked, free = np.split(np.random.default_rng(seed).permutation(len(labels)), [len(labels) // 2])
    told = np.concatenate([free[labels[free] == one][:count] for one in range(labels.max() + 1)])
    begun = time.process_time()
    classes, around = int(labels.max()) + 1, features[np.setdiff1d(free, told)]
    centre = mean_of(features)
    head = fit_head(features[told], labels[told], classes, kind=kind, seed=seed, centre=centre, around=around)
    took = time.process_time() - begun
    said, truth = head.probabilities(features[asked]), labels[asked]
    right = said.argmax(axis=1) == truth
    balanced = np.mean([right[truth == one].mean() for one in np.unique(truth)])
    loss = log_loss(np.log(np.maximum(said, 1e-7)), truth)
    return np.array([100 * balanced, loss, np.nan if head.cv_accuracy is None else 100 * head.cv_accuracy, took])


def main() -> None:
    """Print a row a set and number of labels, means over the seeds, the heads joined by arrows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--cache", type=Path, default=datasets.CACHE)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--kind", default="autoencoder")
    parser.add_argument("--heads", default="linear,spreading,mlp")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    unknown = sorted(set(asked.heads.split(",")) - set(LEARNERS))
    if unknown:
        parser.error(f"no head is called {unknown[0]!r}; there are {', '.join(LEARNERS)}")
    datasets.CACHE = asked.cache
    print(
        "| set | labels a class | balanced accuracy | log-loss | cross-validation says | CPU seconds |\n"
        + "|---" * 6
        + "|"
    )
    for name in asked.sets.split(","):
        features, labels = datasets.features(name, asked.kind, asked.data)
        for count in (*COUNTS, ALL):
            means = np.array(
                [
                    np.mean([scores(features, labels, count, seed, kind) for seed in range(asked.seeds)], axis=0)
                    for kind in asked.heads.split(",")
                ]
            )
            cells = [" → ".join(f"{one:.{n}f}" for one in some) for some, n in zip(means.T, (1, 2, 1, 1), strict=True)]
            print(f"| {name} | {'all' if count == ALL else count} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
