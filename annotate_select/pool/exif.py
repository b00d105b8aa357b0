"""What a camera wrote into a file: which camera, and when the picture was taken. Damaged metadata says nothing."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime

from PIL import Image

__all__ = ["camera_and_time", "captured_at", "time_of"]

MAKE, MODEL, CHANGED = 0x010F, 0x0110, 0x0132  # EXIF 2.32, section 4.6.4
EXIF_IFD, TAKEN, OFFSET = 0x8769, 0x9003, 0x9011  # sections 4.6.3 and 4.6.5
LONGEST = 60  # characters of a text
YEARS = range(1900, 2100)  # others are a slip, not a time
# Day one of the clocks of old Macs, Unix, and DOS: a camera writes it whose clock was never set.
UNSET = frozenset({date(1904, 1, 1), date(1970, 1, 1), date(1980, 1, 1)})
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")


def camera_and_time(image: Image.Image) -> tuple[str, str]:
    """Return the camera and the time of the picture, or else of its last change, as written; "" where none is."""
    try:
        tags = image.getexif()
        taken = tags.get_ifd(EXIF_IFD).get(TAKEN) or tags.get(CHANGED)
        make, model = _clean(tags.get(MAKE)), _clean(tags.get(MODEL))
    except MemoryError:
        raise
    except Exception:
        return "", ""
    return (model if model.startswith(make) else f"{make} {model}")[:LONGEST], _clean(taken)


def captured_at(image: Image.Image) -> str | None:
    """Return when a picture was taken (DateTimeOriginal), ISO 8601 in whole seconds; None where nothing sensible is.

    The offset from UTC is that of the file, where it has one. When a file was changed is not when it was taken, and a
    date that a clock shows which was never set is none.
    """
    try:
        tags = image.getexif()
        more = tags.get_ifd(EXIF_IFD) if EXIF_IFD in tags else {}
        text, offset = _clean(more.get(TAKEN)), _clean(more.get(OFFSET))
    except MemoryError:
        raise
    except Exception:
        return None
    at = time_of(text)
    if at is None or at.year not in YEARS or at.date() in UNSET:
        return None
    if at.tzinfo is None and _OFFSET.fullmatch(offset):
        at = datetime.fromisoformat(at.isoformat() + offset)
    return at.isoformat(timespec="seconds")


def time_of(text: str | None) -> datetime | None:
    """Read a time as EXIF (2019:05:31 16:20:11) or ISO 8601 writes it; None for what is none."""
    if not text:
        return None
    if len(text) > 9 and text[4] == ":" and text[7] == ":":
        text = text[:10].replace(":", "-") + text[10:]
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    return None


def _clean(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""
    return " ".join(text.replace("\0", " ").split())[:LONGEST]
