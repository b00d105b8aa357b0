from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from annotate_select.annotations.batches import StoredPick, store_batch
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, record
from annotate_select.annotations.exam import ActiveImage, active_exam, add_active, add_to_exam, exam_ids, kept_ids
from annotate_select.annotations.images import ImageRecord, add_images, mark_unreadable
from annotate_select.annotations.queue import (
    QueueItem,
    QueueProgress,
    next_images,
    not_for_groups,
    progress_counts,
    release,
)

NOW = 1_000_000.0


@pytest.fixture
def many(empty: Database) -> Database:
    """Forty images, ids 1 .. 40."""
    add_images(empty, [ImageRecord(f"k{i}", "s", f"k{i}", f"{i:032x}", 1, 1, 1, 1) for i in range(1, 41)])
    return empty


def batch(db: Database, ids: Sequence[int]) -> int:
    picks = [StoredPick(image_id, "pick", 1.0, f"because {image_id}") for image_id in ids]
    return store_batch(
        db, strategy="s", seed=0, audit=0.0, features_name=None, features_digest=None, model=None, settings={},
        note="", picks=picks,
    )  # fmt: skip


def ids(db: Database, annotator: str = "ana", n: int = 50, overlap: int = 1, now: float = NOW) -> list[int]:
    found = next_images(db, annotator, n, overlap=overlap, lease_seconds=600, now=now)
    return [item.image_id for item in found]


def say(db: Database, image_id: int, kind: str = "label", annotator: str = "ana", uid: str | None = None) -> None:
    uid = uid or f"{annotator}-{image_id}-{kind}"
    event = Event(uid, image_id, annotator, kind, "cat" if kind == "label" else None)
    assert record(db, [event]).acked == [uid]


def take_back(db: Database, image_id: int, uid: str, annotator: str = "ana") -> None:
    assert record(db, [Event(f"undo-{uid}", image_id, annotator, "undo", target_uid=uid)]).refused == []


def test_picks_come_in_order_oldest_batch_first(many: Database) -> None:
    assert ids(many) == []
    batch(many, [9, 3, 7])
    batch(many, [2, 9, 8])
    assert ids(many) == [9, 3, 7, 2, 8]
    assert next_images(many, "ana", 1)[0] == QueueItem(9, "k9", 1, "because 9", False)
    assert ids(many, n=2) == [9, 3]
    assert ids(many, n=0) == []


def test_what_was_drawn_by_doubt_is_shown_once_and_as_the_exam_is(many: Database) -> None:
    batch(many, [1, 2, 3, 30])  # 30 was picked, and drawn afterwards: nobody is told why
    add_to_exam(many, [20], seed=0)
    drawn = [[ActiveImage(one, 0.25, 0.1) for one in some] for some in ([30, 20], [31, 30])]
    assert [add_active(many, some, pool=38, model=2, seed=0) for some in drawn] == [1, 2]
    shown = next_images(many, "ana", 50, now=NOW)
    assert sorted(item.image_id for item in shown) == [1, 2, 3, 20, 30, 31]
    hidden = [item for item in shown if item.image_id in (20, 30, 31)]
    assert {(item.role, item.is_exam, item.batch, item.reason) for item in hidden} == {("exam", True, None, None)}
    assert {20, 30, 31} <= set(not_for_groups(many))
    assert (exam_ids(many), kept_ids(many)) == ([20], [20, 30, 31])
    newest = active_exam(many)
    assert newest is not None
    assert (newest.number, newest.pool, [one.image_id for one in newest.images]) == (2, 38, [31, 30])


def test_the_exam_is_mixed_evenly_among_the_picks(many: Database) -> None:
    batch(many, range(1, 9))
    add_to_exam(many, [30, 20], seed=0)
    # places of the exam are 1/4 and 3/4, of the picks 1/16, 3/16, ...
    assert ids(many) == [1, 2, 30, 3, 4, 5, 6, 20, 7, 8]
    shown = next_images(many, "ana", 10)
    assert [(item.image_id, item.batch, item.reason) for item in shown if item.is_exam] == [
        (30, None, None),
        (20, None, None),
    ]


def test_an_exam_image_that_was_also_picked_is_an_exam_image_once(many: Database) -> None:
    batch(many, [1, 2])
    add_to_exam(many, [2], seed=0)
    shown = next_images(many, "ana", 10)
    assert [(item.image_id, item.is_exam) for item in shown] == [(1, False), (2, True)]


