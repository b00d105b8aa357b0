"""What a person should know of each class, and how the app shows it: colour, key, guideline and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotate_select.annotations import images
from annotate_select.config import ClassAbout, validated
from annotate_select.errors import UnknownClasses, UnknownImages, did_you_mean
from annotate_select.steps.home import Home
from annotate_select.words import named

__all__ = ["ClassInfo", "carried", "classes_about", "describe_class"]

# Colours that people with any kind of colour vision tell apart: Okabe and Ito's without black and yellow, which one of
# the two themes swallows, then Paul Tol's "muted".
COLORS = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7",
    "#882255", "#999933", "#44aa99", "#332288", "#cc6677", "#117733", "#88ccee", "#aa4499", "#ddcc77",
)  # fmt: skip
DIGITS = "1234567890"
KEYS = (*DIGITS, *(f"shift+{digit}" for digit in DIGITS))
MOST_EXAMPLES = 12


@dataclass(frozen=True)
class ClassInfo:
    """One class as the app shows it; `key` is None when there are more classes than keys."""

    name: str
    color: str
    key: str | None
    guideline: str
    examples: list[str]


def classes_about(home: Home) -> list[ClassInfo]:
    """Return every class in its order, with a colour and a key: the one it was given, else one that is free."""
    config = home.config
    about = [config.about.get(name, ClassAbout()) for name in config.classes]
    colors = _dealt([one.color for one in about], COLORS)
    keys = _dealt([one.key for one in about], KEYS)
    return [
        ClassInfo(name, colors[i] or COLORS[i % len(COLORS)], keys[i], one.guideline or "", list(one.examples or []))
        for i, (name, one) in enumerate(zip(config.classes, about, strict=True))
    ]


def describe_class(
    home: Home,
    name: str,
    *,
    color: str | None = None,
    key: str | None = None,
    guideline: str | None = None,
    examples: Sequence[str] | None = None,
) -> None:
    """Say what is given of a class, and leave the rest as it is; an empty text or list takes it back.

    Raises UnknownClasses, UnknownImages for examples that are not in the pool, ConfigError for what is not allowed.
    """
    config = home.config
    if name not in config.classes:
        near = did_you_mean(name, config.classes)
        raise UnknownClasses(f"the project has no class {name!r}{near}; its classes are {named(config.classes)}")
    said = {"color": color, "key": key, "guideline": guideline, "examples": _in_pool(home, examples)}
    values = config.model_dump(exclude_none=True)
    mine = values["about"].get(name, {}) | {what: value for what, value in said.items() if value is not None}
    kept = {what: value for what, value in mine.items() if value not in ("", [])}
    values["about"] = {other: one for other, one in values["about"].items() if other != name} | (
        {name: kept} if kept else {}
    )
    home.save_config(validated(values, "project.toml"))


def carried(about: Mapping[str, ClassAbout], old: str, new: str) -> dict[str, ClassAbout]:
    """Return what is said of classes when `old` becomes `new`; what `new` says itself comes first."""
    if old not in about:
        return dict(about)
    first, second = about.get(new, ClassAbout()), about[old]
    joined = ClassAbout(
        color=first.color or second.color,
        key=first.key or second.key,
        guideline=first.guideline or second.guideline,
        examples=list(dict.fromkeys([*(first.examples or []), *(second.examples or [])]))[:MOST_EXAMPLES] or None,
    )
    kept = {name: one for name, one in about.items() if name != old}
    return {**kept, new: joined}


def _in_pool(home: Home, examples: Sequence[str] | None) -> list[str] | None:
    """Return the examples, each once."""
    if examples is None:
        return None
    known = images.resolve(home.db, examples)
    unknown = [key for key in examples if key not in known]
    if unknown:
        raise UnknownImages(f"the pool has no image {named(unknown)}; an example is the key of an image in it")
    return list(dict.fromkeys(examples))


def _dealt(given: Sequence[str | None], values: Sequence[str]) -> list[str | None]:
    """Give each class without a value the one of its place, or where another class took that, the first free one."""
    places = [values[i] if i < len(values) else None for i in range(len(given))]
    dealt = [one or (place if place not in given else None) for one, place in zip(given, places, strict=True)]
    free = iter([value for value in values if value not in dealt])
    return [one if one is not None else next(free, None) for one in dealt]
