"""Reading the files that list images: a CSV manifest, or a text file with a path a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from annotate_select.errors import SourceError, did_you_mean, listed

__all__ = ["Row", "read_list", "read_manifest"]

OWN_COLUMNS = ("image", "group", "captured_at")
DELIMITERS = ",;\t"  # spreadsheets save "CSV" with a semicolon where the comma is the decimal sign


@dataclass(frozen=True)
class Row:
    """One line of a manifest; `image` as it is written there."""

    image: str
    group: str | None = None
    captured_at: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_manifest(file: Path) -> list[Row]:
    """Read a CSV manifest: a header with `image` and optional `group` and `captured_at`; more columns are metadata.

    Raises SourceError naming the line or the columns found.
    """
    text = _text(file)
    first = text.split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        _check_columns(file, columns)
        return list(_rows(file, columns, ((reader.line_num, cells) for cells in reader)))
    except csv.Error as error:
        raise SourceError(f"{file}, line {reader.line_num}: {error}; mend that line") from error


def read_list(file: Path) -> list[Row]:
    """Read a text file with the path of an image on each line; empty lines are passed over."""
    return [Row(line.strip()) for line in _text(file).split("\n") if line.strip()]


def _check_columns(file: Path, columns: list[str]) -> None:
    if "image" not in columns:
        near = did_you_mean("image", columns)
        found = f"its columns are {listed(columns)}" if columns else "it is empty"
        raise SourceError(f"{file} has no column `image`: {found}{near}; name the column of paths `image`")
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        raise SourceError(f"{file} has the column {listed(repeated)} more than once; rename or remove one")


def _rows(file: Path, columns: list[str], lines: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    for line, cells in lines:
        values = [cell.strip() for cell in cells]
        if not any(values):
            continue
        if any(values[len(columns) :]):
            raise SourceError(
                f"{file}, line {line}: {len(values)} cells, but the header has {len(columns)}; quote commas"
            )
        # Columns without a name and cells without a value say nothing.
        row = {name: value for name, value in zip(columns, values, strict=False) if name and value}
        if "image" not in row:
            raise SourceError(f"{file}, line {line}: the column `image` is empty; fill it in or remove the line")
        metadata = {name: value for name, value in row.items() if name not in OWN_COLUMNS}
        captured_at = _time(row.get("captured_at"), f"{file}, line {line}")
        yield Row(row["image"], row.get("group"), captured_at, metadata)


def _time(text: str | None, where: str) -> str | None:
    """Return the text when it is ISO 8601, so that comparing times later cannot fail."""
    if text is not None:
        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            raise SourceError(
                f"{where}: captured_at {text!r} is not ISO 8601; write it as 2026-01-31 or 2026-01-31T09:30:00"
            ) from error
    return text


def _text(file: Path) -> str:
    """Return the text of a file with plain line ends."""
    advice = "save it as UTF-8 text"
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8 text (byte {error.start}); {advice}") from error
    except OSError as error:
        raise SourceError(f"cannot read {file}: {error.strerror or error}") from error
    if "\0" in text:  # what UTF-16 looks like when it is read as UTF-8
        raise SourceError(f"{file} is not UTF-8 text (it holds zero bytes); {advice}")
    return text
