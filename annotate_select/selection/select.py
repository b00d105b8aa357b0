"""Choose which rows of some features to label next."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from annotate_select.errors import SelectionError
from annotate_select.progress import Progress, silent
from annotate_select.selection.balance import balanced, strata_of
from annotate_select.selection.checks import (
    as_array,
    build_pool,
    checked,
    require_count,
    require_fraction,
    require_integer,
)
from annotate_select.selection.guard import spread
from annotate_select.selection.pool import Chosen, Picks, Pool, Strategy, seeded_hashes
from annotate_select.selection.table import STRATEGIES, Entry, find

__all__ = ["Strategy", "StrategyInfo", "select", "strategies"]

REMEDIES = {
    "labels": "label some images first, or use auto or kmeans, which do without",
    "probabilities": "train a model on some labels first, or use auto or kmeans, which do without",
    "samples": "give probabilities of shape (T, n, C) of T models or dropout passes, or use margin, which needs one",
    "like": "name images of which more are wanted - like=[...], or --like KEY on the command line - or use auto",
}
FIND_MORE = ("seals", "similar_to")  # strategies that look at `like`
AUDIT_REASON = "random audit: measures whether picking beats chance"


@dataclass(frozen=True)
class StrategyInfo:
    """A strategy as a user meets it; `needs` holds "labels", "probabilities", "samples" or "like"."""

    name: str
    summary: str
    needs: tuple[str, ...]


def select(
    features: ArrayLike,
    n: int,
    strategy: str | Strategy = "auto",
    *,
    labeled: ArrayLike | None = (),
    labels: ArrayLike | None = (),
    probabilities: ArrayLike | None = None,
    accuracy: float | None = None,
    seed: int = 0,
    exclude: ArrayLike | None = (),
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    audit: float = 0.0,
    class_names: Sequence[str] | None = (),
    n_classes: int | None = None,
    tokens: ArrayLike | None = None,
    near_duplicate: float | None = None,
    like: ArrayLike | None = (),
    audits: ArrayLike | None = (),
    chosen: ArrayLike | None = None,
    chance: float = 0.0,
    strata: ArrayLike | None = None,
    strata_names: Sequence[str] = (),
    threads: int | None = None,
    progress: Progress = silent,
) -> Picks:
    """Choose n distinct rows of features (n_rows, d), best first, none of them labelled or excluded.

    Features are centred and scaled to length 1 inside: images are compared by cosine. None is as good as an empty list.
    `labeled` rows carry the class numbers `labels`; those of them that chance chose are `audits`, those that a strategy
    chose `chosen` (default: all others): whether picking beats chance is told from these two. `chance` is the share
    that `auto` draws at random because earlier picks crowd together. `probabilities` (n_rows, C), or (T, n_rows, C) of
    T models or dropout passes, and `accuracy` (0 to 1, cross-validated or of the audit) are the current model's. `like`
    are rows of which `similar_to` and `seals` find more. `exclude` rows are never picked. `weights` (n_rows,) multiply
    what a row is worth. `groups` (n_rows,), such as patients, share a batch, see `guard`. Rows whose cosine is above
    `near_duplicate` do not share a batch (default .995, or 1, which is off, below 8 dimensions, where cosines say
    little).
    `audit` is the share drawn by chance from all that may be picked, whatever else holds for a pick: round(audit * n)
    rows, at least 1 when it is above 0 and n is 2 or more. Audits are spread evenly over the batch and score 0.
    Of `strata` (n_rows,) from 0, called `strata_names`, each gets an equal part of the picks as far as it has rows.
    `tokens` (n_rows,) uint64 say which image a row is (default: its number), so that chance follows the image.
    `threads` limits BLAS and FAISS (default: all cores), of the whole process while it selects: selections that run at
    once should give the same. `progress` hears how far a long selection is.
    The same input and seed give the same answer. Raises SelectionError.

    >>> picks = select([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0]], 1, "kcenter", labeled=[0], labels=[0])
    >>> picks.rows.tolist()
    [2]
    """
    name, entry = find(strategy)
    if threads is not None and require_integer("threads", threads) < 1:
        raise SelectionError(f"threads must be at least 1, got {threads}; leave it out to use all cores")
    pool_features = as_array("features", features)
    identity = _tokens(tokens, len(pool_features) if pool_features.ndim else 0)
    seed = require_integer("seed", seed)
    with threadpool_limits(threads) if threads is not None else nullcontext():
        pool = build_pool(
            pool_features,
            labeled=labeled,
            labels=labels,
            probabilities=None if probabilities is None else as_array("probabilities", probabilities),
            accuracy=accuracy,
            seed=seed,
            exclude=exclude,
            weights=weights,
            groups=groups,
            class_names=class_names,
            n_classes=n_classes,
            tokens=identity,
            near_duplicate=near_duplicate,
            like=like,
            audits=audits,
            chosen=chosen,
            chance=chance,
            progress=progress,
        )
        n = require_count(n, len(pool.candidates))
        drawn = _draw_audits(pool.candidates, seeded_hashes(identity, seed), n, require_fraction("audit", audit))
        left = replace(pool, candidates=np.setdiff1d(pool.candidates, drawn, assume_unique=True), taken=drawn)
        picks = _assembled(name, drawn, _choose_in(strata, strata_names, name, entry, left, n - len(drawn)))
    if len(pool.like) and isinstance(entry, Entry) and name not in FIND_MORE:
        return replace(picks, note=f"{picks.note}; nothing more like given images is looked for: similar_to does that")
    return picks


def strategies() -> list[StrategyInfo]:
    """List the strategies: the name, one line, and what each needs."""
    return [
        StrategyInfo(name, (entry.function.__doc__ or "").strip().splitlines()[0], entry.needs)
        for name, entry in STRATEGIES.items()
    ]


def _choose_in(
    strata: ArrayLike | None, names: Sequence[str], name: str, entry: Entry | Strategy, pool: Pool, n: int
) -> Chosen:
    if strata is None:
        return _choose(name, entry, pool, n)
    of = strata_of(strata, names, len(pool.space))
    return balanced(pool, n, lambda now, k: _choose(name, entry, now, k), of, names) if n else _nothing()


def _choose(name: str, entry: Entry | Strategy, pool: Pool, n: int) -> Chosen:
    if not isinstance(entry, Entry):
        own = checked(name, entry)
        return spread(pool, n, own) if n else _nothing()
    given = {
        "labels": len(pool.labeled) > 0,
        "probabilities": pool.probabilities is not None,
        "samples": pool.samples is not None,
        "like": len(pool.like) > 0,
    }
    for need in entry.needs:
        if not given[need]:
            raise SelectionError(f"strategy {name!r} needs {need}; {REMEDIES[need]}")
    return entry.function(pool, n) if n else _nothing()


def _nothing() -> Chosen:
    return Chosen(np.empty(0, dtype=np.int64), np.empty(0), [])


def _tokens(tokens: ArrayLike | None, n: int) -> np.ndarray:
    if tokens is None:
        return np.arange(n, dtype=np.uint64)
    values = as_array("tokens", tokens)
    if values.shape != (n,) or values.dtype.kind not in "iu":
        raise SelectionError(f"tokens must be one integer for each of the {n} rows, got {values.dtype} {values.shape}")
    return values.astype(np.uint64)


def _draw_audits(candidates: np.ndarray, hashes: np.ndarray, n: int, audit: float) -> np.ndarray:
    """Return the candidates of the lowest hashes: each is as likely as any other, near-duplicate or not."""
    count = max(round(audit * n), 1 if audit > 0 and n >= 2 else 0)
    if not count:
        return candidates[:0]
    order = np.argsort(hashes[candidates], kind="stable")
    return candidates[order[:count]]


def _assembled(name: str, audits: np.ndarray, chosen: Chosen) -> Picks:
    """Spread the audits evenly over the batch, so that whoever stops early has labelled both kinds."""
    n, count = len(audits) + len(chosen.rows), len(audits)
    is_audit = np.zeros(n, dtype=bool)
    is_audit[(2 * np.arange(count) + 1) * n // (2 * max(1, count))] = True
    rows, scores = np.empty(n, dtype=np.int64), np.zeros(n)
    rows[is_audit], rows[~is_audit] = audits, chosen.rows
    scores[~is_audit] = chosen.scores
    given = iter(chosen.reasons)
    return Picks(
        rows=rows,
        scores=scores,
        reasons=[AUDIT_REASON if drawn else next(given) for drawn in is_audit.tolist()],
        roles=["audit" if drawn else "pick" for drawn in is_audit.tolist()],
        strategy=f"{name}: {chosen.became}" if chosen.became else name,
        note=chosen.note or f"chosen by {name}",
    )
