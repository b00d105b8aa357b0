"""Two people's models of one project on one exam: the second was trained in a copy of the folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.numpy import load, save
from sqlalchemy import text

from annotate_select.cli import cli
from annotate_select.errors import AnnotateSelectError, ExamError, FeaturesError, LearningError
from annotate_select.project import Project
from annotate_select.steps import foreign_features
from annotate_select.steps.compare_copies import FEWEST

SAMPLE = Path(__file__).parents[1] / "sample_data" / "images"
EXAM = 24


@pytest.fixture
def project(project_root: Path, truth: dict[str, str]) -> Iterator[Project]:
    """Ana's project, with a model and an exam of which everything is labelled."""
    with Project.open(project_root) as made:
        made.annotate({key: truth[key] for key in made.exam_keys()})
        yield made


@pytest.fixture
def copied(project: Project) -> Iterator[Project]:
    """Ben's copy of it, in which nothing has happened yet."""
    root = project.root.parent / "copy-of-ben"
    shutil.copytree(project.root, root)
    with Project.open(root) as made:
        yield made


def label_more(project: Project, truth: dict[str, str], n: int = 50) -> None:
    """Label and train on n images that are no exam's."""
    fresh = [key for key in sorted(truth)[:120] if key not in project.exam_keys()]
    project.annotate({key: truth[key] for key in fresh[:n]}, annotator="ben")
    project.train()


def examine_later(project: Project, folder: Path, truth: dict[str, str]) -> None:
    """Add forty images that the copy does not have, and draw and label an exam with some of them in it."""
    folder.mkdir()
    for key in sorted(truth)[120:160]:
        shutil.copy(SAMPLE / key, folder / key)
    project.add(folder)
    project.embed()
    project.exam(60)
    project.annotate({key: truth[key] for key in project.exam_keys()})


def change(project: Project, statement: str) -> None:
    with project._home.db.write() as connection:
        connection.execute(text(statement))


def forget_exam(project: Project, keys: list[str]) -> None:
    """Let images never have been drawn for the exam: they may be learned from."""
    names = ", ".join(f"'{key}'" for key in keys)
    change(project, "DROP TRIGGER IF EXISTS exam_no_delete")
    change(project, f"DELETE FROM exam WHERE image_id IN (SELECT id FROM images WHERE key IN ({names}))")


def run(project: Project, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["-p", str(project.root), *arguments])
    return done.exit_code, done.output + str(done.exception or "")


def test_the_copy_s_newest_model_is_compared_on_this_exam(
    project: Project, copied: Project, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    label_more(copied, truth)
    there = {path: path.stat().st_mtime_ns for path in copied.root.rglob("*") if path.is_file()}
    found = project.compare(against=copied.root)
    assert {path: path.stat().st_mtime_ns for path in copied.root.rglob("*") if path.is_file()} == there
    assert (found.model, found.against, found.n, found.notes) == (1, 2, EXAM, ())
    # the copy has the same exam, with the same labels, so that its own report says the same of its model
    assert found.difference == pytest.approx(project.evaluate(1).accuracy - copied.evaluate(2).accuracy)
    assert f"model 2 of {copied.root}" in found.text()
    same = project.compare(1, str(copied.root / "models" / "1"))
    assert (same.gained, same.lost) == (0, 0)
    assert f"model 1 and model 1 of {copied.root} cannot be told apart yet" in same.text()

    monkeypatch.chdir(project.root)
    code, said = run(project, "evaluate", "--against", "../copy-of-ben")
    assert code == 0
    assert "model 2 of ../copy-of-ben" in said
    code, said = run(project, "evaluate", "--against", "../copy-of-ben/models/1", "--json")
    told = json.loads(said[said.index("{") :])["comparison"]
    assert (code, told["project"], told["against"], told["n"]) == (0, str(copied.root), 1, EXAM)


def test_what_the_other_learned_from_is_left_out(project: Project, copied: Project, truth: dict[str, str]) -> None:
    known = project.exam_keys()[:3]
    forget_exam(copied, known)
    copied.annotate({key: truth[key] for key in known})
    label_more(copied, truth)
    found = project.compare(against=copied.root)
    assert found.n == EXAM - 3
    (note,) = found.notes
    assert note.startswith(f"left out: 3 of the {EXAM} labelled exam images, because model 2 of {copied.root} learned")
    assert found.text().endswith(note)
    # its first model, which knew nothing of them, is measured on all
    assert project.compare(against=copied.root / "models" / "1").n == EXAM

    forget_exam(copied, project.exam_keys())
    label_more(copied, truth, 100)
    with pytest.raises(ExamError, match=rf"0 are left, and at least {FEWEST} are needed\. Label more"):
        project.compare(against=copied.root)
    code, said = run(project, "evaluate", "--against", str(copied.root))
    assert (code, f"model 3 of {copied.root} learned from {EXAM} of the {EXAM}" in said) == (1, True)


def test_groups_it_learned_from_are_left_out(project: Project, copied: Project, truth: dict[str, str]) -> None:
    label_more(copied, truth)
    first, second = project.exam_keys()[:2]
    learned = next(key for key in sorted(truth) if key not in project.exam_keys())
    change(project, f"UPDATE images SET group_name = 'patient 1' WHERE key IN ('{first}', '{learned}')")
    change(project, f"UPDATE images SET group_name = 'patient 2' WHERE key = '{second}'")
    assert project.compare(against=copied.root).n == EXAM - 1
    change(copied, f"UPDATE images SET group_name = 'patient 2' WHERE key = '{learned}'")  # as only Ben knows
    assert project.compare(against=copied.root).n == EXAM - 2


def test_near_duplicates_of_what_it_learned_from_are_left_out(
    project: Project, copied: Project, truth: dict[str, str], tmp_path: Path
) -> None:
    key = project.exam_keys()[0]
    forget_exam(copied, [key])
    (tmp_path / "again").mkdir()
    Image.open(SAMPLE / key).save(tmp_path / "again" / "again.png")  # other bytes, the same picture
    copied.add(tmp_path / "again")
    copied.embed()
    copied.annotate({"again.png": truth[key]})
    label_more(copied, truth)
    assert project.compare(against=copied.root).n == EXAM - 1


def test_where_features_saw_labels_all_labels_there_may_have_been_learned_from(
    project: Project, copied: Project, truth: dict[str, str]
) -> None:
    known = project.exam_keys()[:2]
    label_more(copied, truth)
    forget_exam(copied, known)  # labelled there, and of no training's record
    assert project.compare(against=copied.root).n == EXAM
    path = copied.root / "models" / "2" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "features_saw_labels": True}))
    assert project.compare(against=copied.root).n == EXAM - 2


