"""Draw the exam, or grow it: images kept out of training for ever, which measure a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate_select.annotations import exam as stored
from annotate_select.annotations import images
from annotate_select.annotations.exam import Draw
from annotate_select.errors import ExamError, FeaturesError
from annotate_select.exchange.picks import PickRow, write_picks
from annotate_select.features.store import Features
from annotate_select.steps.exam_strata import by_chance, by_strata
from annotate_select.steps.home import Home
from annotate_select.steps.models import newest_model
from annotate_select.steps.new_ground import new_ids
from annotate_select.steps.standing import Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust import exam as trust
from annotate_select.trust.leaks import blocked
from annotate_select.words import counted

__all__ = ["Exam", "draw", "exam_keys", "reserved_rows"]


@dataclass(frozen=True)
class Exam:
    """The exam as it stands: its images' keys, how many carry a label, and the keys still to be labelled.

    `draws` are its drawings, oldest first, each with the chance that every image had which could be drawn then.
    """

    size: int
    labelled: int
    to_label: list[str]
    path: Path | None
    draws: tuple[Draw, ...] = ()

    def text(self) -> str:
        """Say it in a line, and in another one how the newest of it was drawn."""
        head = (
            f"exam of {counted(self.size)}, {self.labelled:,} labelled; {len(self.to_label):,} to label in {self.path}"
        )
        newest = self.draws[-1].text() if self.draws else ""
        return f"{head}\n{newest}" if newest else head


def draw(
    home: Home,
    size: int | None = None,
    *,
    new_ground: bool = False,
    stratify: bool | None = None,
    features: str | None = None,
    output: Path | None = None,
) -> Exam:
    """Grow the exam to `size` images (project.toml's default where none is there), write what of it is to be labelled.

    Images already labelled for training, their groups and their near-duplicates are never drawn. All others have the
    same chance. With `stratify` (default: project.toml's) they are drawn evenly over clusters of `features`, by default
    the project's. `new_ground` adds, in place of a size, images drawn from those that `check drift` called new, until
    these have in the exam the share they have in the pool, and no more: with more, the exam's accuracy would no longer
    be that of the pool.
    Raises ExamError when too few images are left, nothing is known to be new, strata lack features, or there is a model
    and images lack the features by which copies of what it learned from are known.
    """
    stratify = home.config.exam.stratify if stratify is None else stratify
    if features is not None and not stratify:
        raise ExamError(
            f"features ({features}) are what strata are made of; ask for strata with them, or leave them out"
        )
    with home.lock("drawing the exam"):
        have = len(stored.exam_ids(home.db))
        now = standing(home)
        if new_ground and size is not None:
            raise ExamError(f"new ground decides the size itself; leave out {size}, or grow the exam in a second step")
        new = np.isin(now.ids, list(new_ids(home))) if new_ground else np.ones(len(now.ids), dtype=bool)
        wanted = size if size is not None else (have or home.config.exam.size)
        if new_ground:
            wanted = have + trust.missing_share(new, now.random)
        if wanted > have:
            excluded = _excluded(home, now) | ~new
            free = ~excluded & ~now.random
            ranks, how = by_strata(home, now, free, features) if stratify else by_chance(home, now, free)
            taken = np.flatnonzero(now.random)
            rows = trust.draw(ranks, wanted, exclude=excluded, groups=now.groups, taken=taken)[len(taken) :].tolist()
            if how.stratum is not None:
                how = replace(how, stratum=[how.stratum[row] for row in rows])
            stored.add_to_exam(home.db, [int(now.ids[row]) for row in rows], home.config.seed, how)
            now = standing(home)
    return _report(home, now, output or home.root / "exam.csv")


def exam_keys(home: Home) -> list[str]:
    """Return the keys of the exam's images, in the order they were drawn."""
    ids = stored.exam_ids(home.db)
    keys = images.keys_of(home.db, ids)
    return [keys[image_id] for image_id in ids]


def reserved_rows(home: Home, features: str | None = None) -> list[int]:
    """Return the rows of the features that are never trained on: the exam, its groups and near-duplicates."""
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    rows: list[int] = np.flatnonzero(blocked(opened.alike, np.flatnonzero(state.exam), state.groups).rows).tolist()
    return rows


def _excluded(home: Home, now: Standing) -> NDArray[np.bool_]:
    """Mark rows that training has touched or may touch: labelled or waiting ones, their groups and near-duplicates."""
    touched: NDArray[np.bool_] = (now.settled | now.waiting) & ~now.exam
    if not touched.any():
        return touched
    features = _comparable(home)
    if features is None:
        if now.groups is None:
            return touched
        alike: NDArray[np.bool_] = touched | np.isin(now.groups, now.groups[touched])
        return alike
    place = {int(image_id): position for position, image_id in enumerate(features.ids.tolist())}
    order = np.array([place[int(image_id)] for image_id in now.ids.tolist()])
    near: NDArray[np.bool_] = blocked(features.alike[order], np.flatnonzero(touched), now.groups).rows & ~now.exam
    return near


def _comparable(home: Home) -> Features | None:
    """Return features by which copies of what was labelled are known; None before any are needed.

    Until a model is trained, a copy of a labelled image may be drawn: training will keep that label out. Afterwards it
    would measure what the model remembers. Raises ExamError where there is a model, and images have no features.
    """
    model = newest_model(home)
    try:
        return open_features(home, None if model is None else model.features)
    except FeaturesError as error:
        if model is None:
            return None
        raise ExamError(
            f"nothing tells which images are copies of those that model {model.number} learned from: {error}"
        ) from error


def _report(home: Home, now: Standing, output: Path) -> Exam:
    number = {int(image_id): row for row, image_id in enumerate(now.ids.tolist())}
    rows = [number[i] for i in stored.exam_ids(home.db) if i in number]
    to_label = [now.keys[row] for row in rows if not now.settled[row]]
    picks = [PickRow(key, "", "exam", 0.0, "drawn at random for the exam", 0) for key in to_label]
    path = write_picks(output, picks, ["csv"])[0]
    return Exam(len(rows), len(rows) - len(to_label), to_label, path, tuple(stored.draws(home.db)))
