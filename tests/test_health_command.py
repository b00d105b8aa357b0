"""`annotate-select features health`, and autoencoders of other kinds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select import Project
from annotate_select.errors import FeaturesError


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Sixty small images of two kinds, embedded, with all but two labelled."""
    root = tmp_path_factory.mktemp("health")
    rng = np.random.default_rng(0)
    (root / "images").mkdir()
    for one in range(60):
        pixels = rng.integers(0, 256, (16, 16, 3))
        pixels[:, :, one % 2] //= 4
        Image.fromarray(pixels.astype(np.uint8)).save(root / "images" / f"{one:02}.png")
    made = Project.create(root / "p", classes=["red", "green"])
    made.add(root / "images")
    made.embed(dim=8, image_size=16)
    made.annotate({f"{one:02}.png": ["green", "red"][one % 2] for one in range(58)})
    return made


def test_health_is_measured_said_and_written(project: Project) -> None:
    found, files = project.features_health()
    assert (found.images, found.dim, found.labels) == (60, 8, 58)
    assert 1 < found.effective_rank <= 8
    assert found.agreement is not None
    assert found.accuracy is not None
    assert found.pixel_accuracy is not None
    assert found.pixel_accuracy > 0.9
    assert found.linear_accuracy is not None
    assert found.pixel_linear_accuracy is not None
    assert found.pixel_linear_accuracy > 0.9
    assert json.loads(files[0].read_text()) == found.figures()
    with Image.open(files[1]) as picture:
        assert picture.size[0] > 500
    assert files[2] == files[0].parent / "encoder" / "learning_curve.png"
    made = files[2].read_bytes()
    files[2].unlink()
    assert project.features_health()[1][2].read_bytes() == made
    assert project.features_show("autoencoder").learning_curve == str(files[2])
    assert len(found.sentences()) == 5


def test_of_features_made_of_others_no_image_is_changed(project: Project) -> None:
    project.embed(encoder="autoencoder:plain", image_size=16, dim=4)
    project.embed(encoder="autoencoder+plain", name="twice")
    found, files = project.features_health("twice")
    assert found.agreement is None
    assert [file.name for file in files] == ["health.json"]


def test_an_unreadable_image_is_left_out(project: Project) -> None:
    file = Path(project.root).parent / "images" / "03.png"
    content = file.read_bytes()
    file.write_bytes(b"no image")
    try:
        assert project.features_health()[0].labels in (57, 58)
    finally:
        file.write_bytes(content)


def test_another_kind_has_its_own_name_and_a_wrong_one_is_refused(project: Project) -> None:
    made = project.embed(encoder="autoencoder:plain", image_size=16, dim=4)
    assert made.name == "plain"
    assert made.array.shape == (60, 4)
    with pytest.raises(FeaturesError, match="choose one of dictionary, joint"):
        project.embed(encoder="autoencoder:best")
    with pytest.raises(FeaturesError, match="have kind dictionary, asked for joint"):
        project.embed(encoder="autoencoder:joint", name="autoencoder")
