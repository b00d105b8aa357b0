"""The batches of a project, as a person looks back on them: how each was chosen, and what became of its images."""

from __future__ import annotations

from dataclasses import dataclass

from annotate_select.annotations import batches as stored
from annotate_select.annotations import events, images
from annotate_select.annotations.consensus import Consensus, consensus
from annotate_select.errors import SelectionError
from annotate_select.steps.home import Home

__all__ = ["BatchInfo", "PickInfo", "batch_infos", "pick_infos"]


@dataclass(frozen=True)
class BatchInfo:
    """One batch: `n` picks, of which `settled` need no annotation any more; `note` says how it was decided."""

    number: int
    created_at: str
    strategy: str
    n: int
    settled: int
    audit: float
    features: str
    model: int | None
    note: str


@dataclass(frozen=True)
class PickInfo:
    """One pick of a batch and where its image stands: waiting, labelled, rejected, disputed, unsure or skipped."""

    image_id: int
    key: str
    role: str
    reason: str
    state: str
    label: str | None


def batch_infos(home: Home) -> list[BatchInfo]:
    """Return every batch, newest first."""
    said = consensus(events.current_annotations(home.db))
    found = []
    for one in reversed(stored.batches(home.db)):
        picks = stored.picks_of(home.db, one.number)
        settled = sum(_state(said.get(pick.image_id)) not in ("waiting", "skipped") for pick in picks)
        features, note = one.features_name or "", one.note or ""
        info = BatchInfo(one.number, one.created_at, one.strategy, one.n, settled, one.audit, features, one.model, note)
        found.append(info)
    return found


def pick_infos(home: Home, number: int) -> list[PickInfo]:
    """Return the picks of a batch, best first.

    Raises SelectionError when there is no batch of that number.
    """
    if number not in {one.number for one in stored.batches(home.db)}:
        raise SelectionError(f"there is no batch {number}; `annotate-select status` says how many there are")
    picks = stored.picks_of(home.db, number)
    keys = images.keys_of(home.db, [pick.image_id for pick in picks])
    said = consensus(events.current_annotations(home.db))
    found = []
    for pick in picks:
        decided = said.get(pick.image_id)
        label = decided.label if decided else None
        found.append(PickInfo(pick.image_id, keys[pick.image_id], pick.role, pick.reason, _state(decided), label))
    return found


def _state(said: Consensus | None) -> str:
    return said.state if said is not None else "waiting"
