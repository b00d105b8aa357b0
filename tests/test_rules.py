"""rules.toml of a project: read with clear errors, heard by select, evaluate and predict, and checked by labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.errors import ConfigError
from annotate_select.project import Project
from annotate_select.steps.opinions import opinions
from annotate_select.steps.rules import correct_new, project_rules
from annotate_select.steps.select import _opinion

CAMERA = '[[rule]]\nwhen = {camera = "A"}\nnever = ["Hat"]\nbecause = "no hats there"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photos: Path, truth: dict[str, str]) -> Path:
    """A trained project whose images come from two cameras: A takes no hats."""
    root = tmp_path_factory.mktemp("rules")
    manifest = root / "images.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "camera"])
        for at, path in enumerate(sorted(photos.iterdir())):
            writer.writerow([path, "B" if truth[path.name] == "Hat" or at % 2 else "A"])
    with Project.create(root / "p", sorted(set(truth.values())), images=manifest) as project:
        project.embed("efficientnet_lite0", image_size=32)
        named = {key: truth[key.rsplit("/", 1)[-1]] for key in project.features().keys}
        exam = project.exam(24)
        project.annotate({key: named[key] for key in exam.to_label}, annotator="ana")
        project.annotate({pick.image: named[pick.image] for pick in project.select(40).picks}, annotator="ana")
        project.train()
    return root / "p"


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Iterator[Project]:
    import shutil

    shutil.copytree(made, tmp_path / "p")
    with Project.open(tmp_path / "p") as opened:
        toml = opened.root / "project.toml"
        toml.write_text(toml.read_text().replace('root = "../', f'root = "{made.parent}/'))
        yield opened


def write(project: Project, text: str) -> None:
    (project.root / "rules.toml").write_text(text)


def camera_a(project: Project) -> list[int]:
    from annotate_select.annotations.images import metadata_of_pool

    return [one for one, found in metadata_of_pool(project._home.db).items() if found.get("camera") == "A"]


def test_rules_are_read(project: Project) -> None:
    assert project_rules(project._home) is None
    write(project, CAMERA + '[hierarchy]\nworn_below = ["Pants", "Shorts"]\n[frequencies]\nHat = 0.1\n')
    found = project_rules(project._home)
    assert found is not None
    (rule,) = found.rules
    assert rule.words == "where camera is A, never Hat (no hats there)"
    assert {project.classes[one] for one in rule.allowed} == set(project.classes) - {"Hat"}
    assert found.parents == {"worn_below": ["Pants", "Shorts"]}
    assert found.frequencies is not None
    assert found.frequencies[project.classes.index("Hat")] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[rule]\n", "is not valid TOML"),
        ("[[rules]]\n", r"a part cannot be 'rules' \(did you mean rule\?\)"),
        ("[rule]\nnever = []\n", r"rule must be a list; begin each with \[\[rule\]\]"),
        ('[[rule]]\nnever = ["Hat"]\n', "rule 1: needs `when`"),
        ('[[rule]]\nwhen = {camera = "A"}\n', "rule 1: needs either `never` or `only`"),
        ('[[rule]]\nwhen = {camera = "A"}\nnevr = ["Hat"]\n', r"rule 1: a key cannot be 'nevr' \(did you mean never"),
        (CAMERA + '[[rule]]\nwhen = {camera = "A"}\nonly = ["Hut"]\n', "rule 2: only: there is no class 'Hut' .*Hat"),
        ('[[rule]]\nwhen = {camera = "A"}\nonly = ["Hat", "Hat"]\n', "only: must name classes, each once"),
        ('[[rule]]\nwhen = {camera = "A"}\nonly = "Hat"\n', "only: must be a list of classes, got 'Hat'"),
        ('[[rule]]\nwhen = {camera = true}\nonly = ["Hat"]\n', r"when\.camera: must be a value or a list of values"),
        ('[hierarchy]\nHat = ["Dress"]\n', r"hierarchy\.Hat: is a class itself"),
        ('[hierarchy]\nx = ["Dress"]\ny = ["Dress"]\n', "'Dress' is under 'x' and under 'y'"),
        ("[frequencies]\nHat = 2\n", "frequencies: a frequency must be between 0 and 1, got 2"),
        ('[frequencies]\nHat = "often"\n', r"frequencies\.Hat: must be a share such as 0\.1, got 'often'"),
    ],
)
def test_what_cannot_be_is_named(project: Project, text: str, error: str) -> None:
    write(project, text)
    with pytest.raises(ConfigError, match=error):
        project.check.rules()


def test_a_column_that_no_image_has_is_named(project: Project) -> None:
    write(project, CAMERA.replace("camera", "camra"))
    with pytest.raises(ConfigError, match=r"a column 'camra' \(did you mean camera\?\).*camera, group, source"):
        project.check.rules()
    with pytest.raises(ConfigError, match="no image has a column"):
        project.select(5)


def test_a_selection_and_the_exam_hear_them(project: Project) -> None:
    hat = project.classes.index("Hat")
    features = project.features()
    rows = np.flatnonzero(np.isin(features.ids, camera_a(project)))
    _, before = _opinion(project._home, features)
    write(project, CAMERA)
    _, after = _opinion(project._home, features)
    assert before is not None
    assert after is not None
    assert (before[rows, hat] > 0).any()
    assert (after[rows, hat] == 0).all()
    others = np.setdiff1d(np.arange(len(features.ids)), rows)
    np.testing.assert_allclose(after[others], before[others], rtol=1e-5)
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-5)
    project.evaluate()
    answers = {one.image_id: one.predicted for one in project.exam_answers()}
    assert not [one for one in answers if one in camera_a(project) and answers[one] == "Hat"]


def test_new_images_are_predicted_by_what_their_manifest_says(project: Project, photos: Path, tmp_path: Path) -> None:
    write(project, '[[rule]]\nwhen = {camera = ["C", "D"]}\nonly = ["Hat"]\n[frequencies]\nHat = 0.001\n')
    some = sorted(photos.iterdir())[:6]
    manifest = tmp_path / "new.csv"
    manifest.write_text("image,camera\n" + "".join(f"{p},{'C' if at < 3 else 'B'}\n" for at, p in enumerate(some)))
    found = project.predict(manifest)
    assert [one.label for one in found[:3]] == ["Hat"] * 3
    assert all(one.probabilities["Hat"] == pytest.approx(1) for one in found[:3])
    plain = project.predict(some)
    (project.root / "rules.toml").unlink()
    without = project.predict(some)
    for one, other in zip(plain, without, strict=True):
        assert one.probabilities["Hat"] < max(0.02, other.probabilities["Hat"])


def test_labels_that_break_a_rule_come_first_to_review(project: Project) -> None:
    exam = set(project.exam_keys())
    ids = set(camera_a(project))
    labelled = project.image_ids(sorted(project.labels()))
    at_a = sorted(key for key, one in labelled.items() if one in ids and key not in exam)[:2]
    in_exam = sorted(key for key, one in labelled.items() if one in ids and key in exam)[:1]
    wrong = at_a + in_exam
    project.annotate(dict.fromkeys(wrong, "Hat"), annotator="ana")
    assert project.review_counts()["rules"] == 0
    write(project, CAMERA)
    assert project.review_counts()["rules"] == len(wrong)
    assert next(iter(project.review_counts())) == "rules"
    found = project.review("rules")
    assert {item.key for item in found} == set(wrong)
    assert {item.rule for item in found} == {"where camera is A, never Hat (no hats there)"}
    assert all(item.suggestion is None for item in found if item.key in exam)

    report = project.check.rules()
    (one,) = report.rules
    assert (one.broken, {each.key for each in one.breaches}) == (len(wrong), set(wrong))
    assert f"{len(wrong)} of {one.labelled} labels break it" in report.text()
    assert "Break a rule" in report.text()
    said = json.loads(
        CliRunner().invoke(cli, ["-p", str(project.root), "check", "rules", "--json"], standalone_mode=False).stdout
    )
    assert said["rules"]["rules"][0]["broken"] == len(wrong)


def test_no_suggestion_is_what_a_rule_excludes(project: Project) -> None:
    write(project, CAMERA)
    said = opinions(project._home, camera_a(project)) or {}
    assert said
    assert "Hat" not in {one.label for one in said.values()}


def test_a_rule_that_labels_contradict_and_one_of_nothing_are_told(project: Project) -> None:
    most = max(set(project.labels().values()), key=list(project.labels().values()).count)
    write(
        project,
        f'[[rule]]\nwhen = {{camera = ["A", "B"]}}\nnever = ["{most}"]\n'
        f'[[rule]]\nwhen = {{camera = "B"}}\nonly = ["{most}"]\n'
        '[[rule]]\nwhen = {camera = "Z"}\nnever = ["Hat"]\n[frequencies]\nHat = 0.9\n'
        '[hierarchy]\nanything = ["Hat", "Dress", "Pants"]\n',
    )
    report = project.check.rules()
    assert report.rules[0].doubtful
    assert "so many that the rule may be wrong" in report.text()
    assert report.impossible
    assert "rules contradict each other" in report.text()
    assert "where camera is Z, never Hat: no image of the pool is meant" in report.text()
    (share,) = report.frequencies
    assert share.contradicted
    assert share.high < 0.9
    assert report.parents is not None
    assert report.parents.parent_accuracy >= report.parents.accuracy
    assert report.parents.within <= report.parents.mistakes


def test_without_rules_it_says_so_and_renamed_classes_follow(project: Project, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*rules\.toml"):
        project.check.rules()
    write(project, CAMERA)
    project.rename_class("Hat", "Cap")
    found = project_rules(project._home)  # the file still says Hat
    assert found is not None
    assert found.rules[0].words == "where camera is A, never Cap (no hats there)"
    assert "Cap" in [one.name for one in project.evaluate().classes]
    manifest = tmp_path / "new.csv"
    manifest.write_text(f"image,camera\n{sorted(photos.iterdir())[0]},A\n")
    [image] = project.predict(manifest)
    assert image.probabilities["Cap"] == 0.0
    assert sum(image.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_classes_that_were_merged_are_one_in_the_file_and_weigh_as_one(project: Project, photos: Path) -> None:
    share = 1 / len(project.classes)
    rules = CAMERA.replace('"Hat"', '"Pants", "Shorts"') + '[hierarchy]\nworn_below = ["Pants", "Shorts", "Dress"]\n'
    project.merge_class("Shorts", "Pants")
    [before] = project.predict(sorted(photos.iterdir())[0])
    shares = "".join(f"{name} = {share}\n" for name in (*project.classes, "Shorts"))
    write(project, f"{rules}[frequencies]\n{shares}")
    found = project_rules(project._home) or pytest.fail("no rules")
    assert found.stated["Pants"] == pytest.approx(2 * share)
    assert found.rules[0].words == "where camera is A, never Pants (no hats there)"
    assert found.parents == {"worn_below": ["Pants", "Dress"]}
    [after] = project.predict(sorted(photos.iterdir())[0])  # all are as frequent as the model took them to be
    assert after.probabilities == pytest.approx(before.probabilities, abs=1e-6)


def test_a_merged_class_has_its_whole_frequency_where_the_model_is_not_heard(project: Project) -> None:
    write(project, '[[rule]]\nwhen = {camera = "A"}\nonly = ["Pants", "Hat"]\n[frequencies]\nPants = 0.3\nHat = 0.1\n')
    sure, held = np.zeros((1, len(project.classes))), np.ones(len(project.classes), dtype=np.int64)
    sure[0, project.classes.index("Dress")] = 1  # which the rule takes away
    held[project.classes.index("Pants")] = 2
    [heard] = correct_new(project._home, {"camera": ["A"]}, sure, project.classes, held)
    assert dict(zip(project.classes, heard.tolist(), strict=True))["Pants"] == pytest.approx(0.75)


def test_an_empty_list_of_classes_is_refused_wherever_the_project_lies(tmp_path: Path) -> None:
    with Project.create(tmp_path / "frequencies", ["a", "b"]) as project:
        write(project, '[[rule]]\nwhen = {camera = "A"}\nnever = []\n')
        with pytest.raises(ConfigError, match="never: must name classes"):
            project_rules(project._home)


def test_the_second_exam_and_explain_hear_rules_as_evaluate_does(project: Project, truth: dict[str, str]) -> None:
    drawn = project.active_exam(10)
    project.annotate({key: truth[key.rsplit("/", 1)[-1]] for key in drawn.to_label}, annotator="ana")
    before = project.evaluate().active or pytest.fail("there is no second exam")
    write(project, '[[rule]]\nwhen = {camera = ["A", "B"]}\nonly = ["Hat"]\n')  # whatever the model sees
    report = project.evaluate()
    assert report.active is not None
    hats = [one.label == "Hat" for one in project.exam_answers()]
    assert report.accuracy == pytest.approx(sum(hats) / len(hats))
    assert {one.predicted for one in project.exam_answers()} == {"Hat"}
    assert project.explain(project.exam_keys()[0]).label == "Hat"
    assert report.active.accuracy < 0.2 < before.accuracy  # there are hardly any hats


def test_frequencies_are_compared_with_what_chance_chose_alone(project: Project, truth: dict[str, str]) -> None:
    write(project, "[frequencies]\nHat = 0.1\n")
    (before,) = project.check.rules().frequencies
    drawn = project.active_exam(15)  # where the model may err
    assert drawn.to_label
    project.annotate({key: truth[key.rsplit("/", 1)[-1]] for key in drawn.to_label}, annotator="ana")
    (after,) = project.check.rules().frequencies
    assert after == before
