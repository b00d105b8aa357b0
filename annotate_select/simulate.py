"""Rounds replayed against known labels: what a strategy, or chance, would have reached."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, recall_score
from threadpoolctl import threadpool_limits

from annotate_select import __version__
from annotate_select.errors import SelectionError
from annotate_select.files import digest, storage_errors
from annotate_select.learning.head import fit_head, mean_of
from annotate_select.learning.kinds import DEFAULT
from annotate_select.learning.learners import learner_of
from annotate_select.learning.spreading import NODES
from annotate_select.progress import Progress, silent
from annotate_select.selection.select import Strategy, select
from annotate_select.selection.table import Entry, find

__all__ = ["Replay", "default_budgets", "replay", "simulate", "split"]

TEST_SHARE, MOST_TESTED = 0.3, 2000
PER_CLASS = (1, 2, 5, 10, 20, 50)
NOT_REPLAYED = {"samples": "samples of several models", "like": "images of which more are wanted"}
RARE_SHARE = 4  # the smallest of so many classes, at least one, are the rare ones


@dataclass(frozen=True)
class Replay:
    """What one strategy reached on the test rows with one seed; each tuple has an entry for each budget.

    `balanced` is the mean recall over classes; `rare_recall` that of the rarest quarter of the classes, and
    `rare_found` how many images of these were labelled.
    """

    strategy: str
    seed: int
    budgets: tuple[int, ...]
    accuracies: tuple[float, ...]
    balanced: tuple[float, ...]
    macro_f1: tuple[float, ...]
    rare_recall: tuple[float, ...]
    rare_found: tuple[int, ...]


def replay(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    strategy: str | Strategy,
    budgets: Sequence[int],
    test: np.ndarray,
    exclude: np.ndarray | Sequence[int] | None = (),
    seed: int = 0,
    audit: float = 0.0,
    head: str = DEFAULT,
) -> Replay:
    """Select, reveal the labels, train, measure; at each budget (labels in all, ascending).

    `features` (n, d), `labels` (n,) class numbers, `test` rows that are measured on and never picked. Strategies that
    cannot do without a model or labels begin with random picks. The `head`, of LEARNERS, is the same for every strategy
    and tuned by cross-validation at each budget; `spreading` listens to rows that may be picked, never to `test`.
    Labels all of one class are worth the accuracy of always saying that class. `audit` is the share of each batch drawn
    at random. Raises SelectionError, and LearningError for another head.
    """
    features, labels, test = np.asarray(features), np.asarray(labels), np.asarray(test)
    _check_given(features, labels, budgets)
    if not len(test) or test.dtype.kind not in "iu":
        raise SelectionError(f"test must name the rows to measure on, 1 at least, got {test.tolist()!r:.80}")
    classes, centre = int(labels.max()) + 1, mean_of(features)
    reserved = np.union1d(np.asarray(() if exclude is None else exclude, dtype=np.int64), test)
    name, entry = find(strategy)
    needs: tuple[str, ...] = getattr(entry, "needs", ())
    free = np.setdiff1d(np.arange(len(features)), reserved)
    ground = np.random.default_rng(seed).permutation(free)[: NODES if learner_of(head).listens else 0]
    known, audits = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    probabilities: np.ndarray | None = None
    accuracy: float | None = None
    scores: list[tuple[float, float, float, float, int]] = []
    for budget in budgets:
        lacking = ("probabilities" in needs and probabilities is None) or ("labels" in needs and not len(known))
        picks = select(
            features,
            budget - len(known),
            "random" if lacking else strategy,
            labeled=known,
            labels=labels[known],
            audits=audits,
            probabilities=probabilities,
            accuracy=accuracy,
            seed=seed,
            exclude=reserved,
            n_classes=classes,
            audit=audit,
        )
        known = np.concatenate([known, picks.rows])
        audits = np.concatenate([audits, picks.rows[[role == "audit" for role in picks.roles]]])
        if len(np.unique(labels[known])) < 2:
            said = np.full(len(test), labels[known[0]])
        else:
            around = features[np.setdiff1d(ground, known)]
            fitted = fit_head(
                features[known], labels[known], classes, kind=head, seed=seed, centre=centre, around=around
            )
            probabilities, accuracy = fitted.probabilities(features), fitted.cv_accuracy
            said = probabilities[test].argmax(axis=1)
        scores.append(_scores(said, labels, test, known))
    accuracies, balanced, macro, rare, found = zip(*scores, strict=True)
    return Replay(name, seed, tuple(budgets), accuracies, balanced, macro, rare, found)


def _scores(
    said: np.ndarray, labels: np.ndarray, test: np.ndarray, known: np.ndarray
) -> tuple[float, float, float, float, int]:
    truth = labels[test]
    present = np.unique(truth)
    recalls = recall_score(truth, said, labels=present, average=None, zero_division=0)
    rare = _rare(labels)
    tested_rare = np.isin(present, rare)
    return (
        float(np.mean(said == truth)),
        float(np.mean(recalls)),
        float(f1_score(truth, said, labels=present, average="macro", zero_division=0)),
        float(np.mean(recalls[tested_rare])) if tested_rare.any() else 0.0,
        int(np.isin(labels[known], rare).sum()),
    )


def _rare(labels: np.ndarray) -> np.ndarray:
    """Return the numbers of the rarest quarter of the classes that occur, at least one."""
    classes, sizes = np.unique(labels, return_counts=True)
    return classes[np.argsort(sizes, kind="stable")[: max(1, len(classes) // RARE_SHARE)]]


def split(n: int, seed: int) -> np.ndarray:
    """Return the rows (t,) that one seed tests on: 30 % of n, 2,000 at most."""
    count = max(1, min(MOST_TESTED, round(TEST_SHARE * n)))
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])


def default_budgets(labels: np.ndarray) -> list[int]:
    """Return 1, 2, 5, 10, 20 and 50 labels a class, as far as half of the images not tested on allow."""
    classes, most = len(np.unique(labels)), max(2, (len(labels) - len(split(len(labels), 0))) // 2)
    budgets = [each * classes for each in PER_CLASS if each * classes <= most]
    return budgets or [most]


def simulate(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    strategies: Sequence[str],
    budgets: Sequence[int],
    seeds: int = 5,
    audit: float = 0.0,
    head: str = DEFAULT,
    workers: int = 1,
    store: Path | None = None,
    progress: Progress = silent,
) -> list[Replay]:
    """Replay every strategy with every seed, each seed with a test split of its own; strategies by name.

    `store` is a JSON-lines file: runs that are there are not made again, and each is added when it is done, so an
    interrupted simulation goes on where it stopped; runs of another version, or of a strategy of one's own whose file
    has changed since, do not count. `workers` processes run side by side, each on one thread.
    Raises SelectionError when the budgets do not fit the data, and LearningError for another head.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    _check(features, labels, budgets, strategies)
    learner_of(head)  # another is told before hours of work
    data = digest([digest(np.ascontiguousarray(features).tobytes()), digest(labels.astype(np.int64).tobytes())])
    wanted = [(strategy, seed) for seed in range(seeds) for strategy in strategies]
    code = {strategy: _code(strategy) for strategy in strategies}
    about = [audit] if head == "linear" else [audit, head]  # runs of before there was another head stay known
    keys = {run: digest([data, list(budgets), *about, *run, code[run[0]]]) for run in wanted}
    known = _stored(store)
    missing = [run for run in wanted if keys[run] not in known]
    progress("replaying", len(wanted) - len(missing), len(wanted), "")
    for run, found in _replayed(features, labels, missing, tuple(budgets), (audit, head), workers):
        known[keys[run]] = found
        _append(store, keys[run], found)
        progress("replaying", sum(key in known for key in keys.values()), len(wanted), f"{run[0]}, seed {run[1]}")
    return [known[keys[run]] for run in wanted]


