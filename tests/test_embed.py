"""`embed`: which images get a row, which do not, and what is said of these."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select import Project
from annotate_select.cli import cli
from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.steps import pictures

SOURCE = """def encode(images):
    return images.mean(axis=(1, 2))


def flat(images):
    return 0 * encode(images)


def broken(images):
    return encode(images) + (float("nan") if images.any() else 0)
"""
ENCODER = "mean_of_colours:encode"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 10 small images, each of one grey of its own."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(10):
        Image.new("RGB", (20, 20), (20 * number + 10,) * 3).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def project(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of these images, beside a function that gives their mean colour."""
    (tmp_path / "mean_of_colours.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    return Project.create(tmp_path / "project", ["a", "b"], images=images)


def greys(project: Project) -> dict[str, int]:
    found = project.features()
    return dict(zip(found.keys, np.asarray(found.array)[:, 0].round().astype(int).tolist(), strict=True))


def test_a_file_that_changed_since_it_was_added_gets_no_row(project: Project, images: Path) -> None:
    before = (images / "3.png").read_bytes()
    shutil.copy(images / "9.png", images / "3.png")
    with pytest.raises(FeaturesError, match=r"1 file has changed since being added \(3\.png\); run `annotate-sel"):
        project.embed(ENCODER, image_size=8)
    assert project.features_show("encode").images == 9
    with pytest.raises(FeaturesError, match=r"3\.png"):
        project.embed(dim=2, image_size=16)  # which would learn from it
    (images / "3.png").write_bytes(before)
    project.embed(ENCODER, image_size=8)
    assert greys(project)["3.png"] == 70
    Image.new("RGB", (20, 20), (5, 5, 5)).save(images / "3.png")
    project.add()
    project.embed(ENCODER, image_size=8)
    assert greys(project)["3.png"] == 5


def test_an_encoder_that_fails_leaves_the_project_as_it_was(project: Project) -> None:
    project.embed(ENCODER, image_size=8)
    with pytest.raises(FeaturesError, match="not finite"):
        project.embed("mean_of_colours:broken", image_size=8)
    assert project.features().name == "encode"
    assert len(project.select(3).picks) == 3


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        (ENCODER, {"dim": 3}, r"takes --image-size, not --dim; leave --dim out"),
        ("efficientnet_lite0", {"dim": 3}, r"takes --image-size, --weights, not --dim"),
        ("a+b", {"dim": 3, "image_size": 8}, r"takes none of these options, not --dim, --image-size"),
        ("autoencoder", {"weights": Path("nofile.pth")}, r"takes --dim, --image-size, not --weights"),
        ("compressed:a", {"image_size": 8}, r"takes --dim, not --image-size"),
        ("autoencoder", {"name": "encode"}, r"have encoder mean_of_colours:encode, asked for autoencoder; .* --name"),
    ],
)
def test_no_option_is_ignored(project: Project, encoder: str, options: dict[str, Any], message: str) -> None:
    project.embed(ENCODER, image_size=8)
    with pytest.raises(FeaturesError, match=message):
        project.embed(encoder, **options)
    assert [one.name for one in project.features_list()] == ["encode"]


def test_images_whose_files_are_away_leave_the_pool_aloud_and_come_back(
    project: Project, images: Path, tmp_path: Path
) -> None:
    project.add(shutil.copytree(images, tmp_path / "more", ignore=lambda *_: ["0.png"]))
    for path in sorted((tmp_path / "more").iterdir()):
        Image.new("RGB", (20, 20), (int(path.stem), 9, 9)).save(path)
    project.add(tmp_path / "more")
    project.annotate({"more/1.png": "a"}, annotator="ana")
    (tmp_path / "more").rename(tmp_path / "unplugged")
    with pytest.warns(UserWarning, match=r"9 images left out of the pool \(more/1\.png: cannot be read: no such file"):
        found = project.embed(ENCODER, image_size=8)
    assert (len(found.array), len(found.left_out)) == (10, 9)
    (tmp_path / "unplugged").rename(tmp_path / "more")
    assert len(project.embed(ENCODER, image_size=8).array) == 19
    assert project.status().images == 19


def test_what_is_left_out_is_said_in_json(project: Project, images: Path) -> None:
    (images / "1.png").unlink()
    arguments = ["-p", str(project.root), "--json", "embed", "--encoder", ENCODER, "--image-size", "8"]
    with pytest.warns(UserWarning, match="1 image left out"):
        done = CliRunner().invoke(cli, arguments)
    said = json.loads(done.stdout)
    assert (said["images"], said["left_out"]) == (9, {"1.png": "cannot be read: no such file"})


@pytest.mark.parametrize("options", [{"encoder": ENCODER, "image_size": 8}, {"dim": 2, "image_size": 16}])
def test_a_pool_that_is_all_broken_is_recorded(project: Project, images: Path, options: dict[str, Any]) -> None:
    for path in images.iterdir():
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="10 images left out"), pytest.raises(FeaturesError, match="not one image"):
        project.embed(**options)
    assert project.status().images == 0


def test_features_that_tell_nothing_apart_are_said_to(project: Project) -> None:
    with pytest.warns(UserWarning, match="all images have the same features 'flat'"):
        project.embed("mean_of_colours:flat", image_size=8)
    found, _ = project.features_health()
    assert found.agreement is None
    assert len(found.sentences()) == 1


def test_images_that_do_not_fit_into_memory_are_learned_from_in_a_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A small dictionary may see no difference between these plain images.
    monkeypatch.setattr("annotate_select.steps.embed.AutoencoderConfig", AutoencoderConfig)
    in_memory = project.embed(dim=2, image_size=16)
    taken: list[type] = []
    fit = Autoencoder.fit

    def watched(self: Autoencoder, images: np.ndarray, *rest: Any) -> Autoencoder:
        taken.append(type(images))
        return fit(self, images, *rest)

    monkeypatch.setattr(Autoencoder, "fit", watched)
    monkeypatch.setattr(pictures, "free_memory", lambda: 1000)
    files = {path.name for path in project.root.iterdir()}
    in_file = project.embed(name="again", dim=2, image_size=16)
    assert taken == [np.memmap]
    assert in_file.digest == in_memory.digest
    assert {path.name for path in project.root.iterdir()} == files
