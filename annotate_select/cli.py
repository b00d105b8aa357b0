"""The command line: a command is one Project call, and printing.

stdout carries the result (with --json: one object), stderr everything else. Exit codes: 0 done, 1 a problem the user
can mend, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from annotate_select import __version__
from annotate_select.cli_features import features as features_group
from annotate_select.errors import AnnotateSelectError
from annotate_select.progress import Progress, silent

if TYPE_CHECKING:
    from annotate_select.project import Project

T = TypeVar("T")


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
        from annotate_select.project import Project, remember

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
            click.echo(json.dumps(result, default=str, ensure_ascii=False))
        elif not self.quiet:
            click.echo(text)


pass_output = click.make_pass_decorator(Output)


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


@cli.command()
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
    from annotate_select.project import Project, remember

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


@cli.command()
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@pass_output
def add(output: Output, sources: tuple[Path, ...]) -> None:
    """Add images: folders, CSV manifests or files; without SOURCES, look through the known sources again.

    A manifest has a header `image[,group,captured_at,...]`; other columns are kept as metadata.
    """
    project = output.open()
    with output.working() as progress:
        report = project.add(*sources, progress=progress)
    output.show(report.as_dict(), report.text())


@cli.command()
@click.option(
    "--encoder",
    default="autoencoder",
    show_default=True,
    help="auto (tries what is installed), autoencoder, autoencoder:KIND, efficientnet_lite0, torchvision:NAME, "
    "timm:NAME, onnx:FILE, module:function, a+b or model:PATH.",
)
@click.option("--name", help="Name of the features (default: the encoder's).")
@click.option("--dim", type=click.IntRange(1, 4096), help="Width of the autoencoder's features.")
@click.option("--image-size", type=click.IntRange(8, 1024), help="Side in pixels at which the encoder sees images.")
@click.option("--weights", type=click.Path(path_type=Path), help="Local weights of a backbone (.safetensors, .pth).")
@click.option("--retrain", is_flag=True, help="Replace the features of this name by new ones.")
@click.option(
    "--labels",
    is_flag=True,
    help="Let the autoencoder learn from the labels outside the exam, too: neighbours share classes more often from 20 "
    "labels a class on. Needs features made without.",
)
@click.option(
    "--views",
    type=click.Choice(["auto", "objects", "any_orientation", "oriented"]),
    help="What about an image does not matter to autoencoder:joint and to `features health`: objects (left or right; "
    "also auto), any_orientation (microscopes, aerial), oriented (digits, signs: all does).",
)
@pass_output
def embed(
    output: Output,
    encoder: str,
    name: str | None,
    dim: int | None,
    image_size: int | None,
    weights: Path | None,
    retrain: bool,
    labels: bool,
    views: str | None,
) -> None:
    """Train the autoencoder, or run a backbone, and store features of every image that has none."""
    project = output.open()
    result: dict[str, object] = {}
    with output.working() as progress:
        if encoder == "auto" and (dim, image_size, weights, labels, views) == (None, None, None, False, None):
            features, choice = project.embed_best(name=name, retrain=retrain, progress=progress)
            result["because"] = choice.because
        else:
            features = project.embed(
                encoder,
                name=name,
                dim=dim,
                image_size=image_size,
                weights=weights,
                retrain=retrain,
                labels=labels,
                views=views,
                progress=progress,
            )
    n, d = features.array.shape
    result |= {"features": features.name, "digest": features.digest, "images": n, "dim": d}
    because = f"{result['because']}\n" if "because" in result else ""
    output.show(result, f"{because}features {features.name}-{features.digest}: {n:,} images x {d}")


@cli.command()
@click.option("-n", "n", type=click.IntRange(min=1), help="How many images (default: project.toml's select.n).")
@click.option("--strategy", help="A strategy's name, or package.module:function.")
@click.option("--features", help="Name of the features to select on.")
@click.option("--seed", type=click.IntRange(min=0), help="Same seed, same picks.")
@click.option("--audit", type=click.FloatRange(0, 1), help="Share of random audit picks (default .1).")
@click.option("--like", multiple=True, help="Key of an image of which similar_to and seals find more; may be repeated.")
@click.option(
    "--output", "-o", "output_", type=click.Path(path_type=Path), help="File to write (default: batches/NUMBER.csv)."
)
@click.option(
    "--format",
    "formats",
    default="csv",
    show_default=True,
    help="csv, jsonl, label-studio, paths; several with commas.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), help="Write this stored batch again instead of choosing a new one."
)
@pass_output
def select(
    output: Output,
    n: int | None,
    strategy: str | None,
    features: str | None,
    seed: int | None,
    audit: float | None,
    like: tuple[str, ...],
    output_: Path | None,
    formats: str,
    batch: int | None,
) -> None:
    """Choose the next batch, store it, and write it.

    More like some images: annotate-select select -n 50 --strategy similar_to --like photos/12.jpg
    """
    project = output.open()
    names = [one.strip() for one in formats.split(",")]
    sys.path.insert(0, os.getcwd())  # a strategy of one's own, module:function, may stand beside the project
    if batch is not None:
        chosen = project.batch(batch, output=output_, formats=names)
    else:
        with output.working() as progress:
            chosen = project.select(
                n,
                strategy,
                features=features,
                seed=seed,
                audit=audit,
                like=like,
                output=output_,
                formats=names,
                progress=progress,
            )
    _show_batch(output, chosen)


@cli.command()
@click.option("--size", type=click.IntRange(min=1), help="How many images in all (default: project.toml's exam.size).")
@click.option("--output", "-o", "output_", type=click.Path(path_type=Path), help="File to write (default: exam.csv).")
@pass_output
def exam(output: Output, size: int | None, output_: Path | None) -> None:
    """Draw the exam, or grow it, and write what of it is still to be labelled."""
    drawn = output.open().exam(size, output=output_)
    text = f"exam of {drawn.size} images, {drawn.labelled} labelled; {len(drawn.to_label)} to label in {drawn.path}"
    output.show(asdict(drawn), text)


@cli.command()
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


@cli.command("import")
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
    """Record the annotations of FILE (CSV or JSONL); all of it, or nothing when a row is wrong."""
    report = output.open().import_annotations(
        file,
        annotator=annotator,
        create_classes=create_classes,
        skip_unknown=skip_unknown,
        skip_duplicates=skip_duplicates,
    )
    text = f"recorded {report.recorded:,} of {report.rows:,} rows"
    if report.new_classes:
        text += f"; new classes: {', '.join(report.new_classes)}"
    if report.unknown_images:
        text += f"; {len(report.unknown_images):,} rows of unknown images left out"
    if report.duplicates:
        text += f"; {len(report.duplicates):,} repeated rows left out"
    output.show(asdict(report), text)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_", help="csv, jsonl or imagefolder (default: by the file's suffix).")
@pass_output
def export(output: Output, file: Path, format_: str | None) -> None:
    """Write all annotations to FILE."""
    n = output.open().export(file, format_)
    output.show({"annotations": n, "path": str(file)}, f"wrote {n:,} annotations to {file}")


@cli.command()
@click.option("--head", default="linear", show_default=True, type=click.Choice(["linear"]), help="What to train.")
@click.option("--features", help="Name of the features to train on.")
@pass_output
def train(output: Output, head: str, features: str | None) -> None:
    """Train a model on the labels there are, and store it."""
    project = output.open()
    with output.working() as progress:
        model = project.train(head, features=features, progress=progress)
    text = f"model {model.number}: {model.labels:,} labels"
    if model.cv_accuracy is not None:
        text += f", cross-validated accuracy {model.cv_accuracy:.1%} (on picked images: not what the exam measures)"
    if model.features_saw_labels:
        text += ", whose features saw labels: only the exam can tell its accuracy"
    if model.left_out:
        text += f"; {model.left_out:,} labelled images left out because they are too near to the exam"
    output.show(model.as_dict(), text)


@cli.command()
@click.option("--model", type=click.IntRange(min=1), help="Which model (default: the newest).")
@pass_output
def evaluate(output: Output, model: int | None) -> None:
    """Measure a model on the exam."""
    report = output.open().evaluate(model)
    output.show(report.as_dict(), report.text())


@cli.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--output", "-o", "output_", type=click.Path(path_type=Path), help="A .csv or .jsonl file to write.")
@pass_output
def predict(output: Output, source: Path, output_: Path | None) -> None:
    """Label the images of SOURCE with the newest model."""
    project = output.open()
    with output.working() as progress:
        found = project.predict(source, output=output_, progress=progress)
    lines = [f"{one.image}\t{one.label or '-'}\t{one.problem or _sure(one.probabilities)}" for one in found]
    text = f"wrote {len(found):,} predictions to {output_}" if output_ else "\n".join(lines)
    output.show({"predictions": [asdict(one) for one in found]}, text)


@cli.command()
@click.option("--batch", "n", type=click.IntRange(min=1), help="How many images in the first batch.")
@click.option("--exam", "exam_size", type=click.IntRange(min=1), help="How many images in the exam.")
@pass_output
def prepare(output: Output, n: int | None, exam_size: int | None) -> None:
    """Do all a new project needs before labelling: embed, exam, select."""
    project = output.open()
    with output.working() as progress:
        chosen = project.prepare(n, exam_size, progress=progress)
    _show_batch(output, chosen)


@cli.command("next")
@click.option("--batch", "n", type=click.IntRange(min=1), help="How many images in the next batch.")
@click.option("--strategy", help="A strategy's name.")
@pass_output
def next_(output: Output, n: int | None, strategy: str | None) -> None:
    """Close a round and open the next: embed what is new, train, evaluate, select."""
    project = output.open()
    with output.working() as progress:
        chosen = project.next(n, strategy, progress=progress)
    _show_batch(output, chosen)


@cli.command()
@pass_output
def status(output: Output) -> None:
    """Say where the project stands, and the one thing to do next."""
    found = output.open().status()
    output.show(found.as_dict(), found.text())


@cli.command()
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--strategies", default="random,auto", show_default=True, help="Names, with commas.")
@click.option("--budgets", help="Labels in all after each round, with commas (default: 1, 2, 5, 10, 20, 50 a class).")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Repeats, each its own test.")
@click.option("--audit", type=click.FloatRange(0, 1), default=0.0, help="Share of random audit picks.")
@click.option("--features", help="Name of a project's features.")
@click.option("--measure", type=click.Choice(["accuracy", "balanced accuracy", "macro-F1"]), default="accuracy")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes side by side.")
@click.option("--store", type=click.Path(path_type=Path), help="A .jsonl file of runs; what it holds is not run again.")
@click.option("--picture", type=click.Path(path_type=Path), help="A .png file for the curves.")
@pass_output
def simulate(
    output: Output,
    data: Path | None,
    strategies: str,
    budgets: str | None,
    seeds: int,
    audit: float,
    features: str | None,
    measure: str,
    workers: int,
    store: Path | None,
    picture: Path | None,
) -> None:
    """Replay rounds against known labels: does picking beat chance, and by how many labels?

    DATA is a CSV with a header `image,label`, a .npz file with `features` and `labels`, or a project's folder; without
    it, this project.
    """
    from annotate_select import curves
    from annotate_select.files import write_whole
    from annotate_select.simulate import default_budgets
    from annotate_select.simulate import simulate as replayed
    from annotate_select.steps.known import known

    sys.path.insert(0, os.getcwd())  # a strategy of one's own, module:function, may stand here
    with output.working() as progress:
        if data is not None and not (data / "project.toml").exists():
            found = known(data, progress=progress)
        else:
            output.project = data or output.project
            found = output.open().known(features)
        replays = replayed(
            found.features,
            found.labels,
            strategies=[one.strip() for one in strategies.split(",")],
            budgets=_numbers(budgets) if budgets else default_budgets(found.labels),
            seeds=seeds,
            audit=audit,
            workers=workers,
            store=store,
            progress=progress,
        )
    summaries = curves.summaries(replays, measure)
    if picture is not None:
        write_whole(picture, curves.picture(replays, found.name, measure))
    text = f"{found.name}: {len(found.labels):,} images, {len(found.classes)} classes, {seeds} seeds\n"
    output.show(
        {"strategies": [asdict(one) for one in summaries], "replays": [asdict(one) for one in replays]},
        f"{text}{curves.markdown(summaries, measure)}\n\n{curves.by_budget(replays)}",
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} must be whole numbers with commas, such as 10,20,50") from error


cli.add_command(features_group)


@cli.group()
def classes() -> None:
    """Add, rename or merge classes; no annotation is lost."""


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


@cli.command()
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


def _show_batch(output: Output, batch: object) -> None:
    from annotate_select.steps.select import Batch

    if not isinstance(batch, Batch):
        raise TypeError(type(batch))
    audits = sum(pick.role == "audit" for pick in batch.picks)
    lines = [f"batch {batch.number}: {len(batch.picks)} images ({audits} random audit picks), {batch.strategy}"]
    lines += [batch.note] if batch.note else []
    lines += [f"  {pick.image}: {pick.reason}" for pick in batch.picks[:5]]
    lines += [f"  and {len(batch.picks) - 5} more"] if len(batch.picks) > 5 else []
    lines += [f"wrote {path}" for path in batch.paths]
    output.show(batch.as_dict(), "\n".join(lines))


def _changed(output: Output, change: Callable[[Project], None]) -> None:
    project = output.open()
    change(project)
    output.show({"classes": project.classes}, f"classes: {', '.join(project.classes)}")


def _sure(probabilities: dict[str, float]) -> str:
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{name} {share:.2f}" for name, share in best)


def main() -> None:
    """Run the command line and leave with its exit code."""
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
