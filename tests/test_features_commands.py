"""`annotate-select features`: what is stored, whether it is sound, and how it goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from annotate_select import files
from annotate_select.cli import cli
from annotate_select.errors import BusyError, ConfigError, FeaturesError
from annotate_select.features.autoencoder import Autoencoder
from annotate_select.features.store import FeatureStore
from annotate_select.project import Project


class Tiny:
    """Features of width 3 that cost nothing: the mean colour, times a factor."""

    image_size = 8
    dim = 3

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def definition(self) -> dict[str, object]:
        return {"kind": "tiny", "factor": self.factor}

    def encode(self, images: np.ndarray) -> np.ndarray:
        return (images.mean(axis=(1, 2)) * self.factor).astype(np.float32)

    def save(self, folder: Path) -> None:
        (folder / "factor.json").write_text(json.dumps(self.factor))


def store_tiny(project: Project, name: str, factor: float = 1.0, leave_out: int = 0) -> FeatureStore:
    """Store tiny features of the pool's images, but for the last few."""
    store = FeatureStore(project.root / "features")
    opened = project.features("autoencoder")
    fingerprints = [row.decode() for row in store.covers("autoencoder")["fingerprint"]]
    n = len(opened.ids) - leave_out
    images = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3)).astype(np.uint8)
    store.extend(name, Tiny(factor), opened.ids, fingerprints, iter([(np.arange(n), images)]), replace=True)
    return store


def run(root: Path, *arguments: str, **options: str) -> Result:
    return CliRunner().invoke(cli, ["-p", str(root), "features", *arguments], input=options.get("input"))


