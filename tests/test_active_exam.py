"""A second exam, drawn where a model may err: kept like the exam, told apart from it, and said beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select import Project
from annotate_select.annotations import exam as stored
from annotate_select.annotations.events import Event
from annotate_select.cli import cli
from annotate_select.errors import ExamError, LearningError
from annotate_select.steps.models import load_model
from annotate_select.steps.training_record import read_record
from annotate_select.trust.active_testing import errors_by_chance, estimate_active

N = 12


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    with Project.open(project_root) as made:
        yield made


def drawn_keys(project: Project) -> list[str]:
    """Return the keys of the second exam, in the order they were drawn."""
    second = stored.active_exam(project._home.db) or pytest.fail("there is no second exam")
    key_of = {image_id: key for key, image_id in project.image_ids(project.features().keys).items()}
    return [key_of[one.image_id] for one in second.images]


def test_each_image_is_stored_with_its_chance_and_the_models_doubt(project: Project) -> None:
    made = project.active_exam(N)
    second = stored.active_exam(project._home.db) or pytest.fail("there is no second exam")
    assert (made.model, made.size, second.model, second.pool) == (1, N, 1, made.pool)
    assert len({one.image_id for one in second.images}) == N
    trained = read_record(project.root / "models" / "1") or pytest.fail("the training was not recorded")
    assert not {one.image_id for one in second.images} & set(trained.ids.tolist())
    assert made.pool <= 120 - 30  # what was learned from, and what is like it, is not asked about
    features = project.features()
    rows = {key: row for row, key in enumerate(features.keys)}
    errors = errors_by_chance(load_model(project._home, 1).head.probabilities(features.array))
    found = [errors[rows[key]] for key in drawn_keys(project)]
    assert [one.error for one in second.images] == pytest.approx(found)
    first = second.images[0]
    assert 0.3 / made.pool < first.chance < 1
    in_exam = set(project.exam_keys())
    assert set(made.to_label) == set(drawn_keys(project)) - in_exam


def test_they_are_shown_as_the_exam_is_and_never_trained_on(project: Project, truth: dict[str, str]) -> None:
    made = project.active_exam(N)
    shown = {item.key: item for item in project.queue("ben", 100)}
    assert set(made.to_label) <= set(shown)
    for key in made.to_label:
        assert (shown[key].is_exam, shown[key].role, shown[key].batch, shown[key].reason) == (True, "exam", None, None)
    together = project.alike(n=100, groups=5).groups
    assert not {one.key for group in together for one in group.images} & set(drawn_keys(project))
    project.annotate({key: truth[key] for key in made.to_label})
    batch = project.select(20)
    assert not {pick.image for pick in batch.picks} & set(drawn_keys(project))
    rows = {project.features().keys[row] for row in project.reserved_rows()}
    assert set(drawn_keys(project)) <= rows
    before = project.train()
    assert before.labels == 30
    layout = project.layout(method="pca")
    colours = project.map_colours("label", layout)
    hidden = {key for key, group in zip(layout.keys, colours.values.tolist(), strict=True) if group == 0}
    assert set(drawn_keys(project)) <= hidden


def test_evaluate_says_it_beside_the_exam_and_leaves_the_exam_alone(project: Project, truth: dict[str, str]) -> None:
    alone = project.evaluate()
    assert alone.active is None
    made = project.active_exam(N)
    keys = drawn_keys(project)
    free = [key for key in keys if key in made.to_label]
    project.annotate({key: truth[key] for key in free[1:]})  # all but the first
    cut = keys.index(free[0])
    report = project.evaluate()
    assert (report.active.n if report.active else 0) == cut
    project.annotate({free[0]: truth[free[0]]})
    report = project.evaluate()
    assert report.active is not None
    assert (report.active.n, report.active.drawn_by, report.active.pool) == (N, 1, made.pool)
    second = stored.active_exam(project._home.db) or pytest.fail("there is no second exam")
    model, features = load_model(project._home, 1), project.features()
    rows = [features.keys.index(key) for key in keys]
    said = [model.classes[i] for i in model.head.probabilities(features.array[rows]).argmax(axis=1)]
    by_hand = estimate_active(
        np.array([one == truth[key] for one, key in zip(said, keys, strict=True)]),
        np.array([one.chance for one in second.images]),
        np.array([one.error for one in second.images]),
        made.pool,
        drawn_by=1,
    )
    assert report.active == by_hand
    assert "a second exam, drawn where model 1 may err" in report.text()
    assert (report.n, report.accuracy, report.interval) == (alone.n, alone.accuracy, alone.interval)
    assert project.report() == report
    page = project.exam_report(signed_by="Ana").path.read_text(encoding="utf-8")
    assert "A second exam, drawn where model 1 may err" in page
    assert f"{N} images by the doubts of model 1 from {made.pool}" in page


def test_what_nobody_can_tell_is_no_answer(project: Project, truth: dict[str, str]) -> None:
    made = project.active_exam(N)
    unsure, *others = made.to_label
    image = project.image_ids([unsure])[unsure]
    assert project.record([Event("u1", image, "ana", "unsure")]).refused == []
    project.annotate({key: truth[key] for key in others})
    report = project.evaluate()
    assert report.active is not None
    assert report.active.n == N - 1


def test_status_counts_them_and_does_not_ask_to_train_on_them(project: Project, truth: dict[str, str]) -> None:
    made = project.active_exam(N)
    status = project.status()
    assert (status.active_total, status.active_labelled) == (len(made.to_label), 0)
    assert "label the" in status.advice
    project.annotate({key: truth[key] for key in made.to_label})
    status = project.status()
    assert status.active_labelled == len(made.to_label)
    assert status.advice.startswith("measure the model again, for the exam's labels have changed since")
    project.evaluate()
    assert project.status().advice == "choose the next batch: annotate-select select"


def test_the_exam_grows_as_if_it_were_not_there(project: Project, truth: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(project.root, tmp_path / "other")
    made = project.active_exam(N)
    project.annotate({key: truth[key] for key in made.to_label})
    project.exam(30)
    with Project.open(tmp_path / "other") as other:
        other.exam(30)
        assert project.exam_keys() == other.exam_keys()
    assert project.evaluate().active is not None


def test_what_cannot_be_drawn(project: Project, truth: dict[str, str], tmp_path: Path, photos: Path) -> None:
    with pytest.raises(ExamError, match="images was asked for, but only"):
        project.active_exam(500)
    with pytest.raises(ExamError, match="more than half"):
        project.active_exam(55)
    project.active_exam(N)
    with pytest.raises(ExamError, match="images without a label; label them first"):
        project.active_exam(N)
    keys = drawn_keys(project)
    project.annotate({key: truth[key] for key in keys})
    assert project.active_exam(3).number == 2
    with (
        Project.create(tmp_path / "new", ["a", "b"], images=photos) as new,
        pytest.raises(LearningError, match="no model"),
    ):
        new.active_exam(5)


def test_on_the_command_line(project: Project) -> None:
    begin = ["-p", str(project.root), "--json", "exam"]
    done = CliRunner().invoke(cli, [*begin, "--active", "5"], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert (found["size"], found["model"]) == (5, 1)
    assert Path(found["path"]).read_text().count("exam") >= len(found["to_label"])
    done = CliRunner().invoke(cli, [*begin, "--active", "5", "--size", "50"], catch_exceptions=False)
    assert done.exit_code == 2
