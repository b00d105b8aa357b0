"""Copies of what a model learned from: they do not get into the exam, and where they are in it they do not count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from annotate_select.annotations import exam as stored
from annotate_select.annotations import images
from annotate_select.errors import ExamError
from annotate_select.project import Project


@pytest.fixture
def project(project_root: Path, truth: dict[str, str], photos: Path, tmp_path: Path) -> Iterator[Project]:
    """A project that learned from all its images but the exam's, and then got copies of forty of these."""
    with Project.open(project_root) as made:
        made.annotate({key: truth[key] for key in sorted(truth)[:120]}, annotator="ana")
        made.train()
        folder = tmp_path / "copies"
        folder.mkdir()
        learned = [path for path in sorted(photos.iterdir()) if path.name not in made.exam_keys()]
        for path in learned[:40]:
            Image.open(path).convert("RGB").save(folder / f"copy-{path.stem}.png")
        made.add(folder)
        yield made


def test_the_exam_does_not_grow_from_images_without_features(project: Project) -> None:
    assert project.exam().size == 24  # nothing is drawn
    with pytest.raises(ExamError, match=r"copies of those that model 2 learned from: .*`annotate-select embed`"):
        project.exam(40)
    project.embed()
    with pytest.raises(ExamError, match="are available"):
        project.exam(60)  # there is nothing but copies


def test_copies_in_the_exam_do_not_count(project: Project, truth: dict[str, str]) -> None:
    project.embed()
    before = project.evaluate()
    assert (before.n, before.left_out, before.notes) == (24, 0, ())
    copies = {f"copy-{Path(key).stem}.png": key for key in truth}
    found = images.resolve(project._home.db, list(copies))
    stored.add_to_exam(project._home.db, list(found.values()), seed=0)
    project.annotate({key: truth[copies[key]] for key in found}, annotator="ana")
    after = project.evaluate()
    assert (after.n, after.left_out, after.unlabelled) == (24, 40, 0)
    assert after.accuracy == before.accuracy
    assert "left out: 40 of the 64 labelled exam images, because the model learned from them" in after.text()
    assert project.report() == after
    assert not {one.key for one in project.exam_answers()} & set(found)
