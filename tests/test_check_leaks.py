"""`check leaks`: labels that the exam keeps out of training are named, each with the exam image it is like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from annotate_select.cli import cli
from annotate_select.errors import ExamError
from annotate_select.project import Project

PAIRS = 12


@pytest.fixture
def project(tmp_path: Path, photos: Path) -> Project:
    """Twelve photos, each of which is there twice but for a few pixels."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number, path in enumerate(sorted(photos.iterdir())[:PAIRS]):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        image.save(folder / f"{number:02}-first.png")
        image.putpixel((0, 0), (255, 0, 255))
        image.save(folder / f"{number:02}-second.png")
    made = Project.create(tmp_path / "project", ["a", "b"], images=folder)
    made.embed("efficientnet_lite0", image_size=32)
    return made


def other(key: str) -> str:
    """Return the key of an image's copy."""
    return key.replace("first", "second") if "first" in key else key.replace("second", "first")


def test_without_an_exam_it_says_so(project: Project) -> None:
    with pytest.raises(ExamError, match="there is no exam yet"):
        project.check.leaks()


def test_a_labelled_copy_of_an_exam_image_is_named(project: Project) -> None:
    project.exam(6)
    exam = project.exam_keys()
    copies = {other(key) for key in exam} - set(exam)
    assert copies  # of 24 images the exam did not happen to take only pairs
    nothing = project.check.leaks()
    assert (nothing.exam, nothing.reserved, nothing.leaks) == (6, len(copies), [])
    assert "none of them has a label" in nothing.text()

    project.annotate(dict.fromkeys(copies, "a"))
    found = project.check.leaks()
    assert {(one.key, one.exam_key, one.why) for one in found.leaks} == {
        (key, other(key), "near-duplicate") for key in copies
    }
    assert all(one.cosine > 0.98 for one in found.leaks)
    assert next(iter(copies)) in found.text()


def test_a_group_is_named_before_likeness(tmp_path: Path, photos: Path) -> None:
    manifest = tmp_path / "all.csv"
    paths = sorted(photos.iterdir())[:12]
    manifest.write_text("image,group\n" + "\n".join(f"{path},g{i // 3}" for i, path in enumerate(paths)))
    with Project.create(tmp_path / "project", ["a", "b"], images=manifest) as project:
        project.embed("efficientnet_lite0", image_size=32)
        project.exam(1)
        (exam,) = (Path(key).name for key in project.exam_keys())
        names = [path.name for path in paths]
        at = names.index(exam) // 3
        siblings = {name for name in names[3 * at : 3 * at + 3] if name != exam}
        project.annotate({key: "b" for key in project.features().keys if Path(key).name != exam})
        found = project.check.leaks().leaks
    assert {(Path(one.key).name, Path(one.exam_key).name, one.why) for one in found} == {
        (name, exam, "of the same group") for name in siblings
    }


def test_the_command(project: Project) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(cli, ["-p", str(project.root), *arguments], standalone_mode=False)
        return done.exit_code, done.stdout, str(done.exception or "")

    assert "is not one of all, duplicates, labels, leaks" in run("check", "leeks")[2]
    assert "there is no exam yet" in run("check", "leaks")[2]
    code, text, _ = run("check", "all", "--json")
    assert code == 0
    assert "there is no exam yet" in json.loads(text)["leaks"]["error"]
    project.exam(6)
    code, text, _ = run("check", "leaks", "--json")
    assert code == 0
    assert json.loads(text)["leaks"]["exam"] == 6


def test_train_names_the_first_pairs(project: Project) -> None:
    project.exam(6)
    exam = set(project.exam_keys())
    keys = [key for key in sorted(project.features().keys) if key not in exam]
    left = [key for key in keys if other(key) not in exam][-4:]
    keys = [key for key in keys if key not in left]
    project.annotate({key: "ab"[at % 2] for at, key in enumerate(keys)})
    done = CliRunner().invoke(cli, ["-p", str(project.root), "train"], standalone_mode=False, catch_exceptions=False)
    copies = sorted({other(key) for key in exam} - exam)
    told = done.stdout.partition("too near to the exam: ")[2]
    assert sum(f"{key} (near-duplicate of {other(key)})" in told for key in copies) == min(3, len(copies))
    assert (f"and {len(copies) - 3} more" in told) == (len(copies) > 3)
    [one] = project.rounds()
    assert one.kept_out.partition("too near to the exam: ")[2] == told.strip()
    again = CliRunner().invoke(cli, ["-p", str(project.root), "--json", "train"], standalone_mode=False)
    trained = json.loads(again.stdout)
    assert sorted(one["key"] for one in trained["leaks"]) == copies
    assert trained["left_out"] == len(copies)
    following = ["-p", str(project.root), "next", "--batch", "2"]
    batch = CliRunner().invoke(cli, following, standalone_mode=False, catch_exceptions=False)
    assert one.kept_out in batch.stdout
