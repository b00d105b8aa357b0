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
    if one.kind == "colours":
        return _colours(one, inside, outside, name, rest)
    return _category(one, inside, outside, name, rest)


def ends(one: Nuisance, rows: np.ndarray, n: int) -> tuple[tuple[str, np.ndarray], ...]:
    """Return the two ends of a nuisance among some rows, up to n rows each, with words for them, the lower end first.

    The ends of colours are black and white; of a category, its commonest value and all others.
    """
    if one.kind == "category":
        codes = one.values[rows]
        sizes = np.bincount(codes + 1)
        common = int(sizes.argmax()) - 1
        label = _value(one, common)
        return ((label, rows[codes == common][:n]), (f"not {label}", rows[codes != common][:n]))
    values = one.values[rows] if one.kind == "number" else one.values[rows].mean(axis=1)
    known, values = rows[np.isfinite(values)], values[np.isfinite(values)]
    order = known[np.argsort(values, kind="stable")]
    half = min(n, len(order) // 2)
    less, more = (one.less, one.more) if one.kind == "number" else ("darker", "lighter")
    return ((less, order[:half]), (more, order[::-1][:half]))


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
    mine, theirs = (np.nanmean(one.values[rows], axis=0).reshape(-1, 3) for rows in (inside, outside))
    part = int(np.linalg.norm(mine - theirs, axis=1).argmax())
    where = f" {one.parts[part]}" if one.parts[part] else ""
    first, second = colour_name(mine[part]), colour_name(theirs[part])
    if first == second:
        bands = [f"{100 * a:.0f} {100 * b:.0f} {100 * c:.0f} %" for a, b, c in (mine[part], theirs[part])]
        return f"{name} is {first}{where}, of red, green, blue {bands[0]}, {rest} {bands[1]} on average"
    return f"{name} is {first}{where} on average, {rest} {second}"


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
