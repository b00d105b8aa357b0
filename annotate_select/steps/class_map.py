"""What the classes of a model are today: the one place where a model's columns become the project's classes.

A class may have been renamed, merged or added since the model was trained, and its name given to another one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotate_select.annotations.classes import current_names, names_since
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel
from annotate_select.steps.rules import correct

__all__ = ["ClassMap", "class_map", "said"]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Where each of a model's K classes is among `classes` (C): `places` (K,); two that were merged share a place.

    `classes` are the project's of today, in their order, and after these what only the model knows.
    """

    classes: list[str]
    places: np.ndarray

    @property
    def names(self) -> list[str]:
        """What each of the model's classes is called today."""
        return [self.classes[place] for place in self.places.tolist()]

    @property
    def held(self) -> np.ndarray:
        """How many of the model's classes each of `classes` is, (C,); 1 for one that it does not know."""
        return np.maximum(np.bincount(self.places, minlength=len(self.classes)), 1)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return values (n, K) of the model's classes as those (n, C) of today's; 0 for a class it does not know."""
        found = np.zeros((len(values), len(self.classes)), dtype=np.asarray(values).dtype)
        for column, place in enumerate(self.places.tolist()):
            found[:, place] += values[:, column]
        return found

    def fits(self, classes: list[str]) -> bool:
        """Say whether the model knows each of these classes of today, and no other."""
        return self.classes == classes and len(np.unique(self.places)) == len(classes)

    def unknown(self, seen: np.ndarray) -> np.ndarray:
        """Return the places of classes that the model has not learned, ascending; `seen` (K,) bool are those it has."""
        return np.setdiff1d(np.arange(len(self.classes)), self.places[np.asarray(seen, dtype=bool)])


def class_map(home: Home, model: TrainedModel) -> ClassMap:
    """Return where a model's classes are among the project's of today."""
    classes, renamed = list(home.config.classes), current_names(home.db)
    names = names_since(home.db, model.classes, model.classes_at, model.created_at)
    if model.classes_at is None:  # the second of its training may be that of a change
        names = [name if name in classes else renamed.get(name, name) for name in names]
    classes += [name for name in dict.fromkeys(names) if name not in classes]
    place = {name: at for at, name in enumerate(classes)}
    return ClassMap(classes, np.array([place[name] for name in names], dtype=np.int64))


def said(home: Home, model: TrainedModel, ids: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return what a model says (n, C) of images (n,) with features (n, d): of today's classes, corrected by the rules.

    Raises ConfigError as `correct` does.
    """
    today = class_map(home, model)
    return correct(home, ids, today.of(model.head.probabilities(features)), today.classes, held=today.held)
