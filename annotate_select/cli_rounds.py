"""The commands of a round: exam, select, train, evaluate, predict, and the two that do several of them at once."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annotate_select.cli_output import Output, pass_output
from annotate_select.errors import ExamError
from annotate_select.learning.kinds import DEFAULT, HEADS
from annotate_select.words import counted, plain

if TYPE_CHECKING:
    from annotate_select.steps.exam_report import Verification
    from annotate_select.steps.select import Batch

__all__ = ["evaluate", "exam", "history", "next_", "predict", "prepare", "reproduce", "select", "train"]


@click.command()
@click.option("-n", "n", type=click.IntRange(min=1), help="How many images (default: project.toml's select.n).")
@click.option("--strategy", help="A strategy's name, or package.module:function.")
@click.option("--features", help="Name of the features to select on.")
@click.option("--seed", type=click.IntRange(min=0), help="Same seed, same picks.")
@click.option("--audit", type=click.FloatRange(0, 1), help="Share of random audit picks (default .1).")
@click.option("--relabel", type=click.FloatRange(0, 0.9), help="Share at most of second opinions, where worth more.")
@click.option("--like", multiple=True, help="Key of an image of which similar_to and seals find more; may be repeated.")
@click.option("--balance", help="As many of unusual as of usual brightness, say: breaks a shortcut (none: do not).")
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
    relabel: float | None,
    like: tuple[str, ...],
    balance: str | None,
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
                relabel=relabel,
                like=like,
                balance=balance,
                output=output_,
                formats=names,
                progress=progress,
            )
    _show_batch(output, chosen)


@click.command()
@click.option("--size", type=click.IntRange(min=1), help="How many images in all (default: project.toml's exam.size).")
@click.option(
    "--stratify/--by-chance", default=None, help="Evenly over clusters of features (default: project.toml's)."
)
@click.option("--features", help="Name of the features to make the clusters of.")
@click.option("--new-ground", is_flag=True, help="Add images that `check drift` called new, to their share.")
@click.option("--output", "-o", "output_", type=click.Path(path_type=Path), help="File to write (default: exam.csv).")
@click.option(
    "--active", type=click.IntRange(min=1), help="Instead: draw so many images where the newest model may err."
)
@pass_output
def exam(
    output: Output,
    size: int | None,
    stratify: bool | None,
    features: str | None,
    new_ground: bool,
    output_: Path | None,
    active: int | None,
) -> None:
    """Draw the exam, or grow it, and write what of it is still to be labelled.

    With --stratify no kind of images is missed by bad luck: every image keeps the same chance, so nothing needs
    weights, and where mistakes come in kinds the accuracy has a narrower interval.

    With --active N a second, small exam is drawn beside it: where the newest model may err, each image by a known
    chance, so that `evaluate` gives an unbiased accuracy from few labels.
    """
    if active is not None:
        if size is not None or new_ground or stratify is not None or features is not None:
            raise click.UsageError(
                "--active draws a second exam; --size, --new-ground, --stratify and --features are of the exam itself: "
                "one at a time"
            )
        second = output.open().active_exam(active, output=output_)
        output.show(second.as_dict(), second.text())
        return
    drawn = output.open().exam(size, new_ground=new_ground, stratify=stratify, features=features, output=output_)
    output.show(asdict(drawn), drawn.text())


@click.command()
@click.option(
    "--head",
    type=click.Choice(list(HEADS)),
    help=f"{'; '.join(f'{name}: {about}' for name, about in HEADS.items())} (default: project.toml's train.head).",
)
@click.option("--features", help="Name of the features to train on.")
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="How long to fine-tune at most (default: 15)."
)
@click.option(
    "--views",
    type=click.Choice(["auto", "objects", "any_orientation", "oriented"]),
    help="What about an image does not matter when fine-tuning, as `embed` takes it.",
)
@pass_output
def train(output: Output, head: str | None, features: str | None, minutes: float | None, views: str | None) -> None:
    """Train a model on the labels there are, and store it."""
    project = output.open()
    with output.working() as progress:
        model = project.train(head, features=features, minutes=minutes, views=views, progress=progress)
    text = f"model {model.number}: {counted(model.labels, 'label')}" + (
        f", head {model.kind}" if model.kind != DEFAULT else ""
    )
    if model.cv_accuracy is not None and model.measured_on is not None:
        text += f", right on {model.cv_accuracy:.1%} of the {model.measured_on:,} that the network has not learned"
    elif model.cv_accuracy is not None:
        text += f", cross-validated accuracy {model.cv_accuracy:.1%} (on picked images: not what the exam measures)"
    if model.features_saw_labels and model.cv_accuracy is None:
        text += ", whose features saw labels: only the exam can tell its accuracy"
    text = "; ".join([text, *filter(None, [model.kept_out()])])
    output.show(model.as_dict(), "\n".join(filter(None, [text, model.note])))


@click.command()
@click.option("--model", type=click.IntRange(min=1), help="Which model (default: the newest).")
@click.option(
    "--against",
    metavar="MODEL|PATH",
    help="Another model, by number or of a copy of this project (its folder, or models/NUMBER in it): which is better?",
)
@click.option("--report", "page", type=click.Path(path_type=Path), help="An HTML file: the exam, signed off.")
@click.option("--signed-by", help="Who signs the report.")
@click.option("--verify", type=click.Path(path_type=Path), help="A report: is it as it was signed? Measures nothing.")
@pass_output
def evaluate(
    output: Output,
    model: int | None,
    against: str | None,
    page: Path | None,
    signed_by: str | None,
    verify: Path | None,
) -> None:
    """Measure a model on the exam, and judge it by the pass mark where project.toml declares one.

    With --report FILE.html --signed-by NAME also write all of it, and what it rests on, as a page that can be printed.
    """
    if (page is None) != (signed_by is None):
        raise click.UsageError("--report FILE.html and --signed-by NAME go together")
    project = output.open()
    if verify is not None:
        _show_verified(output, project.verify_report(verify))
        return
    report = project.evaluate(model)
    found, lines = report.as_dict(), [report.text()]
    stopping = project.stopping() if model is None else None
    if stopping is not None:
        found["stopping"] = stopping.as_dict()
        lines.append(f"enough? {stopping.sentence}")
    if against is not None:
        with output.working() as progress:
            compared = project.compare(model, int(against) if against.isdecimal() else against, progress=progress)
        found["comparison"] = compared.as_dict()
        lines.append(compared.text())
    if page is not None and signed_by is not None:
        signed = project.exam_report(page, signed_by=signed_by, model=model)
        found["report"] = signed.as_dict()
        lines.append(signed.text())
    output.show(found, "\n".join(lines))


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--output", "-o", "output_", type=click.Path(path_type=Path), help="A .csv or .jsonl file to write.")
@pass_output
def predict(output: Output, source: Path, output_: Path | None) -> None:
    """Label the images of SOURCE with the newest model."""
    project = output.open()
    with output.working() as progress:
        found = project.predict(source, output=output_, progress=progress)
    lines = [f"{plain(one.image)}\t{one.label or '-'}\t{one.problem or _sure(one.probabilities)}" for one in found]
    text = f"wrote {counted(len(found), 'prediction')} to {output_}" if output_ else "\n".join(lines)
    output.show({"predictions": [asdict(one) for one in found]}, text)


@click.command()
@click.option("-n", "--batch", "n", type=click.IntRange(min=1), help="How many images in the first batch.")
@click.option("--exam", "exam_size", type=click.IntRange(min=1), help="How many images in the exam.")
@pass_output
def prepare(output: Output, n: int | None, exam_size: int | None) -> None:
    """Do all a new project needs before labelling: embed, exam, select."""
    project = output.open()
    with output.working() as progress:
        chosen = project.prepare(n, exam_size, progress=progress)
    _show_batch(output, chosen)


@click.command("next")
@click.option("-n", "--batch", "n", type=click.IntRange(min=1), help="How many images in the next batch.")
@click.option("--strategy", help="A strategy's name.")
@pass_output
def next_(output: Output, n: int | None, strategy: str | None) -> None:
    """Close a round and open the next: embed what is new, train, evaluate, select."""
    project = output.open()
    with output.working() as progress:
        chosen = project.next(n, strategy, progress=progress)
    _show_batch(output, chosen, kept_out=project.status().kept_out)


@click.command()
@pass_output
def history(output: Output) -> None:
    """Show the rounds: every model, the labels it learned from, and its score on the exam."""
    rounds = output.open().rounds()
    rows = [f"{'model':>5}  {'head':<9}  {'labels':>8}  {'exam accuracy (95 %)':<24}trained"]
    for one in rounds:
        score = "not evaluated"
        if one.accuracy is not None and one.low is not None and one.high is not None:
            score = f"{one.accuracy:.1%} ({one.low:.1%} to {one.high:.1%})"
        past = f"  {one.outdated}: evaluate --model {one.model} again" if one.outdated else ""
        rows.append(
            f"{one.model:>5}  {one.kind:<9}  {one.labels:>8,}  {score:<24}{one.at[:16].replace('T', ' ')}{past}"
        )
    text = "\n".join(rows) if rounds else "no model has been trained yet: annotate-select train"
    output.show({"rounds": [asdict(one) for one in rounds]}, text)


@click.command()
@click.argument("model", type=click.IntRange(min=1))
@pass_output
def reproduce(output: Output, model: int) -> None:
    """Train MODEL again from what was recorded of it, and say whether the same comes out."""
    project = output.open()
    with output.working() as progress:
        found = project.reproduce(model, progress=progress)
    output.show(found.as_dict(), found.text())


def _show_verified(output: Output, found: Verification) -> None:
    if found.outcome != "unchanged":
        raise ExamError(found.text())
    output.show(found.as_dict(), found.text())


def _show_batch(output: Output, batch: Batch, kept_out: str = "") -> None:
    audits = sum(pick.role == "audit" for pick in batch.picks)
    again = sum(pick.role == "relabel" for pick in batch.picks)
    kinds = f"{counted(audits, 'random audit pick')}" + (f", {counted(again, 'second opinion')}" if again else "")
    lines = [f"batch {batch.number}: {counted(len(batch.picks))} ({kinds}), {batch.strategy}"]
    lines += [one for one in (batch.note, kept_out) if one]
    lines += [f"  {plain(pick.image)}: {pick.reason}" for pick in batch.picks[:5]]
    lines += [f"  and {len(batch.picks) - 5} more"] if len(batch.picks) > 5 else []
    lines += [f"wrote {path}" for path in batch.paths]
    output.show({**batch.as_dict(), **({"kept_out": kept_out} if kept_out else {})}, "\n".join(lines))


def _sure(probabilities: dict[str, float]) -> str:
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{plain(name)} {share:.2f}" for name, share in best)
