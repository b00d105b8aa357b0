"""The commands about features: make, lay out, list, show, remove, and look whether they are still what was written."""

from __future__ import annotations

from pathlib import Path

import click

from annotate_select.cli_output import Output, pass_output
from annotate_select.words import counted

__all__ = ["embed", "features", "map_"]


@click.command()
@click.option(
    "--encoder",
    help="Default: that of the features in use, for what is new; at first the autoencoder. One of auto (tries what is "
    "installed), autoencoder, autoencoder:KIND, efficientnet_lite0, torchvision:NAME, timm:NAME, onnx:FILE, "
    "module:function, a+b, model:PATH or compressed:NAME.",
)
@click.option("--name", help="Name of the features (default: the encoder's).")
@click.option("--dim", type=click.IntRange(1, 4096), help="Width of the autoencoder's or of compressed features.")
@click.option("--image-size", type=click.IntRange(8, 1024), help="Side in pixels at which the encoder sees images.")
@click.option("--weights", type=click.Path(path_type=Path), help="Local weights of a backbone (.safetensors, .pth).")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="With --encoder auto: how long embedding the whole pool may take (default: 15).",
)
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
    help="What about an image does not matter to the autoencoder and to `features health`: objects (left or right; "
    "also auto), any_orientation (microscopes, aerial), oriented (digits, signs: all does).",
)
@pass_output
def embed(
    output: Output,
    encoder: str | None,
    name: str | None,
    dim: int | None,
    image_size: int | None,
    weights: Path | None,
    minutes: float | None,
    retrain: bool,
    labels: bool,
    views: str | None,
) -> None:
    """Train the autoencoder, or run a backbone, and store features of every image that has none."""
    if minutes is not None and encoder != "auto":
        raise click.UsageError("--minutes is for --encoder auto, which alone chooses by time")
    project = output.open()
    result: dict[str, object] = {}
    with output.working() as progress:
        if encoder == "auto" and (dim, image_size, weights, labels, views) == (None, None, None, False, None):
            seconds = None if minutes is None else 60 * minutes
            features, choice = project.embed_best(name=name, retrain=retrain, seconds=seconds, progress=progress)
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
    n, d = sum(map(bool, features.keys)), features.array.shape[1]  # rows of images that left the pool stay a while
    result |= {"features": features.name, "digest": features.digest, "images": n, "dim": d}
    result["left_out"] = dict(features.left_out)
    because = f"{result['because']}\n" if "because" in result else ""
    output.show(result, f"{because}features {features.name}-{features.digest}: {counted(n)} x {d}")


@click.command("map")
@click.option("--method", default="tsne", show_default=True, help="tsne (keeps neighbours together) or pca (at once).")
@click.option("--features", help="Name of the features to lay out.")
@click.option("--output", "-o", "output_", type=click.Path(path_type=Path), help="A .png or .csv file to write.")
@pass_output
def map_(output: Output, method: str, features: str | None, output_: Path | None) -> None:
    """Lay out the feature space in two dimensions, for the app's map or as a file."""
    project = output.open()
    with output.working() as progress:
        made = project.layout(features, method, progress=progress)
    if output_ is not None:
        project.write_map(made, output_)
    result = {"features": made.features, "method": made.method, "images": len(made.ids), "path": output_}
    written = f"; wrote {output_}" if output_ else ""
    output.show(result, f"map of {counted(len(made.ids))} by {made.method} on features {made.features}{written}")


@click.group()
def features() -> None:
    """List, show, verify or remove stored features."""


@features.command("list")
@pass_output
def features_list(output: Output) -> None:
    """List the features of this project, those that were replaced included."""
    found = output.open().features_list()
    text = "\n".join(one.line() for one in found) or "there are no features yet; make them with `annotate-select embed`"
    output.show({"features": [_summary(one.as_dict()) for one in found]}, text)


@features.command("show")
@click.argument("name")
@pass_output
def features_show(output: Output, name: str) -> None:
    """Show the features NAME, with the full definition of their encoder."""
    import json

    found = output.open().features_show(name)
    definition = json.dumps(found.definition, indent=2, ensure_ascii=False)
    curve = f"\nlearning curve: {found.learning_curve}" if found.learning_curve else ""
    output.show(found.as_dict(), f"{found.line()}{curve}\n{definition}")


@features.command("health")
@click.argument("name", required=False)
@pass_output
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
@pass_output
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
@pass_output
@click.pass_context
def features_verify(context: click.Context, output: Output, name: str | None, mend: bool) -> None:
    """Compare the features NAME, or all, with their checksums; exit code 1 when a file is damaged."""
    found = output.open().features_verify(name, mend=mend)
    output.show(found.as_dict(), found.text())
    if found.damaged:
        context.exit(1)


def _summary(info: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in info.items() if key != "definition"}
