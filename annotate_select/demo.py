"""The whole loop on the sample images, with their known labels in the annotator's part."""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from annotate_select.errors import ProjectError
from annotate_select.places import sample_folder
from annotate_select.progress import Progress, silent
from annotate_select.project import Project
from annotate_select.simulate import replay
from annotate_select.steps.select import Batch
from annotate_select.trust.exam import ExamReport

__all__ = ["DemoResult", "run"]

COMMAND = "annotate-select"
MARKER = ".demo"  # in a folder the demo made, and may therefore make anew
EXAM = 100
BATCH = 60
RANDOM_REPEATS = 10


@dataclass(frozen=True)
class DemoRound:
    """One round; `random` holds the exam accuracies of as many labels picked at random, one a seed."""

    labels: int
    accuracy: float
    low: float
    high: float
    random: list[float]


@dataclass(frozen=True)
class DemoResult:
    """What the demo did and where it left it."""

    project: Path
    rounds: list[DemoRound]
    next_set: Path

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "project": str(self.project), "next_set": str(self.next_set)}

    def text(self) -> str:
        """Write the table, the next annotation set, and how to open the app."""
        lines = ["", "round  labels  exam accuracy (95 % interval)  random picks: mean (lowest to highest)"]
        for number, one in enumerate(self.rounds, start=1):
            spread = f"{np.mean(one.random):.1%} ({min(one.random):.1%} to {max(one.random):.1%})"
            lines.append(
                f"{number:>5}  {one.labels:>6}  {one.accuracy:>6.1%} ({one.low:.1%} to {one.high:.1%}){'':<9}{spread}"
            )
        lines += [
            f"Exam: {EXAM} images drawn at random and never trained on. Random picks: {RANDOM_REPEATS} draws",
            "from the same pool, with the same kind of model and the same exam.",
            "",
            f"next annotation set: {self.next_set}",
            f"open the app:        {_command()} --project {self.project} app",
        ]
        return "\n".join(lines)


def _command() -> str:
    """Return how the command is called from here: by its path where a shell would not find it."""
    beside = Path(sys.executable).with_name(COMMAND)
    return str(beside) if shutil.which(COMMAND) is None and beside.exists() else COMMAND


def run(folder: Path, progress: Progress = silent) -> DemoResult:
    """Make a project in `folder` from the sample images and go round the loop twice.

    A folder that an earlier demo made is made anew; any other folder with a project raises ProjectError.
    """
    folder = folder.resolve()
    _clear(folder)
    truth = _truth()
    with Project.create(folder, sorted(set(truth.values())), name="demo") as project:
        (folder / MARKER).touch()
        project.add(sample_folder() / "images", progress=progress)
        project.embed(progress=progress)
        project.annotate({key: truth[key] for key in project.exam(EXAM).to_label}, annotator="sample_data")
        rounds: list[tuple[int, ExamReport]] = []
        for _ in range(2):
            batch = project.select(BATCH, progress=progress)
            rounds.append(_play(project, batch, truth, progress))
        chosen = project.select(BATCH, progress=progress)
        random = _random(project, truth, [labels for labels, _ in rounds], progress)
        return DemoResult(
            folder,
            [
                DemoRound(labels, report.accuracy, report.interval.low, report.interval.high, at_random)
                for (labels, report), at_random in zip(rounds, random, strict=True)
            ],
            chosen.paths[0],
        )


def _clear(folder: Path) -> None:
    if (folder / "project.toml").exists() and not (folder / MARKER).exists():
        raise ProjectError(f"{folder} holds a project that is not a demo; name another folder with --output")
    if (folder / MARKER).exists():
        shutil.rmtree(folder)


def _truth() -> dict[str, str]:
    with (sample_folder() / "labels.csv").open(newline="", encoding="utf-8") as file:
        return {row["image"]: row["label"] for row in csv.DictReader(file)}


def _play(project: Project, batch: Batch, truth: dict[str, str], progress: Progress) -> tuple[int, ExamReport]:
    """Label a batch as the annotator would, train, evaluate; return the labels trained on and the report."""
    project.annotate({pick.image: truth[pick.image] for pick in batch.picks}, annotator="sample_data")
    model = project.train(progress=progress)
    return model.labels, project.evaluate()


def _random(project: Project, truth: dict[str, str], budgets: list[int], progress: Progress) -> list[list[float]]:
    """Return, of each budget, the exam accuracies that random picks from the same pool reach."""
    features = project.features()
    classes = project.classes
    labels = np.array([classes.index(truth[key]) for key in features.keys])
    exam = np.flatnonzero(np.isin(features.keys, project.exam_keys()))
    found = []
    for seed in range(RANDOM_REPEATS):
        played = replay(
            features.array,
            labels,
            strategy="random",
            budgets=budgets,
            test=exam,
            exclude=project.reserved_rows(),
            seed=seed,
        )
        found.append(played.accuracies)
        progress("random, to compare", seed + 1, RANDOM_REPEATS, "")
    return [list(column) for column in zip(*found, strict=True)]
