"""Where a model looks, in a project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select.cli import cli
from annotate_select.errors import ExchangeError, ImageError, LearningError, UnknownClasses, UnknownImages
from annotate_select.project import Project


def test_it_says_what_the_model_says_and_draws_where_from(project_root: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        key = project.exam_answers()[0].key
        found = project.explain(key)
        answer = next(one for one in project.exam_answers() if one.key == key)
        assert (found.label, found.probability) == (answer.predicted, pytest.approx(answer.probability, abs=1e-5))
        assert found.weights.shape == (8, 8)
        assert np.isfinite(found.weights).all()
        found.write(tmp_path / "map.png")
        with Image.open(tmp_path / "map.png") as drawn:
            assert drawn.size == (384, 384)
        with pytest.raises(ExchangeError, match=r"written as \.png"):
            found.write(tmp_path / "map.jpg")
        with pytest.raises(UnknownImages, match="the pool has no image"):
            project.explain("nothing.jpg")


def test_an_image_that_is_away_is_named(project_root: Path) -> None:
    with Project.open(project_root) as project:
        key = project.exam_keys()[0]
        source = project.config.sources[0].model_copy(update={"root": str(project_root / "away")})
        project._home.save_config(project.config.model_copy(update={"sources": [source]}))
        with pytest.raises(ImageError, match=f"{key} cannot be explained: .*away/{key}: .*no such file"):
            project.explain(key)


def test_features_made_of_others_are_explained_too(project_root: Path) -> None:
    with Project.open(project_root) as project:
        project.embed(name="small", dim=4, image_size=16)
        project.embed("autoencoder+small")
        project.train(features="autoencoder+small")
        key = project.exam_keys()[0]
        found = project.explain(key)
        assert found.picture.shape == (384, 384, 3)
        assert np.abs(found.weights).max() > 0


def test_an_image_moved_towards_a_class_is_found_to_be_of_it_and_drawn(project_root: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        answer = project.exam_answers()[0]
        seen = {label for key, label in project.labels().items() if key not in set(project.exam_keys())}
        towards = next(name for name in sorted(seen) if name != answer.predicted)
        found = project.traverse(answer.key, towards)
        assert found.label == answer.predicted
        assert found.probabilities == sorted(found.probabilities)
        assert found.probabilities[-1] > found.probabilities[0] + 0.1
        assert found.frames.shape[1:] == (32, 32, 3)
        still = project.traverse(answer.key, answer.predicted).frames
        assert np.array_equal(still[0], found.frames[0])  # both begin at the image
        assert not np.array_equal(found.frames[0], found.frames[-1])
        found.write(tmp_path / "way.png")
        with Image.open(tmp_path / "way.png") as drawn:
            assert drawn.size == (len(found.frames) * 160, 160)
        with pytest.raises(ExchangeError, match=r"written as \.png"):
            found.write(tmp_path / "way.gif")
        with pytest.raises(UnknownClasses, match="the model knows no class 'Hut'"):
            project.traverse(answer.key, "Hut")
        with pytest.raises(UnknownImages, match="the pool has no image"):
            project.traverse("nothing.jpg", towards)


def test_only_what_has_a_decoder_is_moved(project_root: Path) -> None:
    with Project.open(project_root) as project:
        project.embed("efficientnet_lite0", image_size=32)
        project.train(features="efficientnet_lite0")
        with pytest.raises(LearningError, match="cannot be drawn: only an autoencoder's have a decoder"):
            project.traverse(project.exam_keys()[0], project.classes[0])


def test_without_a_model_it_says_so(tmp_path: Path, photos: Path) -> None:
    with (
        Project.create(tmp_path / "project", ["a", "b"], images=photos) as project,
        pytest.raises(LearningError, match="there is no model yet"),
    ):
        project.explain("any.jpg")


def test_the_command(project_root: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        key = project.exam_keys()[0]
    arguments = ["-p", str(project_root), "explain", key, "-o", str(tmp_path / "map.png")]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
    assert "of the image" in done.output
    assert (tmp_path / "map.png").exists()
    done = CliRunner().invoke(cli, [*arguments, "--json"], standalone_mode=False, catch_exceptions=False)
    said = json.loads(done.stdout)
    assert said["image"] == key
    assert len(said["weights"]) == 8
