"""Exports as bytes a browser can take."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from annotate_select.project import Project

__all__ = ["FORMATS", "content", "preview", "zipped"]


@dataclass(frozen=True)
class Format:
    """How a format is called, and what its file is."""

    text: str
    suffix: str
    mime: str


FORMATS = {
    "csv": Format("CSV: what each annotator says now, a row for each image and annotator", "-labels.csv", "text/csv"),
    "jsonl": Format("JSON Lines: every event, the whole history", "-events.jsonl", "application/x-ndjson"),
    "imagefolder": Format("Folders: a folder a class, with the images, as a zip", "-images.zip", "application/zip"),
}


def content(project: Project, format: str) -> bytes:
    """Return a text format whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"export{FORMATS[format].suffix}"
        project.export(path, format)
        return path.read_bytes()


def preview(content: bytes, format: str, n: int) -> list[dict[str, object]]:
    """Return the first n rows of what `content` returned."""
    lines = io.StringIO(content.decode("utf-8-sig"))
    if format == "csv":
        return [dict(row) for row in islice(csv.DictReader(lines), n)]
    return [json.loads(line) for line in islice(lines, n)]


def zipped(project: Project) -> Callable[[], bytes]:
    """Return what packs the labelled images, to be called when the button is pressed."""

    def pack() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "images"
            project.export(root, "imagefolder")
            archive = Path(folder) / "images.zip"
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
                for file in sorted(root.rglob("*")):
                    packed.write(file, file.relative_to(root))
            return archive.read_bytes()

    return pack
