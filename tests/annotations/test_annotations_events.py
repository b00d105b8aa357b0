from __future__ import annotations

import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from annotate_select.annotations.classes import record_change
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import (
    Event,
    RecordOutcome,
    all_events,
    current_annotations,
    history,
    recent,
    record,
)
from annotate_select.annotations.fold import rebuild_current, verify_current
from annotate_select.annotations.images import ImageRecord, add_images
from annotate_select.errors import DatabaseError


def label(uid: str, name: str = "cat", image_id: int = 1, annotator: str = "ana") -> Event:
    return Event(uid, image_id, annotator, "label", name)


def undo(uid: str, target: str, image_id: int = 1, annotator: str = "ana") -> Event:
    return Event(uid, image_id, annotator, "undo", target_uid=target)


def now(db: Database) -> dict[tuple[int, str], tuple[str, str | None]]:
    assert verify_current(db)
    return {(one.image_id, one.annotator): (one.kind, one.label) for one in current_annotations(db)}


def test_the_latest_event_counts_and_the_order_of_arrival_decides(db: Database) -> None:
    late = replace(label("u1"), said_at="2030-01-01T00:00:00Z")
    assert record(db, [late, Event("u2", 1, "ana", "skip", said_at="2020-01-01T00:00:00Z")]).acked == ["u1", "u2"]
    assert now(db) == {(1, "ana"): ("skip", None)}
    record(
        db, [label("u3", "dog"), label("u4", "cow", 2), label("u5", "pig", 1, "bob"), Event("u6", 3, "bob", "reject")]
    )
    assert now(db) == {
        (1, "ana"): ("label", "dog"),
        (2, "ana"): ("label", "cow"),
        (1, "bob"): ("label", "pig"),
        (3, "bob"): ("reject", None),
    }


def test_a_repeated_send_is_stored_once_and_acknowledged_each_time(db: Database) -> None:
    events = [label("u1"), label("u2", "dog"), label("u1")]
    assert record(db, events) == RecordOutcome(["u1", "u2", "u1"], [])
    assert record(db, events).acked == ["u1", "u2", "u1"]
    assert [event.uid for event in history(db)] == ["u1", "u2"]
    assert now(db) == {(1, "ana"): ("label", "dog")}


@pytest.mark.parametrize(
    "other",
    [
        label("u1", "dog"),
        label("u1", image_id=2),
        label("u1", annotator="bob"),
        Event("u1", 1, "ana", "reject"),
        undo("u1", "u0"),
    ],
)
def test_a_uid_that_comes_back_with_another_meaning_is_refused(db: Database, other: Event) -> None:
    reason = "another event has this uid already"
    assert record(db, [label("u1"), other]) == RecordOutcome(["u1"], [("u1", reason)])
    assert record(db, [other]) == RecordOutcome([], [("u1", reason)])
    assert now(db) == {(1, "ana"): ("label", "cat")}


def test_a_send_repeated_after_its_class_was_renamed_is_the_same_event(db: Database) -> None:
    record(db, [label("u1", "cat")])
    record_change(db, "rename", "cat", "lynx")
    assert record(db, [label("u1", "lynx"), label("u1", "cat")]).acked == ["u1", "u1"]
    assert record(db, [label("u1", "dog")]).acked == []
    assert now(db) == {(1, "ana"): ("label", "lynx")}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (label("u", image_id=99), "no image with the id 99"),
        (label("u", ""), "needs a class"),
        (Event("u", 1, "ana", "label"), "needs a class"),
        (Event("u", 1, "ana", "skip", "cat"), "takes no class"),
        (
            Event("u", 1, "ana", "erase"),
            "unknown kind 'erase'; allowed are label, skip, unsure, reject, flag, final, undo",
        ),
        (Event("", 1, "ana", "skip"), "needs a uid"),
        (Event("u", 1, "", "skip"), "needs a uid and an annotator"),
        (Event("u", 1, "ana", "undo"), "needs the uid it takes back"),
        (label("u", "\ud800"), "not valid Unicode"),
        (Event("u", 1, "ana", "skip", note="\ud800"), "not valid Unicode"),
        (label("u", image_id=2**63), "too large"),
        (Event("u", 1, "ana", "skip", shown_ms=2**70), "too large"),
    ],
)
def test_what_cannot_be_an_event_is_refused_and_the_rest_is_stored(db: Database, event: Event, reason: str) -> None:
    outcome = record(db, [label("good1"), event, label("good2", image_id=2)])
    assert outcome.acked == ["good1", "good2"]
    ((uid, said),) = outcome.refused
    assert uid == event.uid
    assert reason in said
    assert [one.uid for one in history(db)] == ["good1", "good2"]


