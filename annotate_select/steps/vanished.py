"""Files that a source held and that are gone: their images leave the pool, on record, until the files are back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from annotate_select.annotations import images
from annotate_select.annotations.images import ImageRecord, Known
from annotate_select.config import SourceSettings
from annotate_select.errors import SourceError
from annotate_select.steps.home import Home
from annotate_select.words import counted

__all__ = ["require_reachable", "still_there", "take_out"]

IN_POOL = ("ok", "duplicate")
NO_FILE = f"{images.UNREACHABLE}no such file"


def take_out(home: Home, settings: SourceSettings, listed: Iterable[str], most: int) -> list[str]:
    """Record what a folder's listing lacks and is no file any more; return the keys. At most `most` a transaction.

    A duplicate that is still there takes the place of its original. `listed` are paths as the pool knows them. What the
    listing passed over, or could not reach, is left as it is.
    """
    root, there = home.source_root(settings), set(listed)
    missing = {path: one for path, one in _in_pool(home, settings) if path not in there and _is_gone(root / path)}
    records = [_record(settings, path, one) for path, one in missing.items()]
    for start in range(0, len(records), most):
        images.add_images(home.db, records[start : start + most])
    return [one.key for one in records]


def require_reachable(home: Home, settings: SourceSettings, paths: Iterable[Path]) -> None:
    """Refuse a source of which nothing can be reached, though the pool has images of it. Raises SourceError."""
    if any(os.path.isfile(path) for path in paths):
        return
    if kept := still_there(home, settings):
        raise SourceError(f"not one image of {home.source_root(settings)} can be reached; {kept}")


def still_there(home: Home, settings: SourceSettings) -> str:
    """Say that a source's images stay in the pool though it cannot be read; nothing where it has none there."""
    count = sum(one.status == "ok" for _, one in _in_pool(home, settings))
    if count == 0:
        return ""
    return f"the pool keeps the {counted(count)} it has of it; mount or bring back the files, then run this again"


def _in_pool(home: Home, settings: SourceSettings) -> Iterator[tuple[str, Known]]:
    known = images.known(home.db, settings.name).items()
    return ((path, one) for path, one in known if one.status in IN_POOL)


def _is_gone(path: Path) -> bool:
    """Say whether a file is gone for sure: one that a locked folder or a failing disk hides is not."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _record(settings: SourceSettings, path: str, one: Known) -> ImageRecord:
    """Say of a file that it is not there; its size stays, by which `embed` knows it again."""
    key = f"{settings.name}/{path}" if settings.prefixed else path
    return ImageRecord(key, settings.name, path, "", one.size_bytes, 0, 0, 0, problem=NO_FILE)
