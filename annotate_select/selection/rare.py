"""Rare classes: a share for each class, more like some images, and what lies around the labelled ones."""

from __future__ import annotations

import numpy as np

from annotate_select.errors import SelectionError
from annotate_select.selection.chance import by_chance
from annotate_select.selection.clustering import assign
from annotate_select.selection.geometry import BLOCK, Workers, largest_cosines, near
from annotate_select.selection.guard import REPEATED, walk
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import share
from annotate_select.selection.uncertainty import (
    descending,
    margin_reasons,
    margin_scores,
    model_probabilities,
    ranked,
    weighted,
)
from annotate_select.words import counted

__all__ = ["class_quota", "neighbours", "seals", "similar_to"]

NEIGHBOURS = 100  # of each labelled image that are looked at
MOST_SEEDS = 300  # images whose neighbours are looked for; each costs a cosine with every candidate
EVERY = 10  # which pick is drawn by chance from outside
ROUNDING = 1e-6  # cosines of float32 that are nearer are equal
LAST, INSIDE, OUTSIDE, DRAWN = range(4)  # where seals found a row


def class_quota(pool: Pool, n: int) -> Chosen:
    """Take the closest calls of each class in turn, the class of the fewest labels first: for rare classes.

    The candidates are parted by their likeliest class and ranked by margin within each; then the classes take turns,
    so that each has the same share of every batch for as long as it lasts. Classes the model finds nowhere have no
    turn. Score: as margin's; a weight of 0 goes last. Prefix-consistent.
    """
    rows, _ = ranked(pool, margin_scores)
    thought = _likeliest(pool, rows)
    counts = np.bincount(pool.labels, minlength=pool.n_classes)
    turn = np.argsort(np.argsort(counts, kind="stable"))  # (C,) the place of each class, of equals the first
    order = np.lexsort((turn[thought], _before(thought), _worthless(pool, rows)))
    picked, distinct = walk(pool, rows[order], n)
    probabilities = model_probabilities(pool, picked)
    reasons = []
    for number, doubt in zip(probabilities.argmax(axis=1).tolist(), margin_reasons(pool, picked), strict=True):
        has = f"class {pool.class_names[number]}" if number < len(pool.class_names) else pool.class_name(number)
        reasons.append(f"{doubt}; {has} has {counted(int(counts[number]), 'label')}")
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(picked, weighted(pool, picked, margin_scores(probabilities)), reasons)


def similar_to(pool: Pool, n: int) -> Chosen:
    """Take images like some given ones (`like`), the same share for each: more of a rare kind, or of failures.

    Each candidate belongs to the given image of the largest cosine, and those of each are ranked by that cosine; then
    the given images take turns, of one turn the nearest first. It has in common with SIMILAR (Kothawade et al.,
    NeurIPS 2021) that every given image counts and not only the one with most look-alikes. A given image that may be
    picked itself comes first of its own. Score: 1 + the cosine, times the weight. Prefix-consistent.
    """
    rows, like = pool.candidates, pool.like
    if not len(like):
        raise SelectionError("there are no images to find more like; name their rows, like=[...]")
    nearest, cosine = assign(pool.features, rows, pool.features[like])
    own = np.flatnonzero(np.isin(rows, like))
    nearest[own], cosine[own] = np.searchsorted(like, rows[own]), 1.0  # nearly so by rounding; 0 of a row at the mean
    scores = weighted(pool, rows, np.maximum(1.0 + cosine.astype(np.float64), 0.0))
    order = descending(scores, pool.hashes[rows])
    order = order[np.lexsort((_before(nearest[order]), _worthless(pool, rows[order])))]
    picked, distinct = walk(pool, rows[order], n)
    at = np.searchsorted(rows, picked)
    itself = np.isin(picked, like)
    reasons = [
        (f"one of the {len(like)} given images" if len(like) > 1 else "the given image itself")
        if given
        else f"cosine {share(value)} to {_nearest_of(len(like), 'given')}"
        for value, given in zip(cosine[at].tolist(), itself.tolist(), strict=True)
    ]
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(picked, scores[at], reasons)


def seals(pool: Pool, n: int) -> Chosen:
    """Take the closest calls among the neighbours of what is labelled, or of given images (`like`): for rare kinds.

    Only the 100 nearest images of each labelled one are ranked by margin (Coleman et al., "Similarity search for
    efficient active learning", AAAI 2022), of the given ones if there are any. Of more than 300 labelled images those
    of the classes with fewest labels count. Every tenth pick is drawn by chance from outside, or a kind unlike all
    labelled ones would never be found; when the neighbours are used up, margin goes on with the others. Score: as
    margin's; a weight of 0 goes last. Prefix-consistent.
    """
    seeds = _seeds(pool)
    rows, _ = ranked(pool, margin_scores)
    part = _parts(pool, rows, seeds)
    inside, drawn = rows[part[rows] == INSIDE], _drawn(pool, part)
    part[drawn] = DRAWN
    head = np.insert(inside, (EVERY - 1) * np.arange(1, len(drawn) + 1), drawn)
    order = np.concatenate([head, rows[part[rows] == OUTSIDE], rows[part[rows] == LAST]])
    picked, distinct = walk(pool, order, n)
    probabilities = model_probabilities(pool, picked)
    texts = margin_reasons(pool, picked)
    where = _where(pool, picked, part[picked], seeds)
    reasons = [f"{text}; {found}" for text, found in zip(texts, where, strict=True)]
    reasons[distinct:] = [text + REPEATED for text in reasons[distinct:]]
    return Chosen(picked, weighted(pool, picked, margin_scores(probabilities)), reasons)


