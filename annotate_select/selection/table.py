"""The one table of strategies: the CLI's choices, the app's select box and the contract test read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from annotate_select.errors import SelectionError, UnknownStrategy, did_you_mean, listed
from annotate_select.selection.auto import auto
from annotate_select.selection.badge import badge
from annotate_select.selection.bait import bait
from annotate_select.selection.both import cluster_margin, margin_diverse
from annotate_select.selection.chance import random, stratified
from annotate_select.selection.coverage import kmeans
from annotate_select.selection.dropquery import dropquery
from annotate_select.selection.galaxy import galaxy
from annotate_select.selection.graph_coverage import graph_coverage, graph_uncertainty
from annotate_select.selection.kcenter import kcenter, kcenter_robust
from annotate_select.selection.kernel_coverage import coverage, facility_location, probcover, uncertainty_coverage
from annotate_select.selection.pool import Chosen, Pool, Strategy
from annotate_select.selection.rare import class_quota, seals, similar_to
from annotate_select.selection.typiclust import typiclust
from annotate_select.selection.uncertainty import bald, entropy, least_confidence, margin, power_margin

__all__ = ["STRATEGIES", "Entry", "find"]


@dataclass(frozen=True)
class Entry:
    """A strategy, what it cannot do without, and whether asking for 50 gives the first 50 of asking for 100."""

    function: Callable[[Pool, int], Chosen]
    needs: tuple[str, ...] = ()
    prefix_consistent: bool = False


STRATEGIES: dict[str, Entry] = {
    "auto": Entry(auto),
    "random": Entry(random, prefix_consistent=True),
    "kmeans": Entry(kmeans),
    "stratified": Entry(stratified),
    "kcenter": Entry(kcenter, prefix_consistent=True),
    "kcenter_robust": Entry(kcenter_robust, prefix_consistent=True),
    "graph_coverage": Entry(graph_coverage, prefix_consistent=True),
    "graph_uncertainty": Entry(graph_uncertainty, ("probabilities",), prefix_consistent=True),
    "typiclust": Entry(typiclust),
    "coverage": Entry(coverage, prefix_consistent=True),
    "facility_location": Entry(facility_location, prefix_consistent=True),
    "probcover": Entry(probcover, prefix_consistent=True),
    "uncertainty_coverage": Entry(uncertainty_coverage, ("probabilities",), prefix_consistent=True),
    "margin": Entry(margin, ("probabilities",), prefix_consistent=True),
    "entropy": Entry(entropy, ("probabilities",), prefix_consistent=True),
    "least_confidence": Entry(least_confidence, ("probabilities",), prefix_consistent=True),
    "margin_diverse": Entry(margin_diverse, ("probabilities",)),
    "cluster_margin": Entry(cluster_margin, ("probabilities",)),
    "badge": Entry(badge, ("probabilities",), prefix_consistent=True),
    "bait": Entry(bait, ("probabilities",), prefix_consistent=True),
    "dropquery": Entry(dropquery, ("labels",)),
    "power_margin": Entry(power_margin, ("probabilities",), prefix_consistent=True),
    "bald": Entry(bald, ("samples",), prefix_consistent=True),
    "class_quota": Entry(class_quota, ("probabilities",), prefix_consistent=True),
    "galaxy": Entry(galaxy, ("labels", "probabilities")),
    "similar_to": Entry(similar_to, ("like",), prefix_consistent=True),
    "seals": Entry(seals, ("probabilities",), prefix_consistent=True),
}


def find(strategy: str | Strategy) -> tuple[str, Entry | Strategy]:
    """Return the name of a strategy and its entry, or a function of the user's own, given itself or as text.

    Raises UnknownStrategy, which names the near ones.
    """
    if not isinstance(strategy, str):
        if not callable(strategy):
            raise SelectionError(f"strategy must be a name, 'package.module:function' or a function, got {strategy!r}")
        return str(getattr(strategy, "__name__", type(strategy).__name__)), strategy
    if strategy in STRATEGIES:
        return strategy, STRATEGIES[strategy]
    if ":" in strategy:
        return strategy, _imported(strategy)
    raise UnknownStrategy(
        f"unknown strategy {strategy!r}{did_you_mean(strategy, list(STRATEGIES))}; choose from {listed(STRATEGIES)}, "
        "or give your own as 'package.module:function'"
    )


def _imported(text: str) -> Strategy:
    module, _, name = text.partition(":")
    try:
        function: object = getattr(import_module(module), name, None)
    except (Exception, SystemExit) as error:  # whatever a module of the user's own does while it is loaded
        raise UnknownStrategy(
            f"strategy {text!r}: {module!r} cannot be imported ({error}); write 'package.module:function' of a module "
            "that is installed or on PYTHONPATH"
        ) from error
    if not callable(function):
        raise UnknownStrategy(f"strategy {text!r}: {module!r} has no function {name!r}; check its name")
    return function