def _check(features: np.ndarray, labels: np.ndarray, budgets: Sequence[int], strategies: Sequence[str]) -> None:
    for strategy in strategies:
        entry = find(strategy)[1]
        beyond = sorted(set(entry.needs) & set(NOT_REPLAYED)) if isinstance(entry, Entry) else []
        if beyond:
            raise SelectionError(f"strategy {strategy!r} cannot be replayed: it needs {NOT_REPLAYED[beyond[0]]}")
    _check_given(features, labels, budgets)
    left = len(features) - len(split(len(features), 0))
    if budgets[-1] > left:
        raise SelectionError(
            f"budgets must be at most {left}, the images not kept for the test, got {budgets[-1]}; "
            "ask for less, or label more"
        )


def _check_given(features: np.ndarray, labels: np.ndarray, budgets: Sequence[int]) -> None:
    if features.ndim != 2 or not len(features) or features.dtype.kind not in "fiub":
        raise SelectionError(f"features must be numbers (n, d), got {features.dtype} of shape {features.shape}")
    if labels.shape != (len(features),) or labels.dtype.kind not in "iu":
        raise SelectionError(
            f"labels must be one class number for each of the {len(features)} rows of features, got {labels.dtype} of "
            f"shape {labels.shape}; np.unique(labels, return_inverse=True)[1] makes numbers of names"
        )
    if labels.min() < 0:
        raise SelectionError(f"labels must be class numbers from 0, got {labels.min()}; leave unlabelled rows out")
    if not len(budgets) or list(budgets) != sorted(set(budgets)) or budgets[0] < 1:
        raise SelectionError(f"budgets must be numbers of labels from 1 on, ascending, got {list(budgets)}")


