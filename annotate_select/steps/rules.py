"""PROJECT/rules.toml: what people know beforehand, read and applied.

[[rule]]
when = {camera = "A"}            # columns of a manifest, group or source; several values in a list
never = ["night"]                # or: only = ["day", "dusk"]

[hierarchy]
defective = ["crack", "dent"]    # mistakes within a parent are milder

[frequencies]
night = 0.1                      # what is left is shared by the classes not named
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import classes as changes
from annotate_select.annotations import events, images
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import ConfigError, LearningError, did_you_mean, listed
from annotate_select.steps.home import Home
from annotate_select.trust.rules import Columns, Rule, broken, corrected, frequencies_of, permitted
from annotate_select.words import named

__all__ = [
    "FILE",
    "ProjectRules",
    "breaking",
    "columns_of_pool",
    "correct",
    "correct_new",
    "project_rules",
    "rule_breakers",
]

FILE = "rules.toml"
PARTS = ("rule", "hierarchy", "frequencies")
OF_RULE = ("when", "never", "only", "because")
OWN = ("group", "source")  # columns that every pool has
FEW = 200  # images that are asked about one by one


@dataclass(frozen=True, eq=False)
class ProjectRules:
    """The rules of a project, for its classes in their order; `parents` holds the classes of each parent."""

    rules: tuple[Rule, ...]
    parents: dict[str, list[str]]
    frequencies: np.ndarray | None  # (C,)
    stated: dict[str, float]  # the frequencies as they stand in the file, of classes merged since their sum

    @property
    def names(self) -> list[str]:
        """The columns that rules look at."""
        return sorted({name for rule in self.rules for name in rule.when})


def project_rules(home: Home) -> ProjectRules | None:
    """Read rules.toml; None where there is none. Raises ConfigError naming the key at fault."""
    path = home.root / FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; mend that line") from error
    _known(values, PARTS, f"{path}: a part")
    reading = _Reading(str(path), home.config.classes, changes.current_names(home.db))
    rules = values.get("rule", [])
    if not isinstance(rules, list):
        raise ConfigError(f"{path}: rule must be a list; begin each with [[rule]]")
    stated = reading.frequencies(values.get("frequencies", {}))
    try:
        shares = frequencies_of({reading.number[name]: share for name, share in stated.items()}, len(reading.number))
    except LearningError as error:
        raise ConfigError(f"{path}: frequencies: {error}") from error
    return ProjectRules(
        rules=tuple(reading.rule(at + 1, one) for at, one in enumerate(rules)),
        parents=reading.hierarchy(values.get("hierarchy", {})),
        frequencies=shares if stated else None,
        stated=stated,
    )


def columns_of_pool(home: Home, ids: Sequence[int], names: Sequence[str], *, check: bool = False) -> Columns:
    """Return columns of images by id, one value each; with `check`, raises ConfigError for a column nobody has."""
    metadata: Mapping[int, Mapping[str, str]] = {}
    own: dict[str, dict[int, str | None]] = {}
    if check or len(ids) > FEW:
        table = images.pool_table(home.db)
        places = table.ids.tolist()
        own = {
            "group": dict(zip(places, table.groups, strict=True)),
            "source": dict(zip(places, table.sources, strict=True)),
        }
        metadata = images.metadata_of_pool(home.db) if set(names) - set(OWN) else {}
    else:
        found = [one for one in (images.image(home.db, image_id) for image_id in ids) if one is not None]
        own = {"group": {one.id: one.group for one in found}, "source": {one.id: one.source for one in found}}
        metadata = {one.id: one.metadata for one in found}
    if check:
        known = {*OWN, *(name for one in metadata.values() for name in one)}
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"{home.root / FILE}: no image has a column {name!r}{did_you_mean(name, sorted(known))}; there are "
                    f"{listed(sorted(known))}"
                )
    return {
        name: [own[name].get(one) if name in OWN else metadata.get(one, {}).get(name) for one in ids] for name in names
    }


def correct(
    home: Home,
    ids: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    held: np.ndarray | None = None,
    prior: bool = True,
    check: bool = True,
) -> np.ndarray:
    """Return probabilities (n, C) of these classes for images (n,), corrected by the rules, if there are any.

    `classes` are the project's; others may follow, of which rules say nothing: what they are given stays as it is.
    `held` (C,) says how many of the model's classes each is (default: one): two that were merged had the model's
    attention of two.
    Without `prior`, known frequencies are left aside: the probabilities are for classes as frequent as they are.
    With `check`, raises ConfigError for a column that no image has; LearningError where the classes have just become
    others.
    """
    known = project_rules(home)
    if known is None:
        return probabilities
    columns = columns_of_pool(home, ids.tolist(), known.names, check=check)
    return _heard(home, known, columns, probabilities, classes, known.frequencies if prior else None, held)


def correct_new(
    home: Home, columns: Columns, probabilities: np.ndarray, classes: Sequence[str], held: np.ndarray | None = None
) -> np.ndarray:
    """Return probabilities (n, C) of images that need not be in the pool, by what is known of each, as `correct`."""
    known = project_rules(home)
    if known is None:
        return probabilities
    return _heard(home, known, columns, probabilities, classes, known.frequencies, held)


def rule_breakers(home: Home) -> dict[int, str]:
    """Return the images whose label breaks a rule, the exam's included, and which rule, in words.

    What a reviewer decided is left out: they have had the last word.
    """
    if not (home.root / FILE).exists():
        return {}
    said = consensus(events.current_annotations(home.db))
    return breaking(home, {one: found.label for one, found in said.items() if found.label and not found.final})


def breaking(home: Home, labels: Mapping[int, str]) -> dict[int, str]:
    """Return those of these images, by id, for which their class breaks a rule, and the first such rule in words."""
    known = project_rules(home)
    if known is None or not known.rules or not labels:
        return {}
    number = {name: at for at, name in enumerate(home.config.classes)}
    ids = list(labels)
    numbers = np.array([number.get(name, -1) for name in labels.values()], dtype=np.int64)
    pairs = broken(known.rules, columns_of_pool(home, ids, known.names), numbers)
    return {ids[row]: known.rules[at].words for row, at in reversed(pairs)}


def _heard(
    home: Home,
    known: ProjectRules,
    columns: Columns,
    probabilities: np.ndarray,
    classes: Sequence[str],
    frequencies: np.ndarray | None,
    held: np.ndarray | None,
) -> np.ndarray:
    n = len(home.config.classes)
    if list(classes[:n]) != home.config.classes:
        raise LearningError("the classes of the project have become others this very moment; do that again")
    own, others = probabilities[:, :n], probabilities[:, n:]
    # not frequencies / held: where frequencies alone speak, they speak of the class as it is today
    alike = own if frequencies is None or held is None else own / held[:n]
    heard = corrected(alike, permitted(known.rules, columns, len(probabilities), n), frequencies)
    if not others.shape[1]:
        return heard
    return np.concatenate([heard * own.sum(axis=1, keepdims=True), others], axis=1)


def _known(values: Mapping[str, object], allowed: Sequence[str], what: str) -> None:
    for key in values:
        if key not in allowed:
            raise ConfigError(f"{what} cannot be {key!r}{did_you_mean(key, allowed)}; there are {listed(allowed)}")


class _Reading:
    """Turns what stands in the file into rules of the project's classes; a renamed class may have its old name."""

    def __init__(self, path: str, classes: list[str], renamed: Mapping[str, str]) -> None:
        self.path = path
        self.classes = classes
        self.renamed = renamed
        self.number = {name: at for at, name in enumerate(classes)}

    def rule(self, at: int, given: object) -> Rule:
        where = f"{self.path}: rule {at}"
        if not isinstance(given, dict):
            raise ConfigError(f"{where}: must be a table with `when`, and `never` or `only`, got {given!r}")
        _known(given, OF_RULE, f"{where}: a key")
        if ("never" in given) == ("only" in given):
            raise ConfigError(f"{where}: needs either `never` or `only`, a list of classes")
        when = given.get("when")
        if not isinstance(when, dict) or not when:
            raise ConfigError(f'{where}: needs `when`, such as when = {{camera = "A"}}')
        told = "never" if "never" in given else "only"
        named = {self.number[name] for name in self._names(given[told], f"{where}: {told}")}
        everything = frozenset(range(len(self.classes)))
        allowed = everything - named if told == "never" else frozenset(named)
        if not allowed:
            raise ConfigError(f"{where}: never names every class; at least one must be left")
        values = {str(name): self._values(one, f"{where}: when.{name}") for name, one in when.items()}
        conditions = " and ".join(f"{name} is {' or '.join(sorted(one))}" for name, one in values.items())
        classes = " or ".join(self.classes[one] for one in sorted(named))
        because = f" ({given['because']})" if given.get("because") else ""
        return Rule(values, allowed, f"where {conditions}, {told} {classes}{because}")

    def hierarchy(self, given: object) -> dict[str, list[str]]:
        if not isinstance(given, dict):
            raise ConfigError(f'{self.path}: hierarchy must be a table, such as defective = ["crack", "dent"]')
        named = {name: self._names(one, f"{self.path}: hierarchy.{name}") for name, one in given.items()}
        parents = {name: list(dict.fromkeys(one)) for name, one in named.items()}
        seen: dict[str, str] = {}
        for parent, names in parents.items():
            if parent in self.number:
                raise ConfigError(f"{self.path}: hierarchy.{parent}: is a class itself; call the parent something else")
            for name in names:
                if name in seen:
                    raise ConfigError(f"{self.path}: hierarchy: {name!r} is under {seen[name]!r} and under {parent!r}")
                seen[name] = parent
        return parents

    def frequencies(self, given: object) -> dict[str, float]:
        if not isinstance(given, dict):
            raise ConfigError(f"{self.path}: frequencies must be a table, such as night = 0.1")
        names = self._names(list(given), f"{self.path}: frequencies", least=0)
        for name, share in given.items():
            if isinstance(share, bool) or not isinstance(share, int | float):
                raise ConfigError(f"{self.path}: frequencies.{name}: must be a share such as 0.1, got {share!r}")
        shares = dict.fromkeys(names, 0.0)
        for name, share in zip(names, given.values(), strict=True):
            shares[name] += float(share)
        return shares

    def _names(self, given: object, where: str, least: int = 1) -> list[str]:
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise ConfigError(f"{where}: must be a list of classes, got {given!r}")
        names = [one if one in self.number else self.renamed.get(one, one) for one in given]
        for name in names:
            if name not in self.number:
                raise ConfigError(
                    f"{where}: there is no class {name!r}{did_you_mean(name, self.classes)}; the classes are "
                    f"{named(self.classes)}"
                )
        if len(set(given)) < len(given) or len(names) < least:
            raise ConfigError(f"{where}: must name classes, each once, got {given!r}")
        return names  # those that were merged since are one

    def _values(self, given: object, where: str) -> frozenset[str]:
        values = given if isinstance(given, list) else [given]
        if not values or any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in values):
            raise ConfigError(f"{where}: must be a value or a list of values, got {given!r}")
        return frozenset(str(one) for one in values)
