"""Whether it is enough, in a project: concluded when the newest model is evaluated, and said where people look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.project import Project
from annotate_select.steps import stop
from annotate_select.trust.intervals import Interval
from annotate_select.trust.stopping import Gain


def more_labels(project: Project, truth: dict[str, str], n: int) -> None:
    """Label n images more, and train on them."""
    exam, known = set(project.exam_keys()), project.labels()
    keys = [key for key in sorted(project.features().keys) if key not in exam and key not in known][:n]
    project.annotate({key: truth[key] for key in keys})
    project.train()


def test_rounds_are_gathered_until_there_is_something_to_say(project_root: Path, truth: dict[str, str]) -> None:
    with Project.open(project_root) as project:
        first = project.stopping()
        assert first is not None
        assert (first.advice, first.rounds, first.agreement) == ("early", 1, ())
        assert "it takes 2 more rounds" in str(project.status().enough)

        more_labels(project, truth, 20)
        assert project.stopping() is None  # the newest model has not been evaluated
        assert project.status().enough is None
        project.evaluate()
        more_labels(project, truth, 20)
        project.evaluate()
        found = project.stopping()
        assert found is not None
        assert (found.rounds, len(found.agreement)) == (3, 2)
        assert found.gain is not None
        assert found.gain.interval.low <= found.gain.interval.high
        assert project.status().enough == found.sentence

        project.evaluate(1)  # an older model changes nothing of this
        assert project.stopping() == found


def test_two_classes_that_labels_mix_up_are_named(
    project_root: Path, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    little = Gain(100, 0.001, Interval(-0.004, 0.006))
    monkeypatch.setattr(stop, "expected_gain", lambda *_, **__: little)
    with Project.open(project_root) as project:
        project.evaluate()
        assert project.status().enough is not None
        exam = set(project.exam_keys())
        shirts = {"T-Shirt": "Longsleeve", "Longsleeve": "T-Shirt"}
        keys = [key for key in sorted(truth)[:120] if key not in exam]
        turned = [key for key in keys if truth[key] in shirts][::3]
        said = {key: shirts[truth[key]] if key in turned else truth[key] for key in keys}
        project.annotate(said, annotator="ana")
        project.train()
        project.evaluate()
        assert "Longsleeve and T-Shirt contradict each other" in str(project.status().enough)
        found = project.stopping()
        assert found is not None
        assert found.mixed == ("Longsleeve", "T-Shirt")


def test_the_commands_say_it(project_root: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["-p", str(project_root), *arguments], standalone_mode=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "enough? too early to say" in run("evaluate")
    assert json.loads(run("evaluate", "--json"))["stopping"]["advice"] == "early"
    assert "enough?   too early to say" in run("status")
    assert "enough?" not in run("evaluate", "--model", "1")


def test_history_has_a_line_a_model(project_root: Path, tmp_path: Path) -> None:
    def run(root: Path, *arguments: str) -> str:
        done = CliRunner().invoke(cli, ["-p", str(root), "history", *arguments], standalone_mode=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    with Project.open(project_root) as project:
        report = project.report()
        assert report is not None
        project.train()
    first, second = run(project_root).splitlines()[1:]
    assert f"{report.accuracy:.1%} ({report.interval.low:.1%} to {report.interval.high:.1%})" in first
    assert "not evaluated" in second
    assert [one["model"] for one in json.loads(run(project_root, "--json"))["rounds"]] == [1, 2]
    Project.create(tmp_path / "empty", ["a", "b"]).close()
    assert "no model has been trained yet" in run(tmp_path / "empty")
