"""How a nuisance differs between classes, in words: "night is darker (median 21 %, the rest 55 %)"."""

from __future__ import annotations

import numpy as np

from annotate_select.trust.colour_names import colour_name
from annotate_select.trust.nuisances import Nuisance

__all__ = ["ends", "how_it_differs", "written"]

ALIKE = 0.62  # of the area under the ROC curve, or 1 minus it: nearer to one half, no direction is named


def how_it_differs(one: Nuisance, inside: np.ndarray, outside: np.ndarray, name: str, rest: str) -> str:
    """Say how rows `inside` (n,) bool, called `name`, differ from rows `outside`, called `rest`."""
    if one.kind == "number":
        return _number(one, inside, outside, name, rest)
    if one.kind == "colour":
        return _colours(one, inside, outside, name, rest)
    return _category(one, inside, outside, name, rest)


def ends(one: Nuisance, rows: np.ndarray, others: np.ndarray, n: int) -> tuple[tuple[str, np.ndarray], ...]:
    """Return the two ends of a nuisance among some rows, up to n rows each, with words for them, the lower end first.

    Of a colour the ends lie where `others`, the rows of other classes, are on average, and away from it; of a category
    they are its commonest value, and all others.
    """
    if one.kind == "category":
        codes = one.values[rows]
        common = int(np.bincount(codes + 1, minlength=1).argmax()) - 1
        label = _value(one, common)
        return ((label, rows[codes == common][:n]), (f"not {label}", rows[codes != common][:n]))
    values = one.values[rows] if one.kind == "number" else _away(one.values[rows], one.values[others])
    known, values = rows[np.isfinite(values)], values[np.isfinite(values)]
    order = known[np.argsort(values, kind="stable")]
    half = min(n, len(order) // 2)
    low, high = order[:half], order[::-1][:half]
    if one.kind == "number":
        return ((one.less, low), (one.more, high))
    names = [colour_name(one.values[end].mean(axis=0)) if half else "" for end in (low, high)]
    return ((f"{names[0]}, as the rest", low), (f"{names[1]}, unlike the rest", high))


def _away(mine: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far colours (n, 3) lie from the mean of others (m, 3) towards the mean of their own."""
    if not len(mine) or not len(others):
        return np.full(len(mine), np.nan)
    away = np.nanmean(mine, axis=0) - np.nanmean(others, axis=0)
    found: np.ndarray = mine @ away
    return found


def written(one: Nuisance, value: float) -> str:
    """Write a number of a nuisance with three digits and its unit."""
    scaled = value * one.scale
    text = f"{scaled:,.0f}" if abs(scaled) >= 100 else f"{scaled:.3g}"
    return f"{text}{one.unit}"


def _number(one: Nuisance, inside: np.ndarray, outside: np.ndarray, name: str, rest: str) -> str:
    mine, theirs = (one.values[rows] for rows in (inside, outside))
    have = [float(np.isfinite(part).mean()) if len(part) else 0.0 for part in (mine, theirs)]
    if abs(have[0] - have[1]) > 0.2:
        return f"{_percent(have[0])} of {name} have {_a(one.words)}, {_percent(have[1])} of {rest}"
    mine, theirs = mine[np.isfinite(mine)], theirs[np.isfinite(theirs)]
    area = _area(mine, theirs)
    medians = f"(median {written(one, float(np.median(mine)))}, {rest} {written(one, float(np.median(theirs)))})"
    if max(area, 1 - area) >= ALIKE:
        return f"{name} is {one.more if area > 0.5 else one.less} {medians}"
    low, high = np.quantile(mine, [0.1, 0.9])
    span = f"{written(one, float(low))} to {written(one, float(high))}"
    theirs_span = " to ".join(written(one, float(end)) for end in np.quantile(theirs, [0.1, 0.9]))
    return f"{name} has another spread of {one.words} (80 % from {span}, of {rest} from {theirs_span})"


def _area(mine: np.ndarray, theirs: np.ndarray) -> float:
    """Return how often a number of the first is larger than one of the second, ties half (the area under the ROC)."""
    if not len(mine) or not len(theirs):
        return 0.5
    ordered = np.sort(theirs)
    below = np.searchsorted(ordered, mine, side="left") + np.searchsorted(ordered, mine, side="right")
    return float(below.mean() / (2 * len(theirs)))


def _colours(one: Nuisance, inside: np.ndarray, outside: np.ndarray, name: str, rest: str) -> str:
    mine, theirs = (np.nanmean(one.values[rows], axis=0) for rows in (inside, outside))
    first, second = colour_name(mine), colour_name(theirs)
    if first == second:
        bands = [" ".join(f"{100 * band:.0f}" for band in colour.tolist()) for colour in (mine, theirs)]
        return f"{name} is {first}, on average {bands[0]} % of red, green, blue, {rest} {bands[1]} %"
    return f"{name} is {first} on average, {rest} {second}"


def _category(one: Nuisance, inside: np.ndarray, outside: np.ndarray, name: str, rest: str) -> str:
    shares = [
        np.bincount(one.values[rows] + 1, minlength=len(one.names) + 1) / max(1, rows.sum())
        for rows in (inside, outside)
    ]
    best = int(np.abs(shares[0] - shares[1]).argmax())
    value = _value(one, best - 1)
    return f"{_percent(shares[0][best])} of {name} have {value}, {_percent(shares[1][best])} of {rest}"


def _value(one: Nuisance, code: int) -> str:
    return f"{one.words} {one.names[code]}" if code >= 0 else f"no {one.words}"


def _a(words: str) -> str:
    return f"a {words}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
