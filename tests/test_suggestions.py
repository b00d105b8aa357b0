"""What the model says of the pool, and to whom it is shown while they label."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from annotate_select.annotations import images
from annotate_select.errors import LearningError
from annotate_select.project import Project
from annotate_select.steps.models import load_model
from annotate_select.steps.opinions import COLUMNS, FILE, opinions, withheld


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    """120 images: 30 picked and labelled, a model, 40 more picked (4 by chance), an exam of 24 and 12 more."""
    with Project.open(project_root) as opened:
        opened.select(40, "margin")
        opened.exam(36)
        yield opened


def suggest(project: Project, on: bool = True) -> None:
    path = project.root / "project.toml"
    text = path.read_text()
    path.write_text(text.replace(f"suggestions = {str(not on).lower()}", f"suggestions = {str(on).lower()}"))
    assert project.config.label.suggestions is on


def stored(project: Project) -> Path:
    return project.root / "models" / "1" / FILE


def test_nothing_is_suggested_unless_the_project_says_so(project: Project) -> None:
    items = project.queue("ana", 100)
    assert len(items) == 52
    assert {(item.suggestion, item.certainty) for item in items} == {(None, None)}


def test_picks_carry_the_models_opinion_but_the_exam_audits_and_a_tenth_do_not(project: Project) -> None:
    suggest(project)
    items = project.queue("ana", 100)
    by_role = {role: [item for item in items if item.role == role] for role in ("exam", "audit", "pick")}
    assert {role: len(some) for role, some in by_role.items()} == {"exam": 12, "audit": 4, "pick": 36}
    assert {item.suggestion for role in ("exam", "audit") for item in by_role[role]} == {None}
    hidden = withheld(project._home, [item.image_id for item in by_role["pick"]])
    assert 0 < sum(hidden) < 18
    features = project.features()
    rows = {key: row for row, key in enumerate(features.keys)}
    model = load_model(project._home, 1)
    for item, gap in zip(by_role["pick"], hidden, strict=True):
        said = model.head.probabilities(features.array[[rows[item.key]]])[0]
        assert item.suggestion == (None if gap else model.classes[said.argmax()])
        assert item.certainty == (None if gap else pytest.approx(said.max()))
    assert project.queue("ana", 100) == items  # the gaps stay where they are


def test_a_tenth_of_the_picks_has_no_suggestion(project: Project) -> None:
    assert 9_000 < sum(withheld(project._home, range(100_000))) < 11_000


def test_of_what_it_learned_from_the_model_says_what_it_did_not_know(project: Project) -> None:
    said = np.load(stored(project))
    assert said.dtype == COLUMNS
    assert len(said) == 120
    assert (np.diff(said["id"]) > 0).all()
    truth = project.labels()
    exam = set(project.exam_keys())
    learned = [key for key in truth if key not in exam]
    ids = images.resolve(project._home.db, learned)
    found = opinions(project._home, [ids[key] for key in learned])
    assert found is not None
    right = [found[ids[key]].label == truth[key] for key in learned if ids[key] in found]
    newest = load_model(project._home, 1)
    assert newest.head.cv_accuracy is not None
    assert np.mean(right) == pytest.approx(newest.head.cv_accuracy)
    features = project.features()
    place = {key: row for row, key in enumerate(features.keys)}
    known = newest.head.probabilities(features.array[[place[key] for key in learned]]).argmax(axis=1)
    assert np.mean([newest.classes[i] == truth[key] for i, key in zip(known, learned, strict=True)]) > np.mean(right)


def test_opinions_follow_the_names_of_classes(project: Project) -> None:
    suggest(project)
    before = {item.suggestion for item in project.queue("ana", 100)} - {None}
    old = sorted(one for one in before if one)[0]
    project.rename_class(old, "Anew")
    after = {item.suggestion for item in project.queue("ana", 100)} - {None}
    assert after == (before - {old}) | {"Anew"}


def test_images_the_model_never_saw_have_no_opinion(project: Project) -> None:
    assert opinions(project._home, [1, 9999]) is not None
    assert 9999 not in (opinions(project._home, [1, 9999]) or {})
    assert opinions(project._home, []) == {}


def test_without_a_model_or_its_opinions_nothing_is_suggested(project: Project, tmp_path: Path) -> None:
    suggest(project)
    stored(project).unlink()  # as version 0.1 left a model
    assert opinions(project._home, [1]) is None
    assert {item.suggestion for item in project.queue("ana", 100)} == {None}
    shutil.rmtree(project.root / "models")
    assert opinions(project._home, [1]) is None
    assert len(project.queue("ana", 100)) == 52


@pytest.mark.parametrize("content", [b"", b"nonsense", "other"])
def test_a_damaged_file_is_named(project: Project, content: bytes | str) -> None:
    if isinstance(content, bytes):
        stored(project).write_bytes(content)
    else:
        np.save(stored(project), np.zeros(3))
    with pytest.raises(LearningError, match=r"opinions\.npy is damaged .*train again"):
        opinions(project._home, [1])


LIGHT = """
import sys
from annotate_select.project import Project
with Project.open(sys.argv[1]) as project:
    project.status(), project.queue("ana", 5), project.progress("ana"), project.recent("ana"), project.classes_about()
    assert project.queue("ana", 50)[0].image_id
print([name for name in ("torch", "sklearn", "faiss", "matplotlib", "pandas") if name in sys.modules])
"""


def test_what_the_labelling_page_asks_for_loads_nothing_heavy(project: Project) -> None:
    suggest(project)
    done = subprocess.run([sys.executable, "-c", LIGHT, str(project.root)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
