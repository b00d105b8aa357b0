"""The projects opened lately on this machine, for the app's start page; a convenience that nothing depends on."""

from __future__ import annotations

import json
import os
from pathlib import Path

from annotate_select.config import FILE_NAME
from annotate_select.errors import StorageError
from annotate_select.files import write_whole

__all__ = ["recent_projects", "remember"]


def recent_projects() -> list[Path]:
    """Return the folders of projects opened lately that are still there, newest first."""
    try:
        roots = [Path(text) for text in json.loads(_recent_file().read_text())]
    except (OSError, ValueError, TypeError):
        return []
    return [root for root in roots if (root / FILE_NAME).exists()]


def remember(root: str | Path) -> None:
    """Put a project's folder at the head of `recent_projects`; where that cannot be written, forget it."""
    root = Path(root).resolve()
    roots = [root, *(one for one in recent_projects() if one != root)][:20]
    try:
        write_whole(_recent_file(), json.dumps([str(one) for one in roots]))
    except StorageError:
        return


def _recent_file() -> Path:
    named = os.environ.get("ANNOTATE_SELECT_STATE")
    if named:
        return Path(named) / "recent.json"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "annotate-select" / "recent.json"
