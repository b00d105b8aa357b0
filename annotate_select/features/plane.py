"""The feature space laid out in two dimensions, so that a person can look at it.

`pca` shows the two directions in which features differ most: a second for 100,000 images, but clusters lie on top of
each other. `tsne` keeps neighbours together (van der Maaten and Hinton, 2008; started from the principal components, as
Kobak and Berens, 2019, advise): at most SAMPLE rows are laid out, and every other one is put beside those of them that
look most like it. benchmarks/APP.md has what it was chosen over, and by which figures.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from annotate_select.errors import FeaturesError, did_you_mean
from annotate_select.learning.head import mean_of
from annotate_select.progress import Progress, silent
from annotate_select.selection.neighbours import nearest

__all__ = ["METHODS", "SAMPLE", "alike", "plane"]

SAMPLE = 10_000  # rows that are laid out by t-SNE, which takes a minute or two
SAMPLE_AXES = 20_000  # rows that the principal axes are found on
DIMENSIONS = 50  # in which t-SNE looks for neighbours; further components are mostly noise
STEPS = 500  # of gradient descent: 1,000 keep neighbours no better
FEWEST = 8  # rows worth more than their principal components
PERPLEXITY = 30.0  # about how many neighbours each row is to keep
PLACED_BY = 5  # laid-out rows that another one may be put between ...
CLOSE = 2.0  # ... of which those count that lie within so many usual distances of the nearest
JITTER = 0.1  # usual distances
EDGE = 0.001  # of the rows at either end do not decide the scale: one outlier must not squeeze the rest
BLOCK = 2**22  # numbers (rows x d) held at a time: 16 MB


def plane(features: np.ndarray, method: str = "pca", seed: int = 0, progress: Progress = silent) -> np.ndarray:
    """Return points (n, 2) float32 in [0, 1] of features (n, d), read in blocks, so a memory map will do.

    Rows are looked at as selection does: centred on their mean and scaled to length 1. Both axes have the same scale.
    The same features, method and seed give the same points, on one machine. Raises FeaturesError for an unknown method.
    """
    if method not in METHODS:
        known = list(METHODS)
        raise FeaturesError(
            f"there is no layout {method!r}{did_you_mean(method, known)}; choose one of {', '.join(known)}"
        )
    if len(features) == 0:
        return np.empty((0, 2), dtype=np.float32)
    return _scaled(METHODS[method](features, seed, progress))


def alike(features: np.ndarray, row: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k rows most like `row` and their cosines, (k,) each, the nearest first, itself left out.

    Exact, from the mean of all rows as selection sees them; features (n, d) are read in blocks.
    """
    mean = mean_of(features)
    wanted = _turned(features[row : row + 1], mean)[0]
    step = max(1, BLOCK // features.shape[1])
    blocks = [_turned(features[start : start + step], mean) @ wanted for start in range(0, len(features), step)]
    cosines = np.concatenate(blocks)
    cosines[row] = -np.inf
    k = min(k, len(features) - 1)
    rows = np.argpartition(-cosines, k - 1)[:k] if k > 0 else np.empty(0, np.int64)
    rows = rows[np.lexsort((rows, -cosines[rows]))]
    return rows, cosines[rows]


def _pca(features: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    return _two(_components(features, 2, seed, progress))


def _tsne(features: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    """Lay out a sample, place the rest."""
    reduced = _components(features, DIMENSIONS, seed, progress)
    if len(reduced) < FEWEST or not reduced.any():
        return _two(reduced)  # nothing to lay out
    rows = np.sort(np.random.default_rng(seed).permutation(len(reduced))[:SAMPLE])
    progress("laying out the map", 0, len(reduced), "t-SNE")
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    with threadpool_limits(limits=1, user_api="blas"):  # sklearn's own threads are enough
        tsne = TSNE(perplexity=perplexity, init="pca", max_iter=STEPS, random_state=seed, n_jobs=-1)
        laid = tsne.fit_transform(reduced[rows])
    points = np.empty((len(reduced), 2), dtype=np.float32)
    points[rows] = laid
    rest = np.setdiff1d(np.arange(len(reduced)), rows)
    if len(rest):
        points[rest] = _placed(reduced[rest], reduced[rows], laid, seed, progress)
    progress("laying out the map", len(reduced), len(reduced), "t-SNE")
    return points


METHODS: dict[str, Callable[[np.ndarray, int, Progress], np.ndarray]] = {"pca": _pca, "tsne": _tsne}


def _two(points: np.ndarray) -> np.ndarray:
    """Return the first two columns of (n, m); one that is not there is 0."""
    return np.hstack([points[:, :2], np.zeros((len(points), max(0, 2 - points.shape[1])), np.float32)])


def _placed(rest: np.ndarray, sample: np.ndarray, laid: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    """Put each row (r, m) beside its nearest row of the sample (s, m), laid out at (s, 2).

    It stands in the mean of its nearest rows that lie close together, moved a little so that no point covers another.
    A mean over rows far apart would lie among strangers: it keeps neighbours worse than the nearest row alone.
    """
    found = nearest(_of_length_1(sample), PLACED_BY, queries=_of_length_1(rest), seed=seed, progress=progress)
    places = laid[found.rows]  # (r, k, 2)
    apart = np.linalg.norm(places - places[:, :1], axis=2)  # (r, k) from the nearest row
    usual = float(np.median(np.sort(apart, axis=1)[:, 1]))
    weights = (apart <= CLOSE * usual).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    moved = JITTER * usual * np.random.default_rng(seed).normal(size=(len(rest), 2))
    return np.asarray(np.einsum("rk,rkc->rc", weights, places) + moved, dtype=np.float32)


def _of_length_1(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _components(features: np.ndarray, most: int, seed: int, progress: Progress) -> np.ndarray:
    """Return the first principal components (n, at most `most`) float32 of rows of length 1.

    The axes are those of at most SAMPLE_AXES rows chosen by chance.
    """
    mean = mean_of(features)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:SAMPLE_AXES])
    sample = _turned(features[chosen], mean).astype(np.float64)
    centre = sample.mean(axis=0)
    sample -= centre
    _, vectors = np.linalg.eigh(sample.T @ sample)
    axes = _signed(vectors[:, ::-1][:, :most])  # (d, m), the longest first
    out = np.empty((len(features), axes.shape[1]), dtype=np.float32)
    step = max(1, BLOCK // features.shape[1])
    for start in range(0, len(features), step):
        out[start : start + step] = (_turned(features[start : start + step], mean) - centre) @ axes
        progress("principal components", min(start + step, len(features)), len(features), "")
    return out


def _turned(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return rows (b, d) float32 seen from the mean, of length 1; a row at the mean stays 0."""
    centred = np.asarray(rows, dtype=np.float64) - mean
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(lengths > 1e-9, lengths, np.inf), dtype=np.float32)


def _signed(axes: np.ndarray) -> np.ndarray:
    """Turn each axis (d,) so that its largest number is positive: which way it points is a matter of rounding."""
    largest = np.abs(axes).argmax(axis=0)
    signs = np.sign(axes[largest, np.arange(axes.shape[1])])
    return np.asarray(axes * np.where(signs == 0, 1, signs))


def _scaled(points: np.ndarray) -> np.ndarray:
    """Shift and scale points (n, 2) into [0, 1], all but the outermost filling it; these are put on the edge."""
    low, high = np.quantile(points, [EDGE, 1 - EDGE], axis=0).astype(np.float64)
    middle, size = (low + high) / 2, max(float((high - low).max()), 1e-12) * 1.04
    return np.asarray(np.clip((points - middle) / size + 0.5, 0, 1), dtype=np.float32)
