"""What one line of a file says, before it is checked against a project and after it left one."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AnnotationRow", "PickRow"]


@dataclass(frozen=True)
class AnnotationRow:
    """One annotation, or one undo, of a file; `image` is the key, `line` where it stands (0: in no file).

    `at` is ISO 8601 text, `target` the uid of the event that an undo takes back.
    """

    image: str
    kind: str = "label"
    label: str | None = None
    annotator: str | None = None
    at: str | None = None
    uid: str | None = None
    target: str | None = None
    note: str | None = None
    line: int = 0


@dataclass(frozen=True)
class PickRow:
    """One pick of a batch; `image` is the key, `path` the absolute path, which only some formats need."""

    image: str
    path: str
    role: str
    score: float
    reason: str
    batch: int