def answer(root: Path, *arguments: str) -> dict[str, object]:
    done = run(root, *arguments, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_list_and_show(project_root: Path) -> None:
    with Project.open(project_root) as project:
        store_tiny(project, "tiny", 1.0)
        store_tiny(project, "tiny", 2.0, leave_out=5)
        found = project.features_list()
    assert [(one.name, one.current, one.images, one.rows, one.dim) for one in found] == [
        ("autoencoder", True, 120, 120, 16),
        ("tiny", True, 115, 115, 3),
        ("tiny", False, 120, 120, 3),
    ]
    assert all(one.pool == 120 and one.dtype == "float32" and one.bytes > 1000 and one.made_at for one in found)
    assert found[1].digest == files.digest(Tiny(2.0).definition())
    lines = run(project_root, "list").output.splitlines()
    assert len(lines) == 3
    assert f"tiny-{found[1].digest}  tiny, 115 of 120 images x 3 float32" in lines[1]
    assert lines[2].endswith(", replaced")
    assert len(answer(project_root, "list")["features"]) == 3  # type: ignore[arg-type]
    assert answer(project_root, "show", "tiny")["definition"] == {"kind": "tiny", "factor": 2.0}
    assert '"factor": 2.0' in run(project_root, "show", "tiny").output
    done = run(project_root, "show", "tinny")
    assert isinstance(done.exception, FeaturesError)
    assert "did you mean tiny?" in str(done.exception)


def test_a_damaged_folder_is_listed_with_its_problem(project_root: Path) -> None:
    (folder,) = (project_root / "features").glob("autoencoder-*")
    (folder / "definition.json").write_text("{")
    with Project.open(project_root) as project:
        (found,) = project.features_list()
    assert found.problem is not None
    assert "definition.json is corrupt" in found.line()


def test_verify_says_what_is_damaged_and_mend_makes_embed_encode_it_again(project_root: Path) -> None:
    assert answer(project_root, "verify")["damaged"] == []
    (folder,) = (project_root / "features").glob("autoencoder-*")
    array = np.lib.format.open_memmap(folder / "features.npy", mode="r+")
    before = array.copy()
    array[3] += 1
    array.flush()
    done = run(project_root, "verify", "autoencoder")
    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1
    assert "features.npy: rows 0 to 119 are not what was written" in done.output
    assert "--mend" in done.output
    done = run(project_root, "verify", "--mend")
    assert (done.exit_code, done.output.startswith("forgot 120 rows")) == (0, True)
    with Project.open(project_root) as project:
        project.embed()
        np.testing.assert_allclose(project.features().array, before, atol=1e-5)
    assert answer(project_root, "verify")["damaged"] == []


def test_a_damaged_encoder_is_noticed_wherever_it_would_be_used(project_root: Path, photos: Path) -> None:
    (folder,) = (project_root / "features").glob("autoencoder-*")
    weights = load_file(folder / "encoder" / "weights.safetensors")
    name = next(one for one in sorted(weights) if one.startswith("encoder.") and weights[one].is_floating_point())
    weights[name].view(-1)[0] += 1
    save_file(weights, folder / "encoder" / "weights.safetensors")
    done = run(project_root, "verify")
    assert done.exit_code == 1
    assert "encoder in" in done.output
    assert "put a copy of that folder back" in done.output
    with Project.open(project_root) as project:
        for use in (lambda: project.predict(photos), lambda: project.embed()):
            with pytest.raises(FeaturesError, match=r"is damaged: it is no longer what made its features \(weights: "):
                use()
        project.embed(dim=16, image_size=32, retrain=True)
    assert answer(project_root, "verify")["damaged"] == []


def test_remove_takes_all_folders_of_a_name(project_root: Path) -> None:
    with Project.open(project_root) as project:
        store_tiny(project, "tiny", 1.0)
        store_tiny(project, "tiny", 2.0)
    assert run(project_root, "remove", "tiny", input="n\n").exit_code == 1
    assert len(list((project_root / "features").glob("tiny-*"))) == 2
    assert run(project_root, "remove", "tiny", input="y\n").exit_code == 0
    assert not list((project_root / "features").glob("tiny-*"))
    with Project.open(project_root) as project:
        store_tiny(project, "tiny")
    assert len(answer(project_root, "remove", "tiny", "--yes")["removed"]) == 1  # type: ignore[arg-type]


def test_what_is_in_use_is_not_removed(project_root: Path) -> None:
    with Project.open(project_root) as project:
        with pytest.raises(FeaturesError, match="are the only ones here; embed with another"):
            project.features_remove("autoencoder")
        store_tiny(project, "tiny")
        with files.lock(project_root / ".computing.lock", "computing features"), pytest.raises(BusyError):
            project.features_remove("autoencoder")
        settings = project_root / "project.toml"
        settings.write_text(settings.read_text().replace("[select]", '[select]\nfeatures = "tiny"'))
        with pytest.raises(FeaturesError, match=r"'tiny' are the project's default; set select\.features"):
            project.features_remove("tiny")
        with pytest.raises(
            FeaturesError, match=r"model 1 was trained on features 'autoencoder'.*train --features tiny"
        ):
            project.features_remove("autoencoder")
        project.train(features="tiny")
        assert len(project.features_remove("autoencoder")) == 1


def test_the_loop_on_features_stored_as_float16(project_root: Path, photos: Path) -> None:
    settings = project_root / "project.toml"
    with Project.open(project_root) as project:
        before = project.features().array.copy()
        settings.write_text(settings.read_text().replace('dtype = "float32"', 'dtype = "float16"'))
        after = project.embed().array
        assert (before.dtype, after.dtype) == (np.float32, np.float16)
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4)
        assert project.train().features_digest == project.features().digest
        assert project.evaluate().accuracy >= 0
        assert project.known().features.dtype == np.float32
        assert len(project.select(8).picks) == 8
        assert len(project.predict(sorted(photos.iterdir())[:2])) == 2
        assert project.audit() is not None
        assert {one.dtype for one in project.features_list()} == {"float16"}
        settings.write_text(settings.read_text().replace('dtype = "float16"', 'dtype = "int8"'))
        with pytest.raises(ConfigError, match=r"features\.dtype: .*got 'int8'"):
            project.embed()


def sharing(root: Path, photos: Path) -> Project:
    project = Project.create(root, ["a", "b"], images=photos)
    settings = root / "project.toml"
    settings.write_text(settings.read_text().replace("[features]", '[features]\nshared = "../shared"'))
    return project


def test_projects_share_features(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sharing(tmp_path / "one", photos) as one:
        features = one.embed(dim=4, image_size=16)
        before = dict(zip(features.keys, features.array.tolist(), strict=True))
    (folder,) = (tmp_path / "one" / "features").glob("autoencoder-*")
    with sharing(tmp_path / "two", photos) as two:
        mine = two.root / "features" / folder.name
        shutil.copytree(folder, mine, ignore=shutil.ignore_patterns("*.npy", "checksums.json"))
        monkeypatch.setattr(Autoencoder, "encode", None)  # nothing is left to encode
        features = two.embed()
        assert dict(zip(features.keys, features.array.tolist(), strict=True)) == before
        settings = two.root / "project.toml"
        settings.write_text(settings.read_text().replace("../shared", "nowhere://bucket/shared"))
        with pytest.warns(UserWarning, match=r"shared features in nowhere://bucket/shared are not used: ValueError: P"):
            assert two.embed().digest == features.digest
