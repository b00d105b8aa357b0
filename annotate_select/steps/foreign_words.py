"""Which classes of another project's model are which of this project's, whatever either of them was renamed to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate_select.annotations.classes import ClassChange, all_changes, resolve_name
from annotate_select.annotations.database import Database
from annotate_select.annotations.identity import share_a_past
from annotate_select.steps.class_map import ClassMap

__all__ = ["matched"]


def matched(here: Database, there: Database, mine: Sequence[str], theirs: Sequence[str]) -> ClassMap:
    """Return where each class of `theirs` is among `mine` and, after these, the classes found nowhere.

    Both are names of today. Where one project is a copy of the other, a class there is traced back to what it was
    called when the two parted, and from there to its name here: another class may have its old name by now. Where
    they have no past in common, the same name is the same class, and a former name is the next best. What was merged
    there of several classes here is taken for the one of its name, if that is one of them. A class that was made in the
    copy under a name that had become free is not the one that has the name here from before.
    """
    place = {name: at for at, name in enumerate(mine)}
    since_here, since_there = _since(here, there)
    copies = share_a_past(here, there)
    extra: list[str] = []
    at: dict[str, int] = {}
    for name in dict.fromkeys(theirs):
        then = _then(since_there, name)
        traced = {resolve_name(since_here, one, 0) for one in then} & place.keys()
        named = {name} & place.keys()
        if copies and not then and _then(since_here, name):
            named = set()
        found = (traced or named) if copies else (named or traced)
        found = found & {name} or found
        if len(found) == 1:
            at[name] = place[found.pop()]
        else:
            at[name] = len(mine) + len(extra)
            extra.append(name)
    return ClassMap([*mine, *extra], np.array([at[name] for name in theirs], dtype=np.int64))


def _since(here: Database, there: Database) -> tuple[list[ClassChange], list[ClassChange]]:
    """Return the changes of each that came after those they have in common."""
    with here.read() as connection:
        ours = all_changes(connection)
    with there.read() as connection:
        others = all_changes(connection)
    common = 0
    for one, other in zip(ours, others, strict=False):
        if (one.kind, one.old, one.new, one.at) != (other.kind, other.old, other.new, other.at):
            break
        common += 1
    return ours[common:], others[common:]


def _then(since: Sequence[ClassChange], name: str) -> set[str]:
    """Return what a class of today's name was called before some changes: several names, if it was merged of them."""
    touching = [one for one in since if name in (one.old, one.new)]
    made = bool(touching) and touching[0].kind == "rename" and touching[0].new == name  # nothing had the name before
    names = {one.old for one in since} | (set() if made else {name})
    return {one for one in names if resolve_name(since, one, 0) == name}
