"""Flags say nothing of the class; a reviewer's final is the last word."""

from __future__ import annotations

import pytest
from test_annotations_consensus import Said, label

from annotate_select.annotations.batches import StoredPick, store_batch
from annotate_select.annotations.consensus import Consensus, consensus
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, history, recent, record
from annotate_select.annotations.exam import add_to_exam
from annotate_select.annotations.fold import rebuild_current, verify_current
from annotate_select.annotations.queue import next_images, progress_counts


def say(db: Database, uid: str, image_id: int, kind: str, label: str | None = None, **more: str) -> None:
    event = Event(uid, image_id, more.get("by", "ana"), kind, label, more.get("target"), note=more.get("note"))
    outcome = record(db, [event])
    assert outcome.acked == [uid], outcome.refused


def now(db: Database) -> list[tuple[int, str, str, str | None]]:
    assert verify_current(db)
    return [(one.image_id, one.annotator, one.kind, one.label) for one in current_annotations(db)]


def pick(db: Database, *ids: int) -> None:
    store_batch(
        db, strategy="random", seed=0, audit=0.0, features_name=None, features_digest=None, model=None, settings={},
        note="", picks=[StoredPick(image_id, "pick", 0.0, "r") for image_id in ids],
    )  # fmt: skip


def test_flags_change_nothing_of_what_is_said_and_several_stand(db: Database) -> None:
    say(db, "f1", 1, "flag", note="odd")
    assert now(db) == []
    say(db, "u1", 1, "label", "cat")
    say(db, "f2", 1, "flag", note="n" * 2000)
    assert now(db) == [(1, "ana", "label", "cat")]
    rebuild_current(db)
    assert now(db) == [(1, "ana", "label", "cat")]
    say(db, "z1", 1, "undo", target="f2")
    assert [(one.uid, one.undone) for one in history(db, kind="flag")] == [("f1", False), ("f2", True)]
    assert [one.uid for one in recent(db, "ana", 9)] == ["u1", "f1"]


@pytest.mark.parametrize("note", [None, "", "  \n", "n" * 2001])
def test_a_flag_needs_a_note(db: Database, note: str | None) -> None:
    outcome = record(db, [Event("f1", 1, "ana", "flag", note=note)])
    assert outcome.refused == [("f1", "a flag needs a note of 1 to 2,000 characters")]


def test_a_flag_sent_again_with_another_note_is_another_event(db: Database) -> None:
    say(db, "f1", 1, "flag", note="odd")
    say(db, "f1", 1, "flag", note="odd")
    outcome = record(db, [Event("f1", 1, "ana", "flag", note="other")])
    assert outcome.refused == [("f1", "another event has this uid already")]
    assert len(history(db)) == 1


def test_finals_take_a_class_or_none_and_flags_no_class(db: Database) -> None:
    say(db, "u1", 1, "final", "cat")
    say(db, "u2", 2, "final")
    outcome = record(db, [Event("u3", 1, "ana", "final", ""), Event("u4", 1, "ana", "flag", "cat", note="n")])
    assert [reason for _, reason in outcome.refused] == [
        "a final names a class, or none for a rejection",
        "flag takes no class",
    ]
    assert now(db) == [(1, "ana", "final", "cat"), (2, "ana", "final", None)]


def test_an_undone_final_gives_way_to_what_was_said_before(db: Database) -> None:
    say(db, "u1", 1, "label", "cat")
    say(db, "u2", 1, "final", "dog")
    assert now(db) == [(1, "ana", "final", "dog")]
    say(db, "u3", 1, "undo", target="u2")
    assert now(db) == [(1, "ana", "label", "cat")]


FINAL, NONE = Said(1, "final", "c", 5), Said(1, "final", None, 7)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([label("a"), label("a"), FINAL], Consensus("c", "labelled", {"a": 2}, final=True)),
        ([label("a"), NONE], Consensus(None, "rejected", {"a": 1}, final=True)),
        ([label("a"), label("b"), FINAL], Consensus("c", "labelled", {"a": 1, "b": 1}, final=True)),
        ([NONE, FINAL], Consensus(None, "rejected", {}, final=True)),
        ([Said(1, "final", "d", 9), NONE, FINAL], Consensus("d", "labelled", {}, final=True)),
        ([Said(1, "unsure"), FINAL], Consensus("c", "labelled", {}, final=True)),
    ],
)
def test_the_latest_final_beats_every_vote(said: list[Said], expected: Consensus) -> None:
    assert consensus(said) == {1: expected}


def test_a_final_takes_an_image_out_of_everybodys_queue(db: Database) -> None:
    pick(db, 1, 2, 3)
    add_to_exam(db, [4], 0)
    say(db, "u1", 2, "final", "cat", by="eva")
    say(db, "u2", 4, "final", None, by="eva")
    assert [item.image_id for item in next_images(db, "ana", 9, overlap=3)] == [1, 3]
    progress = progress_counts(db, "eva", overlap=3)
    assert (progress.left, progress.batch_done, progress.labelled_total, progress.by_me) == (2, 1, 1, 1)
    say(db, "u3", 2, "undo", target="u1", by="eva")
    assert [item.image_id for item in next_images(db, "ana", 9, overlap=3)] == [1, 2, 3]


def test_a_flag_moves_nothing_in_the_queue_and_keeps_the_image_leased(db: Database) -> None:
    pick(db, 1, 2, 3)
    before = [item.image_id for item in next_images(db, "ana", 1)]
    say(db, "f1", 3, "flag", note="look")
    say(db, "f2", 1, "flag", note="look")
    assert [item.image_id for item in next_images(db, "ben", 9)] == [2, 3]
    say(db, "z1", 3, "undo", target="f1")
    assert [item.image_id for item in next_images(db, "ana", 1)] == before == [1]
    assert progress_counts(db, "ana").by_me == 0
