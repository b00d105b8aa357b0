"""What replayed rounds say: areas, labels saved, differences to random with intervals, as a table and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import integrate, stats

from annotate_select.simulate import Replay

__all__ = ["Summary", "area", "by_budget", "labels_ratio", "markdown", "picture", "summaries"]

MEASURES = {"accuracy": "accuracies", "balanced accuracy": "balanced", "macro-F1": "macro_f1"}


@dataclass(frozen=True)
class Summary:
    """One strategy on one set, over all seeds; areas in per cent.

    `gain` is the mean paired difference of the area to random's, `low` and `high` its 95 % interval (Student's t over
    seeds); `ratio` the labels needed for what random reaches at the last budget, over random's, inf when never
    reached; `worst` the lowest mean difference to random at any budget, in standard errors; `final` is the measure at
    the last budget. Without random among the strategies the comparisons are nan.
    """

    strategy: str
    area: float
    gain: float
    low: float
    high: float
    ratio: float
    worst: float
    final: float
    rare_recall: float
    rare_found: float


def area(budgets: Sequence[int], values: Sequence[float]) -> float:
    """Return the mean height of the curve over the logarithm of the budget: early labels count as they are felt.

    >>> area([1, 10, 100], [0.0, 0.5, 1.0])
    0.5
    """
    if len(budgets) == 1:
        return float(values[0])
    places = np.log(np.asarray(budgets, dtype=float))
    return float(integrate.trapezoid(values, places) / (places[-1] - places[0]))


def labels_ratio(budgets: Sequence[int], values: Sequence[float], goal: float, reference: int) -> float:
    """Return the labels from which on a curve is at `goal` or above, over `reference` labels; inf when it never is.

    Between budgets the curve is taken as straight.

    >>> labels_ratio([10, 20], [0.2, 0.6], 0.4, 20)
    0.75
    """
    below = [at for at, value in enumerate(values) if value < goal]
    if not below:
        return budgets[0] / reference
    last = below[-1]
    if last == len(values) - 1:
        return float("inf")
    share = (goal - values[last]) / (values[last + 1] - values[last])
    return (budgets[last] + share * (budgets[last + 1] - budgets[last])) / reference


def summaries(replays: Sequence[Replay], measure: str = "accuracy") -> list[Summary]:
    """Summarise replays of one data set, the largest area first; `measure` is a key of MEASURES."""
    by_strategy: dict[str, dict[int, Replay]] = {}
    for one in replays:
        by_strategy.setdefault(one.strategy, {})[one.seed] = one
    found = [_summary(name, runs, by_strategy.get("random"), measure) for name, runs in by_strategy.items()]
    return sorted(found, key=lambda one: -one.area)


def _values(one: Replay, measure: str) -> tuple[float, ...]:
    values: tuple[float, ...] = getattr(one, MEASURES[measure])
    return values


def _summary(name: str, runs: dict[int, Replay], random: dict[int, Replay] | None, measure: str) -> Summary:
    any_run = next(iter(runs.values()))
    curves = {seed: np.array(_values(run, measure)) for seed, run in runs.items()}
    mean: list[float] = np.mean(list(curves.values()), axis=0).tolist()
    gain = low = high = ratio = worst = float("nan")
    seeds = sorted(set(runs) & set(random or {}))
    if random and seeds:
        chance = {seed: np.array(_values(random[seed], measure)) for seed in seeds}
        areas = [100 * area(any_run.budgets, (curves[s] - chance[s]).tolist()) for s in seeds]
        gain, low, high = _interval(areas)
        ratio = labels_ratio(
            any_run.budgets, mean, float(np.mean(list(chance.values()), axis=0)[-1]), any_run.budgets[-1]
        )
        worst = _worst(np.array([curves[s] - chance[s] for s in seeds]))
    return Summary(
        strategy=name,
        area=100 * area(any_run.budgets, mean),
        gain=gain,
        low=low,
        high=high,
        ratio=ratio,
        worst=worst,
        final=100 * mean[-1],
        rare_recall=100 * float(np.mean([run.rare_recall[-1] for run in runs.values()])),
        rare_found=float(np.mean([run.rare_found[-1] for run in runs.values()])),
    )


def _interval(values: list[float]) -> tuple[float, float, float]:
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - half, mean + half


def _worst(differences: np.ndarray) -> float:
    """Return the lowest mean over seeds of (seeds, budgets) differences, in standard errors of that mean."""
    if len(differences) < 2:
        return float("nan")
    means, errors = differences.mean(axis=0), differences.std(axis=0, ddof=1) / np.sqrt(len(differences))
    certain = np.where(means == 0, 0.0, np.copysign(np.inf, means))  # where all seeds agree
    return float(np.min(np.divide(means, errors, out=certain, where=errors > 0)))


def markdown(found: Sequence[Summary], measure: str = "accuracy") -> str:
    """Return a Markdown table of summaries."""
    lines = [
        f"| strategy | area of {measure} % | against random (95 %) | labels needed | worst budget, SE | at the end % | "
        "rare recall % | rare found |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        lines.append(
            f"| {one.strategy} | {one.area:.1f} | {one.gain:+.1f} ({one.low:+.1f} to {one.high:+.1f}) | "
            f"{one.ratio:.2f} | {one.worst:+.1f} | {one.final:.1f} | {one.rare_recall:.1f} | {one.rare_found:.1f} |"
        )
    return "\n".join(lines).replace("+nan", "-").replace("nan", "-").replace("inf", "never")


def by_budget(replays: Sequence[Replay]) -> str:
    """Return a Markdown table of every measure at every budget, in per cent: mean and standard error over seeds."""
    columns = {**MEASURES, "rare recall": "rare_recall"}
    lines = [
        "| labels | strategy | " + " | ".join(f"{name} %" for name in columns) + " | rare found |",
        "|---|---|" + "---|" * (len(columns) + 1),
    ]
    names = sorted({one.strategy for one in replays}, key=lambda name: (name != "random", name))
    for at, budget in enumerate(replays[0].budgets):
        for name in names:
            runs = [one for one in replays if one.strategy == name]
            cells = [_mean_and_error([100 * getattr(one, column)[at] for one in runs]) for column in columns.values()]
            found = np.mean([one.rare_found[at] for one in runs])
            lines.append(f"| {budget:,} | {name} | " + " | ".join(cells) + f" | {found:.1f} |")
    return "\n".join(lines)


def _mean_and_error(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}"
    return f"{np.mean(values):.1f} +- {np.std(values, ddof=1) / np.sqrt(len(values)):.1f}"


def picture(replays: Sequence[Replay], title: str, measure: str = "accuracy") -> bytes:
    """Return a PNG of the mean curves over seeds, with a band of one standard error."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=130, layout="constrained")
    axes = figure.subplots()
    names = sorted({one.strategy for one in replays}, key=lambda name: (name != "random", name))
    for name in names:
        runs = [one for one in replays if one.strategy == name]
        values = 100 * np.array([_values(one, measure) for one in runs])
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=min(1, len(runs) - 1)) / np.sqrt(len(runs))
        (line,) = axes.plot(runs[0].budgets, mean, label=name, marker="o", markersize=3)
        if name == "random":
            line.set(color="black", linestyle="--")
        axes.fill_between(runs[0].budgets, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    budgets = sorted({budget for one in replays for budget in one.budgets})
    axes.set_xticks(budgets, [f"{budget:,}" for budget in budgets])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("labels")
    axes.set_ylabel(f"{measure} % on images never picked")
    axes.set_title(title, parse_math=False)  # a file may be called anything
    axes.grid(alpha=0.3)
    axes.legend()
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
