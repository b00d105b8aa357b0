"""Whether an event can be one at all, whatever is stored already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotate_select.annotations.events import Event

__all__ = ["FLAG_NEEDS", "KINDS", "LONGEST_NOTE", "is_flag_note", "malformed"]

KINDS = ("label", "skip", "unsure", "reject", "flag", "final", "undo")
LONGEST_NOTE = 2_000  # characters of what a flag says
FLAG_NEEDS = f"a flag needs a note of 1 to {LONGEST_NOTE:,} characters"


def malformed(event: Event) -> str | None:
    """Return what is wrong with an event in itself, None when nothing is."""
    if event.kind not in KINDS:
        return f"unknown kind {event.kind!r}; allowed are {', '.join(KINDS)}"
    if not event.uid or not event.annotator:
        return "an event needs a uid and an annotator"
    if event.kind == "label" and not event.label:
        return "a label needs a class"
    if event.label and event.kind not in ("label", "final"):
        return f"{event.kind} takes no class"
    if event.kind == "final" and event.label == "":
        return "a final names a class, or none for a rejection"
    if event.kind == "flag" and not is_flag_note(event.note):
        return FLAG_NEEDS
    if event.kind == "undo" and not event.target_uid:
        return "an undo needs the uid it takes back"
    texts = (event.uid, event.annotator, event.label, event.target_uid, event.said_at, event.note)
    if any(not _is_text(text) for text in texts if text is not None):
        return "a text of it is not valid Unicode"
    numbers = (event.image_id, event.shown_ms, event.batch)
    if any(not -(2**63) <= number < 2**63 for number in numbers if number is not None):
        return "a number of it is too large"
    return None


def is_flag_note(note: str | None) -> bool:
    """Tell whether a flag may say this."""
    return note is not None and bool(note.strip()) and len(note) <= LONGEST_NOTE


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
