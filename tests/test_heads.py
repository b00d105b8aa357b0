"""A model with a hidden layer goes everywhere a linear one goes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select.annotations.exam import exam_ids
from annotate_select.cli import cli
from annotate_select.errors import LearningError
from annotate_select.learning.kinds import DEFAULT, HEADS
from annotate_select.project import Project
from annotate_select.steps.train import TRAINERS
from annotate_select.steps.training_record import read_record


def test_every_head_that_is_offered_can_be_trained(project_root: Path) -> None:
    assert list(TRAINERS) == list(HEADS)
    with (
        Project.open(project_root) as project,
        pytest.raises(LearningError, match=r"'mpl' [(]did you mean mlp[?][)]; train one of"),
    ):
        project.train("mpl")


def test_the_next_round_trains_what_the_project_says(project_root: Path) -> None:
    with Project.open(project_root) as project:
        assert project.config.train.head == "spreading" == DEFAULT
    (project_root / "project.toml").write_text(
        (project_root / "project.toml").read_text().replace('head = "spreading"', 'head = "mlp"')
    )
    with Project.open(project_root) as project:
        project.next(2)
        assert [one.kind for one in project.rounds()] == ["spreading", "mlp"]


@pytest.mark.parametrize("kind", ["mlp", "linear"])
def test_another_head_goes_round_the_loop(project_root: Path, photos: Path, kind: str) -> None:
    done = CliRunner().invoke(cli, ["-p", str(project_root), "--quiet", "train", "--head", kind, "--json"])
    assert done.exit_code == 0, done.output
    assert (json.loads(done.stdout)["number"], json.loads(done.stdout)["kind"]) == (2, kind)
    listed = CliRunner().invoke(cli, ["-p", str(project_root), "history"]).output
    assert [line.split()[:2] for line in listed.splitlines()] == [["model", "head"], ["1", "spreading"], ["2", kind]]
    with Project.open(project_root) as project:
        assert project.reproduce(2).verdict == "identical"
        assert project.evaluate().model == 2
        assert project.compare().against == 1
        assert len(project.select(5, "margin").picks) == 5
        first = sorted(photos.iterdir())[0]
        found = project.predict([first])
        assert sum(found[0].probabilities.values()) == pytest.approx(1, abs=0.01)
        assert project.explain(first.name).probability > 0
        way = project.traverse(first.name, next(one for one in found[0].probabilities if one != found[0].label))
        assert way.probabilities[-1] > way.probabilities[0]


def test_what_the_hidden_units_say_are_features(project_root: Path, photos: Path) -> None:
    with Project.open(project_root) as project:
        project.train("mlp")
        units = project.embed(f"model:{project_root}:penultimate", name="units")
        assert units.array.shape == (120, 128)
        assert (np.asarray(units.array) >= 0).all()
        assert project.features("units").digest == units.digest
        model = project.train(features="units")
        assert model.features_saw_labels  # what it says of itself would flatter
        assert project.predict([sorted(photos.iterdir())[1]])[0].label in project.config.classes


def test_a_model_listens_to_no_image_of_the_exam(project_root: Path) -> None:
    """Neither to what it learned from: those it heard already."""
    with Project.open(project_root) as project:
        model = project.train("spreading")
        record = read_record(project_root / "models" / str(model.number))
        assert record is not None
        exam = set(exam_ids(project._home.db))
    assert len(exam)
    assert len(record.around)
    assert not set(record.around.tolist()) & (set(record.ids.tolist()) | exam)
