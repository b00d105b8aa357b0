"""`embed --labels`: labels outside the exam enter the features, which say so; those of the exam never do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select import Project
from annotate_select.cli import cli
from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.standing import standing

COUNT = 60


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sixty small images of two kinds and their project; tests use copies of it."""
    tmp_path = tmp_path_factory.mktemp("template")
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for one in range(COUNT):
        pixels = rng.integers(0, 256, (16, 16, 3))
        pixels[:, :, one % 2] //= 4
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / f"{one:02}.png")
    lines = [f"images/{one:02}.png,pair{one // 2}" for one in range(COUNT)]
    (tmp_path / "list.csv").write_text("\n".join(["image,group", *lines]))
    with Project.create(tmp_path / "p", classes=["red", "green"]) as made:
        made.add(tmp_path / "list.csv")
        made.embed(dim=16, image_size=16)
        exam = made.exam(10)
        made.annotate({key: true(key) for key in exam.to_label})
    return tmp_path


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    """Sixty small images of two kinds with plain features; a group is two images, and the exam 10 images, labelled."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Project.open(tmp_path / "p")


def true(key: str) -> str:
    return ["green", "red"][int(Path(key).stem) % 2]


def keys(project: Project) -> list[str]:
    return list(project.features("autoencoder").keys)


def exam_keys(project: Project) -> list[str]:
    now = standing(project._home)
    return [now.keys[row] for row in np.flatnonzero(now.exam)]


def outside(project: Project) -> list[str]:
    """Return the keys of images that are no exam images and of no exam image's group."""
    exam = {int(Path(key).stem) // 2 for key in exam_keys(project)}
    return [key for key in keys(project) if int(Path(key).stem) // 2 not in exam]


def heard(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Collect the labels that autoencoders are trained on."""
    found: list[np.ndarray] = []
    real = Autoencoder.fit

    def fit(self: Autoencoder, images, progress, checkpoint, trained_on, labels):  # type: ignore[no-untyped-def]
        found.append(labels)
        return real(self, images, progress, checkpoint, trained_on, labels)

    monkeypatch.setattr(Autoencoder, "fit", fit)
    return found


def test_only_labels_outside_the_exam_and_its_groups_enter(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.annotate({key: true(key) for key in keys(project)})
    given = heard(monkeypatch)
    features = project.embed(dim=16, image_size=16, labels=True)
    assert features.name == "autoencoder-labelled"
    wanted = {key: ["red", "green"].index(true(key)) for key in outside(project)}
    assert given[0].tolist() == [wanted.get(key, -1) for key in keys(project)]
    said = project.features_show("autoencoder-labelled").definition["labels"]
    assert isinstance(said, dict)
    assert (said["count"], said["classes"]) == (len(wanted), 2)
    assert "labels" not in project.features_show("autoencoder").definition


def test_what_the_exam_says_changes_nothing(project: Project) -> None:
    project.annotate({key: true(key) for key in outside(project)})
    one = project.embed(dim=16, image_size=16, labels=True)
    swapped = {"red": "green", "green": "red"}
    project.annotate({key: swapped[true(key)] for key in exam_keys(project)})
    other = project.embed(dim=16, image_size=16, labels=True, retrain=True)
    assert one.digest == other.digest
    key = outside(project)[0]
    project.annotate({key: swapped[true(key)]})
    assert project.embed(dim=16, image_size=16, labels=True, retrain=True).digest != one.digest


def test_labels_are_neither_added_nor_lost_under_a_name(project: Project) -> None:
    project.annotate({key: true(key) for key in outside(project)})
    with pytest.raises(FeaturesError, match="features 'autoencoder' have labels none, asked for some; give the new"):
        project.embed(name="autoencoder", labels=True)
    one = project.embed(dim=16, image_size=16, labels=True)
    assert project.embed(name="autoencoder-labelled").digest == one.digest  # goes on, as embedding new images does
    assert project.features().name == "autoencoder"


def test_too_few_labels_and_other_encoders_are_refused(project: Project) -> None:
    with pytest.raises(FeaturesError, match=r"once two classes have 5 of them outside the exam, got 0 such classes"):
        project.embed(dim=16, image_size=16, labels=True)
    for encoder in ("autoencoder+autoencoder", "efficientnet_lite0", "auto"):
        with pytest.raises(FeaturesError, match="labels and views are for the autoencoder to learn from, got encoder"):
            project.embed(encoder, labels=True)
    bare = Project.create(project.root.parent / "bare", classes=["red", "green"], images=project.root.parent / "images")
    with pytest.raises(FeaturesError, match="there are no features yet; make them with `annotate-select embed`"):
        bare.embed(labels=True)


def test_an_image_that_cannot_be_read_takes_its_label_along(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.annotate({key: true(key) for key in outside(project)})
    gone = outside(project)[0]
    wanted = [true(key) if key in outside(project) else None for key in keys(project) if key != gone]
    next(project.root.parent.rglob(Path(gone).name)).unlink()
    given = heard(monkeypatch)
    with pytest.warns(UserWarning, match="1 image left out of the pool"):
        project.embed(dim=16, image_size=16, labels=True)
    assert given[0].tolist() == [-1 if one is None else ["red", "green"].index(one) for one in wanted]


def test_a_model_and_health_on_such_features_do_not_flatter(project: Project) -> None:
    project.annotate({key: true(key) for key in keys(project)})
    project.embed(dim=16, image_size=16, labels=True)
    plain = project.train()
    assert plain.cv_accuracy is not None
    assert not plain.features_saw_labels
    root = str(project.root)
    done = CliRunner().invoke(cli, ["-p", root, "train", "--features", "autoencoder-labelled"])
    assert "whose features saw labels: only the exam can tell its accuracy" in done.output
    assert "cross-validated" not in done.output
    stored = json.loads((project.root / "models" / "2" / "model.json").read_text())
    assert (stored["cv_accuracy"], stored["features_saw_labels"]) == (None, True)
    assert project.evaluate().n == 10
    project.embed("autoencoder+autoencoder-labelled", name="both")
    assert project.train(features="both").features_saw_labels
    found, _ = project.features_health("autoencoder-labelled")
    assert found.accuracy is None
    assert found.sentences()[-1].startswith("Labels had a part in this space")


def test_the_command(project: Project) -> None:
    project.annotate({key: true(key) for key in outside(project)})
    options = ["--dim", "8", "--image-size", "16", "--labels", "--views", "any_orientation"]
    done = CliRunner().invoke(cli, ["-p", str(project.root), "embed", *options])
    assert done.exit_code == 0, done.output
    assert f"features autoencoder-labelled-{project.features('autoencoder-labelled').digest}: 60 images" in done.output
    encoder = load_encoder(project._home, "autoencoder-labelled")
    assert isinstance(encoder, Autoencoder)
    assert encoder.config.views == "any_orientation"
    done = CliRunner().invoke(cli, ["-p", str(project.root), "embed", *options[:-1], "oriented"])
    assert "have views any_orientation, asked for oriented" in str(done.exception)
