"""Write annotations: what is said now as CSV, or everything that was ever said as JSONL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from annotate_select.annotations.database import Database
from annotate_select.annotations.events import all_events, current_annotations, history
from annotate_select.annotations.images import keys_of
from annotate_select.errors import ExchangeError, did_you_mean
from annotate_select.exchange.rows import AnnotationRow
from annotate_select.exchange.table import write_table
from annotate_select.files import whole_file

__all__ = ["FORMATS", "current_rows", "event_rows", "write_annotations"]

COLUMNS = ("image", "label", "annotator", "at", "kind")


def write_annotations(path: Path, rows: Iterable[AnnotationRow], format: str) -> int:
    """Write rows as `csv` or `jsonl`, the file whole or not at all; return how many.

    The CSV has the columns image,label,annotator,at,kind, and `note` when there is a note; it has no place for uids
    and undos, JSONL does. Raises ExchangeError for another format, StorageError when the disk is full or read-only.
    """
    if format not in FORMATS:
        raise ExchangeError(
            f"unknown format {format!r}{did_you_mean(format, list(FORMATS))}; choose {' or '.join(FORMATS)}"
        )
    written = list(rows)
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        FORMATS[format](file, written)
    return len(written)


def current_rows(db: Database) -> list[AnnotationRow]:
    """Return what each annotator says of each image now, then the flags that stand."""
    current = current_annotations(db)
    keys = keys_of(db, {one.image_id for one in current})
    rows = [
        AnnotationRow(keys[one.image_id], one.kind, one.label, one.annotator, one.at, one.uid, note=one.note)
        for one in current
    ]
    flags = [event for event in history(db, kind="flag") if not event.undone]
    return rows + [
        AnnotationRow(one.key, one.kind, None, one.annotator, one.said_at or one.at, one.uid, note=one.note)
        for one in flags
    ]


def event_rows(db: Database) -> list[AnnotationRow]:
    """Return every event in the order it was recorded, those taken back and the undos too."""
    return [
        AnnotationRow(
            image=event.key,
            kind=event.kind,
            label=event.label,
            annotator=event.annotator,
            at=event.said_at or event.at,
            uid=event.uid,
            target=event.target_uid,
            note=event.note,
        )
        for event in all_events(db)
    ]


def _write_csv(file: TextIO, rows: list[AnnotationRow]) -> None:
    columns = [*COLUMNS, "note"] if any(row.note for row in rows) else list(COLUMNS)
    write_table(file, columns, ([getattr(row, name) or "" for name in columns] for row in rows))


def _write_jsonl(file: TextIO, rows: list[AnnotationRow]) -> None:
    file.writelines(json.dumps(_said(row), ensure_ascii=False) + "\n" for row in rows)


def _said(row: AnnotationRow) -> dict[str, str]:
    """Return what the row holds; its line belongs to the file it came from."""
    return {name: value for name, value in asdict(row).items() if name != "line" and value is not None}


FORMATS: dict[str, Callable[[TextIO, list[AnnotationRow]], None]] = {"csv": _write_csv, "jsonl": _write_jsonl}
