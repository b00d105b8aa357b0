"""Does picking save labels on sets that `auto` was not made on? Three that scikit-learn brings along.

    python benchmarks/unseen.py [--seeds 10] [--workers 2]

prints the tables of label_efficiency.py: handwritten digits (8 x 8 pixels), and two sets that are no images at all -
cells of breast tumours, 30 measures each, and wines, 13 - as features of a user's own would be.
"""

from __future__ import annotations

import argparse
import os
import platform
import warnings

import numpy as np
from label_efficiency import Case, against_random, areas_table, case_of
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.preprocessing import StandardScaler

SETS = {"digits": load_digits, "breast_cancer": load_breast_cancer, "wine": load_wine}
STRATEGIES = ["random", "auto", "graph_coverage", "coverage", "typiclust", "uncertainty_coverage", "margin"]


def main() -> None:
    """Replay what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = [_case(name, given.seeds, given.workers) for name in SETS]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {given.seeds} seeds\n")
    print(f"{areas_table(cases, STRATEGIES)}\n\n{against_random(cases, 'auto')}")


def _case(name: str, seeds: int, workers: int) -> Case:
    values, labels = SETS[name](return_X_y=True)
    if name != "digits":  # measures of several units
        values = StandardScaler().fit_transform(values)
    return case_of(name, "as given", values.astype(np.float32), labels, STRATEGIES, seeds, workers=workers)


if __name__ == "__main__":
    main()
