"""What every command shares: the global options, the open project, and the one way to print."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from annotate_select.progress import Progress, silent

if TYPE_CHECKING:
    from annotate_select.project import Project

__all__ = ["Output", "pass_output"]


@dataclass
class Output:
    """Global options, and the one way in which commands print."""

    project: Path | None = None
    as_json: bool = False
    quiet: bool = False
    job: Progress | None = None  # where a background job tells how far it is
    stack: ExitStack = field(default_factory=ExitStack)

    def open(self) -> Project:
        """Open the project the options name."""
        from annotate_select.project import Project
        from annotate_select.recent import remember

        project = self.stack.enter_context(Project.open(self.project))
        remember(project.root)
        return project

    @contextmanager
    def working(self) -> Iterator[Progress]:
        """Give a progress listener: a job's file, a bar on stderr, or none."""
        if self.job is not None:
            yield self.job
        elif self.quiet:
            yield silent
        else:
            from annotate_select.bar import Bar

            with Bar() as bar:
                yield bar

    def show(self, result: dict[str, object], text: str) -> None:
        """Print the result: as one JSON object, or as text."""
        if self.as_json:
            click.echo(json.dumps(_finite(result), default=str, ensure_ascii=False, allow_nan=False))
        elif not self.quiet:
            click.echo(text)


def _finite(value: Any) -> Any:
    """Return the same with null for numbers that are none or without end, for which JSON has no words."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


pass_output = click.make_pass_decorator(Output)
