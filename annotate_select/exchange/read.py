"""Read annotations from CSV and JSONL.

A file is read whole and checked whole: one error names every line that is wrong, up to ten of them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from annotate_select.annotations.soundness import FLAG_NEEDS, is_flag_note
from annotate_select.errors import ExchangeError, did_you_mean, listed
from annotate_select.exchange.rows import AnnotationRow

__all__ = ["KINDS", "read_annotations"]

KINDS = ("label", "skip", "unsure", "reject", "flag", "final")
UNDO = "undo"  # only in JSONL, where events have uids to point at
DELIMITERS = (",", ";", "\t")
REQUIRED = ("image", "label")
CSV_COLUMNS = ("image", "label", "annotator", "at", "kind", "note")
JSONL_NAMES = (*CSV_COLUMNS, "uid", "target")

_Record = tuple[int, Mapping[str, str]]  # the line and the values that are not empty


def read_annotations(path: Path) -> list[AnnotationRow]:
    """Read the annotations of a `.csv` or `.jsonl` file, in its order.

    A CSV has the columns `image,label` and may have `annotator,at,kind,note`, divided by commas, semicolons or tabs;
    JSONL has one object a line with the same names, `uid` and `target`. Other columns are ignored, so that a file of
    picks can be filled in and read. Raises ExchangeError naming the file and the lines at fault.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise ExchangeError(f"cannot read annotations from {path}: give a file that ends in .csv or .jsonl")
    text = _text(path)
    problems: list[str] = []
    records = _csv_records(path, text) if suffix == ".csv" else _jsonl_records(text, problems)
    kinds = KINDS if suffix == ".csv" else (*KINDS, UNDO)
    rows = []
    for line, values in records:
        wrong = _wrong(values, kinds)
        if wrong:
            problems.append(f"line {line}: {wrong}")
        else:
            rows.append(AnnotationRow(**{"kind": "label", **values}, line=line))
    if problems:
        raise ExchangeError(f"{path} cannot be used, mend it and read it again: {_joined(problems)}")
    if not rows:
        raise ExchangeError(f"{path} holds no annotations; it needs a line for each")
    return rows


def _joined(problems: list[str], most: int = 10) -> str:
    more = f"; and {len(problems) - most} more" if len(problems) > most else ""
    return "; ".join(problems[:most]) + more


def _text(path: Path) -> str:
    """Return the text of a file, without a byte order mark."""
    if path.is_dir():
        raise ExchangeError(f"{path} is a folder; give a .csv or .jsonl file of annotations")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ExchangeError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise ExchangeError(f"cannot read {path}: {error.strerror or error}") from error
    if not content.strip():
        raise ExchangeError(f"{path} is empty; it needs annotations, such as a CSV with the header image,label")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ExchangeError(f"{path} is text in UTF-16; save it as UTF-8")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise ExchangeError(f"{path} is not a text file (a zero byte in line {line}); give a CSV or JSONL file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ExchangeError(f"{path} is not UTF-8 text (see line {line}); save it as UTF-8") from error


def _csv_records(path: Path, text: str) -> Iterator[_Record]:
    """Yield the rows of a CSV with the line each begins at; rows of nothing but empty cells are passed over."""
    delimiter, header = _header(path, text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for number, cells in enumerate(reader):
            if number and any(cells):
                if len(cells) > len(header):
                    raise ExchangeError(
                        f"{path} line {line} has {len(cells)} columns, the header {len(header)}; "
                        f"put quotes around a value that holds {delimiter!r}"
                    )
                yield line, _named(header, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ExchangeError(f"{path} line {line} is not CSV ({error}); look for a quote that is not closed") from error


def _named(header: list[str], cells: list[str]) -> dict[str, str]:
    """Keep keys and notes exactly; strip the rest, because classes and kinds have no spaces around them."""
    ours = [pair for pair in zip(header, cells, strict=False) if pair[0] in CSV_COLUMNS]  # a short row lacks its last
    kept = {name: cell if name in ("image", "note") else cell.strip() for name, cell in ours}
    return {name: cell for name, cell in kept.items() if cell}


def _header(path: Path, text: str) -> tuple[str, list[str]]:
    """Find the delimiter under which the header has the most of our columns."""
    headers = {delimiter: _columns(path, text, delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda one: len(set(headers[one]) & set(CSV_COLUMNS)))
    header = headers[delimiter]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        found = max(headers.values(), key=len)
        hints = "".join(did_you_mean(name, found) for name in missing)
        raise ExchangeError(
            f"{path} line 1 lacks the column {' and '.join(missing)}; its columns are {listed(found)}{hints}; "
            "the header must name image and label"
        )
    repeated = [name for name in CSV_COLUMNS if header.count(name) > 1]
    if repeated:
        raise ExchangeError(f"{path} line 1 names the column {listed(repeated)} twice; keep one of them")
    return delimiter, header


def _columns(path: Path, text: str, delimiter: str) -> list[str]:
    try:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise ExchangeError(f"{path} line 1 is not a CSV header ({error}); it must name image and label") from error
    return [name.strip().lower() for name in first]


def _jsonl_records(text: str, problems: list[str]) -> Iterator[_Record]:
    """Yield the objects of a JSONL text; what is not one is added to `problems`."""
    for line, source in enumerate(text.split("\n"), 1):  # not splitlines: JSON may hold U+2028 as it is
        if not source.strip():
            continue
        try:
            values = json.loads(source)
        except (ValueError, RecursionError) as error:
            problems.append(f"line {line}: not JSON ({error})")
            continue
        if not isinstance(values, dict):
            problems.append(f'line {line}: must be an object such as {{"image": "1.jpg", "label": "cat"}}')
            continue
        ours = {name: values[name] for name in JSONL_NAMES if values.get(name) not in (None, "")}
        wrong = [name for name, value in ours.items() if not _is_text(value)]
        if wrong:
            problems.append(f"line {line}: {wrong[0]} must be text, got {json.dumps(ours[wrong[0]])}")
        else:
            yield line, ours


def _is_text(value: object) -> bool:
    """Tell whether a database can hold it: no number, no half of a surrogate pair, no zero."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _wrong(values: Mapping[str, str], kinds: tuple[str, ...]) -> str | None:
    """Say what is wrong with one row, or nothing."""
    kind = values.get("kind", "label")
    if not values.get("image", "").strip():
        return "the image is empty"
    if kind not in kinds:
        return f"unknown kind {kind!r}{did_you_mean(kind, kinds)}; allowed are {', '.join(kinds)}"
    if kind == "label" and not values.get("label", "").strip():
        return "the label is empty; fill it in or delete the line"
    if kind not in ("label", "final") and "label" in values:
        return f"a row of kind {kind} takes no label, got {values['label']!r}"
    if kind == "flag" and not is_flag_note(values.get("note")):
        return FLAG_NEEDS
    if kind == UNDO and "target" not in values:
        return "an undo needs the uid of its target"
    return _wrong_time(values.get("at"))


def _wrong_time(at: str | None) -> str | None:
    try:
        datetime.fromisoformat(at or "2000-01-01")
    except ValueError:
        return f"at must be a time such as 2026-01-31T12:00:00+00:00, got {at!r}"
    return None
