"""What a project says of its classes: colour, key, guideline, examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from annotate_select.cli import cli
from annotate_select.config import RESERVED_KEYS
from annotate_select.errors import ConfigError, UnknownClasses, UnknownImages
from annotate_select.project import Project
from annotate_select.steps.classes import COLORS, ClassInfo

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data" / "images"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p", ["ok", "crack", "dent"]) as made:
        yield made


def about(project: Project, name: str) -> ClassInfo:
    return next(one for one in project.classes_about() if one.name == name)


def test_every_class_has_a_colour_and_a_key_of_its_own(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", [f"c{i}" for i in range(22)]) as project:
        found = project.classes_about()
    assert [one.name for one in found] == [f"c{i}" for i in range(22)]
    assert [one.key for one in found] == [*"1234567890", *(f"shift+{i}" for i in "1234567890"), None, None]
    assert [one.color for one in found[:15]] == list(COLORS)
    assert len(set(COLORS)) == 15
    assert found[20].color == COLORS[5]
    assert (found[0].guideline, found[0].examples) == ("", [])


def test_a_class_is_described_bit_by_bit_and_survives_opening(project: Project) -> None:
    project.describe_class("crack", color="#FF0000", guideline="Longer\nthan 1 mm")
    project.describe_class("crack", key="K")
    with Project.open(project.root) as again:
        assert about(again, "crack") == ClassInfo("crack", "#ff0000", "k", "Longer\nthan 1 mm", [])
        assert about(again, "ok").key == "1"
        again.describe_class("crack", key="", color="")
        assert about(again, "crack") == ClassInfo("crack", COLORS[1], "2", "Longer\nthan 1 mm", [])
        again.describe_class("crack", guideline="")
        assert again.config.about == {}


def test_what_a_person_wrote_in_the_file_stays(project: Project) -> None:
    path = project.root / "project.toml"
    path.write_text(path.read_text() + '\n[about.crack]  # ask Ana\nkey = "k"\n')
    project.describe_class("crack", guideline="long")
    project.describe_class("ok", key="a")
    assert '[about.crack]  # ask Ana\nkey = "k"\nguideline = "long"\n' in path.read_text()
    assert '[about.ok]\nkey = "a"\n' in path.read_text()
    assert "examples" not in path.read_text()


def test_a_new_project_says_nothing_of_its_classes(project: Project) -> None:
    assert "[about" not in (project.root / "project.toml").read_text()
    assert project.config.label.suggestions is False


def test_a_key_or_colour_that_another_class_took_is_not_dealt_again(project: Project) -> None:
    project.describe_class("dent", key="1", color=COLORS[0])
    assert [(one.key, one.color) for one in project.classes_about()] == [
        ("3", COLORS[2]),
        ("2", COLORS[1]),
        ("1", COLORS[0]),
    ]


def test_examples_are_images_of_the_pool_each_once(project: Project) -> None:
    project.add(SAMPLES)
    keys = sorted(path.name for path in SAMPLES.iterdir())[:13]
    project.describe_class("ok", examples=[keys[0], keys[1], keys[0]])
    assert about(project, "ok").examples == keys[:2]
    with pytest.raises(UnknownImages, match=r"no image nothing\.png; an example is the key"):
        project.describe_class("ok", examples=[keys[0], "nothing.png"])
    with pytest.raises(ConfigError, match=r"about\.ok\.examples: .*at most 12"):
        project.describe_class("ok", examples=keys)
    assert about(project, "ok").examples == keys[:2]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"color": "red"}, "about.ok.color: must be a colour as # and six digits .*, such as #0072b2, got 'red'"),
        ({"color": "#12345"}, "about.ok.color"),
        ({"key": "ab"}, "about.ok.key: must be one key: a letter a-z, a digit, or a sign such as ! or ;, got 'ab'"),
        ({"key": " "}, "about.ok.key"),
        ({"key": "é"}, "about.ok.key"),
        ({"key": "U"}, "the labelling page uses the key 'U' itself"),
        ({"key": "D"}, "classes need distinct keys, got d more than once"),
    ],
)
def test_what_is_not_allowed_is_said_and_changes_nothing(project: Project, said: dict[str, str], wrong: str) -> None:
    project.describe_class("dent", key="d")
    before = (project.root / "project.toml").read_bytes()
    with pytest.raises(ConfigError, match=wrong):
        project.describe_class("ok", color=said.get("color"), key=said.get("key"))
    assert (project.root / "project.toml").read_bytes() == before


def test_an_unknown_class_is_one_clear_error(project: Project) -> None:
    with pytest.raises(UnknownClasses, match=r"no class 'crak' \(did you mean crack\?\); its classes are ok, crack"):
        project.describe_class("crak", key="k")
    path = project.root / "project.toml"
    path.write_text(path.read_text() + '\n[about.crak]\nkey = "k"\n')
    with pytest.raises(ConfigError, match=r"about: there is no class 'crak'; the classes are ok, crack, dent"):
        Project.open(project.root)


def test_renaming_carries_it_and_merging_joins_it(project: Project) -> None:
    project.add(SAMPLES)
    keys = sorted(path.name for path in SAMPLES.iterdir())
    project.describe_class("crack", color="#112233", key="k", guideline="long", examples=keys[:8])
    project.rename_class("crack", "break")
    assert about(project, "break") == ClassInfo("break", "#112233", "k", "long", keys[:8])
    project.describe_class("dent", color="#445566", examples=keys[5:12])
    project.merge_class("break", "dent")
    assert about(project, "dent") == ClassInfo("dent", "#445566", "k", "long", [*keys[5:12], *keys[:5]])
    with Project.open(project.root) as again:
        assert list(again.config.about) == ["dent"]


def test_the_command_says_and_shows_it(project: Project) -> None:
    def ran(*words: str) -> Result:
        return CliRunner().invoke(cli, ["--json", "-p", str(project.root), "classes", "describe", *words])

    done = ran("crack", "--key", "k", "--guideline", "longer than 1 mm")
    assert json.loads(done.stdout) == {
        "name": "crack", "color": COLORS[1], "key": "k", "guideline": "longer than 1 mm", "examples": [],
    }  # fmt: skip
    assert json.loads(ran("crack", "--key", "").stdout)["key"] == "2"
    assert json.loads(ran("crack").stdout)["guideline"] == "longer than 1 mm"
    for words, wrong in {
        ("crak",): "did you mean crack",
        ("ok", "--example", "x.jpg"): "the pool has no image",
    }.items():
        done = ran(*words)
        assert done.exit_code == 1
        assert wrong in str(done.exception)


def test_the_reserved_keys_are_those_of_the_labelling_page() -> None:
    source = (ROOT / "app" / "keys.js").read_text()
    table = re.search(r"const KEYS = \{(.*?)\};", source, re.DOTALL)
    assert table is not None
    used = set(re.findall(r'(?:^|[\s{,])"?(.)"?: ', table.group(1)))
    used |= set(re.findall(r'key === "(.)"', source))
    used |= {
        key for some in re.findall(r"\[((?:\"\w\"(?:, )?)+)\]\.includes", source) for key in re.findall(r"\w", some)
    }
    assert {"s", " ", "u", "x", "z", "c", "r"} <= used
    assert used - {" "} <= set(RESERVED_KEYS)
