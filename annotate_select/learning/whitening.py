"""The directions in which images differ, and soft whitening: where a few hold nearly all, they are shortened.

In raw pixels most of what differs between images is how light they are, above and below; neighbours by cosine are then
alike in that alone. Whitening, which helps to find what looks alike (Jégou and Chum, "Negative evidences and
co-occurrences in image retrieval: the benefit of PCA and whitening", ECCV 2012), gives all directions one length, and
so makes noise as loud as what matters. Softened, it shortens the few and hardly touches the others; how far it goes is
told by how many directions stand out from noise.
"""

from __future__ import annotations

import numpy as np

__all__ = ["principal", "soft_whitening", "unit"]

WIDEST = 128  # principal directions
SOFTEST, HARDEST = 10.0, 1e-3  # times the whole variance; a direction becomes at most 32 times as short
HALVINGS = 40
NOTHING = 1e-10  # of the whole variance: a direction that no point uses, as of units that are always 0, is not noise
SHORTEST = 1e-12  # a row of zeros has no direction


def principal(points: np.ndarray, seed: int) -> np.ndarray:
    """Return a basis (d, r) float32 of the directions in which points (m, d) lie most, 128 at most."""
    d = points.shape[1]
    if d <= WIDEST:
        return np.eye(d, dtype=np.float32)
    from sklearn.utils.extmath import randomized_svd

    return np.ascontiguousarray(randomized_svd(points, min(WIDEST, len(points)), random_state=seed)[2].T)


def soft_whitening(points: np.ndarray) -> np.ndarray | None:
    """Return a symmetric map (r, r) float32 for centred points (m, r); None where they use enough directions as is.

    In use are (sum of variances)^2 / sum of their squares, the participation ratio; enough are as many as stand out
    from noise. A direction of variance v becomes sqrt(1 + v / s) times as short, with the largest s at which enough are
    in use.
    """
    exact = points.astype(np.float64)  # a sum in single precision leaves more than NOTHING
    variances, axes = np.linalg.eigh(exact.T @ exact / max(1, len(points)))
    variances = np.maximum(variances, 0.0)
    whole = float(variances.sum())
    if whole == 0.0:
        return None
    variances /= whole
    enough = _beyond_noise(variances, len(points))

    def in_use(softness: float) -> float:
        left = variances / (1 + variances / softness)
        return float(left.sum() ** 2 / np.sum(left**2))

    soft, hard = np.log(SOFTEST), np.log(HARDEST)
    if in_use(np.inf) >= enough:
        return None
    for _ in range(HALVINGS):
        middle = (soft + hard) / 2
        soft, hard = (soft, middle) if in_use(float(np.exp(middle))) >= enough else (middle, hard)
    lost = 1 - 1 / np.sqrt(1 + variances / np.exp(hard))
    return np.asarray(np.eye(len(axes)) - (axes * lost) @ axes.T, dtype=np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows (n, r) at length 1; float32. Rows of zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(rows / np.maximum(lengths, SHORTEST), dtype=np.float32)


def _beyond_noise(variances: np.ndarray, m: int) -> int:
    """Return how many of the variances (r,), of m points, are more than equal noise in all directions makes.

    Gavish and Donoho, "The optimal hard threshold for singular values is 4 / sqrt(3)", IEEE Transactions on Information
    Theory 2014, eq. 5: where the noise is not known, a multiple of the median singular value, by the matrix's shape.
    """
    some = variances[variances > NOTHING * variances.sum()]
    shape = min(m, len(some)) / max(m, len(some))
    multiple = 0.56 * shape**3 - 0.95 * shape**2 + 1.82 * shape + 1.43
    return int(np.count_nonzero(some > multiple**2 * np.median(some)))
