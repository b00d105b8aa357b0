"""How numbers are written in reasons."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.pool import Pool
from annotate_select.words import counted

__all__ = ["counted", "percent", "share", "top_classes"]

AT_ONCE = 2**20  # probabilities sorted at a time


def share(value: float) -> str:
    """Write a number of two digits without its zero: `.46`, `-.20`, `1.00`.

    >>> share(0.456)
    '.46'
    """
    text = f"{value + 0.0:.2f}".replace("-0.00", "0.00")
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def percent(value: float) -> str:
    """Write a share of 1 in per cent with two digits.

    >>> percent(0.0128), percent(1.0)
    ('1.3 %', '100 %')
    """
    return f"{np.format_float_positional(100 * value, precision=2, fractional=False, trim='-')} %"


def top_classes(pool: Pool, probabilities: np.ndarray, most: int) -> list[list[str]]:
    """Write the likeliest classes of each row (k, C) as `crack .46`; of equals the first class goes first."""
    names: list[list[str]] = []
    step = max(1, AT_ONCE // probabilities.shape[1])
    for start in range(0, len(probabilities), step):
        block = probabilities[start : start + step]
        order = np.argsort(-block, axis=1, kind="stable")[:, :most]
        values = np.take_along_axis(block, order, axis=1)
        names += [
            [f"{pool.class_name(number)} {share(value)}" for number, value in zip(*row, strict=True)]
            for row in zip(order.tolist(), values.tolist(), strict=True)
        ]
    return names
