"""Rounds replayed against known labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select import replay
from annotate_select import simulate as module
from annotate_select.cli import cli
from annotate_select.errors import LearningError, SelectionError, StorageError
from annotate_select.learning.head import Head, fit_head
from annotate_select.simulate import Replay, simulate


def blobs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make three well separated classes of n points each in 16 dimensions."""
    rng = np.random.default_rng(seed)
    centres = 6 * np.eye(3, 16)
    labels = np.repeat(np.arange(3), n)
    return centres[labels] + rng.normal(size=(3 * n, 16)), labels


@pytest.mark.parametrize("strategy", ["random", "kmeans", "auto"])
def test_accuracy_grows_to_what_the_classes_allow(strategy: str) -> None:
    features, labels = blobs(60, 0)
    test = np.arange(0, 180, 3)
    played = replay(features, labels, strategy=strategy, budgets=[6, 12, 40], test=test)
    assert played.budgets == (6, 12, 40)
    assert played.accuracies[-1] >= 0.95  # the classes overlap a little
    assert played.accuracies[-1] >= played.accuracies[0]
    assert played == replay(features, labels, strategy=strategy, budgets=[6, 12, 40], test=test)


def test_one_class_only_is_worth_its_share() -> None:
    features, labels = blobs(40, 1)
    test = np.arange(30, 120)
    played = replay(features, labels, strategy="random", budgets=[1], test=test)
    picked_class_share = {float(np.mean(labels[test] == number)) for number in range(3)}
    assert played.accuracies[0] in picked_class_share


def test_test_rows_and_excluded_rows_are_never_picked() -> None:
    features, labels = blobs(10, 2)
    test, exclude = np.arange(0, 10), np.arange(10, 25)
    assert replay(features, labels, strategy="random", budgets=[5], test=test, exclude=exclude).budgets == (5,)
    with pytest.raises(SelectionError, match="between 1 and 5"):
        replay(features, labels, strategy="random", budgets=[6], test=test, exclude=exclude)


def test_runs_are_kept_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = blobs(40, 3)
    store = tmp_path / "runs.jsonl"
    given = {"strategies": ["random", "kmeans"], "budgets": [6, 12], "seeds": 2, "store": store}
    first = simulate(features, labels, **given)
    assert [(one.strategy, one.seed) for one in first] == [("random", 0), ("kmeans", 0), ("random", 1), ("kmeans", 1)]
    lines = store.read_text().splitlines(keepends=True)
    assert len(lines) == 4
    store.write_text("".join(lines[:2]) + lines[2][:40])  # killed in the middle of the third
    made: list[tuple[str, int]] = []
    once = module.replay

    def counting(*given: Any, **named: Any) -> Replay:
        made.append((named["strategy"], named["seed"]))
        return once(*given, **named)

    monkeypatch.setattr(module, "replay", counting)
    assert simulate(features, labels, **given) == first
    assert made == [("random", 1), ("kmeans", 1)]
    assert simulate(features, labels, **given) == first
    assert len(made) == 2


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    features, labels = blobs(40, 3)
    store = tmp_path / "curves.png"
    store.write_bytes(b"\x89PNG\r\n")
    with pytest.raises(SelectionError, match=r"curves\.png holds something else than runs; name a new \.jsonl file"):
        simulate(features, labels, strategies=["random"], budgets=[6], seeds=1, store=store)
    assert store.read_bytes() == b"\x89PNG\r\n"
    with pytest.raises(StorageError, match="cannot write"):
        simulate(features, labels, strategies=["random"], budgets=[6], seeds=1, store=tmp_path)


def test_the_command_prints_json_that_any_reader_takes(tmp_path: Path) -> None:
    """With one seed there are no intervals, and what never reaches random's accuracy saves no labels."""
    features, labels = blobs(40, 3)
    np.savez(tmp_path / "set.npz", features=features, labels=labels)
    command = ["--json", "simulate", str(tmp_path / "set.npz"), "--budgets", "3", "--seeds", "1"]
    done = CliRunner().invoke(cli, [*command, "--strategies", "random"])
    (one,) = json.loads(done.stdout, parse_constant=pytest.fail)["strategies"]
    assert (one["strategy"], one["gain"], one["low"], one["worst"]) == ("random", 0.0, None, None)
    done = CliRunner().invoke(cli, [*command, "--store", str(tmp_path)])
    assert done.exit_code == 2
    assert "is a directory" in done.stderr


def test_other_data_is_another_run(tmp_path: Path) -> None:
    features, labels = blobs(40, 3)
    given = {"strategies": ["random"], "budgets": [6], "seeds": 1, "store": tmp_path / "runs.jsonl"}
    simulate(features, labels, **given)
    simulate(features + 1, labels, **given)
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 2