def test_images_that_only_this_project_has_are_encoded_by_its_encoder(
    project: Project, copied: Project, truth: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied.embed(name="small", dim=8, image_size=16)
    copied.annotate({key: truth[key] for key in sorted(truth)[:120] if key not in project.exam_keys()})
    copied.train(features="small")
    later = sorted(truth)[120:140]
    (tmp_path / "later").mkdir()
    for key in later:
        shutil.copy(SAMPLE / key, tmp_path / "later" / key)
    project.add(tmp_path / "later")
    project.embed()
    project.exam(60)
    project.annotate({key: truth[key] for key in project.exam_keys()})
    assert set(later) & set(project.exam_keys())
    project.train()
    found = project.compare(against=copied.root)
    # once they are there, too, the rows stored there are taken: the same numbers
    copied.add(tmp_path / "later")
    copied.embed(name="small", dim=8, image_size=16)
    monkeypatch.setattr(foreign_features, "load_encoder", lambda *_: pytest.fail("all features are stored"))
    assert project.compare(against=copied.root) == found


def test_rows_stored_here_under_the_same_definition_are_taken(
    project: Project, copied: Project, tmp_path: Path, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    examine_later(project, tmp_path / "later", truth)
    monkeypatch.setattr(foreign_features, "load_encoder", lambda *_: pytest.fail("all features are stored"))
    found = project.compare(against=copied.root)
    assert (found.gained, found.lost, found.notes) == (0, 0, ())


def test_files_that_are_gone_are_left_out_and_functions_are_not_run(
    project: Project, copied: Project, tmp_path: Path, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied.embed(name="small", dim=8, image_size=16)
    copied.train(features="small")
    examine_later(project, tmp_path / "later", truth)
    gone = [key for key in project.exam_keys() if (tmp_path / "later" / key).exists()][:2]
    for key in gone:
        (tmp_path / "later" / key).unlink()
    found = project.compare(against=copied.root)
    assert found.n == project.evaluate().n - 2 - int("learned" in found.text()) * _learned(found.notes)
    assert "left out: 2 labelled exam images whose file cannot be read" in found.notes
    monkeypatch.setattr(foreign_features, "_runs_code", lambda *_: True)
    with pytest.raises(FeaturesError, match="a function of another project's own is not run from here"):
        project.compare(against=copied.root)


def _learned(notes: tuple[str, ...]) -> int:
    return next((int(one.split()[2]) for one in notes if "learned from them" in one), 0)


def classes_in(project: Project, names: list[str]) -> None:
    path = project.root / "project.toml"
    lines = path.read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("classes"))
    end = next(at for at in range(start, len(lines)) if "]" in lines[at])
    path.write_text("\n".join([*lines[:start], f"classes = {json.dumps(names)}", *lines[end + 1 :]]))


def test_classes_are_matched_by_name(project: Project, copied: Project, truth: dict[str, str]) -> None:
    label_more(copied, truth)
    classes_in(copied, list(reversed(copied.classes)))
    for change_names in (
        lambda: None,
        lambda: copied.rename_class(copied.classes[0], "something else"),
        lambda: project.rename_class(project.classes[1], "called anew"),
    ):
        change_names()
        project.train()
        copied.train()
        found = project.compare(against=copied.root)
        assert found.difference == pytest.approx(project.evaluate().accuracy - copied.evaluate().accuracy)
        assert found.notes == ()


def test_classes_that_one_of_them_does_not_have_are_told(
    project: Project, copied: Project, truth: dict[str, str]
) -> None:
    one = project.classes[0]
    classes_in(copied, [*copied.classes[1:], "hat"])
    fresh = [key for key in sorted(truth)[:120] if key not in project.exam_keys()]
    copied.annotate({key: truth[key] for key in fresh if truth[key] != one})
    hats = [key for key in fresh if truth[key] == one]
    copied.annotate(dict.fromkeys(hats, "hat"))
    copied.train()
    found = project.compare(against=copied.root)
    assert found.n == EXAM
    n = sum(truth[key] == one for key in project.exam_keys())
    lines = [f"model 2 of {copied.root} also knows hat: an image taken for that counts as a mistake"]
    if n:
        assert found.notes[0].startswith(f"model 2 of {copied.root} has not learned {one}: {n} exam image")
    assert found.notes[-1:] == tuple(lines)


def test_rules_of_this_project_are_heard_for_both(project: Project, copied: Project, truth: dict[str, str]) -> None:
    label_more(copied, truth)
    only = project.classes[0]
    (project.root / "rules.toml").write_text(f'[[rule]]\nwhen = {{source = "photos0"}}\nonly = ["{only}"]\n')
    change(project, "UPDATE images SET source = 'photos0' WHERE source LIKE 'photos%'")
    toml = project.root / "project.toml"
    name = project.config.sources[0].name
    toml.write_text(toml.read_text().replace(f'name = "{name}"', 'name = "photos0"'))
    found = project.compare(against=copied.root)
    assert (found.gained, found.lost) == (0, 0)  # both say the one class that rules leave


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "there is no .*nowhere; name a project, or a model in it"),
        ("empty", "is neither a model"),
        ("new", "the project .*new has no model yet"),
        ("copy-of-ben/models/9", "there is no .*models/9"),
        ("loose", "lies in no project, so nothing tells what it learned from"),
    ],
)
def test_paths_that_hold_no_model(project: Project, copied: Project, place: str, said: str) -> None:
    folder = project.root.parent
    (folder / "empty").mkdir()
    Project.create(folder / "new", ["a", "b"]).close()
    shutil.copytree(copied.root / "models" / "1", folder / "loose")
    with pytest.raises(LearningError, match=said):
        project.compare(against=folder / place)


