"""Which images of a pool are the new ones: by a time, by a column, or those of the newest adding."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from annotate_select.annotations import batches, images
from annotate_select.errors import LearningError, did_you_mean
from annotate_select.steps.home import Home
from annotate_select.steps.models import models
from annotate_select.words import counted

__all__ = ["ADDED", "CAPTURED", "Window", "dates", "window"]

ADDED, CAPTURED, SOURCE = "added", "captured_at", "source"
PAUSE = timedelta(minutes=10)  # between images of one adding there is less
SECOND = timedelta(seconds=1)  # to which times are kept
MOST = 0.5  # of the images must know when they were captured, or a few photos of a camera would decide for all


@dataclass(frozen=True, eq=False)
class Window:
    """The new images among some ids: new (n,) bool, and in words what makes them new."""

    new: np.ndarray
    words: str


def window(home: Home, ids: np.ndarray, since: str | None = None, by: str | None = None) -> Window:
    """Tell new images from old ones; `ids` (n,) are images of the pool.

    `since` is a date or time, of capture where at least half of the images carry one and else of adding. `by` names
    what is compared with it: `added`, `captured_at`, `source` or a metadata column, of which without `since` the last
    value is new. Without both, new is what was added last: after a pause of ten minutes, or after a batch or a model
    was made.
    Raises LearningError for a date that is none, an unknown column, or where nothing is new or nothing old.
    """
    if by is None:
        by = ADDED if since is None or not _captured(home, ids) else CAPTURED
    if by in (ADDED, CAPTURED):
        found = _since(home, ids, since, by) if since is not None else _last(home, ids, by)
    else:
        found = _valued(home, ids, by, since)
    if not found.new.any() or found.new.all():
        which = "none" if not found.new.any() else "all"
        raise LearningError(
            f"{which} of the {counted(len(ids))} {'is' if len(ids) == 1 else 'are'} new ({found.words}), so there is "
            "nothing to compare; add images, or say what is new by a date (--since) or a column (--by)"
        )
    return found


def dates(home: Home, ids: np.ndarray) -> list[str]:
    """Return the day of each image (n), such as 2026-03-01.

    Of capture where at least half of them know it, and of adding for those that do not; else of adding for all.
    """
    captured, added = _captured(home, ids), _added(home)
    return [(captured[one] if one in captured else added[one]).date().isoformat() for one in ids.tolist()]


def _captured(home: Home, ids: np.ndarray) -> dict[int, datetime]:
    """Return when images (n,) were captured, by id, those that know it; nothing where fewer than half do."""
    wanted, table = set(ids.tolist()), images.pool_table(home.db)
    pairs = zip(table.ids.tolist(), table.captured_at, strict=True)
    known = {one: text for one, text in pairs if text and one in wanted}
    if len(known) < MOST * len(wanted):
        return {}
    return {one: _time(text, "captured_at") for one, text in known.items()}


def _since(home: Home, ids: np.ndarray, since: str, by: str) -> Window:
    limit = _time(since, "since")
    added, captured = _added(home), {}
    if by == CAPTURED:
        table = images.pool_table(home.db)
        pairs = zip(table.ids.tolist(), table.captured_at, strict=True)
        captured = {image_id: _time(text, "captured_at") for image_id, text in pairs if text}
    new = np.array([captured.get(one, added[one]) >= limit for one in ids.tolist()], dtype=bool)
    if by == ADDED:
        return Window(new, f"added since {since}")
    without = sum(one not in captured for one in ids.tolist())
    return Window(new, f"captured since {since}" + (f", {without:,} without that time by adding" if without else ""))


def _last(home: Home, ids: np.ndarray, by: str) -> Window:
    """Return the images of the last adding: additions are cut by pauses, and by batches and models made between."""
    if by == CAPTURED:
        raise LearningError("captured_at needs the date from which on images are new; give it by --since DATE")
    added = _added(home)
    times = sorted({added[one] for one in ids.tolist()})
    stamps = [one.created_at for one in batches.batches(home.db)] + [one.created_at for one in models(home)]
    made = sorted(_time(one, "created_at") for one in stamps)
    first = times[0] if times else datetime.now(UTC)
    for before, after in pairwise(times):
        # What was made in the second of an addition came after it, unless the next second has more of that addition.
        between = bisect_left(made, before) < bisect_left(made, after) and after - before > SECOND
        if after - before > PAUSE or between:
            first = after
    new = np.array([added[one] >= first for one in ids.tolist()], dtype=bool)
    return Window(new, f"added last, since {first.isoformat(sep=' ', timespec='minutes')[:16]}")


def _valued(home: Home, ids: np.ndarray, by: str, since: str | None) -> Window:
    table = images.pool_table(home.db)
    values = dict(zip(table.ids.tolist(), table.sources, strict=True)) if by == SOURCE else images.column(home.db, by)
    if not values:
        known = [ADDED, CAPTURED, SOURCE]
        raise LearningError(
            f"no image has a value in the column {by!r}{did_you_mean(by, known)}; columns come from manifests, and "
            f"{', '.join(known)} are always there"
        )
    if by == SOURCE:
        places = {one.name: place for place, one in enumerate(home.config.sources)}
        order = {name: (0.0, f"{place:09}") for name, place in places.items()}
    else:
        order = _ordered(set(values.values()) | ({since} if since is not None else set()))
    if since is not None and since not in order:
        raise LearningError(f"there is no {by} {since!r}{did_you_mean(since, sorted(order))}; name one that is there")
    first = since if since is not None else max(set(values.values()), key=lambda one: order.get(one, (0.0, "")))
    new = np.array(
        [one in values and order.get(values[one], (0.0, "")) >= order[first] for one in ids.tolist()], dtype=bool
    )
    return Window(new, f"{by} {first}" + (" or later" if since is not None else ""))


def _ordered(values: set[str]) -> dict[str, tuple[float, str]]:
    """Return what to sort values by: numbers where all are numbers, else texts."""
    try:
        return {one: (float(one), "") for one in values}
    except ValueError:
        return {one: (0.0, one) for one in values}


def _added(home: Home) -> dict[int, datetime]:
    return {image_id: _time(text, "added_at") for image_id, text in images.added_at(home.db).items()}


def _time(text: str, what: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise LearningError(f"{what} {text!r} is no date; write it as 2026-01-31 or 2026-01-31T09:30:00") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
