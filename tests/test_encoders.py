"""Encoders from outside in a project: named, stored, found again, and gone on with when images come."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from annotate_select import Project
from annotate_select.errors import FeaturesError

MODULE = """def {name}(images):
    return images.reshape(len(images), {rows}, -1, 3).mean(axis=2).reshape(len(images), -1)
"""


@pytest.fixture
def few(photos: Path, tmp_path: Path) -> Path:
    """A folder of 30 photos."""
    folder = tmp_path / "few"
    folder.mkdir()
    for path in sorted(photos.iterdir())[:30]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, few: Path, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Project:
    """A new project, its folder being the current one."""
    root = tmp_path / "own"
    project = Project.create(root, sorted(set(truth.values())), images=few)
    monkeypatch.chdir(root)
    return project


def test_a_round_with_a_pretrained_network_needs_its_source_only_once(
    project: Project, few: Path, photos: Path, truth: dict[str, str], tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pt"
    torch.save(models.get_model("squeezenet1_1", weights=None).state_dict(), weights)
    features = project.embed("torchvision:squeezenet1_1", image_size=32, weights=weights)
    assert (features.name, features.array.shape) == ("squeezenet1_1", (30, 512))
    weights.unlink()
    assert project.embed("torchvision:squeezenet1_1").digest == features.digest
    with pytest.raises(FeaturesError, match=r"there is no weights file"):
        project.embed("torchvision:squeezenet1_1", weights=weights)
    for path in sorted(photos.iterdir())[30:34]:
        shutil.copy(path, few)
    project.add()
    project.annotate({path.name: truth[path.name] for path in sorted(few.iterdir())[:20]}, annotator="ana")
    assert len(project.next(5).picks) == 5
    assert (project.features().name, len(project.features().array)) == ("squeezenet1_1", 34)


def test_lite0_works_without_any_file_or_network(project: Project) -> None:
    features = project.embed("efficientnet_lite0", image_size=32)
    assert (features.name, features.array.shape) == ("efficientnet_lite0", (30, 1280))
    assert np.isfinite(features.array).all()


def test_a_function_beside_the_project_is_found(project: Project, truth: dict[str, str], few: Path) -> None:
    Path("stripes_of_mine.py").write_text(MODULE.format(name="stripes", rows=4))
    features = project.embed("stripes_of_mine:stripes", image_size=16)
    assert (features.name, features.array.shape) == ("stripes", (30, 12))
    project.annotate({path.name: truth[path.name] for path in sorted(few.iterdir())[:20]}, annotator="ana")
    project.train()
    assert len(project.predict(sorted(few.iterdir())[:3])) == 3
    Path("stripes_of_mine.py").write_text(MODULE.format(name="stripes", rows=2))
    with pytest.raises(FeaturesError, match=r"features 'stripes' were made by another encoder \(source"):
        project.embed("stripes_of_mine:stripes", image_size=16)
