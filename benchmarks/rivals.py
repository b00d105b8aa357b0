"""scikit-activeml in our shape, for the benchmarks: same rows, same labels, a logistic regression as model.

Named on the command line as `rivals:typiclust` and so on; each looks only at the pool's candidates and labels.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge, CoreSet, DropQuery, MaxHerding, ProbCover, TypiClust, UncertaintySampling
from sklearn.linear_model import LogisticRegression

from annotate_select.selection.pool import Chosen, Pool

__all__ = ["badge", "coreset", "dropquery", "margin", "maxherding", "probcover", "typiclust"]


def _ask(strategy: Any, pool: Pool, n: int, *, model: bool = False) -> Chosen:
    """Ask a scikit-activeml strategy for n rows of the pool."""
    rows = np.concatenate([pool.labeled, pool.candidates])
    y = np.full(len(rows), np.nan)
    y[: len(pool.labeled)] = pool.labels
    x = np.asarray(pool.features[rows], dtype=np.float64)
    more: dict[str, Any] = {}
    if model:
        if len(np.unique(pool.labels)) < 2:
            drawn = pool.candidates[np.argsort(pool.hashes[pool.candidates])[:n]]
            return _chosen(drawn)
        base = LogisticRegression(C=100, max_iter=300, class_weight="balanced")
        more = {"clf": SklearnClassifier(base, classes=np.arange(pool.n_classes)), "fit_clf": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = strategy.query(X=x, y=y, batch_size=n, **more)
    return _chosen(rows[np.asarray(found).ravel()])


def _chosen(rows: np.ndarray) -> Chosen:
    return Chosen(rows.astype(np.int64), np.zeros(len(rows)), ["chosen by scikit-activeml"] * len(rows))


def _seed(pool: Pool) -> int:
    return int(pool.hashes[0] % np.uint64(2**31))


def typiclust(pool: Pool, n: int) -> Chosen:
    """TypiClust (Hacohen et al. 2022)."""
    return _ask(TypiClust(random_state=_seed(pool)), pool, n)


def probcover(pool: Pool, n: int) -> Chosen:
    """ProbCover (Yehuda et al. 2022)."""
    return _ask(ProbCover(random_state=_seed(pool), n_classes=pool.n_classes), pool, n)


def maxherding(pool: Pool, n: int) -> Chosen:
    """MaxHerding (Bae et al. 2024)."""
    return _ask(MaxHerding(random_state=_seed(pool)), pool, n)


def coreset(pool: Pool, n: int) -> Chosen:
    """k-center greedy (Sener and Savarese 2018)."""
    return _ask(CoreSet(random_state=_seed(pool)), pool, n)


def badge(pool: Pool, n: int) -> Chosen:
    """BADGE (Ash et al. 2020)."""
    return _ask(Badge(random_state=_seed(pool)), pool, n, model=True)


def dropquery(pool: Pool, n: int) -> Chosen:
    """DropQuery (Gupte et al. 2024)."""
    return _ask(DropQuery(random_state=_seed(pool)), pool, n, model=True)


def margin(pool: Pool, n: int) -> Chosen:
    """Margin sampling."""
    return _ask(UncertaintySampling(method="margin_sampling", random_state=_seed(pool)), pool, n, model=True)
