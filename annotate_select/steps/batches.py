"""The batches of a project, as a person looks back on them: how each was chosen, and what became of its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotate_select import __version__
from annotate_select.annotations import batches as stored
from annotate_select.annotations import events, exam, images
from annotate_select.annotations.consensus import Consensus, consensus
from annotate_select.errors import SelectionError, UnknownImages
from annotate_select.steps.home import Home
from annotate_select.words import named

__all__ = ["BY_HAND", "BatchInfo", "PickInfo", "add_batch", "batch_infos", "pick_infos"]

BY_HAND = "by hand"  # the strategy of a batch that a person chose


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


def add_batch(home: Home, chosen: Sequence[str | int], reason: str) -> tuple[int | None, int]:
    """Store a batch of images a person chose, by key or id; return its number and how many are in it.

    Left out, because they need no pick: images that are settled, and those that are in the queue already, be it from a
    batch or as the exam's. When none is left there is no batch, and the number is None. Labels of images that look
    too much like the exam's are kept from training, as always. Raises UnknownImages, listing them.
    """
    ids = _known_ids(home, chosen)
    said = consensus(events.current_annotations(home.db))
    settled = {image_id for image_id, one in said.items() if one.state != "skipped"}
    queued = {pick.image_id for batch in stored.batches(home.db) for pick in stored.picks_of(home.db, batch.number)}
    fresh = [one for one in ids if one not in settled | queued | set(exam.kept_ids(home.db))]
    if not fresh:
        return None, 0
    number = stored.store_batch(
        home.db,
        strategy=BY_HAND,
        seed=home.config.seed,
        audit=0.0,
        features_name=None,
        features_digest=None,
        model=None,
        settings={"version": __version__},
        note=reason,
        picks=[stored.StoredPick(one, "pick", 0.0, reason) for one in fresh],
    )
    return number, len(fresh)


def _state(said: Consensus | None) -> str:
    return said.state if said is not None else "waiting"


def _known_ids(home: Home, chosen: Sequence[str | int]) -> list[int]:
    """Return the ids of images named by key or id, each once."""
    keys = [one for one in chosen if isinstance(one, str)]
    by_key = images.resolve(home.db, keys)
    pool = set(images.pool_table(home.db).ids.tolist())
    ids = [by_key.get(one, -1) if isinstance(one, str) else one for one in chosen]
    wrong = [str(name) for name, one in zip(chosen, ids, strict=True) if one not in pool]
    if wrong:
        raise UnknownImages(f"the pool has no image {named(wrong)}; `annotate-select add` adds images")
    return list(dict.fromkeys(ids))
