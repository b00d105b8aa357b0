from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from annotate_select.annotations.adding import AddOutcome, ImageRecord
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, record
from annotate_select.annotations.images import (
    Image,
    add_images,
    counts,
    image,
    keys_of,
    known,
    mark_unreadable,
    pool_table,
    resolve,
)


def found(key: str, content: str, group: str | None = None) -> ImageRecord:
    """Make the record of a readable file; `content` stands for its bytes."""
    return ImageRecord(key, "s", key, content * 32, 10, 20, 30, 40, group)


def broken(key: str, problem: str = "truncated", content: str = "0") -> ImageRecord:
    return ImageRecord(key, "s", key, content * 32, 5, 21, 0, 0, problem=problem)


def label(db: Database, image_id: int, name: str = "cat") -> None:
    assert record(db, [Event(f"e{image_id}", image_id, "ana", "label", name)]).refused == []


def labels(db: Database) -> dict[str, str | None]:
    """Return what the images of the pool are called, by key."""
    keys = dict(zip(pool_table(db).ids.tolist(), pool_table(db).keys, strict=True))
    return {keys[one.image_id]: one.label for one in current_annotations(db) if one.image_id in keys}


def at(db: Database, key: str) -> Image:
    found_image = image(db, resolve(db, [key])[key])
    assert found_image is not None
    return found_image


def test_everything_of_an_image_is_kept(empty: Database) -> None:
    told = ImageRecord("dir/é.jpg", "s", "é.jpg", "f" * 32, 1, 2, 3, 4, "patient 1", "2024-01-01", {"site": "north"})
    assert add_images(empty, [told]) == AddOutcome(added=["dir/é.jpg"])
    expected = Image(1, "dir/é.jpg", "s", "é.jpg", "f" * 32, 3, 4, "patient 1", "2024-01-01", {"site": "north"}, "ok",
                     None, None)  # fmt: skip
    assert image(empty, 1) == expected
    assert image(empty, 2) is None


def test_adding_again_changes_nothing(empty: Database) -> None:
    records = [found("a", "1"), found("b", "2"), found("c", "1"), broken("d")]
    first = add_images(empty, records)
    assert first == AddOutcome(added=["a", "b"], duplicates=[("c", "a")], unreadable=[("d", "truncated")])
    before = [image(empty, i) for i in range(1, 5)]
    assert add_images(empty, records) == AddOutcome(unreadable=[("d", "truncated")])
    assert [image(empty, i) for i in range(1, 6)] == [*before, None]
    assert counts(empty) == {"ok": 2, "duplicate": 1, "unreadable": 1}


def test_a_folder_does_not_wipe_out_what_a_manifest_told(empty: Database) -> None:
    add_images(empty, [found("a", "1"), found("b", "2")])
    outcome = add_images(empty, [replace(found("a", "1"), group="p1", captured_at="2024", metadata={"x": "y"})])
    assert outcome == AddOutcome(updated=1)
    assert add_images(empty, [found("a", "1"), found("b", "2")]) == AddOutcome()
    kept = at(empty, "a")
    assert (kept.group, kept.captured_at, kept.metadata) == ("p1", "2024", {"x": "y"})


def test_pool_table_has_columns_of_the_ok_images_by_id(empty: Database) -> None:
    table = pool_table(empty)
    assert table.ids.shape == (0,)
    assert table.ids.dtype == np.dtype(np.int64)
    assert table.keys == []
    add_images(empty, [found("b", "2", group="g"), broken("x"), found("a", "1"), found("dup", "2")])
    table = pool_table(empty)
    assert table.ids.tolist() == [1, 3]
    assert (table.keys, table.groups, table.captured_at) == (["b", "a"], ["g", None], [None, None])
    assert (table.fingerprints, table.sources, table.paths) == (["2" * 32, "1" * 32], ["s", "s"], ["b", "a"])


def test_keys_resolve_to_the_original(empty: Database) -> None:
    add_images(empty, [found("a", "1"), found("b", "1"), found("k2", "2")])
    assert resolve(empty, ["b", "a", "none", "k2"]) == {"a": 1, "b": 1, "k2": 3}
    assert keys_of(empty, [2, 1, 99]) == {1: "a", 2: "b"}


