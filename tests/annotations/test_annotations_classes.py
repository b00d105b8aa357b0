from __future__ import annotations

from annotate_select.annotations.classes import (
    ClassChange,
    current_names,
    last_change,
    mark_applied,
    names_since,
    pending,
    record_change,
    resolve_name,
)
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, history, recent, record


def say(db: Database, image_id: int, label: str) -> None:
    assert record(db, [Event(f"{image_id}-{label}", image_id, "ana", "label", label)]).refused == []


def labels(db: Database) -> dict[int, str | None]:
    return {one.image_id: one.label for one in current_annotations(db)}


def change(number: int, old: str, new: str, after: int) -> ClassChange:
    return ClassChange(number, "rename", old, new, after, True)


def test_names_follow_chains_swaps_and_reuse() -> None:
    chain = [change(1, "a", "b", 10), change(2, "b", "c", 20)]
    assert [resolve_name(chain, "a", event) for event in (1, 10, 11, 21)] == ["c", "c", "a", "a"]
    assert [resolve_name(chain, "b", event) for event in (1, 20, 21)] == ["c", "c", "b"]
    swap = [change(1, "a", "x", 5), change(2, "b", "a", 5), change(3, "x", "b", 5)]
    assert (resolve_name(swap, "a", 1), resolve_name(swap, "b", 1)) == ("b", "a")


def test_a_rename_reaches_what_was_said_and_not_what_will_be(db: Database) -> None:
    say(db, 1, "cat")
    assert record_change(db, "rename", "cat", "lynx") == 1
    say(db, 2, "cat")  # a new class of the old name
    assert labels(db) == {1: "lynx", 2: "cat"}
    assert [event.label for event in history(db)] == ["cat", "cat"]
    assert [event.label for event in recent(db, "ana", 5)] == ["cat", "lynx"]


def test_a_merge_then_a_rename(db: Database) -> None:
    for image_id, label in enumerate(("cat", "lynx", "dog"), start=1):
        say(db, image_id, label)
    record_change(db, "merge", "cat", "lynx")
    record_change(db, "rename", "lynx", "feline")
    assert labels(db) == {1: "feline", 2: "feline", 3: "dog"}
    assert current_names(db) == {"cat": "feline", "lynx": "feline"}


def test_a_reused_name_leads_where_it_led_last(db: Database) -> None:
    record_change(db, "rename", "a", "b")
    record_change(db, "rename", "a", "c")
    assert current_names(db) == {"a": "c"}


def test_a_name_means_the_class_that_had_it_when_it_was_written_down(db: Database) -> None:
    before = last_change(db)
    record_change(db, "rename", "a", "b")  # and then another class is called a
    between = last_change(db)
    record_change(db, "rename", "b", "c")
    assert names_since(db, ["a"], before, "") == ["c"]
    assert names_since(db, ["a", "b"], between, "") == ["a", "c"]
    assert names_since(db, ["a", "b"], last_change(db), "") == ["a", "b"]
    assert names_since(db, ["a"], None, "2000-01-01T00:00:00+00:00") == ["c"]
    assert names_since(db, ["a"], None, "2100-01-01T00:00:00+00:00") == ["a"]


def test_changes_wait_until_they_are_applied(db: Database) -> None:
    first, second = record_change(db, "rename", "a", "b"), record_change(db, "merge", "b", "c")
    assert [(one.id, one.kind, one.old, one.new) for one in pending(db)] == [
        (first, "rename", "a", "b"),
        (second, "merge", "b", "c"),
    ]
    mark_applied(db, first)
    assert [one.id for one in pending(db)] == [second]