def test_undo_uncovers_what_was_said_before(db: Database) -> None:
    record(db, [label("u1", "cat"), label("u2", "dog"), undo("u3", "u2")])
    assert now(db) == {(1, "ana"): ("label", "cat")}
    assert record(db, [undo("u4", "u2"), undo("u3", "u2"), undo("u5", "never")]).acked == ["u4", "u3", "u5"]
    assert now(db) == {(1, "ana"): ("label", "cat")}
    record(db, [undo("u6", "u1")])
    assert now(db) == {}
    assert [event.undone for event in history(db)] == [True, True, False, False, False, False]
    record(db, [label("u7", "cow")])
    assert now(db) == {(1, "ana"): ("label", "cow")}


def test_undo_of_an_older_event_leaves_the_newer_one(db: Database) -> None:
    record(db, [label("u1", "cat"), label("u2", "dog"), undo("u3", "u1")])
    assert now(db) == {(1, "ana"): ("label", "dog")}


def test_an_undo_that_overtakes_its_target_still_counts(db: Database) -> None:
    assert record(db, [undo("u1", "late")]).acked == ["u1"]
    assert record(db, [label("late")]).acked == ["late"]
    assert now(db) == {}


def test_nobody_takes_back_what_another_said(db: Database) -> None:
    record(db, [label("u1", annotator="ana"), undo("x0", "u2", annotator="bob")])
    outcome = record(
        db, [undo("x1", "u1", annotator="bob"), undo("x2", "u1", image_id=2), undo("x3", "x0", annotator="bob")]
    )
    assert outcome.acked == []
    assert [uid for uid, _ in outcome.refused] == ["x1", "x2", "x3"]
    record(db, [label("u2", "dog", image_id=2)])  # what bob tried to take back beforehand
    assert now(db) == {(1, "ana"): ("label", "cat"), (2, "ana"): ("label", "dog")}


def test_history_shows_everything_and_can_be_narrowed(db: Database) -> None:
    full = Event("u1", 2, "ana", "label", "cat", None, "2024-01-01T00:00:00Z", 1234, None, "blurred")
    record(db, [full, Event("u2", 1, "bob", "unsure"), undo("u3", "u2", annotator="bob")])
    first = history(db)[0]
    assert (first.uid, first.image_id, first.key, first.annotator, first.kind, first.label) == (
        "u1", 2, "a1.jpg", "ana", "label", "cat",
    )  # fmt: skip
    assert (first.said_at, first.shown_ms, first.note, first.undone) == ("2024-01-01T00:00:00Z", 1234, "blurred", False)
    assert first.at.endswith("+00:00")
    assert [one.uid for one in history(db, image_id=1)] == ["u2", "u3"]
    assert [one.uid for one in history(db, annotator="ana")] == ["u1"]
    assert [one.uid for one in history(db, limit=2, newest_first=True)] == ["u3", "u2"]
    assert history(db) == list(all_events(db))
    assert recent(db, "bob", 5) == []
    assert [one.uid for one in recent(db, "ana", 5)] == ["u1"]
    assert [(one.uid, one.note, one.at) for one in current_annotations(db)] == [("u1", "blurred", full.said_at)]


def test_a_derived_table_gone_wrong_is_noticed_and_mended(db: Database) -> None:
    record(
        db,
        [label("u1"), label("u2", "dog", 2), label("u3", "cow", 2), undo("u4", "u3", 2), Event("u5", 3, "b", "skip")],
    )
    right = now(db)
    for damage in ("DELETE FROM current WHERE image_id = 1", "UPDATE current SET label = 'x' WHERE image_id = 2",
                   "UPDATE current SET event_id = 3, label = 'cow' WHERE image_id = 2"):  # fmt: skip
        with db.write() as connection:
            connection.execute(text(damage))
        assert not verify_current(db)
        rebuild_current(db)
        assert now(db) == right


@pytest.mark.parametrize(
    "change", ["UPDATE events SET label = 'dog'", "DELETE FROM events", "DELETE FROM events WHERE id = 2"]
)
def test_the_database_itself_refuses_to_change_events(db: Database, change: str) -> None:
    record(db, [label("u1"), label("u2")])
    with pytest.raises(DatabaseError, match="never changed"), db.write() as connection:
        connection.execute(text(change))
    assert [event.label for event in history(db)] == ["cat", "cat"]


def test_an_error_in_the_middle_leaves_nothing(db: Database) -> None:
    def break_off() -> None:
        with db.write() as connection:
            connection.execute(text("DELETE FROM settings"))
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(DatabaseError, match="nowhere"):
        break_off()
    with db.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM settings")).scalar_one() == 2


def test_many_events_are_quick(db: Database) -> None:
    add_images(db, [ImageRecord(f"b{i}", "s", f"b{i}", f"f{i:031x}", 1, 1, 1, 1) for i in range(2000)])
    events = [label(f"u{i}", "cat", i % 2000 + 1) for i in range(10_000)]
    start = time.process_time()
    assert len(record(db, events).acked) == 10_000
    assert time.process_time() - start < 3
    assert len(now(db)) == 2000


def test_nothing_to_record(db: Database) -> None:
    assert record(db, []) == RecordOutcome([], [])
