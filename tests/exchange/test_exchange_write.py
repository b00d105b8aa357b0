from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate_select.annotations import events, images
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event
from annotate_select.errors import ExchangeError, StorageError
from annotate_select.exchange.plan import plan_import
from annotate_select.exchange.read import read_annotations
from annotate_select.exchange.rows import AnnotationRow
from annotate_select.exchange.write import current_rows, event_rows, write_annotations

CLASSES = ["ok", "crack"]
ROWS = [
    AnnotationRow("a/1.jpg", label="ok", annotator="ana", at="2026-01-31T12:00:00+00:00", uid="u1"),
    AnnotationRow("2.jpg", "skip", None, "ben"),
]


def without_lines(rows: list[AnnotationRow]) -> list[AnnotationRow]:
    return [replace(row, line=0) for row in rows]


def said(rows: list[AnnotationRow]) -> list[AnnotationRow]:
    """What a CSV keeps of rows."""
    return [replace(row, line=0, uid=None, target=None) for row in rows]


def test_csv_as_it_looks(tmp_path: Path) -> None:
    path = tmp_path / "out" / "labels.csv"
    assert write_annotations(path, iter(ROWS), "csv") == 2
    assert path.read_bytes() == (
        b"image,label,annotator,at,kind\na/1.jpg,ok,ana,2026-01-31T12:00:00+00:00,label\n2.jpg,,ben,,skip\n"
    )


def test_csv_has_a_column_for_notes_when_there_are_any(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    write_annotations(path, [replace(ROWS[0], note="=1+1"), ROWS[1]], "csv")
    assert path.read_text().splitlines()[0] == "image,label,annotator,at,kind,note"
    assert [row.note for row in read_annotations(path)] == ["=1+1", None]


def test_jsonl_as_it_looks(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    assert write_annotations(path, [AnnotationRow("ü.jpg", "undo", uid="u2", target="u1", line=7)], "jsonl") == 1
    assert path.read_text(encoding="utf-8") == '{"image": "ü.jpg", "kind": "undo", "uid": "u2", "target": "u1"}\n'


@pytest.mark.parametrize(("format", "content"), [("csv", "image,label,annotator,at,kind\n"), ("jsonl", "")])
def test_nothing_to_write(tmp_path: Path, format: str, content: str) -> None:
    path = tmp_path / "labels"
    assert write_annotations(path, [], format) == 0
    assert path.read_text() == content


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"unknown format 'json' \(did you mean jsonl\?\); choose csv or jsonl"):
        write_annotations(tmp_path / "labels.json", ROWS, "json")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, format: str
) -> None:
    path = tmp_path / "labels"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match=r"no space left to write .*labels"):
        write_annotations(path, ROWS, format)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["labels"]


# Everything a database holds: no halves of surrogate pairs, no zero. Commas, quotes and line ends come often.
anything = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from(',;"\t\r\n =+-@')
)
key = anything.filter(str.strip)
name = anything.map(str.strip).filter(bool)
times = st.none() | st.datetimes().map(lambda time: time.isoformat())


@st.composite
def annotation_rows(draw: st.DrawFn) -> AnnotationRow:
    kind = draw(st.sampled_from(["label", "label", "skip", "unsure", "reject"]))
    return AnnotationRow(
        image=draw(key),
        kind=kind,
        label=draw(name) if kind == "label" else None,
        annotator=draw(st.none() | name),
        at=draw(times),
        uid=draw(st.none() | name),
        note=draw(st.none() | anything.filter(bool)),
    )


many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@many
@given(rows=st.lists(annotation_rows(), min_size=1, max_size=5))
def test_csv_comes_back(tmp_path: Path, rows: list[AnnotationRow]) -> None:
    path = tmp_path / "labels.csv"
    assert write_annotations(path, rows, "csv") == len(rows)
    assert without_lines(read_annotations(path)) == said(rows)


