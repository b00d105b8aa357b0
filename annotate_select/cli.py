"""The command line: a command is one Project call, and printing.

stdout carries the result (with --json: one object), stderr everything else. Exit codes: 0 done, 1 a problem the user
can mend, 2 wrong usage, 130 interrupted. The commands stand by theme in the cli_*.py files; here is the entry.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import click

from annotate_select import __version__
from annotate_select.cli_annotations import classes, export, import_
from annotate_select.cli_checks import check, explain
from annotate_select.cli_features import embed, features, map_
from annotate_select.cli_output import Output
from annotate_select.cli_project import add, app, demo, init, status
from annotate_select.cli_rounds import evaluate, exam, history, next_, predict, prepare, reproduce, select, train
from annotate_select.cli_simulate import simulate
from annotate_select.errors import AnnotateSelectError

COMMANDS: tuple[click.Command, ...] = (
    *(init, add, app, status, demo),
    *(embed, features, map_),
    *(exam, select, train, evaluate, history, reproduce, predict, prepare, next_),
    *(classes, import_, export),
    *(check, explain, simulate),
)


def globals_first(args: list[str]) -> list[str]:
    """Move --json, --quiet and --project to the front; what stands behind `--` stays.

    >>> globals_first(["select", "-n", "5", "--json", "-p", "shop"])
    ['--json', '-p', 'shop', 'select', '-n', '5']
    """
    end = args.index("--") if "--" in args else len(args)
    front: list[str] = []
    rest: list[str] = []
    following = iter(args[:end])
    for one in following:
        if one in ("--json", "--quiet", "-q") or one.startswith("--project="):
            front.append(one)
        elif one in ("--project", "-p"):
            front += [one, *([value] if (value := next(following, None)) is not None else [])]
        else:
            rest.append(one)
    return [*front, *rest, *args[end:]]


class Commands(click.Group):
    """The commands; as a background job, what becomes of any of them is written into the job's file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the global options wherever they stand, also behind the command."""
        return super().parse_args(ctx, globals_first(args))

    def invoke(self, ctx: click.Context) -> object:
        """Run the command, inside a job where `--job` says so."""
        file: Path | None = ctx.params.get("job")
        if file is None:
            return super().invoke(ctx)
        from annotate_select.steps.jobs import running

        with running(file.parent.parent, file) as progress:
            ctx.meta["job"] = progress
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--project",
    "-p",
    type=click.Path(path_type=Path),
    help="Project folder (default: nearest parent with a project.toml).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", "-q", is_flag=True, help="No progress bars and no text.")
@click.option("--job", type=click.Path(path_type=Path), hidden=True, help="Write progress to this file.")
@click.version_option(__version__, prog_name="annotate-select")
@click.pass_context
def cli(context: click.Context, project: Path | None, as_json: bool, quiet: bool, job: Path | None) -> None:
    """Of all these unlabelled images: which should a person label next, and when is it enough?"""
    context.obj = Output(project, as_json, quiet, context.meta.get("job"))
    context.call_on_close(context.obj.stack.close)


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    warnings.showwarning = lambda message, *_, **__: click.echo(f"warning: {message}", err=True)
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except AnnotateSelectError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except click.exceptions.Abort:
        click.echo("interrupted; nothing that was acknowledged is lost, run it again to go on", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
