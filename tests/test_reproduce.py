"""A stored model, trained again from what was recorded of its training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.errors import LearningError
from annotate_select.project import Project
from annotate_select.steps.training_record import COLUMNS, FILE


def test_the_same_model_comes_out_whatever_was_labelled_since(project_root: Path, truth: dict[str, str]) -> None:
    with Project.open(project_root) as project:
        first = project.reproduce(1)
        assert (first.verdict, first.answers_changed, first.changed_since) == ("identical", 0, [])
        assert first.cv_accuracy[0] == first.cv_accuracy[1]

        exam = set(project.exam_keys())
        known = [key for key in sorted(project.labels()) if key not in exam]
        other = next(name for name in project.config.classes if name != truth[known[0]])
        project.annotate({known[0]: other}, annotator="ana")
        again = project.reproduce(1)
        assert (again.verdict, again.labels_changed_since) == ("identical", 1)
        project.train()
        assert project.reproduce(2).verdict == "identical"
        assert project.reproduce(2).labels_changed_since == 0


def test_a_record_that_says_otherwise_is_noticed(project_root: Path) -> None:
    folder = project_root / "models" / "1"
    rows = np.load(folder / FILE)
    rows["label"] = np.roll(rows["label"], 7)
    np.save(folder / FILE, rows)
    about = json.loads((folder / "model.json").read_text())
    about["libraries"]["numpy"] = "1.0"
    (folder / "model.json").write_text(json.dumps(about))
    done = CliRunner().invoke(cli, ["-p", str(project_root), "reproduce", "1", "--json"])
    found = json.loads(done.stdout)
    assert found["verdict"] == "different"
    assert found["answers_changed"] > 0
    assert "numpy 1.0 then" in found["changed_since"][0]
    assert "DIFFERENT" in found["text"]


def test_what_cannot_be_reproduced_says_why(project_root: Path) -> None:
    folder = project_root / "models" / "1"
    with Project.open(project_root) as project:
        with pytest.raises(LearningError, match="no model 9; the models are 1"):
            project.reproduce(9)
        np.save(folder / FILE, np.zeros(3, COLUMNS)["id"])
        with pytest.raises(LearningError, match="damaged"):
            project.reproduce(1)
        (folder / FILE).unlink()
        with pytest.raises(LearningError, match="before trainings were recorded"):
            project.reproduce(1)