@pytest.mark.parametrize("kind", ["label", "unsure", "reject"])
def test_what_is_settled_does_not_come_again(many: Database, kind: str) -> None:
    batch(many, [1, 2])
    add_to_exam(many, [3], seed=0)
    say(many, 1, kind)
    say(many, 3, kind)
    assert ids(many) == [2]
    assert ids(many, "bob", now=NOW + 9999) == [2]
    assert ids(many, "bob", overlap=2, now=NOW + 99999) == [1, 3, 2]


def test_a_skip_comes_back_last_and_is_open_to_others(many: Database) -> None:
    batch(many, [1, 2, 3])
    assert ids(many) == [1, 2, 3]
    say(many, 1, "skip")
    assert ids(many, n=2) == [2, 3]
    assert ids(many, "bob") == [1]
    release(many, "bob")
    assert ids(many) == [2, 3, 1]
    say(many, 2)
    say(many, 3)
    assert ids(many) == [1]


def test_what_was_taken_back_comes_first(many: Database) -> None:
    batch(many, range(1, 6))
    say(many, 1)
    say(many, 2)
    say(many, 4, "skip")
    take_back(many, 2, "ana-2-label")
    assert ids(many) == [2, 3, 5, 4]
    say(many, 2, "reject")
    assert ids(many) == [3, 5, 4]
    take_back(many, 2, "ana-2-reject")
    take_back(many, 4, "ana-4-skip")
    assert ids(many) == [2, 4, 3, 5]
    take_back(many, 1, "ana-1-label")
    assert ids(many, n=1) == [1]


def test_nobody_gets_what_another_is_looking_at(many: Database) -> None:
    batch(many, range(1, 7))
    assert ids(many, "ana", 2) == [1, 2]
    assert ids(many, "bob", 2) == [3, 4]
    assert ids(many, "cat", 9) == [5, 6]
    assert ids(many, "ana", 2) == [1, 2]  # a reload shows the same
    assert ids(many, "dan") == []
    release(many, "bob")
    assert ids(many, "dan", 1) == [3]
    assert ids(many, "bob", 2) == [4]


def test_leases_end(many: Database) -> None:
    batch(many, [1, 2])
    assert ids(many, "ana") == [1, 2]
    assert ids(many, "bob", now=NOW + 599) == []
    assert ids(many, "ana", now=NOW + 599) == [1, 2]  # renewed
    assert ids(many, "bob", now=NOW + 700) == []
    assert ids(many, "bob", now=NOW + 1300) == [1, 2]
    say(many, 1, annotator="ana")  # an answer that comes late is stored all the same
    assert ids(many, "bob", now=NOW + 1301) == [2]
    with many.read() as connection:
        assert connection.execute(text("SELECT annotator, image_id FROM leases")).fetchall() == [("bob", 2)]


def test_answering_frees_the_lease_of_that_annotator_only(many: Database) -> None:
    batch(many, [1, 2])
    assert ids(many, "ana", overlap=2) == [1, 2]
    assert ids(many, "bob", overlap=2) == [1, 2]
    say(many, 1, annotator="ana")
    with many.read() as connection:
        left = connection.execute(text("SELECT annotator, image_id FROM leases ORDER BY 1, 2")).fetchall()
    assert left == [("ana", 2), ("bob", 1), ("bob", 2)]


def test_overlap_counts_answers_and_leases_of_others_once_each(many: Database) -> None:
    batch(many, [1])
    assert ids(many, "ana", overlap=2) == [1]
    say(many, 1, annotator="ana")
    assert ids(many, "bob", overlap=2) == [1]
    assert ids(many, "cat", overlap=2) == []  # ana answered, bob is looking
    assert ids(many, "cat", overlap=3) == [1]
    with many.write() as connection:  # ana answered and looks again: one person, not two
        connection.execute(text("DELETE FROM leases"))
        connection.execute(text("INSERT INTO leases VALUES (1, 'ana', 2000000)"))
    assert ids(many, "dan", overlap=2) == [1]


def test_an_image_that_cannot_be_shown_is_left_out(many: Database) -> None:
    batch(many, [1, 2, 3])
    add_to_exam(many, [4, 5], seed=0)
    mark_unreadable(many, [(2, "gone"), (5, "gone")])
    assert sorted(ids(many)) == [1, 3, 4]


