"""Write a batch for people and for other tools."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path, PurePath
from urllib.parse import quote

from annotate_select.errors import ExchangeError, did_you_mean, listed
from annotate_select.exchange.rows import PickRow
from annotate_select.exchange.table import write_table
from annotate_select.files import write_whole
from annotate_select.words import counted, named

__all__ = ["FORMATS", "PickRow", "known_formats", "write_picks"]

COLUMNS = ("image", "role", "score", "reason", "batch")


def write_picks(path: Path, rows: Sequence[PickRow], formats: Sequence[str]) -> list[Path]:
    """Write the picks, best first, in each format (`csv`, `jsonl`, `paths`, `label-studio`); return the files.

    One format goes to `path` itself, unless its suffix is that of another format. Several formats go to files beside
    each other: `next.csv` becomes `next.jsonl`, `next.paths.txt` and `next.label-studio.json`. Raises ExchangeError
    for an unknown format, or a pick without a path where one is needed, before anything is written.
    """
    wanted = known_formats(formats)
    contents = {_place(path, name, len(wanted) == 1): FORMATS[name][1](rows) for name in wanted}
    for place, content in contents.items():
        write_whole(place, content)
    return list(contents)


def known_formats(formats: Sequence[str]) -> list[str]:
    """Return the formats, each once; raises ExchangeError when one is unknown or none is given."""
    wanted = list(dict.fromkeys(formats))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        name = unknown[0] if unknown else ""
        raise ExchangeError(
            f"unknown format {name!r}{did_you_mean(name, list(FORMATS))}; choose from {listed(FORMATS)}"
        )
    return wanted


def _place(path: Path, name: str, alone: bool) -> Path:
    """Return the file of a format: `path` as it is if it is the only one and says nothing else."""
    suffixes = [suffix for suffix, _ in FORMATS.values()]
    own, stem = _split(path.name, [*suffixes, ".json", ".txt"])
    if alone and (own == FORMATS[name][0] or own not in suffixes):
        return path
    return path.with_name(stem + FORMATS[name][0])


def _split(name: str, suffixes: Sequence[str]) -> tuple[str | None, str]:
    """Take the longest of the suffixes off a file's name; None and the whole name when it has none of them."""
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return suffix, name[: -len(suffix)]
    return None, name


def _csv(rows: Sequence[PickRow]) -> str:
    file = io.StringIO(newline="")
    write_table(file, COLUMNS, ([str(getattr(row, name)) for name in COLUMNS] for row in rows))
    return file.getvalue()


def _jsonl(rows: Sequence[PickRow]) -> str:
    values = ({**asdict(row), "score": _number(row.score)} for row in rows)
    return "".join(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n" for value in values)


def _paths(rows: Sequence[PickRow]) -> str:
    paths = _needed(rows)
    broken = [path for path in paths if "\n" in path or "\r" in path]
    if broken:
        raise ExchangeError(f"a list of paths cannot hold a path with a line break: {broken[0]!r}; write jsonl instead")
    return "".join(f"{path}\n" for path in paths)


def _label_studio(rows: Sequence[PickRow]) -> str:
    """Write Label Studio's tasks: what an annotator sees is in `data`, the role and reason apart in `meta`.

    Label Studio serves a file from `/data/local-files/?d=` and its path below LOCAL_FILES_DOCUMENT_ROOT, which is `/`
    unless it is set; the project there needs a Local Files storage that holds the images.
    """
    tasks = [
        {
            "data": {"image": _local_file(path), "key": row.image, "batch": row.batch},
            "meta": {"role": row.role, "score": _number(row.score), "reason": row.reason},
        }
        for row, path in zip(rows, _needed(rows), strict=True)
    ]
    return json.dumps(tasks, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _local_file(path: str) -> str:
    return "/data/local-files/?d=" + quote(PurePath(path).as_posix().lstrip("/"))


def _needed(rows: Sequence[PickRow]) -> list[str]:
    lacking = [row.image for row in rows if not PurePath(row.path).is_absolute()]
    if lacking:
        raise ExchangeError(
            f"{counted(len(lacking), verbs=('has', 'have'))} no absolute path: {named(lacking)}; write csv or jsonl "
            "instead"
        )
    return [row.path for row in rows]


def _number(score: float) -> float | None:
    """Return the score, or None for what JSON has no number for."""
    return score if math.isfinite(score) else None


# name -> the suffix of its files, and what writes it
FORMATS: dict[str, tuple[str, Callable[[Sequence[PickRow]], str]]] = {
    "csv": (".csv", _csv),
    "jsonl": (".jsonl", _jsonl),
    "paths": (".paths.txt", _paths),
    "label-studio": (".label-studio.json", _label_studio),
}
