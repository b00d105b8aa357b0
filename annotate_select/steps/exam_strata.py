"""Draw an exam by strata: clusters of the features of all that may be drawn, in an order that begins evenly."""

from __future__ import annotations

import hashlib

import numpy as np

from annotate_select.annotations import exam as stored
from annotate_select.annotations import images
from annotate_select.annotations.exam import Chance, Drawing
from annotate_select.errors import ExamError, FeaturesError
from annotate_select.features.store import Features
from annotate_select.selection.chance import strata_in_line
from annotate_select.selection.geometry import directions
from annotate_select.selection.pool import seeded_hashes
from annotate_select.steps.home import Home
from annotate_select.steps.standing import Standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.stratified import Design, even_order

__all__ = ["by_chance", "by_strata", "design_of", "strata_of"]

IMAGES, MOST = 20, 100  # so many images to a stratum on average; strata at most
SEED, STREAM = 1, 4  # beside the project's: another seed than the audit's, or both choose alike; and for equal steps


def by_chance(home: Home, now: Standing, free: np.ndarray) -> tuple[np.ndarray, Drawing]:
    """Return ranks (n,) of a standing's rows, lowest first to draw, and how they are drawn: by chance alone.

    `free` (n,) bool marks the rows that may be drawn.
    """
    hashes = seeded_hashes(now.tokens, home.config.seed + SEED)
    return hashes, Drawing(int(free.sum()), _population(now.tokens[free], "chance"))


def by_strata(home: Home, now: Standing, free: np.ndarray, name: str | None = None) -> tuple[np.ndarray, Drawing]:
    """Return ranks (n,) of a standing's rows, lowest first to draw, and how they are drawn: by strata of features.

    `free` (n,) bool marks the rows that may be drawn. Where these are what was left over when the exam was drawn last,
    the order of then goes on, so that the exam grows as if all of it had been drawn at once; otherwise what is free
    gets an order of its own. Either way each of them has the same chance.
    Raises ExamError without features of every image, SelectionError for features that are not finite.
    """
    features = _features(home, name)
    place = {int(image_id): row for row, image_id in enumerate(features.ids.tolist())}
    at = np.array([place[int(image_id)] for image_id in now.ids.tolist()], dtype=np.int64)
    made_of = f"strata {features.digest} {home.config.seed}"
    rows = np.flatnonzero(free)
    ordered = stored.chances(home.db)
    last = np.isin(now.ids, [one.image_id for one in ordered if one.population == ordered[-1].population])
    if last.any() and _population(now.tokens[free | last], made_of) == ordered[-1].population:
        rows = np.flatnonzero(free | last)
    tokens = now.tokens[rows]
    strata = strata_of(features.array[at[rows]], tokens, home.config.seed)
    hashes = seeded_hashes(tokens, home.config.seed + SEED)
    order = even_order(strata, hashes, np.random.default_rng([STREAM, home.config.seed]))
    ranks, stratum = np.full(len(now.ids), len(now.ids)), np.zeros(len(now.ids), dtype=np.int64)
    ranks[rows[order]] = np.arange(len(rows))
    stratum[rows] = strata
    how = Drawing(
        pool=int(free.sum()),
        population=_population(tokens, made_of),
        stratum=stratum.tolist(),
        strata=int(strata.max(initial=0)) + 1,
        features=features.name,
        features_digest=features.digest,
    )
    return ranks, how


def strata_of(features: np.ndarray, tokens: np.ndarray, seed: int) -> np.ndarray:
    """Return (n,) the stratum of each row of features (n, d): clusters by FAISS, neighbouring numbers are alike.

    `tokens` (n,) uint64, an identity of each image, put the rows in an order of their own first, so that the strata do
    not depend on the order of the pool; nor do they on the hashes that are drawn by, or chances would not be equal. How
    many there are depends on n alone, and on no size of an exam.
    Raises SelectionError for features that are not finite.
    """
    n, order = len(features), np.argsort(tokens, kind="stable")
    points, k = directions(features[order]), max(1, min(MOST, n // IMAGES))
    strata = np.zeros(n, dtype=np.int64)
    if n:
        strata[order] = strata_in_line(points, np.arange(n), k, hashes=np.asarray(tokens)[order], seed=seed)
    return strata


def design_of(home: Home, ids: np.ndarray) -> Design | None:
    """Return how the exam images `ids` (n,) were drawn; None where none of them was drawn by strata.

    One that an older version drew counts as drawn by chance alone.
    """
    known: dict[int, Chance] = {one.image_id: one for one in stored.chances(home.db)}
    even = [one for one in known.values() if one.stratum is not None]
    if not even:
        return None
    populations = {name: number for number, name in enumerate(dict.fromkeys(one.population for one in known.values()))}
    found = [known.get(int(image_id)) for image_id in ids.tolist()]
    pools: dict[str, int] = {}
    for one in even:
        pools[one.population] = max(one.pool, pools.get(one.population, 0))
    here = set(images.pool_table(home.db).ids.tolist())
    return Design(
        draws=np.array([-1 if one is None else populations[one.population] for one in found], dtype=np.int64),
        strata=np.array([0 if one is None or one.stratum is None else one.stratum for one in found], dtype=np.int64),
        drawn=sum(image_id in here for image_id in stored.exam_ids(home.db)),
        pool=min(pools.values()),
    )


def _features(home: Home, name: str | None) -> Features:
    try:
        return open_features(home, name)
    except FeaturesError as error:
        raise ExamError(f"strata are made of features: {error}") from error


def _population(tokens: np.ndarray, made_of: str) -> str:
    """Return the digest of a set of images, whatever their order, and of what their strata are made of."""
    return hashlib.sha256(np.sort(tokens).tobytes() + made_of.encode()).hexdigest()
