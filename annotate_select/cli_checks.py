"""The commands `check`, the audits of labels, exam and pictures, and `explain`, where a model looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate_select.checks import CHECKS, Report
from annotate_select.cli_output import Output, pass_output
from annotate_select.errors import AnnotateSelectError

if TYPE_CHECKING:
    from annotate_select.steps.explain import Explanation
    from annotate_select.steps.traversal import Traversal

__all__ = ["check", "explain"]


@click.command()
@click.argument("what", default="all")
@click.option("--features", help="Name of the features to look at.")
@click.option("--since", help="drift: a date from which on images are new, or a value of the column.")
@click.option("--by", help="drift: what says which images are new: added, captured_at, source or a metadata column.")
@pass_output
def check(output: Output, what: str, features: str | None, since: str | None, by: str | None) -> None:
    """Look for what is wrong: WHAT is one of the checks, several with commas, or all.

    Of several, one that cannot be made says what it lacks, and the others are made.
    """
    names = list(CHECKS) if what == "all" else [one.strip() for one in what.split(",")]
    unknown = [one for one in names if one not in CHECKS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is not one of all, {', '.join(CHECKS)}", param_hint="WHAT")
    project = output.open()
    alone = what in CHECKS
    more = {"drift": {"since": since, "by": by}}
    found: dict[str, object] = {}
    texts = []
    with output.working() as progress:
        for name in names:
            try:
                report: Report = getattr(project.check, name)(features, **more.get(name, {}), progress=progress)
            except AnnotateSelectError as error:
                if alone:
                    raise
                found[name], text = {"error": str(error)}, f"cannot be made: {error}"
            else:
                found[name], text = report.as_dict(), report.text()
            texts.append(text if alone else f"{name}: {text}")
    output.show(found, "\n\n".join(texts))


@click.command()
@click.argument("image")
@click.option("--towards", help="A class: draw what would have to change for the model to find it.")
@click.option("--output", "-o", "output_", type=click.Path(path_type=Path), help="A .png file to draw into.")
@pass_output
def explain(output: Output, image: str, towards: str | None, output_: Path | None) -> None:
    """Say where in IMAGE, named by its key, the newest model finds its answer."""
    project = output.open()
    found: Explanation | Traversal = project.explain(image) if towards is None else project.traverse(image, towards)
    if output_ is not None:
        found.write(output_)
    output.show(found.as_dict(), found.text() + (f"\nwrote {output_}" if output_ is not None else ""))
