"""The projects this server has open, shared by the pages and the routes; what belongs to one user is in `state`."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from annotate_select.config import FILE_NAME
from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.recent import recent_projects, remember

__all__ = ["by_id", "keep", "opened"]

_open: dict[Path, Project] = {}
_lock = Lock()


def opened(root: str | Path) -> Project:
    """Return the project in a folder, opening it the first time and remembering it for the next start.

    Raises AnnotateSelectError as Project.open does.
    """
    root = Path(root).expanduser().resolve()
    with _lock:
        project = _open.get(root)
        if project is None or not (root / FILE_NAME).exists():
            project = _open[root] = Project.open(root)
            remember(root)
    return project


def keep(project: Project) -> None:
    """Take in a project that was just made."""
    with _lock:
        _open[project.root] = project
    remember(project.root)


def by_id(project_id: str) -> Project | None:
    """Find a project by its id: among the open ones, then among the recent ones.

    A browser that kept annotations while the server was down names its project by id alone.
    """
    with _lock:
        known = list(_open.values())
    for project in known:
        if project.id == project_id:
            return project
    for root in recent_projects():
        try:
            project = opened(root)
        except AnnotateSelectError:
            continue  # a damaged project must not keep the others from being found
        if project.id == project_id:
            return project
    return None
