"""CSV as all files of this room write it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

__all__ = ["write_table"]


def write_table(file: TextIO, header: Iterable[str], table: Iterable[Iterable[str]]) -> None:
    """Write a CSV whose every cell is read back as it was, a lone carriage return included."""
    plain = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)  # `plain` leaves a lone \r bare
    plain.writerow(header)
    for row in table:
        cells = list(row)
        (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)