def test_progress(many: Database) -> None:
    assert progress_counts(many, "ana", now=NOW) == QueueProgress(0, 0, 0, 0, 0)
    batch(many, [1, 2])
    batch(many, [3, 4, 5, 6])
    add_to_exam(many, [7], seed=0)
    say(many, 1, annotator="bob")
    say(many, 3, annotator="ana")
    say(many, 3, annotator="bob")
    say(many, 4, "reject", annotator="ana")
    say(many, 5, "skip", annotator="ana")
    mark_unreadable(many, [(6, "gone")])
    assert progress_counts(many, "ana", now=NOW) == QueueProgress(2, 3, 3, 2, 1)  # left: 2, 5, 7
    assert progress_counts(many, "bob", now=NOW) == QueueProgress(2, 3, 3, 2, 2)
    assert progress_counts(many, "bob", overlap=2, now=NOW).left == 4  # and 4, which ana rejected
    assert ids(many, "bob") == [2, 7, 5]
    assert progress_counts(many, "ana", now=NOW).left == 0  # all with bob
    assert progress_counts(many, "ana", now=NOW + 601).left == 3


def test_the_queue_is_emptied_once_whoever_asks(many: Database) -> None:
    """Three annotators take turns; with overlap 2 every image gets two different people."""
    batch(many, range(1, 31))
    add_to_exam(many, range(31, 41), seed=0)
    seen: dict[int, list[str]] = {}
    for turn in range(400):
        annotator = ("ana", "bob", "cat")[turn % 3]
        for image_id in ids(many, annotator, 3, overlap=2, now=NOW + turn)[:1]:
            seen.setdefault(image_id, []).append(annotator)
            say(many, image_id, annotator=annotator)
    assert sorted(seen) == list(range(1, 41))
    assert all(len(set(people)) == len(people) == 2 for people in seen.values())


def ask_again(db: Database, ids: Sequence[int]) -> int:
    picks = [StoredPick(image_id, "relabel", 1.0, "a second opinion") for image_id in ids]
    return store_batch(
        db, strategy="s", seed=0, audit=0.0, features_name=None, features_digest=None, model=None, settings={},
        note="", picks=picks,
    )  # fmt: skip


def test_a_second_opinion_is_asked_of_somebody_else(many: Database) -> None:
    batch(many, [9, 3])
    say(many, 9)
    say(many, 3)
    assert ids(many, "ben") == []
    ask_again(many, [3, 20])  # nobody was ever asked about 20: its label came with an import
    say(many, 20, annotator="import")
    assert ids(many, "ana") == [20]
    assert ids(many, "ana") == [20]  # a reload changes nothing
    release(many, "ana")
    assert ids(many, "ben") == [3, 20]
    [first, _] = next_images(many, "ben", 2, now=NOW)
    assert (first.role, first.batch, first.reason) == ("relabel", 2, "a second opinion")
    release(many, "ben")
    say(many, 3, annotator="ben")
    assert ids(many, "eva") == [20]
    release(many, "eva")
    assert progress_counts(many, "eva", now=NOW).left == 1


def test_it_is_one_opinion_more_for_every_time_it_is_asked(many: Database) -> None:
    batch(many, [9])
    say(many, 9)
    ask_again(many, [9])
    say(many, 9, annotator="ben")
    assert ids(many, "eva") == []
    ask_again(many, [9])
    assert ids(many, "eva") == [9]
    say(many, 9, annotator="eva")
    release(many, "eva")
    assert ids(many, "dan") == []
    assert ids(many, "dan", overlap=2) == [9]  # where two are asked anyway, the fourth is


def test_what_is_taken_back_comes_once(many: Database) -> None:
    batch(many, [9, 3])
    say(many, 9, uid="first")
    ask_again(many, [9])
    take_back(many, 9, "first")
    assert ids(many, "ana") == [9, 3]
    assert ids(many, "ben") == [9]
    say(many, 9, "final", annotator="ben")
    assert ids(many, "ana") == [3]


def test_second_opinions_are_no_part_of_what_is_done_of_a_batch(many: Database) -> None:
    batch(many, [9, 3])
    say(many, 9)
    ask_again(many, [9])
    found = progress_counts(many, "ben", now=NOW)
    assert (found.batch_done, found.batch_total) == (0, 0)
