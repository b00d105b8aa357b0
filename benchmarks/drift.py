"""Drift: how often `check drift` raises a false alarm, and how little foreign matter it finds.

    python benchmarks/drift.py [--data FOLDER] [--kinds pixels,autoencoder] [--windows 200] [--power 40]

A world is half of a labelled set, drawn by chance; windows come from the other half. Nothing changed: every alarm is
false. Foreign images in a window are of a class that the world was made without, or of another set altogether. Features
are learned from the world's set alone. Sets that are not there are left out; without any, scikit-learn's digits serve.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np

from annotate_select.trust.drift import drift

CASES = (("clothing", "Shoes", "weather"), ("trashnet", "metal", "clothing"), ("blood_cells", "WBC", "trashnet"))
OLD, SIZES, SHARES = 600, (50, 150, 400), (0.05, 0.1, 0.2)
WINDOW = 150  # of the power
TIMES = 199
MOST_FOREIGN = 400


@dataclass(frozen=True, eq=False)
class Case:
    """A world (n, d), images of a class it lacks (a, d), and of another set (b, d), by the same features."""

    name: str
    world: np.ndarray
    withheld: tuple[str, np.ndarray]
    other: tuple[str, np.ndarray]


def cases(kind: str, data: Path) -> list[Case]:
    """Make features of every case whose sets are there; digits where none is."""
    there = set(datasets.names(data))
    found = [_case(*names, kind, data) for names in CASES if {names[0], names[2]} <= there]
    return found or [_digits()]


def _case(name: str, lacks: str, other: str, kind: str, data: Path) -> Case:
    file = datasets.CACHE / f"drift-{name}-{other}-{kind}.npz"
    if not file.exists():
        home, away = datasets.load(name, data), datasets.load(other, data)
        some = np.sort(np.random.default_rng(0).permutation(len(away.labels))[:MOST_FOREIGN])
        away = datasets.DataSet(other, [away.images[row] for row in some.tolist()], away.labels[some], away.classes)
        datasets.CACHE.mkdir(exist_ok=True)
        number = home.classes.index(lacks)
        mine, theirs = ENCODERS[kind](home, away)
        np.savez(file, world=mine[home.labels != number], withheld=mine[home.labels == number], other=theirs)
    with np.load(file) as stored:
        return Case(name, stored["world"], (lacks, stored["withheld"]), (other, stored["other"]))


def _pixels(home: datasets.DataSet, away: datasets.DataSet) -> tuple[np.ndarray, np.ndarray]:
    """Return 64 principal components, those of the world's set, of pixels at 32 x 32."""
    from sklearn.decomposition import PCA

    flat = [datasets.decoded(one, 32).reshape(len(one.labels), -1).astype(np.float32) / 255 for one in (home, away)]
    model = PCA(64, random_state=0).fit(flat[0])
    return model.transform(flat[0]), model.transform(flat[1])


def _autoencoder(home: datasets.DataSet, away: datasets.DataSet) -> tuple[np.ndarray, np.ndarray]:
    """Return features of the package's default autoencoder, learned from the world's set."""
    from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig

    images = [datasets.decoded(one, 64) for one in (home, away)]
    encoder = Autoencoder(AutoencoderConfig(image_size=64, seconds=120.0)).fit(images[0])
    return encoder.encode(images[0]), encoder.encode(images[1])


ENCODERS = {"pixels": _pixels, "autoencoder": _autoencoder}


def _digits() -> Case:
    from sklearn.datasets import load_digits

    found = load_digits()
    flat, rng = found.data / 16, np.random.default_rng(0)
    foreign = rng.random((MOST_FOREIGN, flat.shape[1]))
    return Case("digits", flat[found.target != 9], ("9", flat[found.target == 9]), ("noise", foreign))


def alarm(case: Case, n_new: int, foreign: np.ndarray | None, share: float, seed: int) -> bool:
    """Draw old and new images, put a share of foreign ones into the window, and say whether drift is found."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(case.world))[: OLD + n_new]
    features = case.world[rows].astype(np.float32)
    if foreign is not None:
        n = round(share * n_new)
        features[OLD : OLD + n] = foreign[rng.permutation(len(foreign))[:n]]
    return drift(features, np.arange(OLD + n_new) >= OLD, seed=seed, times=TIMES).drifted


def rate(case: Case, n_new: int, foreign: np.ndarray | None, share: float, times: int) -> str:
    """Return the share of alarms in `times` windows, as text."""
    return f"{100 * np.mean([alarm(case, n_new, foreign, share, seed) for seed in range(times)]):.1f} %"


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--kinds", default="pixels,autoencoder")
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--power", type=int, default=40)
    given = parser.parse_args()
    heads = [f"unchanged, {size} new" for size in SIZES] + [f"{share:.0%} foreign" for share in SHARES]
    print("| world | features | foreign | " + " | ".join(heads) + " |\n|" + "---|" * (3 + len(heads)))
    began = time.monotonic()
    for kind in given.kinds.split(","):
        for case in cases(kind, given.data):
            calm = [rate(case, size, None, 0, given.windows) for size in SIZES]
            for which, foreign in (case.withheld, case.other):
                found = [rate(case, WINDOW, foreign, share, given.power) for share in SHARES]
                print("| " + " | ".join([case.name, kind, which, *calm, *found]) + " |", flush=True)
                calm = ["same"] * len(calm)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
