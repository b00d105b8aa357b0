"""The command that replays rounds against known labels."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from annotate_select.cli_output import Output, pass_output
from annotate_select.learning.kinds import DEFAULT, HEADS
from annotate_select.words import counted

__all__ = ["simulate"]

REPLAYED_HEADS = [one for one in HEADS if one != "finetune"]  # that needs the images
_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)  # told before hours of work, and not after


@click.command()
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--strategies", default="random,auto", show_default=True, help="Names, with commas.")
@click.option("--budgets", help="Labels in all after each round, with commas (default: 1, 2, 5, 10, 20, 50 a class).")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Repeats, each its own test.")
@click.option("--audit", type=click.FloatRange(0, 1), default=0.0, help="Share of random audit picks.")
@click.option("--head", type=click.Choice(REPLAYED_HEADS), default=DEFAULT, show_default=True, help="What is trained.")
@click.option("--features", help="Name of a project's features.")
@click.option("--measure", type=click.Choice(["accuracy", "balanced accuracy", "macro-F1"]), default="accuracy")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes side by side.")
@click.option("--store", type=_FILE, help="A .jsonl file of runs; what it holds is not run again.")
@click.option("--picture", type=_FILE, help="A .png file for the curves.")
@pass_output
def simulate(
    output: Output,
    data: Path | None,
    strategies: str,
    budgets: str | None,
    seeds: int,
    audit: float,
    head: str,
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
            head=head,
            workers=workers,
            store=store,
            progress=progress,
        )
    summaries = curves.summaries(replays, measure)
    if picture is not None:
        write_whole(picture, curves.picture(replays, found.name, measure))
    text = f"{found.text()}, {counted(seeds, 'seed')}\n"
    output.show(
        {"strategies": [asdict(one) for one in summaries], "replays": [asdict(one) for one in replays]},
        f"{text}{curves.markdown(summaries, measure)}\n\n{curves.by_budget(replays)}",
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} must be whole numbers with commas, such as 10,20,50") from error
