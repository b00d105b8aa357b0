"""How fast selection is, against what is measured in the same run: one Markdown table.

    python benchmarks/selection.py [--rows kcenter,margin] [--quick] [--large] [--features synthetic|FILE.npy]

Every row runs in a process of its own, which tells its time - the median, where it is short - and by how much its
memory grew at most. Rivals that are not installed are left out with a word.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

CLASSES = 10
CENTRES, OUTLIERS, COPIES = 500, 0.02, 0.05
BLOCK = 65536
PACKAGES = {"mundig": "lightly_mundig", "apricot": "apricot"}  # all other rivals are scikit-activeml's
NAMES = {"mundig": "lightly-mundig", "apricot": "apricot, lazy", "coreset": "scikit-activeml CoreSet"} | {
    name.lower(): f"scikit-activeml {name}" for name in ("MaxHerding", "TypiClust", "ProbCover", "Badge")
}


@dataclass(frozen=True)
class Row:
    """One line of the table: what is asked, against what, and what it must reach (None: nothing)."""

    strategy: str
    n: int
    picks: int
    d: int = 256
    against: str = ""  # "gemm" or a rival
    most: float | None = None  # times the baseline
    faster: float | None = None  # than the rival
    seconds: float | None = None
    gigabytes: float | None = None
    large: bool = False

    @property
    def target(self) -> str:
        parts = [
            f"at most {self.most:g} x" if self.most else "",
            f"{self.faster:g} x faster" if self.faster else "",
            "objective within 1 %" if self.against == "apricot" else "",
            f"under {self.seconds:g} s" if self.seconds else "",
            f"under {self.gigabytes:g} GB" if self.gigabytes else "",
        ]
        return ", ".join(part for part in parts if part)


MILLION = 1_000_000
ROWS = [
    Row("kcenter", 100_000, 1000, against="gemm", most=2),
    Row("kcenter", MILLION, 1000, against="gemm", most=2, gigabytes=1.5),
    Row("kcenter", MILLION, 10_000, against="gemm", most=2, gigabytes=1.5),
    Row("kcenter", 100_000, 1000, against="mundig", faster=8),
    Row("kcenter", 100_000, 1000, against="coreset", faster=50),
    Row("kcenter_robust", 100_000, 1000, against="gemm"),
    Row("coverage", 10_000, 100, against="apricot", faster=4),
    Row("coverage", 10_000, 100, against="maxherding", faster=20),
    Row("facility_location", 10_000, 100, against="apricot", faster=4),
    *(Row(name, MILLION, 1000, seconds=60, gigabytes=2) for name in ("coverage", "facility_location")),
    *(Row(name, 10_000, 100, against=name, faster=5) for name in ("typiclust", "badge", "probcover")),
    *(Row(name, MILLION, 1000, seconds=120) for name in ("typiclust", "badge", "probcover")),
    *(Row(name, MILLION, 10_000, seconds=2) for name in ("margin", "entropy", "least_confidence", "power_margin")),
    Row("auto", 10 * MILLION, 1000, d=128, seconds=900, gigabytes=8, large=True),
]


def main() -> None:
    """Measure the rows asked for and print them as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="", help="names of strategies, with commas between")
    parser.add_argument("--quick", action="store_true", help="a tenth of the million images")
    parser.add_argument("--large", action="store_true", help="also 10 million images, 5 GB on disk")
    parser.add_argument("--features", default="synthetic", help="synthetic, or a file of features (n, d)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(_measured(**json.loads(given.child))))
        return
    from annotate_select.selection.table import STRATEGIES

    asked = [name for name in given.rows.split(",") if name]
    print(machine(), end="\n\n")
    print("| strategy | images, picks, d | seconds | baseline | its seconds | ratio | extra MB | target | reached |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            if (asked and row.strategy not in asked) or (row.large and not given.large):
                continue
            if row.strategy not in STRATEGIES:
                print(f"| {row.strategy} | | | | | | | | skipped: no such strategy yet |", flush=True)
                continue
            package = PACKAGES.get(row.against, "skactiveml")
            if row.against not in ("", "gemm") and not find_spec(package):
                print(f"| {row.strategy} | | | {package} | | | | {row.target} | skipped: not installed |", flush=True)
                continue
            print(_line(row, Path(folder), given.features, 10 if given.quick and row.n >= MILLION else 1), flush=True)


def machine() -> str:
    """Return one line about the machine: what the figures are to be read with."""
    from threadpoolctl import threadpool_info

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload]
    cpus = max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
    a, b = np.ones((20_000, 256), dtype=np.float32), np.ones((1000, 256), dtype=np.float32)
    numpy = f"numpy {np.__version__} with {blas['name']} {blas['version']}"
    return f"Machine: {cpus} CPUs, {numpy}, float32 products at {_rate(a, b):.0f} GFLOP/s"


def _line(row: Row, folder: Path, features: str, divisor: int) -> str:
    picks, file = row.picks, _features(folder, features, row.n // divisor, row.d)
    n, d = np.load(file, mmap_mode="r").shape
    job = {"file": str(file), "picks": picks, "strategy": row.strategy, "on_disk": row.large}
    ours = _child(job | {"by": "ours", "against": row.against})
    name, base = NAMES.get(row.against, ""), 0.0
    reached: list[bool] = []
    ratio = ""
    if row.against == "gemm":
        name, base = "2nbd at the rate of sgemm", 2e-9 * n * picks * d / ours["rate"]
        ratio = f"{ours['seconds'] / base:.2f}"
        reached += [ours["seconds"] <= row.most * base] if row.most else []
    elif row.against:
        rival = _child(job | {"by": row.against, "against": row.against})
        base = rival["seconds"]
        ratio = f"{base / ours['seconds']:.1f} x faster"
        reached += [base >= row.faster * ours["seconds"]] if row.faster else []
        if rival["objective"]:
            share = ours["objective"] / rival["objective"]
            ratio += f", objective {share:.2%}"
            reached += [share >= 0.99] if row.against == "apricot" else []
    reached += [ours["seconds"] < row.seconds] if row.seconds else []
    reached += [ours["megabytes"] < 1000 * row.gigabytes] if row.gigabytes else []
    word = "" if not reached else "yes" if all(reached) else "missed"
    word += " (at a tenth of the size)" if word and divisor > 1 else ""
    return (
        f"| {row.strategy} | {n:,}, {picks:,}, {d} | {ours['seconds']:.2f} | {name} | {f'{base:.2f}' if base else ''} "
        f"| {ratio} | {ours['megabytes']:,.0f} | {row.target} | {word} |"
    )


def _child(job: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(job)], stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _measured(file: str, picks: int, strategy: str, by: str, against: str, on_disk: bool) -> dict[str, float]:
    """Do one job in this process, and tell the seconds, the memory, and the objective where it is compared."""
    features = np.load(file, mmap_mode="r" if on_disk else None)
    probabilities = _opinions(len(features))
    labeled = np.arange(0, len(features), max(1, len(features) // 100))[:100] if strategy == "badge" else np.arange(0)
    given = {"probabilities": probabilities, "labeled": labeled, "labels": np.arange(len(labeled)) % CLASSES}

    def ask(rows: int, most: int) -> np.ndarray:
        if by != "ours":
            return _rival(by, strategy, features[:rows], most, given)
        from annotate_select.selection.select import select

        inside = given | {"probabilities": probabilities[:rows], "labeled": labeled[labeled < rows]}
        inside["labels"] = np.arange(len(inside["labeled"])) % CLASSES
        return select(features[:rows], most, strategy, **inside).rows

    ask(min(1000, len(features)), min(10, picks))  # imports, and whatever is made once
    if not on_disk:
        np.ones_like(features)  # a virtual machine may take seconds to hand out memory for the first time
    rates = [_rate(features, features[:1000])] if against == "gemm" else []
    seconds: list[float] = []
    with _Memory(on_disk) as memory:
        while not seconds or (sum(seconds) < 2 and len(seconds) < 5):
            start = time.perf_counter()
            rows = ask(len(features), picks)
            seconds.append(time.perf_counter() - start)
    rates += [_rate(features, features[:1000])] if against == "gemm" else []
    told = {"seconds": float(np.median(seconds)), "megabytes": memory.grown, "objective": 0.0, "rate": 0.0}
    if against in ("apricot", "maxherding"):
        told["objective"] = _objective(strategy, features, rows)
    return told | ({"rate": float(np.mean(rates))} if rates else {})


class _Memory:
    """By how many MB this process grows at most; of a mapped file only what is not the file's own pages."""

    def __init__(self, on_disk: bool) -> None:
        self._on_disk, self._done, self.grown = on_disk, Event(), 0.0

    def __enter__(self) -> _Memory:
        Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten
        self._before = self._highest = _status("RssAnon" if self._on_disk else "VmRSS")
        self._watch = Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._done.wait(0.05):
            self._highest = max(self._highest, _status("RssAnon"))

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()
        self.grown = (self._highest if self._on_disk else _status("VmHWM")) - self._before


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1000 for line in lines if line.startswith(name + ":"))


def _rate(features: np.ndarray, centres: np.ndarray) -> float:
    """Return the GFLOP/s of numpy's product of many rows with the centres, the median of several."""
    a, b = np.ascontiguousarray(features[:50_000]), np.ascontiguousarray(centres)
    a @ b.T
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b.T
        seconds.append(time.perf_counter() - start)
    return float(2e-9 * len(a) * len(b) * a.shape[1] / np.median(seconds))


def _opinions(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    strength = rng.gamma(0.5, size=(n, CLASSES)).astype(np.float32) + 1e-6
    return np.asarray(strength / strength.sum(axis=1, keepdims=True))


def _kernel(strategy: str, cosines: np.ndarray) -> np.ndarray:
    if strategy == "facility_location":
        return np.maximum(cosines, 0)
    return np.exp(2 * cosines - 2)


def _objective(strategy: str, features: np.ndarray, rows: np.ndarray) -> float:
    from annotate_select.selection.geometry import directions

    unit = directions(features)
    parts = [_kernel(strategy, unit[at : at + 4096] @ unit[rows].T).max(axis=1) for at in range(0, len(unit), 4096)]
    return float(np.concatenate(parts).mean())


def _rival(name: str, strategy: str, features: np.ndarray, picks: int, given: dict[str, np.ndarray]) -> np.ndarray:
    """Return the rows another library picks."""
    from annotate_select.selection.geometry import directions

    if name == "mundig":
        from lightly_mundig import Selection

        selection = Selection()
        selection.add_diversifying_strategy(embeddings=features, strength=1.0)
        chosen = selection.run_selection(
            preselected_indices=[], n_total_samples=len(features), n_samples_to_select=picks
        )
        return np.asarray(chosen)
    if name == "apricot":
        from apricot import FacilityLocationSelection

        unit = directions(features)
        alike = _kernel(strategy, unit @ unit.T).astype(np.float64)
        return np.asarray(FacilityLocationSelection(picks, metric="precomputed", optimizer="lazy").fit(alike).ranking)
    return _scikit_activeml(name, features, picks, given)


def _scikit_activeml(name: str, features: np.ndarray, picks: int, given: dict[str, np.ndarray]) -> np.ndarray:
    import rivals

    from annotate_select.selection.select import select

    answers: list[np.ndarray] = []

    def call(pool: Any, n: int) -> Any:
        function: Callable[..., Any] = getattr(rivals, name)
        answers.append(function(pool, n).rows)
        return np.sort(pool.candidates[:n]), np.zeros(n), ["their answer is looked at itself"] * n

    labeled = given["labeled"][given["labeled"] < len(features)]
    select(features, picks, call, labeled=labeled, labels=np.arange(len(labeled)) % CLASSES, n_classes=CLASSES)
    return answers[0]


def _features(folder: Path, source: str, n: int, d: int) -> Path:
    """Return a file of features (n, d): the synthetic mixture, or real ones with others put between them."""
    file = folder / f"{n}-{d}.npy"
    if source != "synthetic":
        real = np.load(source, mmap_mode="r")
        d = real.shape[1]
    if file.exists():
        return file
    for old in folder.glob("*.npy"):
        old.unlink()
    out = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(n, d))
    blocks = _mixture(n, d) if source == "synthetic" else _between(np.asarray(real, dtype=np.float32), n)
    start = 0
    for block in blocks:
        out[start : start + len(block)] = block
        start += len(block)
    out.flush()
    return file


def _mixture(n: int, d: int) -> Any:
    """Yield blocks of 500 Gaussians of power-law weights, 2 % outliers and 5 % near-duplicates, of length 1."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, d), dtype=np.float32)
    widths = rng.uniform(0.3, 1.0, CENTRES).astype(np.float32)
    weights = 1 / np.arange(1, CENTRES + 1)
    for start in range(0, n, BLOCK):
        m = min(BLOCK, n - start)
        which = rng.choice(CENTRES, m, p=weights / weights.sum())
        block = centres[which] + widths[which, None] * rng.standard_normal((m, d), dtype=np.float32)
        odd = rng.random(m) < OUTLIERS
        block[odd] = 2 * rng.standard_normal((int(odd.sum()), d), dtype=np.float32)
        copies = np.flatnonzero(rng.random(m) < COPIES)
        noise = 0.01 * rng.standard_normal((len(copies), d), dtype=np.float32)
        block[copies] = block[rng.integers(0, m, len(copies))] + noise
        yield block / np.linalg.norm(block, axis=1, keepdims=True)


def _between(real: np.ndarray, n: int) -> Any:
    """Yield the real rows, or when they are too few, blocks of points on the way to one of 10 near rows."""
    if len(real) >= n:
        yield real[:n]
        return
    import faiss

    rng = np.random.default_rng(0)
    index = faiss.IndexFlatL2(real.shape[1])
    index.add(np.ascontiguousarray(real))
    near = index.search(np.ascontiguousarray(real), min(11, len(real)))[1]
    yield real
    for start in range(len(real), n, BLOCK):
        m = min(BLOCK, n - start)
        first = rng.integers(0, len(real), m)
        second = near[first, rng.integers(0, near.shape[1], m)]
        way = rng.random((m, 1), dtype=np.float32)
        yield real[first] * (1 - way) + real[second] * way


if __name__ == "__main__":
    main()
