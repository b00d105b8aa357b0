from __future__ import annotations

import pytest

from annotate_select.annotations.batches import (
    StoredBatch,
    StoredPick,
    batches,
    newest,
    picked_ids,
    picks_of,
    store_batch,
)
from annotate_select.annotations.database import Database
from annotate_select.annotations.exam import add_to_exam, exam_ids
from annotate_select.errors import DatabaseError

PICKS = [StoredPick(3, "pick", 0.5, "far from all labels"), StoredPick(1, "audit", 0.0, "random: “audit”")]


def store(db: Database, picks: list[StoredPick], model: int | None = None) -> int:
    return store_batch(
        db,
        strategy="auto: kmeans",
        seed=7,
        audit=0.1,
        features_name="autoencoder",
        features_digest="abc",
        model=model,
        settings={"version": "0.1.0", "labels": 3},
        note="few labels yet",
        picks=picks,
    )


def test_a_batch_comes_back_as_it_was_stored(db: Database) -> None:
    assert newest(db) is None
    assert store(db, PICKS) == 1
    assert store(db, PICKS[:1], model=4) == 2
    assert picks_of(db, 1) == PICKS
    assert picks_of(db, 3) == []
    assert picked_ids(db) == {pick.image_id for pick in PICKS}
    first, second = batches(db)
    assert newest(db) == second
    assert second.model == 4
    assert first == StoredBatch(1, first.created_at, "auto: kmeans", 7, 2, 0.1, "autoencoder", "abc", None,
                                {"version": "0.1.0", "labels": 3}, "few labels yet")  # fmt: skip
    assert first.created_at.endswith("+00:00")


@pytest.mark.parametrize("wrong", [PICKS[0], StoredPick(99, "pick", 1.0, "no such image")])
def test_a_batch_is_stored_whole_or_not_at_all(db: Database, wrong: StoredPick) -> None:
    with pytest.raises(DatabaseError, match="nothing was changed"):
        store(db, [*PICKS, wrong])
    assert batches(db) == []
    assert picks_of(db, 1) == []


def test_the_exam_only_grows_and_keeps_its_order(db: Database) -> None:
    assert exam_ids(db) == []
    add_to_exam(db, [4, 2, 4], seed=0)
    add_to_exam(db, [1, 2, 3], seed=1)
    add_to_exam(db, [], seed=2)
    assert exam_ids(db) == [4, 2, 1, 3]
    with pytest.raises(DatabaseError):
        add_to_exam(db, [5, 99], seed=0)
    assert exam_ids(db) == [4, 2, 1, 3]
