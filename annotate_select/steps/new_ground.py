"""New ground: images that `check drift` found unlike what was there before. Kept, and given weight until it is covered.

The plan is patched, not remade: nothing changes about the strategy. Images of new ground weigh more while their share
of what was picked or labelled is below their share of the pool, and as any other image from then on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.files import write_whole
from annotate_select.selection.pool import Picks
from annotate_select.steps.home import Home, now
from annotate_select.steps.standing import UNLABELLED, Standing
from annotate_select.words import counted

__all__ = ["Emphasis", "emphasis", "new_ids", "remember"]

FILE = "drift.json"
MOST = 4.0  # times as much as another image, at most
FEWEST = 5  # images: of fewer, weight would chase single pictures


@dataclass(frozen=True, eq=False)
class Emphasis:
    """Which of n rows are new ground, and how many times as much each of them weighs."""

    ground: np.ndarray
    times: float

    @property
    def weights(self) -> np.ndarray:
        """Return (n,) what each row weighs."""
        return np.where(self.ground, self.times, 1.0)

    def told(self, picks: Picks) -> Picks:
        """Return the picks with new ground named in their reasons and in the note."""
        reasons = [
            f"{reason}; new ground" if role == "pick" and self.ground[row] else reason
            for row, role, reason in zip(picks.rows.tolist(), picks.roles, picks.reasons, strict=True)
        ]
        note = (
            f"{picks.note}; {counted(int(self.ground.sum()))} of new ground weigh {self.times:.1f} times as much, "
            "until they have their share of the labels"
        )
        return replace(picks, reasons=reasons, note=note)


def remember(home: Home, report: Mapping[str, object], new: np.ndarray, ground: np.ndarray) -> None:
    """Keep a report in PROJECT/checks/drift.json, the ids that were new, and those of new ground.

    Ground found before stays, as it may not be covered yet, except where the same images were looked at again.
    """
    before = {*_stored(home).get("ground", [])} - set(new.tolist())
    values = {
        "at": now(),
        "report": dict(report),
        "new": new.tolist(),
        "ground": sorted(before | set(ground.tolist())),
    }
    write_whole(home.root / "checks" / FILE, json.dumps(values))


def emphasis(home: Home, state: Standing) -> Emphasis | None:
    """Return what new ground weighs in the next batch; None where there is none, or it has its share already."""
    ids = _stored(home).get("ground", [])
    free = state.in_pool & ~state.exam
    ground = np.isin(state.ids, np.array(ids, dtype=np.int64)) & free
    seen = ((state.labels != UNLABELLED) | state.waiting) & free
    if ground.sum() < FEWEST or not seen.any() or ground.all():
        return None
    in_pool, in_labels = ground.sum() / free.sum(), (ground & seen).sum() / seen.sum()
    times = MOST if in_labels == 0 else min(MOST, float(in_pool / in_labels))
    return Emphasis(ground, times) if times > 1 else None


def new_ids(home: Home) -> set[int]:
    """Return the ids that the last check called new; raises ExamError where no check was made."""
    stored = _stored(home)
    if "new" not in stored:
        raise ExamError("what is new is not known yet; run `annotate-select check drift` first")
    return set(stored["new"])


def _stored(home: Home) -> dict[str, list[int]]:
    try:
        found = json.loads((home.root / "checks" / FILE).read_text())
    except (OSError, ValueError):
        return {}  # never made, or damaged: the next check makes it
    return {name: found[name] for name in ("new", "ground") if isinstance(found.get(name), list)}