def test_another_version_or_another_file_of_ones_own_strategy_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "strategy_that_changes.py"
    own.write_text("def first(pool, n):\n    return pool.candidates[:n], [0.0] * n, ['first'] * n\n")
    monkeypatch.syspath_prepend(tmp_path)
    features, labels = blobs(40, 3)
    store = tmp_path / "runs.jsonl"
    given = {"strategies": ["random", "strategy_that_changes:first"], "budgets": [6], "seeds": 1, "store": store}

    def runs() -> int:
        simulate(features, labels, **given)
        return len(store.read_text().splitlines())

    assert [runs(), runs()] == [2, 2]
    own.write_text(own.read_text() + "# another\n")
    assert [runs(), runs()] == [3, 3]
    monkeypatch.setattr(module, "__version__", "another")
    assert [runs(), runs()] == [5, 5]


def test_workers_change_nothing() -> None:
    features, labels = blobs(40, 4)
    given = {"strategies": ["random", "kcenter"], "budgets": [6, 12], "seeds": 2}
    assert simulate(features, labels, workers=2, **given) == simulate(features, labels, workers=1, **given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budgets": []}, "budgets must be numbers of labels from 1 on, ascending"),
        ({"budgets": [12, 6]}, "ascending, got \\[12, 6\\]"),
        ({"budgets": [85]}, "budgets must be at most 84, the images not kept for the test, got 85"),
        ({"strategies": ["kmean"]}, "unknown strategy 'kmean'"),
        ({"strategies": ["random", "bald"]}, "strategy 'bald' cannot be replayed: it needs samples of several models"),
        ({"strategies": ["similar_to"]}, "'similar_to' cannot be replayed: it needs images of which more are wanted"),
        ({"labels": np.zeros(3, dtype=int)}, "labels must be one class number for each of the 120 rows"),
    ],
)
def test_what_cannot_be_replayed(changes: dict[str, object], words: str) -> None:
    features, labels = blobs(40, 5)
    given: dict[str, Any] = {"labels": labels, "strategies": ["random"], "budgets": [6], **changes}
    with pytest.raises(SelectionError, match=words):
        simulate(features, seeds=1, **given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budgets": []}, "budgets must be numbers of labels from 1 on, ascending"),
        ({"test": []}, "test must name the rows to measure on, 1 at least, got"),
        ({"labels": np.array(["a"] * 120)}, "got <U1 of shape .120,.; np.unique.labels, return_inverse=True."),
        ({"labels": np.zeros(3, dtype=int)}, "labels must be one class number for each of the 120 rows"),
        ({"labels": np.arange(120) - 1}, "labels must be class numbers from 0, got -1; leave unlabelled rows out"),
        ({"features": np.zeros(120)}, "features must be numbers .n, d., got float64"),
    ],
)
def test_what_replay_cannot_take(changes: dict[str, Any], words: str) -> None:
    features, labels = blobs(40, 5)
    given = {"features": features, "labels": labels, "budgets": [6], "test": [0, 50, 100], **changes}
    with pytest.raises(SelectionError, match=words):
        replay(**given, strategy="random")


def test_the_head_listens_to_what_may_be_picked_only(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = blobs(20, 7)
    test, heard, learned = np.arange(0, 60, 4), [], []

    def kept(x: np.ndarray, y: np.ndarray, n_classes: int, *, around: np.ndarray, **given: Any) -> Head:
        heard.append(np.flatnonzero((features[:, None] == around).all(axis=2).any(axis=1)))
        learned.append(np.flatnonzero((features[:, None] == x).all(axis=2).any(axis=1)))
        return fit_head(x, y, n_classes, around=around, **given)

    monkeypatch.setattr(module, "fit_head", kept)
    replay(features, labels, strategy="random", budgets=[12, 20], test=test, exclude=[1, 2])
    for some, known in zip(heard, learned, strict=True):
        free = np.setdiff1d(np.arange(60), np.concatenate([test, [1, 2], known]))
        assert some.tolist() == free.tolist()
    heard.clear()
    replay(features, labels, strategy="random", budgets=[12], test=test, head="linear")
    assert len(heard[0]) == 0


def test_another_head_is_another_run(tmp_path: Path) -> None:
    features, labels = blobs(40, 3)
    store = tmp_path / "runs.jsonl"
    given: dict[str, Any] = {"strategies": ["random"], "budgets": [6], "seeds": 1, "store": store}
    for head in ("spreading", "linear", "linear"):
        simulate(features, labels, head=head, **given)
    assert len(store.read_text().splitlines()) == 2
    with pytest.raises(LearningError, match=r"no head 'spredding' .did you mean spreading"):
        simulate(features, labels, head="spredding", **given)


def test_lists_will_do() -> None:
    features, labels = blobs(40, 5)
    given: dict[str, Any] = {"strategy": "kmeans", "budgets": [3, 6], "test": [0, 50, 100]}
    expected = replay(features, labels, **given)
    assert replay(features.tolist(), labels.tolist(), exclude=None, **given) == expected  # type: ignore[arg-type]


def test_audits_are_drawn_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = blobs(60, 6)
    heard: list[int] = []
    choose = module.select

    def listening(*given: Any, **named: Any) -> Any:
        heard.append(len(named["audits"]))
        return choose(*given, **named)

    monkeypatch.setattr(module, "select", listening)
    replay(features, labels, strategy="auto", budgets=[10, 30, 60], test=np.arange(0, 180, 3), audit=0.2)
    assert heard == [0, 2, 6]
