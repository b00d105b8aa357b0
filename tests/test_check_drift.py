"""`check drift`: new images in a project, in words; the next batch attends to new ground, and the exam can too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sqlalchemy import text

from annotate_select.cli import cli
from annotate_select.errors import ExamError, FeaturesError, LearningError
from annotate_select.project import Project
from annotate_select.steps.check_drift import _over_time, _predicted
from annotate_select.steps.new_ground import MOST, remember
from annotate_select.steps.opinions import said_labels
from annotate_select.steps.window import window

STRANGE = 16
SAMPLE = Path(__file__).parents[1] / "sample_data"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, trained_root: Path) -> Path:
    """A folder with `later`, 16 pictures of stripes, and the trained project, to which they were added."""
    place = tmp_path_factory.mktemp("grown")
    project_root = shutil.copytree(trained_root, place / "clothes")
    folder, rng = place / "later", np.random.default_rng(0)
    folder.mkdir()
    for number in range(STRANGE):
        stripe = np.arange(64)[None, :, None] // (4 + 2 * (number % 2)) % 2 > 0
        pixels = np.where(stripe, [240, 240, 10], [10, 10, 240]) + rng.integers(-9, 9, size=(64, 64, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"stripes-{number:02}.png")
    toml = project_root / "project.toml"
    toml.write_text(toml.read_text().replace("[select]", '[select]\nfeatures = "efficientnet_lite0"'))
    with Project.open(project_root) as project:
        older(project)
        project.embed("efficientnet_lite0", image_size=32)
        project.train()
        project.add(folder)
        project.embed("efficientnet_lite0", image_size=32)
    return place


@pytest.fixture
def grown(template: Path, tmp_path: Path) -> Project:
    """The trained project, to which 16 pictures of yellow and blue stripes were added: nothing like clothes."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Project.open(tmp_path / "clothes")


def older(project: Project) -> None:
    """Let everything that is there have been added long ago."""
    tell(project, "added_at = '2026-01-01T00:00:00+00:00'")


def tell(project: Project, what: str, which: str = "true") -> None:
    with project._home.db.write() as connection:
        connection.execute(text(f"UPDATE images SET {what} WHERE {which}"))


def run(project: Project, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["-p", str(project.root), *arguments], standalone_mode=False)
    return done.exit_code, done.stdout, str(done.exception or "")


def test_strangers_are_shown_over_time(grown: Project) -> None:
    tell(grown, "captured_at = '2026-02-03T10:00:00+00:00'", "id > 120 AND id <= 124")
    tell(grown, "captured_at = '2026-03-01'", "id > 124")
    found = grown.check.drift()
    assert [(one.when, one.n, one.strangers) for one in found.over_time] == [
        ("2026-02-03", 4, 4),
        ("2026-03-01", STRANGE - 4, STRANGE - 4),
    ]
    assert f"most of these in 2026-03-01: {STRANGE - 4} of {STRANGE - 4} new images" in found.text()


def test_many_days_are_told_by_months_and_many_months_by_years() -> None:
    days = [f"2026-{1 + one % 12:02}-{1 + one % 28:02}" for one in range(84)]
    far = np.arange(84) % 12 == 0
    by_months = _over_time(days, far)
    assert [one.when for one in by_months] == [f"2026-{1 + one:02}" for one in range(12)]
    assert [(one.n, one.strangers) for one in by_months] == [(7, 7), *[(7, 0)] * 11]
    years = [f"{2000 + one // 12}-{1 + one % 12:02}-01" for one in range(60)]
    assert [(one.when, one.n) for one in _over_time(years, np.zeros(60, dtype=bool))] == [
        (str(2000 + one), 12) for one in range(5)
    ]


def test_what_was_added_last_is_compared_and_named(grown: Project) -> None:
    found = grown.check.drift()
    assert (found.new, found.old) == (STRANGE, 120)
    assert found.window.startswith("added last, since ")
    assert found.drifted
    assert found.strangers == len(found.stranger_keys) == STRANGE
    assert all(key.startswith("stripes-") for key in found.stranger_keys)
    assert found.classes  # there is a model
    said = found.text()
    assert "the world has changed (p 0." in said
    assert (
        f"of {STRANGE} new images {STRANGE} are unlike anything before (0.3 would be expected), such as stripes-"
        in said
    )
    assert "0 of the exam's 24 images are new" in said
    stored = json.loads((grown.root / "checks" / "drift.json").read_text())
    assert len(stored["new"]) == len(stored["ground"]) == STRANGE
    assert stored["report"]["text"] == said
    by_source = grown.check.drift(by="source")
    assert (by_source.new, by_source.window) == (STRANGE, "source later")
    with pytest.raises(LearningError, match=r"there is no source 'latter' \(did you mean later\?\)"):
        grown.check.drift(by="source", since="latter")


