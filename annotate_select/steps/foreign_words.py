"""Which classes of another project's model are which of this project's: by name, today's or a former one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate_select.annotations.classes import current_names
from annotate_select.annotations.database import Database
from annotate_select.steps.class_map import ClassMap

__all__ = ["matched"]


def matched(here: Database, there: Database, mine: Sequence[str], theirs: Sequence[str]) -> ClassMap:
    """Return where each class of `theirs` is among `mine` and, after these, the classes found nowhere.

    A class that was renamed in either project is found under its other name; of two that were merged there, none is.
    """
    place = {name: at for at, name in enumerate(mine)}
    renamed_here, renamed_there = current_names(here), current_names(there)
    places: list[int] = []
    extra: list[str] = []
    for name in theirs:
        before = [old for old, new in renamed_there.items() if new == name and old in place]
        candidates = [name, renamed_here.get(name, name), *(before if len(before) == 1 else [])]
        known = next((one for one in candidates if one in place), None)
        if known is None:
            extra.append(name)
        places.append(place[known] if known is not None else len(mine) + len(extra) - 1)
    return ClassMap([*mine, *extra], np.array(places, dtype=np.int64))
