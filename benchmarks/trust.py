"""Whether what the package says of models and labels is true, where the truth is known.

    python benchmarks/trust.py [--rows intervals,active] [--exams 2000]

Rows: `intervals`, how often the exam's intervals hold the truth; `active`, what an exam drawn where the model may err
saves. Each prints a Markdown table; benchmarks/TRUST.md holds what they gave.
"""

from __future__ import annotations

import argparse
import time

import trust_active
import trust_intervals


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="intervals,active")
    parser.add_argument("--exams", type=int, default=2000, help="simulated for each cell")
    given = parser.parse_args()
    tables = {
        "intervals": lambda: trust_intervals.intervals(given.exams),
        "active": lambda: trust_active.active(given.exams),
    }
    for row in given.rows.split(","):
        began = time.perf_counter()
        print("\n".join(tables[row]()))
        print(f"\n{row}: {time.perf_counter() - began:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
