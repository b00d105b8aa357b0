"""`check shortcuts` and `select --balance`: planted shortcuts in real files are found, named, and broken."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageEnhance

from annotate_select.cli import cli
from annotate_select.errors import SelectionError
from annotate_select.project import Project
from annotate_select.steps.measures import FILE


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A manifest of 120 photos: those called b are darker and mostly of worse JPEG quality; `site` and `age` say
    nothing."""
    folder = tmp_path_factory.mktemp("planted")
    rng = np.random.default_rng(0)
    with (folder / "images.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "site", "age", "secret"])
        for number, path in enumerate(sorted(photos.iterdir())):
            label = "ab"[number % 2]
            with Image.open(path) as opened:
                image = opened.convert("RGB").resize((64, 48))
            image = ImageEnhance.Brightness(image).enhance(0.75 if label == "b" else 1.0)
            odd = rng.random() < 0.1
            image.save(folder / f"{number:03}{label}.jpg", quality=60 if (label == "b") != odd else 92)
            writer.writerow(
                [f"{number:03}{label}.jpg", f"site {rng.integers(3)}", rng.integers(20, 80), f"{label}-{number % 3}"]
            )
    return folder / "images.csv"


@pytest.fixture(scope="session")
def planted_root(tmp_path_factory: pytest.TempPathFactory, planted: Path) -> Path:
    """A project of them, labelled but for the last forty, trained and measured."""
    root = tmp_path_factory.mktemp("shortcut") / "project"
    with Project.create(root, ["a", "b"], images=planted) as project:
        project.embed(dim=8, image_size=16)
        project.exam(20)
        labels = {f"{number:03}{'ab'[number % 2]}.jpg": "ab"[number % 2] for number in range(120)}
        exam = project.exam_keys()
        project.annotate({key: label for key, label in labels.items() if int(key[:3]) < 80 or key in exam})
        project.train()
        project.evaluate()
    return root


@pytest.fixture
def project(planted_root: Path, tmp_path: Path) -> Project:
    import shutil

    shutil.copytree(planted_root, tmp_path / "project")
    return Project.open(tmp_path / "project")


def test_what_was_planted_is_found_and_named(project: Project) -> None:
    with project:
        found = project.check.shortcuts()
    names = [one.name for one in found.findings]
    assert names[0] == "jpeg_quality"
    assert {"jpeg_quality", "brightness", "file_size"} <= set(names)
    assert not {"site", "age", "width", "aspect"} & set(names)
    assert found.naming == ["secret"]  # its values are called after the classes
    assert "secret has the name of the class in it" in found.text()
    quality = found.findings[0]
    assert 0.8 < quality.accuracy < 1
    assert quality.chance == 0.5
    assert quality.text.startswith("JPEG quality alone tells a from b in ")
    assert "of lower JPEG quality (median 60, " in quality.text or "of higher JPEG quality (median 92, " in quality.text
    brightness = next(one for one in found.findings if one.name == "brightness")
    assert "darker" in brightness.text or "brighter" in brightness.text
    assert "look at the images" in found.text()
    assert "the thing itself" in found.text()
    assert found.leaning is not None
    assert found.leaning.probe > 0.8
    assert "chance 50 %" in found.text()
    assert "more exam images" in found.slices_note  # the exam is too small to look for slices


def test_examples_show_both_ends_and_none_of_the_exam(project: Project) -> None:
    with project:
        found, exam, labels = project.check.shortcuts(), set(project.exam_keys()), project.labels()
    sides = [side for one in found.findings for side in one.sides]
    assert sides
    for side in sides:
        assert side.keys
        assert not exam & set(side.keys)
        assert {labels[key] for key in side.keys} == {side.words[0]}


def test_a_second_check_measures_only_what_is_new(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from annotate_select.steps import measures

    asked: list[int] = []
    whole = measures.measure_many
    monkeypatch.setattr(
        measures, "measure_many", lambda paths, **more: asked.append(len(paths)) or whole(paths, **more)
    )
    with project:
        first = project.check.shortcuts()
        again = project.check.shortcuts()
        assert asked == [first.labelled, 0]
        assert again.text() == first.text()
        (project.root / FILE).write_bytes(b"damaged")
        assert project.check.shortcuts().text() == first.text()
        assert asked[-1] == first.labelled


def test_a_damaged_image_is_named_and_the_others_are_looked_at(project: Project, planted: Path) -> None:
    with project:
        source = project.config.sources[0].model_copy(update={"root": str(project.root.parent / "copy")})
        (project.root.parent / "copy").mkdir()
        for path in planted.parent.glob("*.jpg"):
            (project.root.parent / "copy" / path.name).write_bytes(path.read_bytes() if path.name[:3] != "004" else b"")
        project._home.save_config(project.config.model_copy(update={"sources": [source]}))
        found = project.check.shortcuts()
    assert found.damaged == {"004a.jpg": "zero bytes"}
    assert "could not be measured: 004a.jpg (zero bytes)" in found.text()
    assert found.findings[0].name == "jpeg_quality"


def test_files_that_are_away_are_no_lack_of_labels(project: Project) -> None:
    with project:
        source = project.config.sources[0].model_copy(update={"root": str(project.root.parent / "away")})
        project._home.save_config(project.config.model_copy(update={"sources": [source]}))
        found = project.check.shortcuts()
        n = len(project.labels())
    assert f"{n} of {n} labelled images could not be read; put the files back" in found.text()
    assert "too early" not in found.text()


def test_too_few_labels_and_one_class_say_how_many_more(tmp_path: Path, planted: Path) -> None:
    with Project.create(tmp_path / "project", ["a", "b"], images=planted) as project:
        none = project.check.shortcuts()
        assert (none.labelled, none.missing, none.findings) == (0, 30, [])
        assert "30 more are missing" in none.text()
        assert "train" in none.text()
        project.annotate({f"{number:03}a.jpg": "a" for number in range(0, 120, 2)})
        one = project.check.shortcuts()
        assert (one.labelled, one.missing) == (60, 8)
        assert not (project.root / FILE).exists()  # nothing to be measured for


def test_the_command_prints_it_and_gives_json(project: Project) -> None:
    project.close()
    arguments = ["-p", str(project.root), "check", "shortcuts"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
    assert "JPEG quality alone tells a from b" in done.output
    done = CliRunner().invoke(cli, [*arguments, "--json"], standalone_mode=False, catch_exceptions=False)
    found = json.loads(done.stdout)["shortcuts"]
    assert found["findings"][0]["name"] == "jpeg_quality"
    assert found["leaning"]["chance"] == 0.5


def test_balance_gives_every_kind_its_picks(project: Project) -> None:
    with project:
        batch = project.select(12, "random", balance="brightness", audit=0.0)
        kinds = [pick.reason.split(":")[0] for pick in batch.picks]
        assert set(kinds) <= {f"{label}, {how} brightness" for label in "ab" for how in ("usual", "unusual")}
        assert sum("unusual" in kind for kind in kinds) >= 4
        assert all("seen " in pick.reason for pick in batch.picks)
        assert len({pick.image for pick in batch.picks}) == 12
        assert "equally many of usual and of unusual brightness in each class" in batch.note
        sites = project.select(6, "random", balance="site", audit=0.0)
        assert {pick.reason.split(":")[0][3:] for pick in sites.picks} <= {"usual site", "unusual site"}


def test_without_a_model_the_kinds_alone_are_balanced(tmp_path: Path, planted: Path) -> None:
    with Project.create(tmp_path / "project", ["a", "b"], images=planted) as project:
        project.embed(dim=8, image_size=16)
        batch = project.select(9, "random", balance="brightness", audit=0.0)
        kinds = [pick.reason.split(":")[0] for pick in batch.picks]
        assert sorted(kinds) == ["brighter"] * 3 + ["darker"] * 3 + ["middling brightness"] * 3
        assert "equally many of each of 3 kinds by brightness" in batch.note


def test_balance_may_stand_in_the_settings_and_wrong_names_are_refused(project: Project) -> None:
    with project:
        project.balance_by("brightness")
        assert "unusual brightness" in project.select(4, "random").note
        assert "unusual" not in project.select(4, "random", balance="none").note
        with pytest.raises(SelectionError, match=r"nothing called 'brightnes'.*did you mean brightness"):
            project.select(4, "random", balance="brightnes")
        with pytest.raises(SelectionError, match=r"nothing called 'brightnes'"):
            project.balance_by("brightnes")
        assert project.config.select.balance == "brightness"
        project.balance_by(None)
        assert project.config.select.balance is None
        assert "unusual" not in project.select(4, "random").note
        with pytest.raises(SelectionError, match="camera is the same of all images"):
            project.select(4, "random", balance="camera")
