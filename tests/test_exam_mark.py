"""The pass mark and the comparison of models, in a project: declared, judged, remembered, and said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.errors import ConfigError, ExamError, LearningError
from annotate_select.project import Project


@pytest.fixture
def project(project_root: Path, truth: dict[str, str]) -> Iterator[Project]:
    """A project with a model and an exam of which everything is labelled."""
    with Project.open(project_root) as made:
        made.annotate({key: truth[key] for key in made.exam_keys()})
        yield made


def declare(root: Path, mark: str) -> Project:
    """Write a pass mark into project.toml, in place of the one there."""
    path = root / "project.toml"
    text = path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("pass_")]
    path.write_text("\n".join(kept).replace("[exam]", f"[exam]\n{mark}"))
    return Project.open(root)


def test_without_a_mark_there_is_no_verdict(project: Project) -> None:
    report = project.evaluate()
    assert (report.verdict, report.marked_late) == (None, None)
    assert "verdict" in report.as_dict()


def test_a_mark_declared_before_gives_a_verdict_that_is_kept(project: Project) -> None:
    (project.root / "exam-marks.json").unlink()  # nothing has been evaluated yet
    with declare(project.root, "pass_accuracy = 0.02") as marked:
        report = marked.evaluate()
        assert report.verdict is not None
        assert (report.verdict.outcome, report.marked_late) == ("pass", None)
        assert marked.report() == report
        assert "pass: the mark is reached, with 95 % confidence" in report.text()


def test_a_mark_changed_after_results_were_seen_says_so(project: Project) -> None:
    project.evaluate()
    with declare(project.root, "pass_accuracy = 0.995\npass_recall = 0.5") as marked:
        report = marked.evaluate()
        assert report.verdict is not None
        assert report.verdict.outcome == "fail"
        assert report.marked_late is not None
        assert "after results had been seen" in report.text()
        recalls = [one.what for one in report.verdict.requirements[1:]]
        assert recalls == [f"recall of {name}" for name in marked.classes]
        assert marked.evaluate().marked_late == report.marked_late


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("pass_accuracy = 90", "exam.pass_accuracy"),
        ("pass_recall = { Crown = 0.9 }", "there is no class 'Crown'"),
        ("pass_accuracy = 0.9\npass_confidence = 1.0", "exam.pass_confidence"),
    ],
)
def test_marks_that_cannot_be(project: Project, mark: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        declare(project.root, mark)


def test_two_models_are_compared_on_the_same_images(project: Project, truth: dict[str, str]) -> None:
    with pytest.raises(LearningError, match="there is no model before model 1"):
        project.compare()
    more = [key for key in sorted(truth)[:120] if key not in project.exam_keys()]
    project.annotate({key: truth[key] for key in more})
    project.train()
    found = project.compare()
    assert (found.model, found.against, found.n) == (2, 1, len(project.exam_keys()))
    newer, older = project.evaluate(2), project.evaluate(1)
    assert found.difference == pytest.approx(newer.accuracy - older.accuracy)
    with pytest.raises(LearningError, match="cannot be compared with itself"):
        project.compare(2, 2)
    with pytest.raises(LearningError, match="there is no model 9"):
        project.compare(2, 9)
    arguments = ["-p", str(project.root), "evaluate", "--against", "1", "--json"]
    said = json.loads(CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False).stdout)
    assert said["comparison"]["text"] == found.text()


def test_a_renamed_class_makes_no_new_mark(project: Project) -> None:
    (project.root / "exam-marks.json").unlink()  # nothing has been evaluated yet
    for mark in ("pass_recall = 0.3", "pass_recall = { Hat = 0.3 }"):
        with declare(project.root, mark) as marked:
            marked.evaluate()
            marked.rename_class("Hat", "Cap")
            report = marked.evaluate()
            assert report.marked_late is None
            assert "recall of Cap" in report.text()
            marked.rename_class("Cap", "Hat")
        (project.root / "exam-marks.json").unlink()


def test_a_mark_follows_its_class_where_another_one_got_the_name(project: Project) -> None:
    with declare(project.root, "pass_recall = { Hat = 0.3 }") as marked:
        mark = {"accuracy": None, "recall": {"Hat": 0.3}, "confidence": 0.95}
        seen = [{"at": "2026-01-01T00:00:00+00:00", "model": 1, "mark": mark}]
        (project.root / "exam-marks.json").write_text(json.dumps(seen))
        marked.rename_class("Hat", "Cap")
        marked.add_class("Hat")
        assert marked.evaluate().marked_late is None


def test_a_mark_that_was_written_down_class_by_class_is_known_again(project: Project) -> None:
    with declare(project.root, "pass_recall = 0.3") as marked:
        mark = {"accuracy": None, "recall": dict.fromkeys(marked.classes, 0.3), "confidence": 0.95}
        seen = [{"at": "2026-01-01T00:00:00+00:00", "model": 1, "mark": mark}]
        (project.root / "exam-marks.json").write_text(json.dumps(seen))
        assert marked.evaluate().marked_late is None


@pytest.mark.parametrize("content", ['[{"at": "2026', "[{}]", "{}x", "[1]"])
def test_damaged_marks_are_named(project: Project, content: str) -> None:
    (project.root / "exam-marks.json").write_text(content)
    with pytest.raises(ExamError, match=r"exam-marks\.json is damaged .*delete it"):
        project.evaluate()
