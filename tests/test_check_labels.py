"""`check labels`: what people, look-alikes and a model say against the labels of a project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select.cli import cli
from annotate_select.errors import AnnotationError
from annotate_select.project import Project


def test_without_labels_it_says_so(tmp_path: Path, photos: Path) -> None:
    with (
        Project.create(tmp_path / "project", ["a", "b"], images=photos) as project,
        pytest.raises(AnnotationError, match="no image has a label yet"),
    ):
        project.check.labels()


def test_people_and_a_model_are_heard(project_root: Path, truth: dict[str, str]) -> None:
    with Project.open(project_root) as project:
        alone = project.check.labels()
        assert (alone.agreement.images, alone.agreement.alpha) == (0, None)
        assert "no image was labelled by two people" in alone.text()

        labels = project.labels()
        keys = sorted(labels)[:20]
        others = {key: labels[key] for key in keys[:15]}
        others |= {key: next(one for one in project.classes if one != labels[key]) for key in keys[15:]}
        project.annotate(others, annotator="ben")
        found = project.check.labels()
        (pair,) = found.agreement.pairs
        assert (pair.first, pair.second, pair.n, pair.same) == ("ana", "ben", 20, 15)
        assert found.agreement.alpha is not None
        assert 0.5 < found.agreement.alpha < 0.9
        assert "ana and ben agree on 15 of 20 images" in found.text()
        told = [(one.annotator, one.labels, one.shared) for one in found.people.skills]
        assert told == [("ana", 54, 20), ("ben", 20, 20)]
        assert all(one.low < (one.accuracy or 0) < one.high for one in found.people.skills)
        assert {one.key for one in found.people.pointing} == set(keys[15:])  # disputed: one against one
        assert all(one.label is None and set(one.said) == {"ana", "ben"} for one in found.people.pointing)
        assert "ana is right on about" in found.text()
        assert found.doubtful == project.review_counts()["doubtful"] == len(found.doubts)
        assert all(one.label != one.suggestion and (one.quality < 0.5 or one.key in others) for one in found.doubts)
        assert all(one.why[0].startswith(f"to a model it is {one.suggestion} with ") for one in found.doubts)
        assert found.confident is not None
        assert found.confident <= found.doubtful
        assert found.labelled == len(labels)


def test_copies_with_different_labels_are_named(tmp_path: Path, photos: Path) -> None:
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number, path in enumerate(sorted(photos.iterdir())[:10]):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        image.save(folder / f"{number}-first.png")
        image.putpixel((0, 0), (255, 0, 255))
        image.save(folder / f"{number}-second.png")
    with Project.create(tmp_path / "project", ["a", "b"], images=folder) as project:
        project.annotate({f"{number}-first.png": "a" for number in range(10)})
        project.annotate({f"{number}-second.png": "b" if number in (2, 5) else "a" for number in range(10)})
        without = project.check.labels()
        assert without.contradictions == []
        assert "could not be looked for" in str(without.note)
        project.embed("efficientnet_lite0", image_size=32)
        found = project.check.labels()
        assert {(one.key, one.label, one.other_key, one.other_label) for one in found.contradictions} == {
            (f"{number}-first.png", "a", f"{number}-second.png", "b") for number in (2, 5)
        }
        arguments = ["-p", str(project.root), "check", "labels,leaks", "--json"]
        said = json.loads(CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False).stdout)
        assert len(said["labels"]["contradictions"]) == 2
        assert "there is no exam yet" in said["leaks"]["error"]