@many
@given(rows=st.lists(annotation_rows(), min_size=1, max_size=5), target=name)
def test_jsonl_comes_back(tmp_path: Path, rows: list[AnnotationRow], target: str) -> None:
    path = tmp_path / "labels.jsonl"
    rows = [*rows, AnnotationRow("1.jpg", "undo", uid="u", target=target)]
    assert write_annotations(path, rows, "jsonl") == len(rows)
    assert without_lines(read_annotations(path)) == rows


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\r", "\ra", 'a"b', "a,b", "a\nb", "\ufeffa", "a\\", "'"])
def test_csv_keeps_what_spreadsheets_change(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    row = AnnotationRow(f"{text}x", label=f"{text}y".strip(), note=text)
    write_annotations(path, [row], "csv")
    assert without_lines(read_annotations(path)) == [row]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = Database.create(tmp_path / "annotations.db")
    fill(db)
    yield db
    db.close()


def fill(db: Database) -> None:
    """Put two images into the pool, and a copy of the first."""
    for key, print_ in (("a/1.jpg", "f1"), ("2.jpg", "f2"), ("copy.jpg", "f1")):
        images.add_images(db, [images.ImageRecord(key, "photos", key, print_ * 16, 10, 1, 4, 4)])


def put(db: Database, path: Path) -> list[str]:
    """Import a file as a project does; return the uids."""
    plan = plan_import(
        read_annotations(path), resolve=lambda keys: images.resolve(db, keys), classes=CLASSES, annotator="import"
    )
    outcome = events.record(db, plan.events)
    assert outcome.refused == []
    return outcome.acked


@pytest.fixture
def history(db: Database) -> list[Event]:
    ids = images.resolve(db, ["copy.jpg", "2.jpg"])
    one, two = ids["copy.jpg"], ids["2.jpg"]
    said = [
        Event("u1", one, "ana", "label", "ok", said_at="2026-01-31T12:00:00+00:00"),
        Event("u2", one, "ana", "label", "crack", said_at="2026-01-31T12:00:05+00:00", note="=left side"),
        Event("u3", one, "ana", "undo", target_uid="u2"),
        Event("u4", two, "ben", "unsure"),
    ]
    assert events.record(db, said).refused == []
    return said


def test_rows_of_a_database(db: Database, history: list[Event]) -> None:
    current = current_rows(db)
    assert [(row.image, row.kind, row.label, row.annotator, row.at) for row in current[:1]] == [
        ("a/1.jpg", "label", "ok", "ana", "2026-01-31T12:00:00+00:00")
    ]
    assert [(row.image, row.kind, row.label) for row in current[1:]] == [("2.jpg", "unsure", None)]
    assert [(row.uid, row.kind, row.target, row.note) for row in event_rows(db)] == [
        ("u1", "label", None, None),
        ("u2", "label", None, "=left side"),
        ("u3", "undo", "u2", None),
        ("u4", "unsure", None, None),
    ]


def test_a_history_moves_to_another_project(db: Database, history: list[Event], tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert write_annotations(path, event_rows(db), "jsonl") == 4
    other = Database.create(tmp_path / "other.db")
    fill(other)
    assert put(other, path) == ["u1", "u2", "u3", "u4"]
    assert event_rows(other) == event_rows(db)
    assert current_rows(other) == current_rows(db)
    other.close()


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_importing_a_file_again_records_nothing_twice(db: Database, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [
        AnnotationRow("a/1.jpg", label="ok"),
        AnnotationRow("copy.jpg", label="ok"),
        AnnotationRow("2.jpg", label="ok", annotator="ana", at="2026-01-30"),
        AnnotationRow("2.jpg", label="crack", annotator="ana", at="2026-01-31"),
    ]
    write_annotations(path, rows, name.split(".")[1])
    first = put(db, path)
    stored = event_rows(db)
    assert len(first) == len(stored) == 3
    assert put(db, path) == first
    assert event_rows(db) == stored
    assert [(row.image, row.label) for row in current_rows(db)] == [("a/1.jpg", "ok"), ("2.jpg", "crack")]


def test_reading_back_what_was_written_into_its_own_project_changes_nothing(
    db: Database, history: list[Event], tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    before = event_rows(db)
    write_annotations(path, before, "jsonl")
    put(db, path)
    assert event_rows(db) == before