def test_its_own_folder_is_this_project(project: Project, truth: dict[str, str]) -> None:
    label_more(project, truth)
    assert project.compare(against=project.root / "models" / "1") == project.compare(2, 1)
    with pytest.raises(LearningError, match="cannot be compared with itself"):
        project.compare(against=project.root)


def test_models_that_cannot_be_asked(project: Project, copied: Project) -> None:
    folder = copied.root / "models" / "1"
    sound = {name: (folder / name).read_bytes() for name in ("weights.safetensors", "model.json", "training.npy")}

    def refused(kind: type[AnnotateSelectError], said: str) -> None:
        with pytest.raises(kind, match=said):
            project.compare(against=copied.root)
        for name, content in sound.items():
            (folder / name).write_bytes(content)

    (folder / "training.npy").unlink()
    refused(LearningError, "before trainings were recorded, so nothing tells whether it learned from this exam")
    (folder / "model.json").write_text("{")
    refused(LearningError, "model 1 is damaged")
    about = json.loads(sound["model.json"])
    (folder / "model.json").write_text(json.dumps({**about, "classes": [f"x{one}" for one in about["classes"]]}))
    refused(LearningError, "knows none of this project's classes .* rename them there")
    (folder / "model.json").write_text(json.dumps({**about, "features_digest": "0" * 16}))
    refused(FeaturesError, "was trained on features that were replaced since; train a new one there")
    (folder / "model.json").write_text(json.dumps({**about, "features": "other"}))
    refused(FeaturesError, "no features are called 'other'")
    (folder / "weights.safetensors").write_bytes(_narrower(sound["weights.safetensors"]))
    refused(FeaturesError, "have 16 dimensions, but the model was trained on 8")


def _narrower(content: bytes) -> bytes:
    """Return a head of 8 dimensions in place of 16."""
    tensors = load(content)
    size = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + size])["__metadata__"]
    short = {
        name: np.ascontiguousarray(one[:8]) if name in ("weights", "centre", "basis") else one
        for name, one in tensors.items()
    }
    return bytes(save(short, about))
