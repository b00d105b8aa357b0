"""Macro F1: the mean over classes of how well each is found and told apart, and how far chance may have moved it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate_select.trust.intervals import Interval, wilson
from annotate_select.words import counted, named

__all__ = ["macro_f1", "macro_f1_interval", "without_images"]

SMOOTHED = 0.5  # an image a class, spread over what it may be taken for: a perfect class then varies with the others


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean F1, 2 * right / (images + predictions), of the classes that have images in confusion (C, C)."""
    here = confusion.sum(axis=1) > 0
    return float(_f1(_shares(confusion, here)[0]).mean())


def without_images(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> str | None:
    """Say which classes count in no macro F1 because the exam has none of them, though images were taken for them.

    None where there is no such class: then macro F1 is what a reader takes it for.
    """
    predicted = np.asarray(confusion).sum(axis=0)
    here = np.asarray(confusion).sum(axis=1) > 0
    absent = [name for name, n, has in zip(names, predicted.tolist(), here.tolist(), strict=True) if n and not has]
    if not absent:
        return None
    taken = int(predicted[~here].sum())
    return (
        f"macro F1 is over the {counted(int(here.sum()), 'class')} in the exam; {named(absent)} "
        f"{'is' if len(absent) == 1 else 'are'} not in it, though {counted(taken, verbs=('was', 'were'))} taken for "
        f"{'that' if len(absent) == 1 else 'these'}: the mistake counts for what the image is, and for nothing else"
    )


def macro_f1_interval(confusion: np.ndarray, confidence: float = 0.95) -> Interval:
    """Return an interval of the macro F1 of counts (C, C), rows what is, columns what it was taken for.

    Each end is the farther one of two intervals about a mean whose bias at few images is taken away: F1 curves down, so
    a class of few images has a lower F1 than it would have with many. One joins the intervals of the classes, for
    F1 = 2 J / (1 + J), where J is the share of right ones among all images that are of the class or were taken for it,
    with the correlations that the errors shared by two classes cause (MOVER). It is too short above where most classes
    are perfect, by chance, each of which leaves no room. The other is Wilson's for as many images as would give the
    variance of the mean (delta method), and is too short where some classes are rare.
    In simulations (benchmarks/TRUST.md) a bootstrap of the images held the truth as rarely as 42 times in 100 where a
    class was rare; this holds it 92 to 99 times, and less often where each of many classes has few images and the model
    is often wrong.
    Source: Zou and Donner, Statistics in Medicine 27 (2008), for the joining.
    """
    here = confusion.sum(axis=1) > 0
    shares, trials = _shares(confusion, here)
    middle = min(max(float(_f1(shares).mean() + _bias(shares, trials)), 0.0), 1.0)
    below, above = _joined(shares, trials, _correlations(confusion, here), confidence)
    whole = _as_one_share(middle, confusion, here, confidence)
    low, high = min(middle - below, whole.low), max(middle + above, whole.high)
    return Interval(round(max(0.0, low), 10), round(min(1.0, high), 10))


def _joined(shares: np.ndarray, trials: np.ndarray, together: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return how far the ends are below and above the mean F1, by each class's interval and correlations (K, K)."""
    ends = [wilson(share * n, n, confidence) for share, n in zip(shares.tolist(), trials.tolist(), strict=True)]
    below = _f1(shares) - _f1(np.array([one.low for one in ends]))  # (K,)
    above = _f1(np.array([one.high for one in ends])) - _f1(shares)
    low, high = (float(np.sqrt(max(one @ together @ one, 0.0))) / len(shares) for one in (below, above))
    return low, high


def _as_one_share(middle: float, confusion: np.ndarray, here: np.ndarray, confidence: float) -> Interval:
    """Return Wilson's interval of a share as variable as the mean F1, each class drawn to the common by an image."""
    cells = confusion.astype(np.float64)
    n, size = float(cells.sum()), len(cells)
    common = float(cells.trace() + 0.5) / (n + 1)
    drawn = np.full((size, size), (1 - common) / max(1, size - 1))
    np.fill_diagonal(drawn, common)
    cells[here] += drawn[here]
    variance = float(_covariance(cells, here).mean()) / n
    usual = float(_f1(_shares(cells, here)[0]).mean())
    as_many = usual * (1 - usual) / max(variance, 1e-12)
    return wilson(middle * as_many, as_many, confidence)


def _shares(confusion: np.ndarray, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return J (K,) of each class with images, and the images (K,) it is a share of."""
    right = confusion.diagonal()[here].astype(np.float64)
    either = (confusion.sum(axis=0) + confusion.sum(axis=1))[here] - right
    return right / either, either


def _f1(shares: np.ndarray) -> np.ndarray:
    return np.asarray(2 * shares / (1 + shares))


def _bias(shares: np.ndarray, trials: np.ndarray) -> float:
    """Return by how much the mean F1 of few images is too low: half the curvature times the variance, to first order.

    Shares are drawn towards the common one, by one image, so that a class of one image is not certain.
    """
    common = ((shares * trials).sum() + 0.5) / (trials.sum() + 1)
    drawn = (shares * trials + common) / (trials + 1)
    return float((2 * drawn * (1 - drawn) / ((1 + drawn) ** 3 * trials)).mean())


def _correlations(confusion: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Return how the F1 of the K classes vary together (K, K)."""
    cells = confusion.astype(np.float64)
    cells[here] += SMOOTHED / len(cells)
    covariance = _covariance(cells, here)
    spread = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    scale = np.outer(spread, spread)
    found: np.ndarray = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    np.fill_diagonal(found, 1.0)
    return found


def _covariance(cells: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Return the covariance (K, K) of the classes' F1, times the images, by the delta method on the cells (C, C)."""
    cells = cells / cells.sum()
    rows = np.flatnonzero(here)
    slopes = np.zeros((len(rows), *cells.shape))  # of F1 = 2 p_kk / (row + column), by each cell
    for at, k in enumerate(rows.tolist()):
        total = cells[k].sum() + cells[:, k].sum()
        slopes[at, k] = slopes[at, :, k] = -2 * cells[k, k] / total**2
        slopes[at, k, k] = 2 * (total - 2 * cells[k, k]) / total**2
    flat, chances = slopes.reshape(len(rows), -1), cells.ravel()
    found: np.ndarray = (flat * chances) @ flat.T - np.outer(flat @ chances, flat @ chances)
    return found
