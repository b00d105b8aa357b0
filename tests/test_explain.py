"""Where a model looks, in a project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select.cli import cli
from annotate_select.errors import ExchangeError, LearningError, UnknownImages
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


def test_features_made_of_others_are_explained_too(project_root: Path) -> None:
    with Project.open(project_root) as project:
        project.embed(name="small", dim=4, image_size=16)
        project.embed("autoencoder+small")
        project.train(features="autoencoder+small")
        key = project.exam_keys()[0]
        found = project.explain(key)
        assert found.picture.shape == (384, 384, 3)
        assert np.abs(found.weights).max() > 0


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
