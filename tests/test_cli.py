"""The command line as a data engineer uses it: JSON on stdout, one line of error, exit codes, discovery."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from annotate_select.cli import cli, globals_first, main
from annotate_select.project import Project


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a shell would."""
    command = [sys.executable, "-m", "annotate_select", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def answer(done: subprocess.CompletedProcess[str] | Result) -> dict[str, object]:
    code = done.exit_code if isinstance(done, Result) else done.returncode
    assert code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_the_loop_by_commands(tmp_path: Path, photos: Path, truth: dict[str, str]) -> None:
    """In processes of their own, but for add, import, select, train, evaluate, status: other tests start these so."""
    root = tmp_path / "shop"
    classes = ",".join(sorted(set(truth.values())))
    made = answer(run("--json", "init", root, "--classes", classes, "--images", photos))
    assert made["project"] == str(root)
    again = answer(invoke("--json", "-p", root, "add", photos))
    assert (again["added"], again["unchanged"]) == ([], 120)
    features = answer(run("--json", "-p", root, "embed", "--dim", "12", "--image-size", "16"))
    assert (features["images"], features["dim"]) == (120, 12)
    exam = answer(run("--json", "-p", root, "exam", "--size", "20"))
    label(tmp_path / "exam-labels.csv", list(exam["to_label"]), truth)  # type: ignore[call-overload]
    assert answer(invoke("--json", "-p", root, "import", tmp_path / "exam-labels.csv"))["recorded"] == 20
    first = answer(
        invoke("--json", "-p", root, "select", "-n", "24", "--format", "csv,paths", "-o", tmp_path / "next.csv")
    )
    keys = [pick["image"] for pick in first["picks"]]  # type: ignore[attr-defined]
    assert len(set(keys)) == 24
    assert not set(keys) & set(exam["to_label"])  # type: ignore[call-overload]
    with (tmp_path / "next.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == keys
    assert list(rows[0]) == ["image", "role", "score", "reason", "batch"]
    assert sum(row["role"] == "audit" for row in rows) == 2
    paths = (tmp_path / "next.paths.txt").read_text().splitlines()
    assert [Path(path).name for path in paths] == keys
    label(tmp_path / "labels.csv", keys, truth)
    answer(invoke("--json", "-p", root, "import", tmp_path / "labels.csv", "--annotator", "ana"))
    assert answer(invoke("--json", "-p", root, "train"))["labels"] == 24
    report = answer(invoke("--json", "-p", root, "evaluate"))
    assert report["n"] == 20
    status = answer(invoke("--json", "-p", root, "status"))
    assert (status["images"], status["labelled"], status["models"]) == (120, 44, 1)
    predicted = answer(run("--json", "-p", root, "predict", photos, "-o", tmp_path / "predictions.csv"))
    assert len(predicted["predictions"]) == 120  # type: ignore[arg-type]
    assert answer(run("--json", "-p", root, "export", tmp_path / "out.csv"))["annotations"] == 44


def label(path: Path, keys: list[str], truth: dict[str, str]) -> None:
    path.write_text("image,label\n" + "".join(f"{key},{truth[key]}\n" for key in keys))


def test_a_mendable_problem_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = run("-p", tmp_path, "status")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: there is no project in {tmp_path}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("selct",), ("select", "-n", "0"), ("init",), ("select", "--audit", "2")])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main sets
    monkeypatch.setattr(sys, "argv", ["annotate-select", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2


def test_a_project_is_found_from_below(project_root: Path) -> None:
    below = project_root / "deep" / "down"
    below.mkdir(parents=True)
    assert answer(run("--json", "status", cwd=below))["images"] == 120


def test_problems_of_each_command(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main sets
    problems = {
        ("select", "-n", "1000"): "n must be between 1 and",
        ("select", "-n", "5", "--strategy", "kmean"): "kmeans",
        ("select", "-n", "5", "--format", "xml"): "xml",
        ("select", "-n", "5", "--strategy", "similar_to"): "strategy 'similar_to' needs like",
        ("select", "-n", "5", "--strategy", "similar_to", "--like", "nobody.jpg"): "there is no image 'nobody.jpg'",
        ("select", "--batch", "9"): "there is no batch 9",
        ("embed", "--encoder", "autoencodr"): "did you mean autoencoder",
        ("embed", "--dim", "3"): "--retrain",
        ("embed", "--encoder", "torchvision:resnet1"): "resnet18",
        ("exam", "--size", "1000"): "1,000",
        ("add", str(tmp_path / "nowhere")): "nowhere",
        ("import", str(tmp_path / "nowhere.csv")): "nowhere.csv",
        ("export", str(tmp_path / "out.xml")): "unknown format '.xml'",
        ("evaluate", "--model", "7"): "there is no model 7",
        ("classes", "rename", "Hut", "Cap"): "no class 'Hut'",
        ("init", str(project_root), "--classes", "a,b"): "already",
    }
    before = Project.open(project_root).status()
    for arguments, words in problems.items():
        monkeypatch.setattr(sys, "argv", ["annotate-select", "-p", str(project_root), "--quiet", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        assert (left.value.code, out) == (1, ""), arguments
        assert err.startswith("error: "), err
        assert len(err.splitlines()) == 1, err
        assert words in err, err
    assert Project.open(project_root).status() == before


def test_every_command_has_help_and_stands_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for name, command in cli.commands.items():
        assert command.help, name
        assert f"`{name}" in readme or f"annotate-select {name}" in readme, name
        assert invoke(name, "--help").exit_code == 0


def test_global_options_may_stand_behind_the_command(project_root: Path) -> None:
    assert answer(run("status", "--json", "--project", project_root))["images"] == 120
    assert run("status", f"--project={project_root}", "-q").stdout == ""
    assert run("status", "-p").returncode == 2
    assert globals_first(["add", "--", "-p", "--json"]) == ["add", "--", "-p", "--json"]


def test_quiet_prints_nothing(project_root: Path) -> None:
    done = run("--quiet", "-p", project_root, "select", "-n", "3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_stored_batch_is_written_again(project_root: Path, tmp_path: Path) -> None:
    first = answer(invoke("--json", "-p", project_root, "select", "-n", "7"))
    again = answer(invoke("--json", "-p", project_root, "select", "--batch", "2", "-o", tmp_path / "again.csv"))
    assert again["picks"] == first["picks"]
