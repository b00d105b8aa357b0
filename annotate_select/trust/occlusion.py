"""Where in an image a model finds its answer: parts are covered one after another, and how much less sure it is counts.

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), section 3. It needs no gradient, so
it works with every encoder.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["occlusion"]

CELLS = 8  # of a side
WIDE = 2  # cells that a cover has
SURE = 1e-6  # nearer to 0 or 1, a probability says no more


def occlusion(image: np.ndarray, say: Callable[[np.ndarray], np.ndarray], cells: int = CELLS) -> np.ndarray:
    """Return (cells, cells) how much covering each part of an image (H, W, 3) uint8 takes from the answer, in log-odds.

    `say` gives, for images (b, H, W, 3), the probability (b,) of the answer asked about. The cover has the image's mean
    colour, and is two cells wide; a cell has the mean of all covers over it. Below 0: without it, the answer is surer.
    """
    places = [(row, column) for row in range(1 - WIDE, cells) for column in range(1 - WIDE, cells)]
    covered = np.stack([_covered(image, *place, cells) for place in places])
    odds = _log_odds(say(np.concatenate([image[None], covered])))
    total, count = np.zeros((cells, cells)), np.zeros((cells, cells))
    for (row, column), lost in zip(places, (odds[0] - odds[1:]).tolist(), strict=True):
        part = (slice(max(0, row), row + WIDE), slice(max(0, column), column + WIDE))
        total[part] += lost
        count[part] += 1
    return np.asarray(total / count)


def _covered(image: np.ndarray, row: int, column: int, cells: int) -> np.ndarray:
    rows, columns = (np.linspace(0, side, cells + 1).round().astype(int) for side in image.shape[:2])
    top, left = rows[max(0, row)], columns[max(0, column)]
    bottom, right = rows[min(cells, row + WIDE)], columns[min(cells, column + WIDE)]
    out = image.copy()
    out[top:bottom, left:right] = image.reshape(-1, 3).mean(axis=0).round()
    return out


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    shares = np.clip(np.asarray(probabilities, dtype=np.float64), SURE, 1 - SURE)
    return np.asarray(np.log(shares / (1 - shares)))