def _code(strategy: str) -> str:
    """Return what a run's result depends on besides data: this version, and the file of a strategy of one's own."""
    function = find(strategy)[1]
    if isinstance(function, Entry):
        return __version__
    try:
        file = inspect.getsourcefile(function if inspect.isroutine(function) else type(function))
    except TypeError:  # it is compiled
        file = None
    return f"{__version__} {digest(Path(file).read_bytes()) if file else ''}"


def _stored(store: Path | None) -> dict[str, Replay]:
    """Read what earlier runs left; a last line that was cut off is no run. Raises SelectionError for another file."""
    found: dict[str, Replay] = {}
    if store is None or not store.exists():
        return found
    with storage_errors(store):
        text = store.read_bytes().decode("utf-8", errors="replace")
    if text.strip() and not text.lstrip().startswith("{"):
        raise SelectionError(f"{store} holds something else than runs; name a new .jsonl file, or one of simulate's")
    for line in text.splitlines():
        try:
            values: dict[str, Any] = json.loads(line)
            key = values.pop("key")
            lists: dict[str, Any] = {name: tuple(one) for name, one in values.items() if isinstance(one, list)}
            found[key] = Replay(**{**values, **lists})
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _append(store: Path | None, key: str, found: Replay) -> None:
    if store is None:
        return
    with storage_errors(store):
        store.parent.mkdir(parents=True, exist_ok=True)
        cut = store.exists() and not store.read_bytes().endswith(b"\n")  # a last line that was cut off stays alone
        with store.open("a", encoding="utf-8") as file:
            file.write("\n" * cut + json.dumps({"key": key, **asdict(found)}) + "\n")


_DATA: dict[str, np.ndarray] = {}  # of a worker process


def _replayed(
    features: np.ndarray,
    labels: np.ndarray,
    runs: list[tuple[str, int]],
    budgets: tuple[int, ...],
    how: tuple[float, str],  # the share of audits, and the head
    workers: int,
) -> Iterator[tuple[tuple[str, int], Replay]]:
    if workers <= 1 or len(runs) <= 1:
        for run in runs:
            yield run, _one(features, labels, run, budgets, how)
        return
    with tempfile.TemporaryDirectory() as folder:  # the workers map the features instead of getting copies
        np.save(Path(folder) / "features.npy", features)
        np.save(Path(folder) / "labels.npy", labels)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(runs)), context, _begin, (folder,)) as pool:
            futures = {pool.submit(_in_worker, run, budgets, how): run for run in runs}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _begin(folder: str) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("features", "labels"):
        _DATA[name] = np.load(Path(folder) / f"{name}.npy", mmap_mode="r")


def _in_worker(run: tuple[str, int], budgets: tuple[int, ...], how: tuple[float, str]) -> Replay:
    with threadpool_limits(1):
        return _one(np.asarray(_DATA["features"]), np.asarray(_DATA["labels"]), run, budgets, how)


def _one(
    features: np.ndarray, labels: np.ndarray, run: tuple[str, int], budgets: tuple[int, ...], how: tuple[float, str]
) -> Replay:
    (strategy, seed), (audit, head) = run, how
    test = split(len(features), seed)
    return replay(features, labels, strategy=strategy, budgets=budgets, test=test, seed=seed, audit=audit, head=head)
