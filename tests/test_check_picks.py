"""`check picks`: every round against the pool; and `auto` leaves more to chance where picks feed on themselves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import annotate_select as ans
from annotate_select.annotations.batches import StoredPick, store_batch
from annotate_select.cli import cli
from annotate_select.errors import SelectionError
from annotate_select.project import Project
from annotate_select.selection.pool import Pool
from annotate_select.steps import crowding
from annotate_select.steps.crowding import CHANCE
from annotate_select.steps.standing import standing
from annotate_select.trust.cells import Cells


def crowded_batches(project: Project, strategy: str, times: int = 3) -> None:
    """Store batches of 12 picks that all lie in the largest cell, or where it has fewer images, in the two largest."""
    features = project.features()
    state = standing(project._home, features.ids)
    free = np.flatnonzero(~state.exam)
    cells = Cells.of(features.array, free, project.config.seed)
    number = cells.number(features.array, free)
    sizes = np.bincount(number)
    largest = free[np.lexsort((number, -sizes[number]))]
    for _ in range(times):
        picks = [StoredPick(int(features.ids[row]), "pick", 0.0, "in doubt") for row in largest[:12].tolist()]
        store_batch(
            project._home.db, strategy=strategy, seed=0, audit=0.0, features_name=features.name,
            features_digest=features.digest, model=None, settings={}, note="", picks=picks,
        )  # fmt: skip


def test_before_the_first_batch_it_says_so(tmp_path: Path, photos: Path) -> None:
    with Project.create(tmp_path / "project", ["a", "b"], images=photos) as project:
        project.embed(dim=16, image_size=32)
        with pytest.raises(SelectionError, match="no batch was chosen yet"):
            project.check.picks()


def test_a_round_is_compared_with_the_pool(project_root: Path) -> None:
    with Project.open(project_root) as project:
        found = project.check.picks()
        (one,) = found.rounds
        assert (one.batch, one.spread.n) == (1, 27)  # of 30, 3 are audits
        assert 1 <= one.spread.kinds <= found.kinds
        assert (found.runaway, found.chance) == (False, 0.0)
        assert found.classes[0].label in project.classes
        assert sum(one.picks for one in found.classes) == pytest.approx(1)
        labels = set(project.labels().values())
        assert found.unseen == [name for name in project.classes if name not in labels]
        assert "27 picks of" in found.text()
        said = CliRunner().invoke(cli, ["-p", str(project.root), "check", "picks", "--json"], standalone_mode=False)
        assert json.loads(said.stdout)["picks"]["rounds"][0]["batch"] == 1


def test_picks_are_compared_on_other_features_than_the_model_s(project_root: Path) -> None:
    with Project.open(project_root) as project:
        project.embed(name="small", dim=4, image_size=16)
        for folder in (project.root / "features").glob("autoencoder-*"):
            shutil.rmtree(folder)
        found = project.check.picks("small")
        assert [one.batch for one in found.rounds] == [1]
        assert found.audit is None
        assert "whether picks teach more than chance is not known: no features are called 'autoencoder'" in found.text()
        assert project.audit() is None


def test_kinds_without_a_label_are_named(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(project_root) as project:
        assert project.check.picks().unvisited == []  # four kinds, 30 labels
        monkeypatch.setattr("annotate_select.trust.cells.ROWS_A_CELL", 2)
        found = project.check.picks()
        shares = [one.share for one in found.unvisited]
        assert 0 < len(shares) < found.kinds
        assert shares == sorted(shares, reverse=True)
        assert not {one.key for one in found.unvisited} & set(project.labels())
        assert f"{len(shares)} of {found.kinds} kinds of images" in found.text()


def test_auto_leaves_more_to_chance_where_picks_crowd(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(project_root) as project:
        assert "by chance" not in project.select(4, "auto").note
    # cells of few images: with the sample's 120 photos there are four, too few to crowd in
    monkeypatch.setattr("annotate_select.trust.cells.ROWS_A_CELL", 5)
    with Project.open(project_root) as project:
        crowded_batches(project, "auto: graph_uncertainty")
        found = project.check.picks()
        assert (found.runaway, found.chance) == (True, CHANCE)
        assert "picks crowd in the same few kinds of images" in found.text()
        batch = project.select(8, "auto", audit=0.0)
        assert "picks of the last rounds crowd in few kinds of images, so 2 of 8 are drawn by chance" in batch.note
        assert sum(pick.reason.startswith("drawn at random") for pick in batch.picks) == 2
        assert "by chance" not in project.select(4, "graph_coverage").note


def test_what_a_person_asked_for_is_no_concern_of_auto(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate_select.trust.cells.ROWS_A_CELL", 5)
    with Project.open(project_root) as project:
        crowded_batches(project, "similar_to")
        found = project.check.picks()
        assert (found.runaway, found.chance) == (True, 0.0)
        assert "choose with auto, or a larger --audit" in found.text()
        state = standing(project._home, project.features().ids)
        assert crowding.chance_for(project._home, project.features(), state) == 0.0


def test_picks_that_are_proven_to_teach_more_may_crowd() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(200, 8)) + 4, rng.normal(size=(200, 8)) - 4])
    plain = ans.select(features, 8, labeled=[0, 399], labels=[0, 1], seed=1)
    raised = ans.select(features, 8, labeled=[0, 399], labels=[0, 1], seed=1, chance=0.25)
    assert sum(reason.startswith("drawn at random") for reason in plain.reasons) == 0
    assert sum(reason.startswith("drawn at random") for reason in raised.reasons) == 2
    with pytest.raises(SelectionError, match="chance must be from 0 to 1"):
        ans.select(features, 2, chance=1.5)


def test_only_proof_beyond_two_standard_errors_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from annotate_select.selection import auto
    from annotate_select.selection.checks import build_pool
    from annotate_select.selection.proof import Proof

    pool: Pool = build_pool(
        np.random.default_rng(0).normal(size=(50, 4)), labeled=[0, 1], labels=[0, 1], probabilities=None, accuracy=None,
        seed=0, exclude=(), weights=None, groups=None, class_names=("a", "b"), n_classes=2,
        tokens=np.arange(50, dtype=np.uint64), near_duplicate=None, chance=0.25,
    )  # fmt: skip
    for difference, share in ((0.03, 0.0), (0.015, 0.25), (-0.015, 0.5), (-0.03, 1.0)):
        monkeypatch.setattr(auto, "prove", lambda _, d=difference: Proof(d, 0.01, 40))
        assert auto.decide(pool, 20).counts.get("random", 0) == 20 * share
