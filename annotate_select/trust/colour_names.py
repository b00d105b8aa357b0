"""Colours in words."""

from __future__ import annotations

import colorsys

import numpy as np

__all__ = ["colour_name"]

GRAY = 0.12  # of saturation times value: below, a colour is gray
# where a hue ends, as a share of the circle
HUES = ((0.04, "red"), (0.11, "orange"), (0.19, "yellow"), (0.45, "green"), (0.53, "cyan"), (0.72, "blue"))
HUES_AFTER = ((0.83, "purple"), (0.95, "pink"), (1.01, "red"))
DARK, LIGHT = 0.35, 0.7  # of the brightness of a gray
HALF = 0.5  # a colour is dark when its largest band is below, and light when its smallest is above


def colour_name(colour: np.ndarray) -> str:
    """Name a colour (3,) from 0 to 1.

    >>> colour_name(np.array([0.1, 0.1, 0.4])), colour_name(np.array([0.9, 0.9, 0.9]))
    ('dark blue', 'light gray')
    """
    red, green, blue = (float(one) for one in colour)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = max(red, green, blue) - min(red, green, blue)
    if chroma < GRAY:
        if luma < 0.1:
            return "black"
        if luma > 0.93:
            return "white"
        return "dark gray" if luma < DARK else "light gray" if luma > LIGHT else "gray"
    level = "dark " if max(red, green, blue) < HALF else "light " if min(red, green, blue) > HALF else ""
    hue, _, _ = colorsys.rgb_to_hsv(red, green, blue)
    return level + next(name for end, name in (*HUES, *HUES_AFTER) if hue < end)
