"""Write the annotations out."""

from __future__ import annotations

from pathlib import Path

from annotate_select.annotations import events, images
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import ExchangeError, did_you_mean
from annotate_select.exchange.image_folder import write_image_folder
from annotate_select.exchange.write import current_rows, event_rows, write_annotations
from annotate_select.steps.home import Home

__all__ = ["FORMATS", "export"]

FORMATS = {
    "csv": "what each annotator says now: image,label,annotator,at,kind",
    "jsonl": "every event, undone ones too: the whole history",
    "imagefolder": "a folder a class, with a copy of each labelled image (by consensus)",
}


def export(home: Home, path: Path, format: str | None = None) -> int:
    """Write annotations to `path`; without a format, by its suffix; return how many were written.

    Raises ExchangeError for an unknown format or a target that cannot be written.
    """
    format = format or {".csv": "csv", ".jsonl": "jsonl", "": "imagefolder"}.get(path.suffix.lower(), path.suffix)
    if format == "imagefolder":
        return write_image_folder(path, _labelled(home))
    if format not in FORMATS:
        near = did_you_mean(format, list(FORMATS))
        raise ExchangeError(f"unknown format {format!r}; choose {', '.join(FORMATS)}{near}")
    rows = current_rows(home.db) if format == "csv" else event_rows(home.db)
    return write_annotations(path, rows, format)


def _labelled(home: Home) -> list[tuple[str, str, Path]]:
    found = []
    for image_id, said in consensus(events.current_annotations(home.db)).items():
        image = images.image(home.db, image_id)
        if said.label is not None and image is not None:
            found.append((said.label, image.key, home.path_of(image.source, image.path)))
    return sorted(found, key=lambda item: item[1])
