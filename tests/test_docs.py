"""What the README and the notebook show is run, and what they promise is there."""

from __future__ import annotations

import re
import shutil
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import annotate_select
from annotate_select.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos/ and their labels.csv in it, as the README's examples assume: every second sample image."""
    (tmp_path / "photos").mkdir()
    head, *lines = (ROOT / "sample_data" / "labels.csv").read_text().splitlines()
    for line in lines[::2]:
        shutil.copy(ROOT / "sample_data" / "images" / line.partition(",")[0], tmp_path / "photos")
    (tmp_path / "labels.csv").write_text("\n".join([head, *lines[::2]]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_examples_run(workplace: Path) -> None:
    examples = blocks("python")
    assert len(examples) >= 2
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert (workplace / "clothes" / "batches" / "0001.csv").exists()


def test_shell_examples_run(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run them one after the other in this process; tests/test_cli.py runs such a loop as a shell does."""
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) >= 5
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main sets
    for command in commands:
        if command.startswith("annotate-select") and not command.endswith(" app"):
            monkeypatch.setattr(sys, "argv", command.split())
            with warnings.catch_warnings():
                warnings.simplefilter("default")  # as a user has it: what is warned of is said, and no error
                with pytest.raises(SystemExit) as left:
                    main()
            assert left.value.code == 0, (command, capsys.readouterr().err)


def test_the_two_commands_stand_in_the_readme_and_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "app"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_strategy_stands_in_the_readme() -> None:
    for strategy in annotate_select.strategies():
        assert f"| `{strategy.name}` |" in README, strategy.name


def test_links_of_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


# What tests/conftest.py does for the others: the notebook's kernel is a process of its own.
SMALL_ENCODER = """
from functools import partial
from annotate_select.steps import embed
embed.AutoencoderConfig = partial(embed.AutoencoderConfig, atoms=40, epochs=1)
"""


def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    for cell in notebook.cells:
        assert cell.cell_type != "code" or cell.outputs == [], "commit notebooks without outputs"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SMALL_ENCODER))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    texts = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "random audit" in texts
    assert "exam" in texts


def test_examples_in_docstrings() -> None:
    import doctest

    from annotate_select import cli, errors
    from annotate_select.selection import select

    for module in (errors, cli, select):
        result = doctest.testmod(module)
        assert (result.attempted > 0, result.failed) == (True, 0), module
