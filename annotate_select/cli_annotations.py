"""The commands about annotations: in from a file, out to a file, and the classes they name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate_select.cli_output import Output, pass_output
from annotate_select.words import counted, named

if TYPE_CHECKING:
    from annotate_select.project import Project

__all__ = ["classes", "export", "import_"]


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--annotator", default="import", show_default=True, help="Whose annotations these are, where the file does not say."
)
@click.option("--create-classes", is_flag=True, help="Add classes the project does not have.")
@click.option("--skip-unknown", is_flag=True, help="Leave out rows whose image is not in the pool.")
@click.option("--skip-duplicates", is_flag=True, help="Of rows for the same image take the first.")
@pass_output
def import_(
    output: Output, file: Path, annotator: str, create_classes: bool, skip_unknown: bool, skip_duplicates: bool
) -> None:
    """Record the annotations of FILE (CSV, JSONL, or a folder a class); all of it, or nothing when a row is wrong."""
    report = output.open().import_annotations(
        file,
        annotator=annotator,
        create_classes=create_classes,
        skip_unknown=skip_unknown,
        skip_duplicates=skip_duplicates,
    )
    output.show(asdict(report), report.text)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", help="csv, jsonl or imagefolder (default: by the file's suffix).")
@pass_output
def export(output: Output, file: Path, format_: str | None) -> None:
    """Write all annotations to FILE."""
    n = output.open().export(file, format_)
    output.show({"annotations": n, "path": str(file)}, f"wrote {counted(n, 'annotation')} to {file}")


@click.group()
def classes() -> None:
    """Add, rename, merge or describe classes; no annotation is lost."""


@classes.command("add")
@click.argument("name")
@pass_output
def classes_add(output: Output, name: str) -> None:
    """Add the class NAME."""
    _changed(output, lambda project: project.add_class(name))


@classes.command("rename")
@click.argument("old")
@click.argument("new")
@pass_output
def classes_rename(output: Output, old: str, new: str) -> None:
    """Rename the class OLD to NEW."""
    _changed(output, lambda project: project.rename_class(old, new))


@classes.command("merge")
@click.argument("old")
@click.argument("into")
@pass_output
def classes_merge(output: Output, old: str, into: str) -> None:
    """Merge the class OLD into the class INTO."""
    _changed(output, lambda project: project.merge_class(old, into))


@classes.command("describe")
@click.argument("name")
@click.option("--color", help="As #rrggbb.")
@click.option("--key", help="The key that chooses it while labelling.")
@click.option("--guideline", help="What an annotator should know of it.")
@click.option("--example", "examples", multiple=True, help="The key of an image that shows it; may be given again.")
@pass_output
def classes_describe(
    output: Output, name: str, color: str | None, key: str | None, guideline: str | None, examples: tuple[str, ...]
) -> None:
    """Say how the app shows the class NAME; "" takes back what was said, and without options it is only shown."""
    project = output.open()
    given = [one for one in examples if one] if examples else None
    project.describe_class(name, color=color, key=key, guideline=guideline, examples=given)
    one = next(one for one in project.classes_about() if one.name == name)
    text = f"{one.name}: color {one.color}, key {one.key or 'none'}"
    text += f", {counted(len(one.examples), 'example')}" if one.examples else ""
    output.show(asdict(one), f"{text}\n{one.guideline}".rstrip())


def _changed(output: Output, change: Callable[[Project], None]) -> None:
    project = output.open()
    change(project)
    output.show({"classes": project.classes}, f"classes: {named(project.classes, len(project.classes))}")
