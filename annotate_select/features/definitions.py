"""definition.json: everything that decides some features, and when they became the ones that count."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from annotate_select.errors import listed
from annotate_select.features.rows import corrupt
from annotate_select.files import digest

__all__ = ["Record", "differences", "later", "plain", "read_record"]


@dataclass(frozen=True)
class Record:
    """What definition.json says."""

    definition: dict[str, object]
    created_at: str


def read_record(folder: Path, expected: str) -> Record:
    """Read definition.json; `expected` is the digest in the folder's name. Raises FeaturesError when it is corrupt."""
    path = folder / "definition.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        record = Record(dict(content["definition"]), str(content["created_at"]))
        later(record.created_at)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise corrupt(path, f"it cannot be read ({type(error).__name__}: {error})") from error
    if digest(record.definition) != expected:
        raise corrupt(path, "it does not fit the name of its folder")
    return record


def later(moment: str) -> datetime:
    """Return the moment right after one written as ISO 8601."""
    return datetime.fromisoformat(moment) + timedelta(microseconds=1)


def plain(definition: Mapping[str, object]) -> object:
    """Return the definition as it reads back from JSON: lists for tuples."""
    return json.loads(json.dumps(definition))


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    """Name the fields of two definitions that differ, inner ones as `outer.inner`, the outermost first."""
    before, after = dict(_flat(old)), dict(_flat(new))
    names = [
        name
        for name in sorted(before | after, key=lambda name: (name.count("."), name))
        if before.get(name) != after.get(name)
    ]
    parts = [f"{name}: {before.get(name, 'nothing')} stored, {after.get(name, 'nothing')} asked" for name in names]
    return listed(parts, most=5)


def _flat(definition: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in definition.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, list(value) if isinstance(value, tuple) else value
