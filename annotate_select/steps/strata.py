"""Strata of the pool that break a shortcut: predicted class times usual or unusual, such as brightness.

What is unusual is learned from the labels there are. Where model and nuisance disagree, one of them is wrong, and a
label tells which; without a model, or with too few labels, strata are the nuisance's kinds alone: dark to bright.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import images
from annotate_select.errors import SelectionError
from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home
from annotate_select.steps.measures import FROM_FILES, measures, nuisances, unmeasured
from annotate_select.steps.standing import UNLABELLED, Standing
from annotate_select.trust.nuisances import kinds, named
from annotate_select.trust.shortcuts import FEWEST_OF_CLASS, usual

__all__ = ["NOT", "Strata", "balance_by", "strata_of_pool"]

NOT = "none"  # asks for no balance where project.toml has one


@dataclass(frozen=True, eq=False)
class Strata:
    """Which stratum each of n rows is in (n,), what the strata are called, and the nuisance they are made of."""

    name: str
    number: np.ndarray
    names: tuple[str, ...]
    note: str


def strata_of_pool(
    home: Home, now: Standing, name: str, probabilities: np.ndarray | None, progress: Progress = silent
) -> Strata:
    """Return the strata of a standing's rows by a nuisance's name and, where there is a model, its classes (n, C).

    A labelled image counts for the class it has; no label of the exam is looked at. Of the files only what was not
    measured yet is opened, and none for a column of metadata. Raises SelectionError for a name that is not known, or
    that says the same of all images.
    """
    table = images.pool_table(home.db)
    rows = list(range(len(table.ids)))
    one = named(nuisances(home, table, rows, unmeasured(len(rows))), name)
    if name in FROM_FILES:
        one = named(nuisances(home, table, rows, measures(home, table, rows, progress=progress)), name)
    cut = kinds(one, home.config.seed)
    if len(cut.names) < 2:
        raise SelectionError(f"balance: {name} is the same of all images, or not known of any; choose something else")
    place = {image_id: at for at, image_id in enumerate(table.ids.tolist())}
    at = np.array([place.get(one, 0) for one in now.ids.tolist()], dtype=np.int64)
    classes, labels = home.config.classes, np.where(now.exam, UNLABELLED, now.labels)
    sizes = np.bincount(labels[labels != UNLABELLED], minlength=len(classes))
    if probabilities is None or (sizes >= FEWEST_OF_CLASS).sum() < 2:
        note = f"equally many of each of {len(cut.names)} kinds by {one.words}"
        return Strata(name, cut.number[at], cut.names, note)
    of_class = np.where(labels != UNLABELLED, labels, probabilities.argmax(axis=1))
    expected = usual(one.at(at), labels, len(classes), home.config.seed)[np.arange(len(at)), of_class]
    names = tuple(f"{label}, {how} {one.words}" for label in classes for how in ("usual", "unusual"))
    note = f"equally many of usual and of unusual {one.words} in each class, as the model sees it"
    return Strata(name, 2 * of_class + ~expected, names, note)


def balance_by(home: Home, name: str | None) -> None:
    """Write into project.toml by which nuisance selections are balanced; None takes it out.

    Raises SelectionError for a name that is not known.
    """
    if name is not None:
        table = images.pool_table(home.db)
        rows = list(range(len(table.ids)))
        named(nuisances(home, table, rows, unmeasured(len(rows))), name)
    chosen = home.config.select.model_copy(update={"balance": name})
    home.save_config(home.config.model_copy(update={"select": chosen}))
