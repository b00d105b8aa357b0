"""Where every image stands now, as arrays aligned with the rows of some features.

The one place where database ids become rows: select, exam, train and evaluate all start from a Standing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import batches, events, exam, images
from annotate_select.annotations.consensus import consensus
from annotate_select.steps.home import Home

__all__ = ["UNLABELLED", "Standing", "labels_by_key", "standing"]

UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Standing:
    """Columns of n rows.

    `labels` holds class numbers or UNLABELLED; `settled` marks rows that need no annotation any more: labelled,
    rejected, unsure or disputed; `waiting` rows picked earlier and still in the queue; `exam` rows that measure and
    are never trained on, `random` those of them that were drawn by chance alone and make the exam's figures; `tokens` a
    stable 64-bit identity of each image, made from its bytes.
    """

    ids: np.ndarray
    keys: list[str]
    in_pool: np.ndarray
    labels: np.ndarray
    settled: np.ndarray
    waiting: np.ndarray
    exam: np.ndarray
    random: np.ndarray
    groups: np.ndarray | None
    tokens: np.ndarray
    roles: list[str]

    @property
    def labelled(self) -> np.ndarray:
        """Rows that carry a label, ascending."""
        return np.flatnonzero(self.labels != UNLABELLED)


def standing(home: Home, ids: np.ndarray | None = None, classes: Sequence[str] | None = None) -> Standing:
    """Gather what is known of each image; rows follow `ids`, by default the pool in the order of its ids."""
    table = images.pool_table(home.db)
    ids = table.ids if ids is None else ids
    place = {int(image_id): position for position, image_id in enumerate(table.ids.tolist())}
    at = np.array([place.get(int(image_id), -1) for image_id in ids.tolist()], dtype=np.int64)
    row = {int(image_id): position for position, image_id in enumerate(ids.tolist())}
    labels, settled = _labels(home, row, list(classes or home.config.classes))
    picked, roles = _picks(home, row)
    groups = [table.groups[i] if i >= 0 else None for i in at.tolist()]
    return Standing(
        ids=ids,
        keys=[table.keys[i] if i >= 0 else "" for i in at.tolist()],
        in_pool=at >= 0,
        labels=labels,
        settled=settled,
        waiting=picked & ~settled,
        exam=_marked(exam.kept_ids(home.db), row),
        random=_marked(exam.exam_ids(home.db), row),
        groups=_numbered(groups),
        tokens=np.array([int(table.fingerprints[i][:16], 16) if i >= 0 else 0 for i in at.tolist()], dtype=np.uint64),
        roles=roles,
    )


def labels_by_key(home: Home) -> dict[str, str]:
    """Return the label of every labelled image, by key."""
    said = consensus(events.current_annotations(home.db))
    labelled = {image_id: one.label for image_id, one in said.items() if one.label is not None}
    keys = images.keys_of(home.db, list(labelled))
    return {keys[image_id]: label for image_id, label in labelled.items()}


def _labels(home: Home, row: dict[int, int], classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    number = {name: index for index, name in enumerate(classes)}
    labels = np.full(len(row), UNLABELLED, dtype=np.int64)
    settled = np.zeros(len(row), dtype=bool)
    for image_id, said in consensus(events.current_annotations(home.db)).items():
        position = row.get(image_id)
        if position is None or said.state == "skipped":
            continue
        settled[position] = True
        if said.label is not None:
            labels[position] = number.get(said.label, UNLABELLED)
    return labels, settled


def _picks(home: Home, row: dict[int, int]) -> tuple[np.ndarray, list[str]]:
    picked = np.zeros(len(row), dtype=bool)
    roles = [""] * len(row)
    for batch in batches.batches(home.db):
        for pick in batches.picks_of(home.db, batch.number):
            position = row.get(pick.image_id)
            if position is not None:
                picked[position] = True
                roles[position] = roles[position] or pick.role
    return picked, roles


def _marked(ids: Sequence[int], row: dict[int, int]) -> np.ndarray:
    marked = np.zeros(len(row), dtype=bool)
    marked[[row[image_id] for image_id in ids if image_id in row]] = True
    return marked


def _numbered(groups: Sequence[str | None]) -> np.ndarray | None:
    """Turn group names into numbers; an image without a group is a group of its own; none at all is None."""
    if not any(groups):
        return None
    numbers = {name: index for index, name in enumerate(sorted({name for name in groups if name}))}
    return np.array([numbers[name] if name else len(numbers) + i for i, name in enumerate(groups)], dtype=np.int64)
