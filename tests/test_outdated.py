"""A result of the exam that no longer holds: it is said, and nothing is advised from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.project import Project
from annotate_select.steps.basis import UNREADABLE


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    """A project that met its mark."""
    path = project_root / "project.toml"
    path.write_text(path.read_text().replace("[exam]", "[exam]\npass_accuracy = 0.05"))
    (project_root / "exam-marks.json").unlink()
    with Project.open(project_root) as made:
        made.evaluate()
        assert "the pass mark is reached" in str(made.status().enough)
        yield made


def said(project: Project, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["-p", str(project.root), *arguments], standalone_mode=False, catch_exceptions=False)
    return done.stdout


def test_a_result_tells_what_it_rests_on(project: Project) -> None:
    rests = json.loads((project.root / "models" / "1" / "exam.json").read_text())["rests"]
    assert set(rests) == {"at", "version", "seed", "labels", "names", "rules", "mark"}
    assert project.status().outdated is None
    assert project.outdated(1) is None


def test_another_mark(project: Project) -> None:
    path = project.root / "project.toml"
    path.write_text(path.read_text().replace("pass_accuracy = 0.05", "pass_accuracy = 0.95"))
    status = project.status()
    assert (status.enough, status.outdated) == (None, "the pass mark has changed since")
    assert project.stopping() is None
    assert "measure the model again, for the pass mark has changed since: annotate-select evaluate" in status.advice
    project.evaluate()
    assert project.status().outdated is None


def test_other_labels_of_the_exam(project: Project) -> None:
    answer = project.exam_answers()[0]
    other = next(name for name in project.classes if name != answer.label)
    project.annotate({answer.key: other}, annotator="ana")
    assert "on the exam, but the exam's labels have changed since" in said(project, "status")
    assert "enough?" not in said(project, "status")
    assert "the exam's labels have changed since: evaluate --model 1 again" in said(project, "history")
    project.annotate({answer.key: answer.label}, annotator="ana")  # as it was
    assert project.status().outdated is None


def test_a_class_that_was_renamed_is_no_other_label(project: Project) -> None:
    answer = project.exam_answers()[0]
    project.rename_class(answer.label, "Thing")
    assert project.status().outdated == "classes were renamed or merged since"
    other = next(name for name in project.classes if name != "Thing")
    project.annotate({answer.key: other}, annotator="ana")
    both = "the exam's labels have changed since and classes were renamed or merged since"
    assert project.status().outdated == both
    project.evaluate()
    assert project.status().outdated is None


def test_a_rename_that_touches_no_label_of_the_exam_changes_nothing(project: Project) -> None:
    project.add_class("Sock")
    project.rename_class("Sock", "Stocking")
    assert project.status().outdated is None


def test_rules_that_were_written_since(project: Project) -> None:
    (project.root / "rules.toml").write_text("[frequencies]\nHat = 0.1\n")
    assert project.rounds()[0].outdated == "rules.toml has changed since"


def test_of_results_of_an_older_version_it_is_not_known_whether_they_hold(project: Project) -> None:
    path = report_file(project)
    found = json.loads(path.read_text())
    del found["rests"]
    path.write_text(json.dumps(found))
    assert project.status().outdated == "it is not known whether these figures still hold"
    assert "on the exam, but it is not known whether these figures still hold" in said(project, "status")
    assert "it is not known whether these figures still hold: evaluate --model 1 again" in said(project, "history")
    assert project.status().accuracy == found["accuracy"]
    assert project.stopping() is None
    project.evaluate()
    assert project.status().outdated is None


def test_a_report_that_cannot_be_read_leaves_its_model_whole(project: Project) -> None:
    for content in ("[]", "{}", '{"accuracy": null}', "\xff", "{"):
        report_file(project).write_text(content, encoding="latin-1")
        assert [(one.model, one.accuracy, one.outdated) for one in project.rounds()] == [(1, None, UNREADABLE)]
    assert project.status().accuracy is None
    assert f"measure the model again, for {UNREADABLE}: annotate-select evaluate" in said(project, "status")
    assert f"{UNREADABLE}: evaluate --model 1 again" in said(project, "history")
    project.evaluate()
    assert project.status().outdated is None


def report_file(project: Project) -> Path:
    return project.root / "models" / "1" / "exam.json"
