"""Whether what the package says of models and labels is true, where the truth is known.

    python benchmarks/trust.py [--rows intervals,active,strata] [--exams 2000] [--data FOLDER]

Rows: `intervals`, how often the exam's intervals hold the truth; `active`, what an exam drawn where the model may err
saves; `strata`, what one drawn evenly over clusters of the features saves. Each prints a Markdown table;
benchmarks/TRUST.md holds what they gave.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import datasets
import trust_active
import trust_intervals
import trust_strata


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="intervals,active,strata")
    parser.add_argument("--exams", type=int, default=2000, help="simulated for each cell")
    parser.add_argument("--data", type=Path, default=datasets.DATA, help="of the real sets that `strata` takes")
    given = parser.parse_args()
    tables = {
        "intervals": lambda: trust_intervals.intervals(given.exams),
        "active": lambda: trust_active.active(given.exams),
        "strata": lambda: trust_strata.strata(given.exams, given.data),
    }
    for row in given.rows.split(","):
        began = time.perf_counter()
        print("\n".join(tables[row]()))
        print(f"\n{row}: {time.perf_counter() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