def test_the_next_batch_attends_to_new_ground_until_it_has_its_share(grown: Project) -> None:
    grown.check.drift()
    batch = grown.select(20, "graph_coverage", audit=0.1)
    new = [pick for pick in batch.picks if pick.image.startswith("stripes-")]
    assert any(pick.role == "pick" for pick in new)
    assert all(pick.reason.endswith("; new ground") == (pick.role == "pick") for pick in new)
    assert f"{STRANGE} images of new ground weigh {MOST:.1f} times as much" in batch.note
    assert not any("new ground" in pick.reason for pick in batch.picks if not pick.image.startswith("stripes-"))

    grown.annotate({f"stripes-{number:02}.png": grown.classes[0] for number in range(STRANGE)}, annotator="ana")
    assert "new ground" not in grown.select(5, "graph_coverage").note


@pytest.mark.parametrize("strategy", ["auto", "graph_coverage", "margin"])
def test_weight_brings_more_of_new_ground_into_a_batch(project_root: Path, strategy: str) -> None:
    def batch(project: Project) -> set[str]:
        return {pick.image for pick in project.select(16, strategy, audit=0.0).picks}

    twin = project_root.with_name("twin")
    shutil.copytree(project_root, twin)
    with Project.open(project_root) as project, Project.open(twin) as other:
        taken = set(project.labels())
        free = [key for key in project.features().keys if key not in taken]
        some = np.random.default_rng(0).permutation(len(free))[:20]
        ground = {free[at] for at in some.tolist()}
        ids = np.array(sorted(other.image_ids(sorted(ground)).values()))
        remember(other._home, {}, ids, ids)
        assert len(batch(other) & ground) > len(batch(project) & ground)


def test_ground_of_earlier_checks_stays_until_it_is_looked_at_again(grown: Project) -> None:
    home = grown._home
    remember(home, {}, np.array([1, 2, 3]), np.array([2, 3]))
    remember(home, {}, np.array([3, 4]), np.array([4]))
    stored = json.loads((grown.root / "checks" / "drift.json").read_text())
    assert (stored["new"], stored["ground"]) == ([3, 4], [2, 4])
    (grown.root / "checks" / "drift.json").write_text("{broken")
    assert "new ground" not in grown.select(4, "graph_coverage").note


def test_a_model_that_knows_its_labels_is_no_drift(project_root: Path) -> None:
    """Labels by lot, which only memory can tell: the labelled images are old, the others new, and all are alike."""
    with Project.open(project_root) as project:
        rng, keys = np.random.default_rng(0), sorted(project.labels())
        by_lot = zip(keys, rng.integers(2, size=len(keys)).tolist(), strict=True)
        project.annotate({key: project.classes[at] for key, at in by_lot}, annotator="ana")
        number = project.train().number
        older(project)
        listed = ", ".join(str(one) for one in project.image_ids(keys).values())
        tell(project, "added_at = '2026-01-02T00:00:00+00:00'", f"id NOT IN ({listed})")
        features = project.features()
        said = _predicted(project._home, features)
        ids, held_out = said_labels(project._home, number) or pytest.fail("nothing was kept")
        assert said is not None
        assert said[np.argsort(features.ids)].tolist() == held_out[np.argsort(ids)].tolist()
        found = project.check.drift()
        assert found.old == len(keys)
        assert next(one for one in found.evidence if one.name == "classes").p > 0.05


def test_chance_stays_chance(grown: Project) -> None:
    grown.check.drift()
    batch = grown.select(5, "random")
    assert "new ground" not in batch.note
    assert "by weight" not in " ".join(pick.reason for pick in batch.picks)