def neighbours(points: np.ndarray, rows: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """Tell for each of `rows` whether it is among the k nearest of `rows` to any of `others`; so are all equals."""
    inside = np.zeros(len(rows), dtype=bool)
    k = min(k, len(rows))
    if not k or not len(others):
        return inside
    right = points[others]  # (s, d)
    step = max(1, BLOCK // 2 // max(right.shape))

    def largest(here: slice) -> np.ndarray:
        cosines = right @ points[rows[here]].T  # (s, b)
        first = max(0, cosines.shape[1] - k)
        return np.partition(cosines, first, axis=1)[:, first:]

    def compare(here: slice) -> None:
        np.any(right @ points[rows[here]].T >= least, axis=0, out=inside[here])

    with Workers() as workers:
        tops = np.concatenate(workers.map(largest, len(rows), step), axis=1)
        least = np.partition(tops, -k, axis=1)[:, [-k]] - ROUNDING  # (s, 1) the k-th largest cosine
        workers.map(compare, len(rows), step)
    return inside


def _likeliest(pool: Pool, rows: np.ndarray) -> np.ndarray:
    step = max(1, BLOCK // max(1, pool.n_classes))
    parts = [model_probabilities(pool, rows[at : at + step]).argmax(axis=1) for at in range(0, len(rows), step)]
    return np.concatenate(parts)


def _before(kinds: np.ndarray) -> np.ndarray:
    """Return (m,) how many of the same kind (m,) stand before each."""
    order = np.argsort(kinds, kind="stable")
    sizes = np.bincount(kinds)
    out = np.empty(len(kinds), dtype=np.int64)
    out[order] = np.arange(len(kinds)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return out


def _worthless(pool: Pool, rows: np.ndarray) -> np.ndarray:
    return np.zeros(len(rows), dtype=bool) if pool.weights is None else np.equal(pool.weights[rows], 0)


def _seeds(pool: Pool) -> np.ndarray:
    """Return the rows whose neighbours are looked at: given ones or labelled ones, not more than 300."""
    rows, counts = pool.like, np.zeros(len(pool.like))
    if not len(rows):
        rows, counts = pool.labeled, np.bincount(pool.labels, minlength=pool.n_classes)[pool.labels]
    return rows[np.lexsort((pool.hashes[rows], counts))][:MOST_SEEDS]


def _parts(pool: Pool, rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return (n_rows,) which of `rows` are inside the neighbourhood of the seeds, outside of it, or to come last.

    What repeats a covered row would take the places of its true neighbours, and is passed over anyway.
    """
    part = np.full(len(pool.space), LAST)
    rows = np.sort(rows[~_worthless(pool, rows)])
    rows = rows[~near(pool.features, rows, pool.covered, pool.near_duplicate)]
    part[rows] = np.where(neighbours(pool.features, rows, seeds, NEIGHBOURS), INSIDE, OUTSIDE)
    return part


def _drawn(pool: Pool, part: np.ndarray) -> np.ndarray:
    """Return the rows drawn by chance from outside, one for every nine inside."""
    order, _ = by_chance(pool)
    outside: np.ndarray = order[part[order] == OUTSIDE]
    return outside[: int((part == INSIDE).sum()) // (EVERY - 1)]


def _where(pool: Pool, rows: np.ndarray, parts: np.ndarray, seeds: np.ndarray) -> list[str]:
    """Say where each of some rows was found."""
    if not len(seeds):
        return ["nothing is labelled yet, so there are no neighbours to look among"] * len(rows)
    kind = "given" if len(pool.like) else "labelled"
    around = f"outside the neighbourhood of {counted(len(seeds), f'{kind} image')}"
    cosines = largest_cosines(pool.features, rows, seeds)
    found = {OUTSIDE: around, DRAWN: f"drawn at random {around}, which might miss a kind"}
    return [
        found.get(part) or f"cosine {share(cosine)} to {_nearest_of(len(seeds), kind)}"
        for part, cosine in zip(parts.tolist(), cosines.tolist(), strict=True)
    ]


def _nearest_of(count: int, kind: str) -> str:
    return f"the {kind} image" if count == 1 else f"the nearest of {counted(count, f'{kind} image')}"
