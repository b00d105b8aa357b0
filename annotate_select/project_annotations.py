"""What people said: annotations in and out, labels and classes of a project. Project has it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select.steps import annotate as _annotate
from annotate_select.steps.home import Home

if TYPE_CHECKING:
    from annotate_select.steps.classes import ClassInfo

__all__ = ["Answers"]


class Answers:
    """The part of `Project` that takes annotations and gives labels."""

    _home: Home

    def annotate(self, labels: Mapping[str, str], annotator: str = "api") -> int:
        """Record a class for each image key; return how many were recorded."""
        return _annotate.annotate(self._home, labels, annotator)

    def import_annotations(
        self,
        path: str | Path,
        *,
        annotator: str = "import",
        create_classes: bool = False,
        skip_unknown: bool = False,
        skip_duplicates: bool = False,
    ) -> _annotate.ImportReport:
        """Record the annotations of a CSV or JSONL file, or of a folder a class; nothing when a row is wrong.

        In a folder the bytes of a file tell which image of the pool it is, wherever that lies.
        """
        return _annotate.import_file(
            self._home,
            Path(path),
            annotator=annotator,
            create_classes=create_classes,
            skip_unknown=skip_unknown,
            skip_duplicates=skip_duplicates,
        )

    def export(self, path: str | Path, format: str | None = None) -> int:
        """Write annotations as csv, jsonl or imagefolder; return how many."""
        from annotate_select.steps.export import export

        return export(self._home, Path(path), format)

    def labels(self) -> dict[str, str]:
        """Return the label of every labelled image, by key."""
        from annotate_select.steps.standing import labels_by_key

        return labels_by_key(self._home)

    def exam_keys(self) -> list[str]:
        """Return the keys of the exam's images, in the order they were drawn."""
        from annotate_select.steps.exam import exam_keys

        return exam_keys(self._home)

    def reserved_rows(self, features: str | None = None) -> list[int]:
        """Return the rows of the features that are never trained on: the exam, its groups and near-duplicates."""
        from annotate_select.steps.exam import reserved_rows

        return reserved_rows(self._home, features)

    def add_class(self, name: str) -> None:
        """Add a class at the end of the list."""
        _annotate.add_class(self._home, name)

    def rename_class(self, old: str, new: str) -> None:
        """Rename a class; annotations keep what was said, labels follow."""
        _annotate.change_class(self._home, "rename", old, new)

    def merge_class(self, old: str, into: str) -> None:
        """Merge a class into another; annotations keep what was said, labels follow."""
        _annotate.change_class(self._home, "merge", old, into)

    def classes_about(self) -> list[ClassInfo]:
        """Return every class in its order, with its colour, key, guideline and examples."""
        from annotate_select.steps.classes import classes_about

        return classes_about(self._home)

    def describe_class(
        self,
        name: str,
        *,
        color: str | None = None,
        key: str | None = None,
        guideline: str | None = None,
        examples: Sequence[str] | None = None,
    ) -> None:
        """Say what is given of a class (`examples` are image keys), leaving the rest; an empty one is taken back."""
        from annotate_select.steps.classes import describe_class

        describe_class(self._home, name, color=color, key=key, guideline=guideline, examples=examples)
