"""The one table of strategies: the CLI, the app, the docs and the contract test read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from annotate_select.errors import SelectionError, UnknownStrategy, did_you_mean
from annotate_select.selection.auto import auto
from annotate_select.selection.both import margin_diverse
from annotate_select.selection.chance import random
from annotate_select.selection.coverage import kcenter, kmeans
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import entropy, least_confidence, margin

__all__ = ["STRATEGIES", "Entry", "Strategy", "StrategyInfo", "found", "strategies"]

Strategy = Callable[[Pool, int], Chosen]


@dataclass(frozen=True)
class Entry:
    """A strategy, what it needs beside features, and whether fewer picks are always the beginning of more."""

    function: Strategy
    needs: tuple[str, ...] = ()
    prefix_consistent: bool = False


@dataclass(frozen=True)
class StrategyInfo:
    """A strategy's name, what it does in one line, and what it needs: `probabilities`, or nothing."""

    name: str
    summary: str
    needs: tuple[str, ...]


STRATEGIES = {
    "auto": Entry(auto),
    "random": Entry(random, prefix_consistent=True),
    "kmeans": Entry(kmeans),
    "kcenter": Entry(kcenter, prefix_consistent=True),
    "margin": Entry(margin, ("probabilities",), prefix_consistent=True),
    "entropy": Entry(entropy, ("probabilities",), prefix_consistent=True),
    "least_confidence": Entry(least_confidence, ("probabilities",), prefix_consistent=True),
    "margin_diverse": Entry(margin_diverse, ("probabilities",)),
}


def strategies() -> list[StrategyInfo]:
    """List every strategy with one line and what it needs."""
    return [
        StrategyInfo(name, (entry.function.__doc__ or "").splitlines()[0], entry.needs)
        for name, entry in STRATEGIES.items()
    ]


def found(strategy: str | Strategy) -> tuple[str, Entry]:
    """Return a strategy's name and entry: from the table, of the user's own, or named as package.module:function.

    Raises UnknownStrategy, naming the near ones, or SelectionError when the user's own cannot be imported.
    """
    if not isinstance(strategy, str):
        return getattr(strategy, "__name__", "own strategy"), Entry(strategy)
    if ":" in strategy:
        return strategy, Entry(_imported(strategy))
    if strategy not in STRATEGIES:
        near = did_you_mean(strategy, list(STRATEGIES))
        raise UnknownStrategy(f"unknown strategy {strategy!r}; choose from {', '.join(STRATEGIES)}{near}")
    return strategy, STRATEGIES[strategy]


def _imported(name: str) -> Strategy:
    module, _, function = name.partition(":")
    try:
        own: Strategy = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise SelectionError(
            f"cannot import the strategy {name!r}: {error}; name it as package.module:function"
        ) from error
    return own
