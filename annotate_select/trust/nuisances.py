"""Nuisances: what is known of images besides what they show, each cut into cells that a label can be counted in.

Cells are made without looking at labels, so that nothing learned from them leaks. A number is cut at its quantiles, a
colour by k-means, a category has its values, rare ones pooled; images without a value have a cell of their own, for
to have none may be what gives a class away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.errors import SelectionError, did_you_mean, listed
from annotate_select.trust.colour_names import colour_name

__all__ = [
    "GROUP",
    "Cells",
    "Nuisance",
    "category",
    "cells",
    "colour",
    "column",
    "kinds",
    "named",
    "names_the_class",
    "number",
]

GROUP = "group"  # the nuisance by which images are kept together
RARE = 5  # images; values that fewer have are one cell
NUMBERS_FROM = 6  # different values; a column of fewer is a category
NONE, OTHER = "none", "others"
THIRDS, COLOURS, VALUES = 3, 4, 20  # kinds of a number, a colour, a category
NAMING = 0.9  # of the images


@dataclass(frozen=True, eq=False)
class Nuisance:
    """One thing known of n images besides what they show.

    `values` is (n,) float64 with NaN for a number, (n, 3) from 0 to 1 for a colour, or (n,) int64 positions in `names`,
    -1 for none, for a category. `more` says what more of a number is: "brighter"; `unit` is written behind it, after
    `scale` multiplied it.
    """

    name: str
    words: str
    kind: str  # number, colour or category
    values: np.ndarray
    names: tuple[str, ...] = ()
    less: str = "lower"
    more: str = "higher"
    unit: str = ""
    scale: float = 1.0

    def at(self, rows: np.ndarray) -> Nuisance:
        """Return the same of some rows."""
        return Nuisance(**{**vars(self), "values": self.values[rows]})


@dataclass(frozen=True, eq=False)
class Cells:
    """Which cell each of n images is in, (n,) from 0, and what the cells are called."""

    number: np.ndarray
    names: tuple[str, ...]


def number(
    name: str,
    values: Sequence[float] | np.ndarray,
    words: str = "",
    *,
    less: str = "lower",
    more: str = "higher",
    unit: str = "",
    scale: float = 1.0,
) -> Nuisance:
    """Make a nuisance of numbers (n,), NaN where there is none."""
    given = np.asarray(values, dtype=np.float64)
    return Nuisance(name, words or name, "number", given, (), less, more, unit, scale)


def colour(name: str, values: np.ndarray, words: str = "") -> Nuisance:
    """Make a nuisance of colours (n, 3) from 0 to 1, NaN where there is none."""
    return Nuisance(name, words or name, "colour", np.asarray(values, dtype=np.float64))


def category(name: str, values: Sequence[str | None], words: str = "") -> Nuisance:
    """Make a nuisance of texts, None or empty where there is none."""
    names = sorted({one for one in values if one})
    place = {text: position for position, text in enumerate(names)}
    codes = np.array([place[one] if one else -1 for one in values], dtype=np.int64)
    return Nuisance(name, words or name, "category", codes, tuple(names))


def column(name: str, values: Sequence[str | None], words: str = "") -> Nuisance:
    """Make a nuisance of texts, of numbers where all are numbers and there are many."""
    numbers = [_float(one) for one in values if one]
    if len(set(numbers)) < NUMBERS_FROM or np.isnan(numbers).any():
        return category(name, values, words)
    return number(name, [_float(one) if one else np.nan for one in values], words)


def cells(one: Nuisance, most: int, seed: int = 0) -> Cells:
    """Cut a nuisance into at most `most` cells, and one more of images without a value; empty ones are left out."""
    if one.kind == "number":
        return _joined(*_quantiles(one.values, most))
    if one.kind == "colour":
        return _joined(*_clusters(one, most, seed))
    return _joined(*_values(one, most))


def kinds(one: Nuisance, seed: int = 0) -> Cells:
    """Cut a nuisance as a person would: a number into thirds, colours into four, a category into its values."""
    if one.kind != "number":
        found = cells(one, COLOURS if one.kind == "colour" else VALUES, seed)
        return Cells(found.number, tuple(f"{one.words} {name}" for name in found.names))
    found = cells(one, THIRDS, seed)
    levels = [name for name in found.names if name != NONE]
    words = {1: [f"any {one.words}"], 2: [one.less, one.more], 3: [one.less, f"middling {one.words}", one.more]}
    called = dict(zip(levels, words[len(levels)] if levels else [], strict=True)) | {NONE: f"no {one.words}"}
    return Cells(found.number, tuple(called[name] for name in found.names))


def named(nuisances: Sequence[Nuisance], name: str) -> Nuisance:
    """Return the nuisance of that name; raises SelectionError that lists those there are."""
    found = next((one for one in nuisances if one.name == name), None)
    if found is None:
        known = [one.name for one in nuisances]
        raise SelectionError(
            f"balance: there is nothing called {name!r} known of the images{did_you_mean(name, known)}; choose one of "
            f"{listed(known, most=40)}"
        )
    return found


def names_the_class(one: Nuisance, labels: np.ndarray, class_names: Sequence[str]) -> bool:
    """Say whether a category is the label under another name: folders called after the classes.

    That is so when the value of nearly every image with a value has the name of its class in it. Nothing is to be
    learned from it, as no image shows it.
    """
    if one.kind != "category" or not len(labels):
        return False
    known = one.values >= 0
    pairs, counts = np.unique(np.stack([one.values[known], labels[known]]), axis=1, return_counts=True)
    inside = [_as_a_word(class_names[label], one.names[code]) for code, label in pairs.T.tolist()]
    return bool(known.any() and counts[inside].sum() >= NAMING * counts.sum())


def _as_a_word(word: str, text: str) -> bool:
    """Say whether a text has a word in it between what are no letters and digits: Rain in train/rain_2."""
    return re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", text, re.IGNORECASE) is not None


def _quantiles(values: np.ndarray, most: int) -> tuple[np.ndarray, list[str]]:
    known = np.isfinite(values)
    distinct = np.unique(values[known])
    if len(distinct) <= most:
        edges = distinct[1:]
    else:
        edges = np.unique(np.quantile(values[known], np.arange(1, most) / most, method="higher"))
        edges = edges[edges > distinct[0]]
    found = np.where(known, np.searchsorted(edges, values, side="right"), len(edges) + 1)
    return found, [*(str(place) for place in range(len(edges) + 1)), NONE]


def _clusters(one: Nuisance, most: int, seed: int) -> tuple[np.ndarray, list[str]]:
    from sklearn.cluster import KMeans

    known = np.isfinite(one.values).all(axis=1)
    distinct = len(np.unique(one.values[known].round(4), axis=0))
    k = min(most, distinct)
    found = np.full(len(one.values), k, dtype=np.int64)
    if k < 2:
        found[known] = 0
        return found, [*(str(place) for place in range(k)), NONE]
    made = KMeans(k, n_init=1, random_state=seed).fit(one.values[known])
    found[known] = made.labels_
    names = [colour_name(centre) for centre in made.cluster_centers_]
    return found, [*_distinct(names), NONE]


def _values(one: Nuisance, most: int) -> tuple[np.ndarray, list[str]]:
    sizes = np.bincount(one.values[one.values >= 0], minlength=len(one.names))
    kept = np.sort(np.argsort(-sizes, kind="stable")[:most])
    kept = kept[sizes[kept] >= RARE]
    place = np.full(len(one.names) + 1, len(kept), dtype=np.int64)  # the last: of -1
    place[kept] = np.arange(len(kept))
    place[-1] = len(kept) + 1
    return place[one.values], [*(one.names[position] for position in kept.tolist()), OTHER, NONE]


def _joined(found: np.ndarray, names: list[str]) -> Cells:
    """Leave out empty cells."""
    present, numbers = np.unique(found, return_inverse=True)
    return Cells(numbers.reshape(-1).astype(np.int64), tuple(names[place] for place in present.tolist()))


def _distinct(names: list[str]) -> list[str]:
    return [
        f"{name} {names[:place].count(name) + 1}" if names.count(name) > 1 else name for place, name in enumerate(names)
    ]


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
