"""The commands about a project as a whole: make it, fill it, open the app, say where it stands, try the demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from annotate_select.cli_output import Output, pass_output

__all__ = ["add", "app", "demo", "init", "status"]


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--classes", required=True, help="Comma-separated class names.")
@click.option("--images", type=click.Path(path_type=Path), help="A folder, manifest or file to add at once.")
@click.option("--name", help="The project's name (default: the folder's).")
@click.option("--seed", default=0, show_default=True, help="Seed of every random choice.")
@pass_output
def init(output: Output, path: Path, classes: str, images: Path | None, name: str | None, seed: int) -> None:
    """Make a project in PATH.

    Example: annotate-select init defects --classes ok,crack,dent --images photos/
    """
    from annotate_select.project import Project
    from annotate_select.recent import remember

    names = [one.strip() for one in classes.split(",")]
    project = output.stack.enter_context(Project.create(path, names, name=name, seed=seed))
    remember(project.root)
    result: dict[str, object] = {"project": str(project.root), "classes": project.classes}
    text = f"made project {project.name} in {project.root}"
    if images is not None:
        with output.working() as progress:
            report = project.add(images, progress=progress)
        result["added"], text = report.as_dict(), f"{text}\n{report.text()}"
    output.show(result, text)


@click.command()
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@pass_output
def add(output: Output, sources: tuple[Path, ...]) -> None:
    """Add images: folders, CSV manifests or files; without SOURCES, look through the known sources again.

    A manifest has a header `image[,group,captured_at,...]`; other columns are kept as metadata.
    Where it does not say when an image was captured, the camera's own time in the file (EXIF) does.
    """
    project = output.open()
    with output.working() as progress:
        report = project.add(*sources, progress=progress)
    output.show(report.as_dict(), report.text())


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8501, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@pass_output
def app(output: Output, host: str, port: int, no_browser: bool) -> None:
    """Open the labelling app, on this project or, outside of one, on its start page."""
    from annotate_select.errors import ProjectError
    from annotate_select.places import app_folder

    arguments = [sys.executable, str(app_folder() / "launch.py"), "--host", host, "--port", str(port)]
    try:
        arguments += ["--project", str(output.open().root)]
    except ProjectError:
        if output.project is not None:
            raise
    arguments += ["--no-browser"] if no_browser else []
    output.stack.close()
    sys.stdout.flush()
    os.execv(sys.executable, arguments)


@click.command()
@pass_output
def status(output: Output) -> None:
    """Say where the project stands, and the one thing to do next."""
    found = output.open().status()
    output.show(found.as_dict(), found.text())


@click.command()
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("demo-project"),
    show_default=True,
    help="Where to make the demo's project.",
)
@pass_output
def demo(output: Output, folder: Path) -> None:
    """Run the whole loop on the sample images, without a network and without questions."""
    from annotate_select.demo import run

    with output.working() as progress:
        result = run(folder, progress)
    output.show(result.as_dict(), result.text())
