"""The exam after a class was added, renamed or merged: every labelled image counts, under today's names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate_select.errors import UnknownClasses
from annotate_select.project import Project


@pytest.fixture
def project(project_root: Path, truth: dict[str, str]) -> Iterator[Project]:
    """A project with a model and an exam of which everything is labelled."""
    with Project.open(project_root) as made:
        made.annotate({key: truth[key] for key in made.exam_keys()}, annotator="ana")
        yield made


def right(project: Project) -> int:
    report = project.evaluate()
    return round(report.accuracy * report.n)


def test_a_class_the_model_does_not_know_is_a_mistake_and_not_unlabelled(project: Project) -> None:
    before = right(project)
    moved = [one for one in project.exam_answers() if one.label == one.predicted][:3]
    project.add_class("Bag")
    project.annotate({one.key: "Bag" for one in moved}, annotator="ana")
    report = project.evaluate()
    assert (report.n, report.unlabelled) == (24, 0)
    assert right(project) == before - len(moved)
    assert "the model has not learned Bag: 3 exam images it gets wrong for that" in report.text()
    assert project.report() == report
    assert {one.label for one in project.exam_answers() if one.key in {each.key for each in moved}} == {"Bag"}


def test_a_renamed_class_is_the_same_class(project: Project) -> None:
    before = project.evaluate()
    project.rename_class("T-Shirt", "Tee")
    after = project.evaluate()
    assert (after.n, after.accuracy, after.confusion) == (before.n, before.accuracy, before.confusion)
    assert [one.name for one in after.classes] == project.classes


def test_answers_of_a_merged_class_are_answers_of_the_class_it_became(project: Project) -> None:
    both = {"Longsleeve", "T-Shirt"}
    either = {one.key for one in project.exam_answers() if {one.label, one.predicted} <= both}
    project.merge_class("Longsleeve", "T-Shirt")
    after = {one.key: one for one in project.exam_answers()}
    assert len(after) == 24
    assert {(after[key].label, after[key].predicted) for key in either} == {("T-Shirt", "T-Shirt")}


def test_models_from_before_and_after_a_rename_are_compared(project: Project) -> None:
    project.rename_class("Hat", "Cap")
    project.train()
    found = project.compare(2, 1)
    assert (found.n, found.gained, found.lost) == (24, 0, 0)


def test_the_second_exam_hears_of_it_too(project: Project, truth: dict[str, str]) -> None:
    drawn = project.active_exam(8)
    project.annotate({key: truth[key] for key in drawn.to_label}, annotator="ana")
    before = project.evaluate().active
    project.rename_class("T-Shirt", "Tee")
    assert project.evaluate().active == before


def test_a_freed_name_given_to_another_class_is_not_the_old_one(project: Project) -> None:
    before = project.evaluate()
    project.rename_class("T-Shirt", "Tee")
    project.add_class("T-Shirt")
    after = {one.name: one for one in project.evaluate().classes}
    assert after["Tee"].recall == {one.name: one for one in before.classes}["T-Shirt"].recall
    assert after["T-Shirt"].n == 0
    forget_the_moment(project)  # as a model of an older version, trained before
    assert {one.name: one for one in project.evaluate().classes} == after


def forget_the_moment(project: Project) -> None:
    path = project.root / "models" / "1" / "model.json"
    about = json.loads(path.read_text())
    del about["classes_at"]
    about["created_at"] = "2020-01-01T00:00:00+00:00"
    path.write_text(json.dumps(about))


def test_new_images_are_called_by_the_classes_of_today(project: Project, photos: Path, tmp_path: Path) -> None:
    [then] = project.predict(one_photo := [sorted(photos.iterdir())[0]])
    project.rename_class("Hat", "Cap")
    project.merge_class("Longsleeve", "T-Shirt")
    project.add_class("Bag")
    [now] = project.predict(one_photo, output=tmp_path / "said.csv")
    assert list(now.probabilities) == project.classes
    assert now.probabilities["Cap"] == then.probabilities["Hat"]
    both = then.probabilities["Longsleeve"] + then.probabilities["T-Shirt"]
    assert now.probabilities["T-Shirt"] == pytest.approx(both, abs=2e-6)
    assert now.probabilities["Bag"] == 0.0
    assert (tmp_path / "said.csv").read_text().splitlines()[0].split(",")[4:] == [
        f"p({name})" for name in project.classes
    ]


def test_a_way_towards_a_merged_class_is_towards_all_that_it_was(project: Project) -> None:
    key = project.exam_keys()[0]
    project.merge_class("Longsleeve", "T-Shirt")
    found = project.traverse(key, "T-Shirt")
    assert found.label in project.classes
    assert found.probabilities == sorted(found.probabilities)
    assert found.probabilities[-1] > found.probabilities[0]
    with pytest.raises(UnknownClasses, match="no class 'Longsleeve'"):
        project.traverse(key, "Longsleeve")


def test_a_selection_still_hears_a_model_whose_classes_were_renamed(project: Project) -> None:
    project.rename_class("Hat", "Cap")
    assert project.select(3, "margin").model == 1
