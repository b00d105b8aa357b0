"""Select rows: check what came in, draw the audit, ask a strategy, and let no batch repeat itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from annotate_select.errors import SelectionError
from annotate_select.selection.checks import checked_features, checked_probabilities, checked_rows, checked_vector
from annotate_select.selection.guard import Guard
from annotate_select.selection.pool import Chosen, Picks, Pool, points_of, seeded_hashes
from annotate_select.selection.table import Entry, Strategy, StrategyInfo, found, strategies

__all__ = ["NEAR_DUPLICATE", "Strategy", "StrategyInfo", "select", "strategies"]

NEAR_DUPLICATE = 0.98  # cosine of centred features from which on two images are taken for copies of one another
MOST_ROUNDS = 3  # how often a strategy is asked again for what near-duplicates left open, before they are sifted out
AUDIT_SALT = 0x41554449  # the audit draws by other hashes than the strategy `random`, or it would be its first picks


def select(
    features: np.ndarray,
    n: int,
    strategy: str | Strategy = "auto",
    *,
    labeled: ArrayLike = (),
    labels: ArrayLike = (),
    probabilities: np.ndarray | None = None,
    seed: int = 0,
    exclude: ArrayLike = (),
    taken: ArrayLike = (),
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    audit: float = 0.0,
    accuracy: float | None = None,
    class_names: Sequence[str] = (),
    n_classes: int | None = None,
    tokens: np.ndarray | None = None,
    near_duplicate: float = NEAR_DUPLICATE,
) -> Picks:
    """Choose which n rows of `features` (rows, d) to label next, best first: distinct, unlabelled, unexcluded.

    `labeled` are rows with a label and `labels` their class numbers; `probabilities` (rows, C) what a model thinks;
    `exclude` rows never to pick; `taken` rows never to pick that count as covered, such as an earlier batch;
    `weights` (rows,) importance; `groups` (rows,) numbers: no group gets more than twice its even share of the batch
    while others have rows left; `audit` the share drawn at random before the strategy picks (at least one row when
    n > 1); `accuracy` of the model, in 0..1; `tokens` (rows,) a stable 64-bit identity of each row for the seeded
    hash, by default its number. Rows whose cosine to a labelled, taken or chosen row exceeds `near_duplicate` wait
    until nothing else is left.

    Raises SelectionError naming what is wrong; inputs are never changed. Same input and seed, same answer.
    """
    name, entry = found(strategy)
    features = checked_features(features)
    rows = len(features)
    known, numbers, count = _labels(labeled, labels, rows, n_classes, class_names)
    spoken_for = np.setdiff1d(checked_rows(taken, rows, "taken"), known)
    never = np.union1d(np.union1d(known, spoken_for), checked_rows(exclude, rows, "exclude"))
    candidates = np.setdiff1d(np.arange(rows), never)
    _check_numbers(n, audit, len(candidates), near_duplicate, seed)
    identities = np.arange(rows, dtype=np.uint64) if tokens is None else checked_vector(tokens, rows, "tokens")
    pool = Pool(
        features=features,
        points=points_of(features),
        candidates=candidates,
        labeled=known,
        labels=numbers,
        taken=spoken_for,
        n_classes=count,
        class_names=tuple(class_names),
        probabilities=checked_probabilities(probabilities, rows),
        accuracy=accuracy,
        hashes=seeded_hashes(identities, seed),
        weights=None if weights is None else _weights(weights, rows),
        groups=None if groups is None else checked_vector(groups, rows, "groups"),
        seed=seed,
    )
    _check_needs(name, entry, pool)
    return _batch(pool, n, audit, name, entry, near_duplicate, seeded_hashes(identities, seed ^ AUDIT_SALT))


def _batch(
    pool: Pool, n: int, audit: float, name: str, entry: Entry, near_duplicate: float, audit_hashes: np.ndarray
) -> Picks:
    drawn = _audit_rows(pool, n, audit, audit_hashes)
    guard = Guard(pool, n, near_duplicate, drawn)
    rest = _without(pool, drawn)
    note, rounds = "", 0
    while guard.missing and len(rest.candidates):
        answer = _asked(name, entry, rest, min(guard.missing, len(rest.candidates)))
        note, rounds = note or answer.note, rounds + 1
        guard.sift(answer)
        rest = _without(rest, np.asarray(answer.rows))
        if rounds >= MOST_ROUNDS and guard.missing:
            # many copies of one another: look for what is different once, instead of asking again and again
            rest = replace(rest, candidates=guard.different(rest.candidates))
    guard.fill_up()
    return _mixed(guard, drawn, name, note)


def _without(pool: Pool, rows: np.ndarray) -> Pool:
    """Return the pool after `rows` are spoken for."""
    return replace(pool, candidates=np.setdiff1d(pool.candidates, rows), taken=np.concatenate([pool.taken, rows]))


def _audit_rows(pool: Pool, n: int, audit: float, hashes: np.ndarray) -> np.ndarray:
    """Draw the audit over all candidates, before anything is preferred: that is what makes it a fair sample."""
    wanted = min(n, max(round(audit * n), 1 if audit > 0 and n > 1 else 0))
    return pool.candidates[np.argsort(hashes[pool.candidates], kind="stable")[:wanted]]


def _asked(name: str, entry: Entry, pool: Pool, n: int) -> Chosen:
    """Ask a strategy, and hold it to the contract: exactly n distinct candidates, each with score and reason."""
    answer = Chosen(*entry.function(pool, n))
    rows = np.asarray(answer.rows)
    fits = len(rows) == len(np.unique(rows)) == len(answer.scores) == len(answer.reasons) == n
    if not fits or not np.isin(rows, pool.candidates).all():
        raise SelectionError(
            f"strategy {name!r} must return {n} distinct rows of pool.candidates with a score and a reason each; "
            f"it returned {len(rows)} rows, {len(answer.scores)} scores and {len(answer.reasons)} reasons"
        )
    return answer


def _mixed(guard: Guard, drawn: np.ndarray, name: str, note: str) -> Picks:
    """Spread the audit evenly through the batch, so that whoever stops early has labelled some of both."""
    n = len(guard.rows) + len(drawn)
    places = {int((i + 0.5) * n / len(drawn)): row for i, row in enumerate(drawn.tolist())}
    following = iter(zip(guard.rows, guard.scores, guard.reasons, strict=True))
    batch = [
        (places[place], 0.0, "random audit: shows whether picking beats chance", "audit")
        if place in places
        else (*next(following), "pick")
        for place in range(n)
    ]
    return Picks(
        rows=np.array([one[0] for one in batch], dtype=np.int64),
        scores=np.array([one[1] for one in batch], dtype=np.float64),
        reasons=[one[2] for one in batch],
        roles=[one[3] for one in batch],
        strategy=name,
        note=note,
    )


def _labels(
    labeled: ArrayLike, labels: ArrayLike, rows: int, n_classes: int | None, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, int]:
    known = checked_rows(labeled, rows, "labeled", keep_order=True)
    numbers = np.asarray(labels).astype(np.int64) if np.size(labels) else np.empty(0, dtype=np.int64)
    if len(numbers) not in (0, len(known)) or (len(numbers) == 0 and len(known) and n_classes is not None):
        raise SelectionError(f"labels must be as many as labeled ({len(known)}), got {len(numbers)}")
    if len(numbers) and numbers.min() < 0:
        raise SelectionError(f"labels must be class numbers from 0 up, got {numbers.min()}")
    seen = int(numbers.max()) + 1 if len(numbers) else 0
    count = n_classes if n_classes is not None else max(seen, len(class_names))
    if seen > count:
        raise SelectionError(f"labels must be below n_classes ({count}), got {seen - 1}")
    return known, numbers, count


def _check_numbers(n: int, audit: float, available: int, near_duplicate: float, seed: int) -> None:
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or not 1 <= n <= available:
        if available == 0:
            raise SelectionError("every row is labelled, taken or excluded; there is nothing left to select")
        raise SelectionError(f"n must be between 1 and {available} (unlabelled, unexcluded rows), got {n}")
    if not 0 <= audit <= 1:
        raise SelectionError(f"audit must be a share between 0 and 1, got {audit}")
    if not 0 < near_duplicate <= 1:
        raise SelectionError(f"near_duplicate must be a cosine above 0 and at most 1, got {near_duplicate}")
    if seed < 0:
        raise SelectionError(f"seed must be 0 or more, got {seed}")


def _check_needs(name: str, entry: Entry, pool: Pool) -> None:
    if "probabilities" in entry.needs and pool.probabilities is None:
        raise SelectionError(
            f"strategy {name!r} needs a model's probabilities; train a model first (`annotate-select train`, or "
            "probabilities=), or choose auto, kmeans, kcenter or random"
        )


def _weights(weights: ArrayLike, rows: int) -> np.ndarray:
    values = checked_vector(weights, rows, "weights").astype(np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise SelectionError("weights must be finite and 0 or more; mend the others")
    return values