def test_more_keys_than_a_statement_takes(empty: Database) -> None:
    many = [replace(found(f"k{i}", "0"), fingerprint=f"{i:032x}") for i in range(1201)]
    add_images(empty, many)
    ids = resolve(empty, (one.key for one in many))
    assert len(ids) == 1201
    assert keys_of(empty, ids.values()) == {image_id: key for key, image_id in ids.items()}


def test_a_changed_file_nobody_spoke_of_is_updated_in_place(empty: Database) -> None:
    add_images(empty, [found("a", "1")])
    assert add_images(empty, [found("a", "2")]) == AddOutcome(updated=1)
    assert (at(empty, "a").id, at(empty, "a").fingerprint, counts(empty)) == (1, "2" * 32, {"ok": 1})


def test_a_changed_file_leaves_its_labels_with_the_old_picture(empty: Database) -> None:
    add_images(empty, [found("a", "1")])
    label(empty, 1)
    assert add_images(empty, [found("a", "2")]) == AddOutcome(replaced=["a"])
    assert labels(empty) == {}
    assert resolve(empty, ["a", "a@11111111"]) == {"a": 2, "a@11111111": 1}
    old = image(empty, 1)
    assert old is not None
    assert (old.status, old.fingerprint) == ("replaced", "1" * 32)


def test_a_picture_that_comes_back_brings_its_labels(empty: Database) -> None:
    add_images(empty, [found("a", "1")])
    label(empty, 1)
    add_images(empty, [found("a", "2")])
    label(empty, 2, "dog")
    add_images(empty, [found("a", "1")])
    assert labels(empty) == {"a": "cat"}
    assert at(empty, "a").id == 1
    assert (known(empty, "s")["a"].status, keys_of(empty, [2])) == ("ok", {2: "a@22222222"})
    add_images(empty, [found("elsewhere", "2")])
    assert labels(empty) == {"a": "cat", "elsewhere": "dog"}
    assert counts(empty) == {"ok": 2}


def test_two_old_pictures_whose_fingerprints_begin_alike(empty: Database) -> None:
    add_images(empty, [replace(found("a", "1"), fingerprint="12345678" + "a" * 24), found("a@12345678", "9")])
    label(empty, 1)
    assert add_images(empty, [found("a", "2")]).replaced == ["a"]
    assert labels(empty) == {}
    assert keys_of(empty, [1, 2]) == {1: "a@12345678" + "a" * 24, 2: "a@12345678"}


def test_an_unreadable_file_keeps_its_labels_for_its_own_picture_only(empty: Database) -> None:
    add_images(empty, [found("a", "1")])
    label(empty, 1)
    assert add_images(empty, [broken("a")]) == AddOutcome(unreadable=[("a", "truncated")])
    assert (labels(empty), counts(empty)) == ({}, {"unreadable": 1})
    assert add_images(empty, [found("a", "1")]) == AddOutcome(added=["a"])
    assert labels(empty) == {"a": "cat"}
    add_images(empty, [broken("a")])
    assert add_images(empty, [found("a", "2")]) == AddOutcome(replaced=["a"])
    assert labels(empty) == {}


def test_a_file_that_never_could_be_read_becomes_an_image(empty: Database) -> None:
    add_images(empty, [broken("a", "zero bytes")])
    assert at(empty, "a").problem == "zero bytes"
    assert add_images(empty, [found("a", "1")]) == AddOutcome(added=["a"])
    assert (at(empty, "a").problem, at(empty, "a").width, at(empty, "a").id) == (None, 30, 1)


def test_when_an_original_changes_its_duplicate_takes_over(empty: Database) -> None:
    add_images(empty, [found("a", "1", group="ga"), found("b", "1", group="gb"), found("c", "1")])
    label(empty, 1)
    assert add_images(empty, [found("a", "2")]).replaced == ["a"]
    assert labels(empty) == {"b": "cat"}
    assert (at(empty, "b").group, at(empty, "a").group) == ("gb", "ga")
    assert (at(empty, "a").fingerprint, at(empty, "c").id) == ("2" * 32, 1)
    assert counts(empty) == {"ok": 2, "duplicate": 1}
    assert known(empty, "s")["b"].status == "ok"


