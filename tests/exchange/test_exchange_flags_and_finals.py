"""Flags and finals in files: what one project writes, another reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate_select.annotations.consensus import Consensus, consensus
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, history, record
from annotate_select.annotations.images import ImageRecord, add_images, resolve
from annotate_select.errors import ExchangeError
from annotate_select.exchange.plan import plan_import
from annotate_select.exchange.read import read_annotations
from annotate_select.exchange.write import current_rows, event_rows, write_annotations

SAID = [
    Event("u1", 1, "ana", "label", "cat", said_at="2026-01-01T00:00:00+00:00", note="a tail"),
    Event("u2", 1, "ana", "flag", note="twice?", said_at="2026-01-01T00:00:00+00:00"),
    Event("u3", 1, "ana", "flag", note="look, again", said_at="2026-01-01T00:00:00+00:00"),
    Event("u4", 1, "eva", "final", "dog", said_at="2026-01-01T00:00:02+00:00", note="by the ears"),
    Event("u5", 2, "eva", "final", said_at="2026-01-01T00:00:03+00:00"),
    Event("u6", 2, "ana", "flag", note="taken back", said_at="2026-01-01T00:00:04+00:00"),
    Event("u7", 2, "ana", "undo", target_uid="u6", said_at="2026-01-01T00:00:05+00:00"),
]


def made(path: Path) -> Database:
    db = Database.create(path)
    add_images(db, [ImageRecord(f"{i}.jpg", "s", f"{i}.jpg", f"{i:032x}", 1, 1, 1, 1) for i in (1, 2)])
    return db


def said(db: Database) -> tuple[list[object], list[object], dict[int, Consensus]]:
    current = current_annotations(db)
    flags = [(one.key, one.annotator, one.note) for one in history(db, kind="flag") if not one.undone]
    now = [(one.image_id, one.annotator, one.kind, one.label, one.note) for one in current]
    return [*now], [*flags], consensus(current)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_what_is_written_is_read_again(tmp_path: Path, format: str) -> None:
    first, second = made(tmp_path / "a.db"), made(tmp_path / "b.db")
    assert record(first, SAID).refused == []
    path = tmp_path / f"said.{format}"
    write_annotations(path, current_rows(first) if format == "csv" else event_rows(first), format)
    for _ in range(2):  # the second time nothing is new
        plan = plan_import(
            read_annotations(path), resolve=lambda keys: resolve(second, keys), classes=["cat", "dog"], annotator="x"
        )
        assert record(second, plan.events).refused == []
    assert said(second) == said(first)
    assert said(second)[1] == [("1.jpg", "ana", "twice?"), ("1.jpg", "ana", "look, again")]
    assert [(one.label, one.state, one.final) for one in said(second)[2].values()] == [
        ("dog", "labelled", True),
        (None, "rejected", True),
    ]
    assert len(history(second)) == (5 if format == "csv" else 7)
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("1.jpg,,flag,", "a flag needs a note of 1 to 2,000 characters"),
        (f"1.jpg,,flag,{'n' * 2001}", "a flag needs a note"),
        ("1.jpg,cat,flag,look", "a row of kind flag takes no label, got 'cat'"),
    ],
)
def test_a_wrong_flag_is_named(tmp_path: Path, row: str, wrong: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"image,label,kind,note\n{row}\n")
    with pytest.raises(ExchangeError, match=f"line 2: {wrong}"):
        read_annotations(path)
