"""`embed --encoder compressed:NAME`: stored, renewed, selected on, predicted with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from test_features_commands import store_tiny

from annotate_select.cli import cli
from annotate_select.errors import FeaturesError
from annotate_select.features.compressed import Compressed
from annotate_select.project import Project
from annotate_select.steps.embed import load_encoder


def embed(root: Path, *arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(cli, ["-p", str(root), "--json", "embed", *arguments])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_it_is_stored_under_its_own_name_and_trained_once(project_root: Path) -> None:
    found = embed(project_root, "--encoder", "compressed:autoencoder", "--dim", "4")
    assert (found["features"], found["images"], found["dim"]) == ("compressed-autoencoder", 120, 4)
    assert embed(project_root, "--encoder", "compressed:autoencoder") == found
    with Project.open(project_root) as project:
        stored, part = project.features("compressed-autoencoder"), project.features("autoencoder")
        encoder = load_encoder(project._home, "compressed-autoencoder")
        order = [part.ids.tolist().index(one) for one in stored.ids.tolist()]
        np.testing.assert_allclose(encoder.encode(part.array[order]), stored.array, atol=1e-5)
        assert len(project.select(5, features=stored.name).picks) == 5
        with pytest.raises(FeaturesError, match=r"have dim 4, asked for 6; give the new ones another --name"):
            project.embed("compressed:autoencoder", dim=6)
        with pytest.raises(FeaturesError, match=r"have encoder compressed:autoencoder, asked for compressed:other"):
            project.embed("compressed:other", name="compressed-autoencoder")
        assert project.embed("compressed:autoencoder", dim=6, retrain=True).array.shape == (120, 6)
        assert project.embed("compressed:autoencoder", name="usual").array.shape == (120, 8)
        with pytest.raises(FeaturesError, match="'autoencoder' are 16 wide; compress them to 1 to 16, got dim 17"):
            project.embed("compressed:autoencoder", name="wider", dim=17)
        with pytest.raises(FeaturesError, match=r"features compressed-autoencoder, usual are made of features 'auto"):
            project.features_remove("autoencoder")


def test_parts_that_are_missing_or_replaced(project_root: Path) -> None:
    with Project.open(project_root) as project:
        with pytest.raises(FeaturesError, match="no features are called 'tiny'"):
            project.embed("compressed:tiny")
        store_tiny(project, "tiny", 1.0)
        project.embed("compressed:tiny")
        project.embed("compressed:tiny", name="other")
        store_tiny(project, "tiny", 2.0)
        with pytest.raises(FeaturesError, match=r"`annotate-select embed --encoder compressed:tiny --retrain`"):
            project.embed("compressed:tiny")
        with pytest.raises(FeaturesError, match=r"--encoder compressed:tiny --name other --retrain`"):
            project.features("other")
        assert project.embed("compressed:tiny", retrain=True).array.shape == (120, 1)


def test_the_compression_of_several_features(project_root: Path) -> None:
    with Project.open(project_root) as project:
        store_tiny(project, "tiny")
        project.embed("autoencoder+tiny")
        found = project.embed("compressed:autoencoder+tiny")
        assert (found.name, found.array.shape) == ("compressed-autoencoder+tiny", (120, 9))
        with pytest.raises(FeaturesError, match="features compressed-autoencoder"):
            project.features_remove("autoencoder+tiny")


def test_new_images_are_compressed_too_and_novelty_is_the_error(
    project_root: Path, photos: Path, tmp_path: Path
) -> None:
    settings_file = project_root / "project.toml"
    with Project.open(project_root) as project:
        project.embed("compressed:autoencoder")
        settings = settings_file.read_text().replace("[select]", '[select]\nfeatures = "compressed-autoencoder"')
        settings_file.write_text(settings)
    with Project.open(project_root) as project:
        before = project.features()
        (tmp_path / "more").mkdir()
        shutil.copy(next(iter(sorted(photos.iterdir()))), tmp_path / "more" / "new.jpg")
        with (tmp_path / "more" / "new.jpg").open("ab") as file:
            file.write(b"x")
        project.add(tmp_path / "more")
        assert len(project.next(4).picks) == 4
        after = project.features()
        assert (len(after.array), after.digest) == (121, before.digest)
        assert project.train().features == "compressed-autoencoder"
        some = sorted(photos.iterdir())[:5]
        (tmp_path / "broken.jpg").write_bytes(b"no image")
        *found, broken = project.predict([*some, tmp_path / "broken.jpg"])
        assert broken.problem
        part, encoder = project.features("autoencoder"), load_encoder(project._home, "compressed-autoencoder")
        assert isinstance(encoder, Compressed)
        wanted = encoder.novelty(part.array[[part.keys.index(path.name) for path in some]])
        assert [one.novelty for one in found] == pytest.approx(wanted.tolist(), abs=0.05)
        assert all(one.label for one in found)
