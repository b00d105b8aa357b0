"""Every error this package raises on purpose.

AnnotateSelectError
├── ConfigError            project.toml is missing, unreadable or says something impossible
├── ProjectError           no project here, or one is here already
├── SourceError            a source of images cannot be read
├── ImageError             one image cannot be decoded
│   └── ChangedImage       its file no longer holds the bytes that were added
├── FeaturesError          features are missing, stale, corrupt, or the encoder cannot make them
├── SelectionError         a selection was asked for that cannot be made
│   └── UnknownStrategy    no strategy of that name
├── DatabaseError          the database is corrupt, newer than this program, or cannot be written
├── AnnotationError        an annotation that cannot be recorded
│   ├── UnknownImages      images that are not in the pool
│   ├── UnknownClasses     classes the project does not have
│   └── DuplicateRows      one file says two things of one image
├── LearningError          too little to learn from, or a stored model that cannot be used
├── ExamError              the exam cannot be drawn or evaluated
├── ExchangeError          a file of annotations or picks cannot be read or written
└── StorageError           the disk is full, read-only, or failing
    └── BusyError          another process is doing this to the same project

Each message is one sentence that names the value, what is allowed, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = [
    "AnnotateSelectError",
    "AnnotationError",
    "BusyError",
    "ChangedImage",
    "ConfigError",
    "DatabaseError",
    "DuplicateRows",
    "ExamError",
    "ExchangeError",
    "FeaturesError",
    "ImageError",
    "LearningError",
    "ProjectError",
    "SelectionError",
    "SourceError",
    "StorageError",
    "UnknownClasses",
    "UnknownImages",
    "UnknownStrategy",
]


class AnnotateSelectError(Exception):
    """A problem the user can mend; its message says how."""


class ConfigError(AnnotateSelectError):
    """project.toml is missing, unreadable or says something impossible."""


class ProjectError(AnnotateSelectError):
    """No project here, or one is here already."""


class SourceError(AnnotateSelectError):
    """A source of images cannot be read."""


class ImageError(AnnotateSelectError):
    """One image cannot be decoded; the message is the reason, short enough for a table."""


class ChangedImage(ImageError):
    """An image's file no longer holds the bytes that were added."""


class FeaturesError(AnnotateSelectError):
    """Features are missing, stale, corrupt, or the encoder cannot make them."""


class SelectionError(AnnotateSelectError):
    """A selection was asked for that cannot be made."""


class UnknownStrategy(SelectionError):
    """No strategy of that name; the message names the near ones."""


class DatabaseError(AnnotateSelectError):
    """The database is corrupt, newer than this program, or cannot be written."""


class AnnotationError(AnnotateSelectError):
    """An annotation that cannot be recorded."""


class UnknownImages(AnnotationError):
    """Images that are not in the pool."""


class UnknownClasses(AnnotationError):
    """Classes the project does not have."""


class DuplicateRows(AnnotationError):
    """One file says two things of one image."""


class LearningError(AnnotateSelectError):
    """Too little to learn from, or a stored model that cannot be used."""


class ExamError(AnnotateSelectError):
    """The exam cannot be drawn or evaluated."""


class ExchangeError(AnnotateSelectError):
    """A file of annotations or picks cannot be read or written."""


class StorageError(AnnotateSelectError):
    """The disk is full, read-only, or failing."""


class BusyError(StorageError):
    """Another process is doing this to the same project."""


def first_line(error: BaseException) -> str:
    """Return the beginning of what an error says, to be quoted in one sentence."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def listed(values: Iterable[object], most: int = 10) -> str:
    """Write values as `a, b, c` and say how many were left out.

    >>> listed(["x", "y", "z"], most=2)
    'x, y and 1 more'
    """
    items = [str(value) for value in values]
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return ` (did you mean a or b?)`, or nothing when no known name is near.

    >>> did_you_mean("kmean", ["kmeans", "margin"])
    ' (did you mean kmeans?)'
    """
    near = get_close_matches(name, known, n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
