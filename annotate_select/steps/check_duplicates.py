"""Images of the pool that are all but the same: which, and whether their labels agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.likeness import SAME_PICTURE, likeness_limit
from annotate_select.progress import Progress, silent
from annotate_select.selection.neighbours import nearest
from annotate_select.steps.home import Home
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.words import counted, named

__all__ = ["DuplicatesReport", "Group", "check_duplicates"]

NEIGHBOURS = 8  # looked at of each image; of more copies each knows some, and together they are one group
MOST = 100  # groups of a report


@dataclass(frozen=True)
class Group:
    """Images that are all but the same, by key; `labels` are the different ones they have."""

    keys: list[str]
    labels: list[str]


@dataclass(frozen=True)
class DuplicatesReport:
    """Groups of look-alikes in a pool of `images`; the list holds the hundred largest.

    `spare` images could be left out without losing a picture; in `contradicting` groups the labels differ.
    """

    images: int
    groups: int
    spare: int
    contradicting: int
    largest: list[Group]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in a few lines."""
        if not self.groups:
            return f"no two of the {counted(self.images)} are all but the same"
        head = (
            f"{counted(self.groups, 'group')} of images that are all but the same; {self.spare:,} of "
            f"{counted(self.images)} could be left out without losing a picture (no batch takes two of a group while "
            "others are left)"
        )
        lines = [f"  {named(one.keys, most=4)}" for one in self.largest[:5]]
        if self.contradicting:
            lines.append(f"labels differ in {counted(self.contradicting, 'group')}: see `annotate-select check labels`")
        return "\n".join([head, *lines])


def check_duplicates(home: Home, features: str | None = None, *, progress: Progress = silent) -> DuplicatesReport:
    """Find the groups of near-duplicates of the pool by its features; raises FeaturesError without any.

    Exact copies are never in a pool twice: `add` leaves them out, and names them.
    """
    opened = open_features(home, features)
    state = standing(home, opened.ids)
    rows = np.flatnonzero(state.in_pool)
    limit = likeness_limit(SAME_PICTURE, opened.array.shape[1])
    groups = _groups(_directions(opened.array[rows]), limit, progress)
    described = [_described(home, state, rows[group]) for group in groups]
    return DuplicatesReport(
        images=len(rows),
        groups=len(groups),
        spare=sum(len(group) - 1 for group in groups),
        contradicting=sum(len(one.labels) > 1 for one in described),
        largest=described[:MOST],
    )


def _directions(features: np.ndarray) -> np.ndarray:
    """Return rows (n, d) float32 centred and of length 1; one at the mean stays 0, and is like nothing."""
    centred = np.asarray(features, dtype=np.float32)
    centred = centred - centred.mean(axis=0) if len(centred) else centred
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    found: np.ndarray = centred / np.where(lengths > 0, lengths, 1)
    return found


def _groups(points: np.ndarray, limit: float, progress: Progress) -> list[np.ndarray]:
    """Return the rows of each group that chains of look-alikes connect, the largest group first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(points)
    if n < 2:
        return []
    found = nearest(points, min(NEIGHBOURS, n), progress=progress)
    first, place = np.nonzero(found.cosines > limit)
    second = found.rows[first, place]
    links = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n, n))
    _, member = connected_components(links, directed=False)
    order = np.argsort(member, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(member[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


def _described(home: Home, state: Standing, rows: np.ndarray) -> Group:
    names = home.config.classes
    labels = sorted({names[one] for one in state.labels[rows].tolist() if one != UNLABELLED})
    return Group([state.keys[row] for row in rows.tolist()], labels)