def test_without_drift_nothing_weighs_more(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(project_root) as project:
        older(project)
        tell(project, "added_at = '2026-01-02T00:00:00+00:00'", "id % 3 = 1")
        found = project.check.drift()
        assert (found.new, found.old, found.drifted, found.ground, found.kinds) == (40, 80, False, 0, [])
        assert "no drift is shown" in found.text()
        assert found.note is None
        monkeypatch.setattr("annotate_select.steps.check_drift.saw_labels", lambda *_: True)
        assert project.check.drift().text().endswith("that did not, by --features")
        assert "new ground" not in project.select(5).note


def test_the_exam_grows_to_the_share_of_the_pool(grown: Project) -> None:
    with pytest.raises(ExamError, match="run `annotate-select check drift` first"):
        grown.exam(new_ground=True)
    grown.check.drift()
    with pytest.raises(ExamError, match="leave out 30"):
        grown.exam(30, new_ground=True)
    code, said, _ = run(grown, "exam", "--new-ground", "--json")
    assert code == 0
    drawn = json.loads(said)
    # 16 of 136 are new: (0 + m) / (24 + m) is at least that for m = 4 (.143) and not for 3 (.111)
    assert (drawn["size"], len(drawn["to_label"])) == (28, 4)
    assert all(key.startswith("stripes-") for key in drawn["to_label"])
    assert grown.exam(new_ground=True).size == 28
    assert grown.check.drift().exam_new == 4


def test_a_second_exam_counts_for_no_share(grown: Project) -> None:
    grown.check.drift()
    grown.active_exam(12)  # by doubts: many of them are new
    assert grown.exam(new_ground=True).size == 28


def test_without_features_it_says_so(tmp_path: Path, photos: Path) -> None:
    with Project.create(tmp_path / "project", ["a"], images=photos) as project, pytest.raises(FeaturesError):
        project.check.drift()


def test_other_windows(project_root: Path) -> None:
    with Project.open(project_root) as project:
        older(project)
        tell(project, """group_name = 'g' || (id / 2), captured_at = '2026-01-10', metadata = '{"shift": "9"}'""")
        tell(project, """captured_at = '2026-02-10', metadata = '{"shift": "10"}'""", "id > 70")
        tell(project, """captured_at = '2026-03-10', metadata = '{"shift": "11"}'""", "id > 99")
        with pytest.raises(LearningError, match=r"all of the 120 images are new \(added last"):
            project.check.drift()
        found = project.check.drift(since="2026-03-01")
        assert (found.new, found.old, found.new_groups, found.old_groups) == (21, 99, 11, 50)
        assert found.window == "captured since 2026-03-01"
        assert "of 11 and 50 groups" in found.text()
        assert (project.check.drift(by="shift").new, project.check.drift(by="shift", since="10").new) == (21, 50)
        with pytest.raises(LearningError, match="'yesterday' is no date"):
            project.check.drift(since="yesterday")
        with pytest.raises(LearningError, match=r"has a value in the column 'sources' \(did you mean source\?\)"):
            project.check.drift(by="sources")
        with pytest.raises(LearningError, match="give it by --since DATE"):
            project.check.drift(by="captured_at")
        with pytest.raises(LearningError, match=r"none of the 120 images are new \(shift 12 or later\)"):
            project.check.drift(by="shift", since="12")
        code, said, _ = run(project, "check", "drift", "--since", "2026-03-01", "--json")
        assert (code, json.loads(said)["drift"]["new"]) == (0, 21)
        said = run(project, "check", "leaks,drift", "--by", "shift")[1]
        assert "21 new images (shift 11) against 99 old ones" in said


def test_additions_are_cut_by_pauses_and_by_what_was_made_between(project_root: Path) -> None:
    with Project.open(project_root) as project:
        older(project)
        tell(project, "added_at = '2026-01-01T00:08:00+00:00'", "id > 60")
        tell(project, "added_at = '2026-01-01T00:19:00+00:00'", "id > 100")
        ids = project.features().ids
        assert window(project._home, ids).new.sum() == 20
        assert window(project._home, ids, since="2026-01-01T00:05:00").new.sum() == 60
        tell(project, "added_at = '2026-01-01T00:08:30+00:00'", "id > 80")
        with project._home.db.write() as connection:
            connection.execute(text("UPDATE batches SET created_at = '2026-01-01T00:08:00+00:00'"))
        assert window(project._home, ids).new.sum() == 40


def test_an_addition_that_begins_in_the_second_of_a_batch_is_one(project_root: Path) -> None:
    with Project.open(project_root) as project:
        older(project)
        tell(project, "added_at = '2026-01-01T00:15:00+00:00'", "id > 60")
        tell(project, "added_at = '2026-01-01T00:15:01+00:00'", "id > 80")
        with project._home.db.write() as connection:
            connection.execute(text("UPDATE batches SET created_at = '2026-01-01T00:15:00+00:00'"))
        assert window(project._home, project.features().ids).new.sum() == 60


def test_darker_images_of_the_same_kind_are_drift(project_root: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        older(project)
        keys, folder = project.features().keys, tmp_path / "evening"
        folder.mkdir()
        for number, key in enumerate(list(keys)[:40]):
            with Image.open(SAMPLE / "images" / key) as picture:
                pixels = np.asarray(picture.convert("RGB")) * 0.4 + number % 3
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"evening-{number:02}.png")
        project.add(folder)
        project.embed()
        found = project.check.drift()
        assert found.drifted
        (look, *_) = found.looks
        assert (look.look, look.words, look.p <= 0.05) == ("brightness", "darker", True)
        assert look.share > 0.8
        assert f"new images look different: darker ({look.share:.0%})" in found.text()
        assert json.loads(json.dumps(found.as_dict()))["looks"][0]["words"] == "darker"
        for file in folder.iterdir():
            file.unlink()
        assert project.check.drift().looks == found.looks  # they were read before
        (project_root / "looks-64.npz").unlink()
        said = project.check.drift()
        assert "40 files could not be read" in said.text()
        assert said.looks == []
        toml = project_root / "project.toml"
        assert f'name = "{folder.name}"' in toml.read_text()
        toml.write_text(toml.read_text().replace(f'name = "{folder.name}"', 'name = "night"'))
    with Project.open(project_root) as project:
        assert "40 files could not be read" in project.check.drift().text()
