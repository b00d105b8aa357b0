"""Select equally many of each stratum, such as dark and bright images of each class, to break what goes together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from annotate_select.errors import SelectionError
from annotate_select.selection.checks import as_array, require_few_kinds
from annotate_select.selection.guard import REPEATED
from annotate_select.selection.pool import Chosen, Pool

__all__ = ["balanced", "quotas", "strata_of"]

TOLD = 3  # notes of strata in that of the batch


def strata_of(strata: ArrayLike, names: Sequence[str], n: int) -> np.ndarray:
    """Return strata (n,) int64 from 0, checked; raises SelectionError where they do not fit rows or names."""
    found = as_array("strata", strata)
    if found.shape != (n,) or found.dtype.kind not in "iu":
        raise SelectionError(
            f"strata must be one integer for each of the {n} rows, got {found.dtype} of shape {found.shape}"
        )
    if n and found.min() < 0:
        raise SelectionError(f"strata are numbered from 0, got {found.min()}")
    if names and n and found.max() >= len(names):
        raise SelectionError(f"strata_names must name every stratum, 0 to {found.max()}, got {len(names)} names")
    require_few_kinds("strata are numbered", int(found.max()) + 1 if n else 0, "number them anew")
    return found.astype(np.int64)


def balanced(
    pool: Pool, n: int, choose: Callable[[Pool, int], Chosen], strata: np.ndarray, names: Sequence[str]
) -> Chosen:
    """Let a strategy choose within each stratum, equally many in each as far as it has candidates.

    Strata take turns, the least labelled first, so that every part of the batch is balanced. Score: of the strategy,
    within its stratum. Not prefix-consistent, since what one stratum gave is kept from being repeated by the next.
    """
    rows = pool.candidates
    sizes = np.bincount(strata[rows], minlength=int(strata.max(initial=0)) + 1)
    seen = np.bincount(strata[pool.labeled], minlength=len(sizes))
    order = np.argsort(seen, kind="stable")
    shares = quotas(sizes, n, order)
    parts: list[Chosen] = []
    taken = pool.taken
    for stratum in order[shares[order] > 0].tolist():
        now = replace(pool, candidates=rows[strata[rows] == stratum], taken=taken)
        part = choose(now, int(shares[stratum]))
        name = names[stratum] if names else f"stratum {stratum}"
        said = f"{name}: seen {seen[stratum]:,} of {seen[stratum] + sizes[stratum]:,}"
        parts.append(part._replace(reasons=[f"{said}; {reason}" for reason in part.reasons]))
        taken = np.concatenate([taken, part.rows])
    return _by_turns(parts)


def quotas(sizes: np.ndarray, n: int, order: np.ndarray) -> np.ndarray:
    """Split n over strata of these sizes (S,) as evenly as they allow; what is over goes to the first in `order` (S,).

    >>> quotas(np.array([2, 60, 60]), 20, np.array([0, 1, 2])).tolist()
    [2, 9, 9]
    """
    shares = np.zeros(len(sizes), dtype=np.int64)
    left = min(n, int(sizes.sum()))
    while left:
        roomy = order[(sizes > shares)[order]]
        each = left // len(roomy)
        if not each:
            shares[roomy[:left]] += 1
            break
        given = np.minimum(each, sizes[roomy] - shares[roomy])
        shares[roomy] += given
        left -= int(given.sum())
    return shares


def _by_turns(parts: Sequence[Chosen]) -> Chosen:
    """Lay parts into one another: the best of each, then the second of each; what repeats goes last."""
    rank = np.concatenate([np.arange(len(part.rows)) for part in parts])
    reasons = [reason for part in parts for reason in part.reasons]
    order = np.lexsort((rank, np.array([REPEATED in reason for reason in reasons])))
    became = list(dict.fromkeys(part.became for part in parts if part.became))
    notes = list(dict.fromkeys(part.note for part in parts if part.note))
    return Chosen(
        np.concatenate([part.rows for part in parts])[order],
        np.concatenate([part.scores for part in parts])[order],
        [reasons[at] for at in order.tolist()],
        note="; ".join(notes[:TOLD]),
        became=" or ".join(became),
    )