def test_when_an_original_breaks_its_duplicate_takes_over(empty: Database) -> None:
    add_images(empty, [found("a", "1"), found("b", "1")])
    label(empty, 1)
    assert add_images(empty, [broken("a")]) == AddOutcome(unreadable=[("a", "truncated")])
    assert labels(empty) == {"b": "cat"}
    assert add_images(empty, [found("a", "1")]) == AddOutcome(duplicates=[("a", "b")])
    assert resolve(empty, ["a", "b"]) == {"a": 1, "b": 1}


def test_duplicates_follow_their_original_to_the_new_one(empty: Database) -> None:
    add_images(empty, [found("a", "1"), found("b", "1")])
    mark_unreadable(empty, [(1, "gone")])
    assert add_images(empty, [found("c", "1")]) == AddOutcome(moved=[("a", "c")])
    assert add_images(empty, [found("a", "1")]) == AddOutcome(duplicates=[("a", "c")])
    assert resolve(empty, ["a", "b", "c"]) == {"a": 1, "b": 1, "c": 1}


def test_an_image_marked_unreadable_is_opened_again_by_the_next_add(empty: Database, tmp_path: Path) -> None:
    add_images(empty, [found("a", "1"), found("b", "2")])
    label(empty, 1)
    mark_unreadable(empty, [])
    mark_unreadable(empty, [(1, "cannot be decoded")])
    assert pool_table(empty).keys == ["b"]
    assert (at(empty, "a").problem, known(empty, "s")["a"].mtime_ns) == ("cannot be decoded", 0)
    add_images(empty, [found("a", "1")])
    assert labels(empty) == {"a": "cat"}


def test_a_content_moved_to_a_new_name_while_the_old_one_is_broken(empty: Database) -> None:
    add_images(empty, [found("a", "1"), found("c", "3")])
    label(empty, 1)
    add_images(empty, [broken("a")])
    assert add_images(empty, [found("b", "1")]) == AddOutcome(moved=[("a", "b")])
    assert labels(empty) == {"b": "cat"}
    assert add_images(empty, [broken("a")]).unreadable == [("a", "truncated")]
    add_images(empty, [broken("b"), found("c", "1")])
    assert labels(empty) == {"c": "cat"}


def test_a_name_that_is_not_unicode_is_reported(empty: Database) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    outcome = add_images(empty, [found(name, "1"), found("b", "2")])
    assert outcome.added == ["b"]
    assert outcome.unreadable == [("caf?.jpg", "its name is not valid Unicode; rename the file")]


@dataclass
class Told:
    group: str | None = None
    captured_at: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def test_known_files_are_skipped_until_they_change(empty: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"12345")
    stat = file.stat()
    seen = ImageRecord("a", "s", "a.jpg", "1" * 32, 5, stat.st_mtime_ns, 1, 1, "g", "2024", {"x": "y"})
    add_images(empty, [seen, replace(found("z", "1"), source="other")])
    one = known(empty, "s")["a.jpg"]
    assert (one.size_bytes, one.status, one.group, one.captured_at) == (5, "ok", "g", "2024")
    assert list(known(empty, "other")) == ["z"]
    assert known(empty, "nobody") == {}
    assert one.matches(file, Told())
    assert one.matches(file, Told("g", "2024", {"x": "y"}))
    for news in (Told("h"), Told("g", "2025"), Told("g", "2024", {"x": "z"})):
        assert not one.matches(file, news)
    os.utime(file, ns=(1, 1))
    assert not one.matches(file, Told())
    assert not one.matches(tmp_path / "gone.jpg", Told())


def test_a_failing_chunk_leaves_nothing(empty: Database) -> None:
    def failing() -> Iterator[ImageRecord]:
        yield found("a", "1")
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError):
        add_images(empty, failing())
    assert counts(empty) == {}
