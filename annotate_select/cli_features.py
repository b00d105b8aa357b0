"""The commands of `annotate-select features`: what is stored, and whether it is still what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from annotate_select.cli import Output

__all__ = ["features"]


@click.group()
def features() -> None:
    """List, show, verify or remove stored features."""


@features.command("list")
@click.pass_obj
def features_list(output: Output) -> None:
    """List the features of this project, those that were replaced included."""
    found = output.open().features_list()
    text = "\n".join(one.line() for one in found) or "there are no features yet; make them with `annotate-select embed`"
    output.show({"features": [_summary(one.as_dict()) for one in found]}, text)


@features.command("show")
@click.argument("name")
@click.pass_obj
def features_show(output: Output, name: str) -> None:
    """Show the features NAME, with the full definition of their encoder."""
    import json

    found = output.open().features_show(name)
    definition = json.dumps(found.definition, indent=2, ensure_ascii=False)
    output.show(found.as_dict(), f"{found.line()}\n{definition}")


@features.command("health")
@click.argument("name", required=False)
@click.pass_obj
def features_health(output: Output, name: str | None) -> None:
    """Measure whether the space of the features NAME is worth selecting in, without labels and with them."""
    project = output.open()
    with output.working() as progress:
        found, files = project.features_health(name, progress=progress)
    text = "\n".join([*found.sentences(), *(f"written: {file}" for file in files)])
    output.show({**found.figures(), "files": [str(file) for file in files]}, text)


@features.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def features_remove(output: Output, name: str, yes: bool) -> None:
    """Remove the features NAME, those they replaced included."""
    project = output.open()
    if not yes:
        found = project.features_show(name)
        click.confirm(f"remove {found.line()}?", abort=True, err=True)
    removed = project.features_remove(name)
    output.show({"removed": removed}, f"removed {', '.join(removed)}")


@features.command("verify")
@click.argument("name", required=False)
@click.option("--mend", is_flag=True, help="Forget damaged rows, so that embed encodes just them again.")
@click.pass_context
def features_verify(context: click.Context, name: str | None, mend: bool) -> None:
    """Compare the features NAME, or all, with their checksums; exit code 1 when a file is damaged."""
    output: Output = context.obj
    found = output.open().features_verify(name, mend=mend)
    output.show(found.as_dict(), found.text())
    if found.damaged:
        context.exit(1)


def _summary(info: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in info.items() if key != "definition"}
