"""What an exam drawn where the model may err saves, and whether its interval holds the truth: simulated pools.

Called by trust.py: `python benchmarks/trust.py --rows active`. A pool of 1,000 images, of which a model is right with a
chance that depends on how sure it is; 30, 50 or 100 of them are drawn, by chance and by active testing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotate_select.trust.active_testing import draw_active, estimate_active

POOL, SIZES = 1000, (30, 50, 100)
WORLDS: dict[str, tuple[tuple[float, float], Callable[[np.ndarray], np.ndarray]]] = {
    "98 % right, as sure as it ought to be": ((10.0, 0.2), lambda errors: errors),
    "96 % right, as sure as it ought to be": ((8.0, 0.3), lambda errors: errors),
    "85 % right, as sure as it ought to be": ((4.0, 0.7), lambda errors: errors),
    "74 % right, far too sure": ((4.0, 0.7), lambda errors: 1 - (1 - errors) ** 2),
    "85 % right, certainty that says nothing": ((4.0, 0.7), lambda errors: np.full(len(errors), 0.15)),
}


def active(exams: int) -> list[str]:
    """Return the lines of the table; `exams` are simulated for each cell."""
    lines = [
        "| model | images | bias, points | error by chance | error, active | as many by chance "
        "| held | width by chance | width, active |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (shape, wrong) in WORLDS.items():
        for n in SIZES:
            chance, _, wide = _simulated(exams, n, shape, wrong, 1.0)
            found, held, narrow = _simulated(exams, n, shape, wrong, 0.3)
            as_many = n * chance.var() / found.var()
            lines.append(
                f"| {name} | {n} | {100 * found.mean():+.2f} | {100 * chance.std():.1f} | {100 * found.std():.1f} "
                f"| {as_many:.0f} | {100 * held:.1f} | {100 * wide:.1f} | {100 * narrow:.1f} |"
            )
    return lines


def _simulated(
    exams: int, n: int, shape: tuple[float, float], wrong: Callable[[np.ndarray], np.ndarray], uniform: float
) -> tuple[np.ndarray, float, float]:
    """Return errors of the estimate (exams,), how often the interval held the truth, and its mean width."""
    rng = np.random.default_rng(n)
    errors, held, width = np.zeros(exams), 0, 0.0
    for number in range(exams):
        says = 1 - rng.beta(*shape, POOL)
        missed = rng.random(POOL) < wrong(says)
        drawn = draw_active(says, n, rng, uniform=uniform)
        found = estimate_active(~missed[drawn.rows], drawn.q, says[drawn.rows], POOL)
        truth = 1 - float(missed.mean())
        errors[number] = found.accuracy - truth
        held += found.interval.low <= truth <= found.interval.high
        width += found.interval.high - found.interval.low
    return errors, held / exams, width / exams
