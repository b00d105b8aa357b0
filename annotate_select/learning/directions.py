"""Features as a head sees them: rows from the centre of the pool, scaled to length 1."""

from __future__ import annotations

import numpy as np

__all__ = ["directions", "span", "usual_length"]

FEWEST_DIMENSIONS = 8  # below, a direction alone says too little: rows keep their lengths, up to FARTHEST
FARTHEST = 10.0  # times the usual length
ROUNDING = 1e-6  # of the usual length: a row nearer to the centre has no direction


def usual_length(centred: np.ndarray) -> float:
    """Return the root mean square length of rows (l, d); 1 when rounding alone makes them differ."""
    largest = float(np.abs(centred).max())
    if largest == 0.0:
        return 1.0
    return float(largest * np.sqrt(np.mean(np.einsum("ij,ij->i", centred / largest, centred / largest))))


def directions(features: np.ndarray, centre: np.ndarray, length: float) -> np.ndarray:
    """Return rows (n, d) from the centre, of length 1; below 8 dimensions in units of the usual length."""
    rows = (features - centre) / length
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]  # (n, 1)
    if len(centre) < FEWEST_DIMENSIONS:
        return np.asarray(rows * np.minimum(1.0, FARTHEST / np.maximum(lengths, FARTHEST)))
    return np.where(lengths > ROUNDING, rows / np.maximum(lengths, ROUNDING), 0.0)


def span(x: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (d, r) of the rows (l, d), in which the weights lie: few labels then cost little."""
    if len(x) >= x.shape[1]:
        return np.eye(x.shape[1])
    return np.asarray(np.linalg.qr(x.T)[0])
