"""Hand an annotator the images to label next, with what the model suggests where the project asks for that."""

from __future__ import annotations

from dataclasses import replace

from annotate_select.annotations.queue import QueueItem, next_images
from annotate_select.steps.home import Home

__all__ = ["queue"]


def queue(home: Home, annotator: str, n: int) -> list[QueueItem]:
    """Return up to n images for this annotator and lease them.

    With `suggestions` under [label], picks carry the newest model's opinion. Whoever is told what an image is says so
    more often: the exam and the audits, which measure, have none, and a tenth of the picks neither, so that what has
    none is not known for the exam.
    """
    rules = home.config.queue
    items = next_images(home.db, annotator, n, overlap=rules.overlap, lease_seconds=rules.lease_seconds)
    return _suggested(home, items) if home.config.label.suggestions else items


def _suggested(home: Home, items: list[QueueItem]) -> list[QueueItem]:
    from annotate_select.steps.opinions import opinions, withheld

    ids = [item.image_id for item in items]
    said = opinions(home, ids) or {}
    shown = []
    for item, hidden in zip(items, withheld(home, ids), strict=True):
        one = said.get(item.image_id) if item.role == "pick" and not hidden else None
        shown.append(replace(item, suggestion=one.label, certainty=one.probability) if one else item)
    return shown
