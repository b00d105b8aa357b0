"""Many things are looked at, and some stand out by luck: p values that hold the share of these among the finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["corrected"]


def corrected(chances: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p values (k,) corrected for how many there are (Benjamini and Hochberg, 1995); none of none.

    >>> corrected([0.01, 0.04, 0.5]).round(3).tolist()
    [0.03, 0.06, 0.5]
    """
    from scipy.stats import false_discovery_control

    given = np.asarray(chances, dtype=np.float64)
    return np.asarray(false_discovery_control(given)) if len(given) else given
