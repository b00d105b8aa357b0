"""An exam drawn by strata in a project: evenly, with the chance of each image on record, grown, refused, and told."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select import Project
from annotate_select.annotations import exam as stored
from annotate_select.cli import cli
from annotate_select.errors import ExamError
from annotate_select.steps.exam_strata import by_strata, design_of, strata_of
from annotate_select.steps.standing import Standing, standing

IMAGES = 120
STRATA = IMAGES // 20


@pytest.fixture(scope="session")
def embedded_root(tmp_path_factory: pytest.TempPathFactory, photos: Path, truth: dict[str, str]) -> Path:
    """A project with features, of which nothing is drawn or labelled yet: copy it."""
    root = tmp_path_factory.mktemp("embedded") / "clothes"
    with Project.create(root, sorted(set(truth.values())), images=photos) as made:
        made.embed(dim=16, image_size=32)
    return root


@pytest.fixture
def project(embedded_root: Path, tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "clothes"
    shutil.copytree(embedded_root, root)
    with Project.open(root) as made:
        yield made


@pytest.fixture
def trained(project_root: Path) -> Iterator[Project]:
    with Project.open(project_root) as made:
        yield made


def another(root: Path, place: Path) -> Project:
    shutil.copytree(root, place)
    return Project.open(place)


def strata_by_key(project: Project) -> dict[str, int]:
    """Return the stratum of every image of the pool."""
    now, features = standing(project._home), project.features()
    found = strata_of(features.array, standing(project._home, features.ids).tokens, project.config.seed)
    assert len(now.ids) == len(features.ids)
    return dict(zip(features.keys, found.tolist(), strict=True))


# --- what is drawn ---


def test_strata_have_their_share_of_the_exam_and_every_chance_is_on_record(project: Project) -> None:
    drawn = project.exam(40, stratify=True)
    assert (drawn.size, drawn.labelled, len(drawn.to_label)) == (40, 0, 40)
    of_key = strata_by_key(project)
    sizes = np.bincount(list(of_key.values()), minlength=STRATA)
    came = np.bincount([of_key[key] for key in project.exam_keys()], minlength=STRATA)
    assert np.abs(came - sizes / 3).max() < 2
    (draw,) = drawn.draws
    features = project.features()
    assert (draw.seed, draw.images, draw.pool, draw.strata) == (project.config.seed, 40, IMAGES, len(sizes))
    assert draw.chance == pytest.approx(1 / 3)
    assert (draw.features, draw.features_digest) == (features.name, features.digest)
    kept = stored.chances(project._home.db)
    assert [one.stratum for one in kept] == [of_key[key] for key in project.exam_keys()]
    assert {(one.draw, one.pool, one.chance) for one in kept} == {(1, IMAGES, 40 / IMAGES)}


def test_an_exam_by_chance_alone_has_its_chances_on_record_too(project: Project) -> None:
    (draw,) = project.exam(30).draws
    assert (draw.images, draw.pool, draw.chance, draw.strata, draw.features) == (30, IMAGES, 0.25, None, None)
    assert design_of(project._home, project.features().ids) is None
    assert "strata" not in project.exam(30).text()


def test_over_many_seeds_every_image_is_drawn_alike_often(project: Project) -> None:
    """The whole way, with clusters made anew for each seed: each count is binomial of 300 and 1/4."""
    now = standing(project._home)
    counts = np.zeros(IMAGES)
    free = np.ones(IMAGES, dtype=bool)
    for seed in range(1000, 1300):
        project._home.save_config(project.config.model_copy(update={"seed": seed}))
        ranks, _ = by_strata(project._home, now, free)
        counts += ranks < 30
    assert counts.sum() == 300 * 30
    assert np.abs(counts - 75).max() < 4 * np.sqrt(300 * 0.25 * 0.75)
    assert ((counts - 75) ** 2).sum() / (300 * 0.25 * 0.75) < 1.5 * IMAGES


def test_the_order_of_the_pool_does_not_matter(project: Project) -> None:
    now = standing(project._home)
    free = np.arange(IMAGES) % 5 > 0
    shuffled = np.random.default_rng(0).permutation(IMAGES)
    moved = Standing(
        **{
            name: value[shuffled] if isinstance(value, np.ndarray) else [value[row] for row in shuffled]
            for name, value in vars(now).items()
            if value is not None
        },
        groups=None,
    )
    plain, _ = by_strata(project._home, now, free)
    other, how = by_strata(project._home, moved, free[shuffled])
    assert other.tolist() == plain[shuffled].tolist()
    assert how.pool == 96
    tokens = now.tokens
    rows = np.random.default_rng(1).normal(size=(IMAGES, 8))
    assert strata_of(rows[shuffled], tokens[shuffled], 0).tolist() == strata_of(rows, tokens, 0)[shuffled].tolist()


def test_what_was_picked_for_training_is_never_drawn(trained: Project) -> None:
    batch = trained.batch(1)
    grown = trained.exam(40, stratify=True)
    assert not set(trained.exam_keys()) & {pick.image for pick in batch.picks}
    assert grown.draws[-1].pool is not None
    assert grown.draws[-1].pool <= IMAGES - 24 - len(batch.picks)
    with pytest.raises(ExamError, match="half"):
        trained.exam(80, stratify=True)


def test_groups_are_reserved_whole(tmp_path: Path, photos: Path, truth: dict[str, str]) -> None:
    keys = sorted(path.name for path in photos.iterdir())
    manifest = photos.parent / "pairs.csv"
    manifest.write_text("image,group\n" + "".join(f"{photos.name}/{key},p{i // 2}\n" for i, key in enumerate(keys)))
    with Project.create(tmp_path / "p", sorted(set(truth.values()))) as made:
        made.add(manifest)
        made.embed(dim=8, image_size=32)
        made.exam(20, stratify=True)
        group = {f"{photos.name}/{key}": i // 2 for i, key in enumerate(keys)}
        of_exam = {group[key] for key in made.exam_keys()}
        assert not {group[pick.image] for pick in made.select(20).picks} & of_exam
        with pytest.raises(ExamError, match="groups they belong to"):
            made.exam(60, stratify=True)


# --- growing ---


def test_grown_from_the_same_images_it_is_the_larger_exam(project: Project, tmp_path: Path) -> None:
    with another(project.root, tmp_path / "at once") as other:
        other.exam(50, stratify=True)
        at_once = other.exam_keys()
    for size in (20, 21, 50):
        grown = project.exam(size, stratify=True)
    assert project.exam_keys() == at_once
    assert [(draw.images, draw.pool) for draw in grown.draws] == [(20, 120), (1, 100), (29, 99)]
    assert len({one.population for one in stored.chances(project._home.db)}) == 1
    assert project.exam(50).to_label == grown.to_label  # nothing more is drawn


def test_where_images_went_into_training_the_rest_is_drawn_anew(project: Project, truth: dict[str, str]) -> None:
    project.exam(20, stratify=True)
    first = project.exam_keys()
    project.annotate({key: truth[key] for key in first}, annotator="ana")
    project.annotate({pick.image: truth[pick.image] for pick in project.select(20).picks}, annotator="ana")
    grown = project.exam(44, stratify=True)
    assert project.exam_keys()[:20] == first
    assert len({one.population for one in stored.chances(project._home.db)}) == 2
    last = grown.draws[-1]
    assert last.pool is not None
    assert last.chance == pytest.approx(24 / last.pool)
    assert last.pool <= IMAGES - 40


def test_an_exam_by_chance_may_grow_by_strata_and_back(project: Project, truth: dict[str, str]) -> None:
    project.exam(20)
    project.exam(44, stratify=True)
    grown = project.exam(50, stratify=False)
    assert [draw.strata is None for draw in grown.draws] == [True, False, True]
    ids = np.array(stored.exam_ids(project._home.db))
    design = design_of(project._home, ids) or pytest.fail("there are no strata")
    assert design.draws.tolist() == [0] * 20 + [1] * 24 + [2] * 6
    assert design.strata[:20].tolist() == [0] * 20
    assert (design.drawn, design.pool) == (50, 100)


def test_project_toml_may_say_so_for_every_drawing(project: Project) -> None:
    toml = project.root / "project.toml"
    toml.write_text(toml.read_text().replace("stratify = false", "stratify = true"))
    assert project.exam(20).draws[0].strata is not None
    assert project.exam(24, stratify=False).draws[1].strata is None


# --- refused ---


def test_without_features_it_says_what_to_do(tmp_path: Path, photos: Path, truth: dict[str, str]) -> None:
    with Project.create(tmp_path / "p", sorted(set(truth.values())), images=photos) as made:
        with pytest.raises(ExamError, match=r"strata are made of features: .*annotate-select embed"):
            made.exam(20, stratify=True)
        assert made.exam_keys() == []
        assert made.exam(20).size == 20


def test_features_are_named_only_with_strata(project: Project) -> None:
    with pytest.raises(ExamError, match=r"features \(autoencoder\) are what strata are made of"):
        project.exam(20, features="autoencoder")
    with pytest.raises(ExamError, match="nosuch"):
        project.exam(20, stratify=True, features="nosuch")
    assert project.exam(20, stratify=True, features="autoencoder").size == 20


# --- what is told of it ---


def test_evaluate_compare_and_the_signed_report_say_how_it_was_drawn(project: Project, truth: dict[str, str]) -> None:
    exam = project.exam(48, stratify=True)
    project.annotate({key: truth[key] for key in exam.to_label}, annotator="ana")
    for _ in range(2):
        project.annotate({pick.image: truth[pick.image] for pick in project.select(15).picks}, annotator="ana")
        project.train()
    report = project.evaluate()
    found = report.stratified or pytest.fail("nothing is said of strata")
    assert (found.n, found.strata) == (48, len(set(strata_by_key(project).values())))
    assert 48 <= found.worth <= 96
    right = np.array([one.label == one.predicted for one in project.exam_answers()])
    assert report.accuracy == right.mean()
    assert project.report() == report
    assert found.text() in report.text()
    assert project.compare().n == 48
    assert project.reproduce(2).verdict != "different"
    page = project.exam_report(signed_by="Dr. Ana").path.read_text()
    assert "from 120 images, each with a chance of 40.00%, evenly over" in page
    assert "evenly over kinds of images" in page
    assert project.features().digest in page


def test_the_command_line_draws_it_and_says_so(project: Project) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["-p", str(project.root), *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert (
        "drawn at random, evenly over 6 strata of the features autoencoder: 24 of 120, each with a chance of 20.00%"
        in (run("exam", "--size", "24", "--stratify"))
    )
    told = json.loads(run("--json", "exam", "--size", "30", "--stratify", "--features", "autoencoder"))
    assert [draw["strata"] for draw in told["draws"]] == [6, 6]
    assert told["draws"][1]["chance"] == pytest.approx(6 / 96)
    assert (told["size"], len(told["to_label"])) == (30, 30)
    assert "each with a chance of 2.22%" in run("exam", "--size", "32", "--by-chance")
    refused = CliRunner().invoke(cli, ["-p", str(project.root), "exam", "--active", "5", "--stratify"])
    assert refused.exit_code == 2
    assert "one at a time" in refused.output


def test_an_exam_of_an_older_version_is_known_but_for_its_chances(project: Project) -> None:
    project.exam(20)
    with closing(sqlite3.connect(project.root / "annotations.db")) as connection:
        connection.execute("DELETE FROM exam_chances")
        connection.commit()
    (draw,) = project.exam(20).draws
    assert (draw.images, draw.pool, draw.chance, draw.text()) == (20, None, None, "")
    grown = project.exam(44, stratify=True)
    assert [one.pool for one in grown.draws] == [None, 100]
    design = design_of(project._home, np.array(stored.exam_ids(project._home.db))) or pytest.fail("no strata")
    assert design.draws.tolist() == [-1] * 20 + [0] * 24
