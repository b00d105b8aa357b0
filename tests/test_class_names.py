"""Names that no class can have: one sentence in this project's words, and nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.errors import ConfigError
from annotate_select.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "p", ["ok", "dent, small"])


@pytest.mark.parametrize(("name", "got"), [("", "''"), ("  ", "'  '"), ("x" * 101, "101")])
def test_what_cannot_be_a_class_is_neither_added_nor_a_new_name(project: Project, name: str, got: str) -> None:
    before = (project.root / "project.toml").read_bytes()
    wanted = f"^a class needs a name of 1 to 100 characters, got {got}; give it another name$"
    with pytest.raises(ConfigError, match=wanted):
        project.add_class(name)
    with pytest.raises(ConfigError, match=wanted):
        project.rename_class("ok", name)
    assert (project.root / "project.toml").read_bytes() == before
    assert Project.open(project.root).classes == ["ok", "dent, small"]


def test_the_commands_say_so_in_one_line(project: Project) -> None:
    run = CliRunner()
    for given, said in [
        (["classes", "add", ""], "a class needs a name"),
        (["classes", "describe", "ok", "--color", "blue"], "must be a colour as # and six digits"),
    ]:
        done = run.invoke(cli, ["-p", str(project.root), *given])
        assert done.exit_code != 0
        assert said in str(done.exception)
        assert not {"String", "Input", "pattern"} & set(str(done.exception).split())


def test_a_class_with_a_comma_is_quoted_where_classes_are_listed(project: Project) -> None:
    done = CliRunner().invoke(cli, ["-p", str(project.root), "classes", "add", "crack"])
    assert done.output == 'classes: ok, "dent, small", crack\n'
    with pytest.raises(Exception, match='its classes are ok, "dent, small", crack'):
        project.describe_class("nick", key="n")
