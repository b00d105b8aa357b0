"""Second opinions in a batch: offered where they are worth more than new images, asked of others, never by default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.errors import SelectionError
from annotate_select.project import Project


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    with Project.open(project_root) as opened:
        yield opened


def spoil(project: Project, n: int = 8) -> list[str]:
    """Call some images outside the exam by another class, and train again."""
    exam = set(project.exam_keys())
    labels = {key: label for key, label in sorted(project.labels().items()) if key not in exam}
    keys = list(labels)[:n]
    project.annotate({key: next(one for one in project.classes if one != labels[key]) for key in keys}, "ana")
    project.train()
    return keys


def test_by_default_a_batch_is_of_new_images(project: Project) -> None:
    spoil(project)
    labels = project.labels()
    batch = project.select(20)
    assert {pick.role for pick in batch.picks} == {"pick", "audit"}
    assert not labels.keys() & {pick.image for pick in batch.picks}


def test_a_share_at_most_is_asked_again(project: Project) -> None:
    spoil(project)
    labels, exam = project.labels(), set(project.exam_keys())
    batch = project.select(20, relabel=0.25)
    again = [pick for pick in batch.picks if pick.role == "relabel"]
    assert len(batch.picks) == 20
    assert 1 <= len(again) <= 5
    assert all(pick.image in labels and pick.image not in exam for pick in again)
    assert [pick.score for pick in again] == sorted((pick.score for pick in again), reverse=True)
    assert len({pick.reason for pick in again}) == 1  # nothing that would suggest an answer
    assert f"{len(again)} second opinions, which wait for a second annotator" in batch.note
    others = project.select(20, relabel=0.25)
    assert not {pick.image for pick in others.picks} & {pick.image for pick in batch.picks}

    queued = project.queue("ben", 200)
    assert {item.key for item in queued if item.role == "relabel"} >= {pick.image for pick in again}
    assert all(item.suggestion is None for item in queued if item.role == "relabel")
    assert not {item.key for item in project.queue("ana", 200)} & {pick.image for pick in again}


def test_labels_nobody_doubts_are_not_asked_again(project: Project) -> None:
    """The commonest case: the batch says that it has none, or few, and is as long as ever."""
    batch = project.select(10, relabel=0.9)
    assert len(batch.picks) == 10
    assert sum(pick.role == "relabel" for pick in batch.picks) <= 9
    assert "second opinions" in batch.note


def test_without_a_model_there_are_none(tmp_path: Path, photos: Path, truth: dict[str, str]) -> None:
    with Project.create(tmp_path / "p", sorted(set(truth.values())), images=photos) as project:
        project.embed("efficientnet_lite0", image_size=32)
        batch = project.select(10, relabel=0.5)
        assert {pick.role for pick in batch.picks} == {"pick", "audit"}
        assert "no second opinions: it takes a model" in batch.note
        with pytest.raises(SelectionError, match=r"relabel must be a share from 0 to 0\.9, got 1"):
            project.select(10, relabel=1)


def test_the_check_and_the_command_speak_of_it(project: Project) -> None:
    spoil(project)
    assert project.check.labels().second_opinions is None  # nobody but ana has labelled: is she ever wrong?
    arguments = ["-p", str(project.root), "select", "-n", "20", "--relabel", "0.2"]
    said = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False).output
    assert "second opinions), " in said
    labels, exam = project.labels(), set(project.exam_keys())
    project.annotate({key: labels[key] for key in sorted(labels.keys() - exam)[:20]}, "ben")
    found = project.check.labels()
    assert found.second_opinions is not None
    assert f"of the next {found.second_opinions.n} labels, {found.second_opinions.worth}" in found.text()
