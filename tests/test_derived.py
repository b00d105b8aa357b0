"""Features made of other features: side by side, and what a model of another project says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_features_commands import Tiny, store_tiny

from annotate_select.errors import FeaturesError
from annotate_select.features.derived import Concatenation, Part
from annotate_select.project import Project


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.just(5)), elements=st.floats(-1e6, 1e6, width=32)))
@settings(max_examples=60, deadline=None)
def test_each_part_weighs_the_same(rows: np.ndarray) -> None:
    found = Concatenation([Part("a", "0", 2), Part("b", "1", 3)]).encode(rows)
    assert (found.shape, found.dtype) == (rows.shape, np.float32)
    for columns in (slice(0, 2), slice(2, 5)):
        zero = ~rows[:, columns].any(axis=1)
        lengths = np.linalg.norm(found[:, columns].astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, np.where(zero, 0, np.sqrt(0.5)), rtol=1e-5)
        cosines = (found[:, columns] * (rows[:, columns].astype(np.float64))).sum(axis=1)
        assert (cosines >= 0).all()


def test_two_features_side_by_side(project_root: Path, photos: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        store_tiny(project, "tiny")
        both = project.embed("autoencoder+tiny")
        assert (both.name, both.array.shape) == ("autoencoder+tiny", (120, 19))
        tiny = project.features("tiny")
        row = both.array[both.ids.tolist().index(int(tiny.ids[7]))]
        np.testing.assert_allclose(row[16:], tiny.array[7] / np.linalg.norm(tiny.array[7]) / np.sqrt(2), rtol=1e-5)
        assert project.embed("tiny+autoencoder").digest != both.digest
        with pytest.raises(FeaturesError, match=r"features autoencoder\+tiny, tiny\+autoencoder are made of"):
            project.features_remove("tiny")
        assert len(project.select(5, features="autoencoder+tiny").picks) == 5
        # an image more: the parts come first, then only that image
        (tmp_path / "more").mkdir()
        shutil.copy(next(iter(sorted(photos.iterdir()))), tmp_path / "more" / "new.jpg")
        with (tmp_path / "more" / "new.jpg").open("ab") as file:
            file.write(b"x")
        project.add(tmp_path / "more")
        with pytest.raises(FeaturesError, match=r"need 'autoencoder': 1 of 121 images has no features.*embed`\)"):
            project.embed("autoencoder+tiny")
        project.embed()
        with pytest.raises(FeaturesError, match=r"need 'tiny': 1 of 121"):
            project.embed("autoencoder+tiny")
        store_tiny(project, "tiny")
        # the stored row is kept, the new one is made
        assert len(project.embed("autoencoder+tiny").array) == 121


def test_a_part_that_was_replaced_makes_what_was_made_of_it_stale(project_root: Path) -> None:
    with Project.open(project_root) as project:
        store_tiny(project, "tiny", 1.0)
        project.embed("autoencoder+tiny", name="both")
        store_tiny(project, "tiny", 2.0)
        with pytest.raises(FeaturesError, match=r"replaced since \(factor: 1\.0 stored, 2\.0 now\).*tiny --name both"):
            project.features("both")
        with pytest.raises(
            FeaturesError, match=r"by another encoder \(parts\.tiny: \w+ stored, \w+ asked\).*--retrain"
        ):
            project.embed("autoencoder+tiny", name="both")
        before = project.embed("autoencoder+tiny", name="both", retrain=True)
        assert before.digest == project.features("both").digest


@pytest.mark.parametrize("encoder", ["autoencoder+", "+autoencoder", "autoencoder+autoencoder"])
def test_names_that_are_no_concatenation(project_root: Path, encoder: str) -> None:
    with Project.open(project_root) as project, pytest.raises(FeaturesError, match="two or more different features"):
        project.embed(encoder)


def test_an_unknown_part_is_named(project_root: Path) -> None:
    with Project.open(project_root) as project, pytest.raises(FeaturesError, match="no features are called 'tiny'"):
        project.embed("autoencoder+tiny")


def test_predict_and_next_work_on_features_made_of_others(project_root: Path, photos: Path) -> None:
    with Project.open(project_root) as project:
        project.embed(name="small", dim=4, image_size=16)
        both = project.embed("autoencoder+small")
        settings_file = project_root / "project.toml"
        settings_file.write_text(
            settings_file.read_text().replace("[select]", '[select]\nfeatures = "autoencoder+small"')
        )
        assert project.train().features == "autoencoder+small"
        some = sorted(photos.iterdir())[:3]
        found = project.predict(some)
        model = json.loads((project_root / "models" / "2" / "model.json").read_text())
        assert model["features_digest"] == both.digest
        assert all(0.99 < sum(one.probabilities.values()) < 1.01 for one in found)
        from annotate_select.steps.predict import encoded
        from annotate_select.steps.train import models

        ((_, rows, _),) = encoded(project._home, _load(project, both.name), some)
        keys = list(both.keys)
        np.testing.assert_allclose(rows, [both.array[keys.index(path.name)] for path in some], atol=1e-4)
        assert len(models(project._home)) == 2
        assert len(project.next(4).picks) == 4


def _load(project: Project, name: str) -> object:
    from annotate_select.steps.embed import load_encoder

    return load_encoder(project._home, name)


@pytest.fixture
def other_root(trained_root: Path, photos: Path, tmp_path: Path) -> Path:
    """Another project with the same images and no features."""
    root = tmp_path / "other"
    Project.create(root, ["a", "b"], images=photos).close()
    return root


def test_a_model_of_another_project_brings_its_encoder(
    trained_root: Path, other_root: Path, photos: Path, tmp_path: Path
) -> None:
    (theirs,) = (trained_root / "features").glob("autoencoder-*")
    with Project.open(other_root) as project:
        own = project.embed(dim=2, image_size=16)
        found = project.embed(f"model:{trained_root}/models/1")
        assert found.name == "clothes-model-1"
        np.testing.assert_allclose(found.array.sum(axis=1), 1, atol=1e-5)
        assert project.features("clothes-autoencoder").digest == theirs.name.rpartition("-")[2]
        assert project.features().digest == own.digest  # its own are what they were
        logits = project.embed(f"model:{trained_root}:logits", name="logits")
        assert project.features("logits").array.shape == found.array.shape
        np.testing.assert_allclose(logits.array.mean(axis=1), 0, atol=1e-5)
        assert (logits.array.argmax(axis=1) == found.array.argmax(axis=1)).all()
        loaded = _load(project, "logits")
        assert loaded.definition()["output"] == "logits"  # type: ignore[attr-defined]
        with Project.open(shutil.copytree(trained_root, tmp_path / "asked")) as source:  # predicting keeps looks
            known = {one.image: max(one.probabilities.values()) for one in source.predict(photos)}
        best = dict(zip(found.keys, found.array.max(axis=1).tolist(), strict=True))
        assert {key: round(value, 3) for key, value in best.items()} == pytest.approx(known, abs=2e-3)


def test_what_a_model_does_not_give_is_refused_before_anything_is_encoded(trained_root: Path, other_root: Path) -> None:
    with Project.open(other_root) as project:
        with pytest.raises(FeaturesError, match=r"probabilities or logits, got 'penultimate'.*train --head mlp"):
            project.embed(f"model:{trained_root}:penultimate", name="p")
        with pytest.raises(FeaturesError, match=r"spreading gives probabilities or logits, got 'votes'$"):
            project.embed(f"model:{trained_root}:votes", name="p")
        assert project.features_list() == []


def test_an_encoder_that_cannot_be_brought_is_explained(trained_root: Path, other_root: Path, tmp_path: Path) -> None:
    source = shutil.copytree(trained_root, tmp_path / "source")
    (theirs,) = (source / "features").glob("autoencoder-*")
    (theirs / "encoder" / "weights.safetensors").write_bytes(b"x")
    with Project.open(other_root) as project:
        with pytest.raises(FeaturesError, match=rf"trained on features {theirs.name}, which .* cannot be loaded"):
            project.embed(f"model:{source}")
        shutil.rmtree(theirs)
        with pytest.raises(FeaturesError, match=r"is gone; train a new model there"):
            project.embed(f"model:{source}")
        assert project.features_list() == []


def test_no_model_there(project_root: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        with pytest.raises(FeaturesError, match="is neither a model"):
            project.embed(f"model:{tmp_path}")
        (project_root / "models" / "1" / "weights.safetensors").write_bytes(b"x")
        with pytest.raises(FeaturesError, match="holds no model that can be read"):
            project.embed(f"model:{project_root}", name="m")


def test_tiny_is_as_said() -> None:
    assert Tiny(2.0).encode(np.ones((1, 8, 8, 3), np.uint8)).tolist() == [[2.0] * 3]
