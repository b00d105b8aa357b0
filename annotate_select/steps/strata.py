"""Strata of the pool that break a shortcut: predicted class times kind of a nuisance, such as dark and bright dents."""

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

    A labelled image counts for the class it has. Of the files only what was not measured yet is opened, and none for a
    column of metadata. Raises SelectionError for a name that is not known, or that says the same of all images.
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
    kind = np.array([cut.number[place[one]] if one in place else 0 for one in now.ids.tolist()], dtype=np.int64)
    if probabilities is None:
        return Strata(name, kind, cut.names, f"equally many of each of {len(cut.names)} kinds by {one.words}")
    classes = home.config.classes
    of_class = np.where(now.labels != UNLABELLED, now.labels, probabilities.argmax(axis=1))
    names = tuple(f"{label}, {words}" for label in classes for words in cut.names)
    note = f"equally many of each of {len(cut.names)} kinds by {one.words} within each class, as the model sees it"
    return Strata(name, of_class * len(cut.names) + kind, names, note)


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
