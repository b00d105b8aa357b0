"""Drift: how often `check drift` raises a false alarm, and how little foreign matter it finds.

    python benchmarks/drift.py [--data FOLDER] [--kinds pixels,autoencoder] [--windows 80] [--power 30]

A check compares 600 old images of a labelled set with a window of new ones, all drawn by chance. Unchanged: the window
is of the same set, and every alarm is false; features were learned from the whole set, or (frozen) from the 600 old
images alone, as in a project whose encoder is older than its new images. Foreign images in a window of 150 are of a
class that the old images lack, of another set, or of the set itself, two fifths darker or blurred. Every check also has
the looks of the images, as `check drift` does. Sets that are not there are left out; without any, scikit-learn's digits
serve.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import datasets
import novelty
import numpy as np

from annotate_select.pool.looks import LOOKS, looks
from annotate_select.trust.drift import drift
from annotate_select.trust.intervals import wilson

# a set, the class that the old images lack, and another set
CASES = (("clothing", "Shoes", "weather"), ("trashnet", "metal", "clothing"), ("blood_cells", "WBC", "trashnet"))
OLD, SIZES, SHARES = 600, (50, 150, 400), (0.05, 0.1, 0.2)
WINDOW = 150  # of the power
TIMES = 199
MOST_FOREIGN = 400
SIDE = 64  # pixels
CHANGES = ("darker", "blurred")  # see novelty.py
FROZEN = 2_000  # images that a frozen encoder sees, the first 600 of them while it learns


@dataclass(frozen=True, eq=False)
class Case:
    """Features and looks side by side (n, d + looks): of a world, and of what is foreign to it, by the same encoder.

    `frozen` are those of the world by an encoder that learned from the first 600 of them.
    """

    name: str
    world: np.ndarray
    frozen: np.ndarray
    foreign: dict[str, np.ndarray]


def cases(kind: str, data: Path) -> list[Case]:
    """Make features of every case whose sets are there; digits where none is."""
    there = set(datasets.names(data))
    found = [_case(*names, kind, data) for names in CASES if {names[0], names[2]} <= there]
    return found or [_digits()]


def _case(name: str, lacks: str, other: str, kind: str, data: Path) -> Case:
    file = datasets.CACHE / f"drift-looks-{name}-{other}-{kind}.npz"
    if not file.exists():
        home, away = datasets.load(name, data), datasets.load(other, data)
        rows = np.random.default_rng(1).permutation(np.flatnonzero(home.labels != home.classes.index(lacks)))
        mine = datasets.decoded(home, SIDE)
        some = mine[rows[:MOST_FOREIGN]]
        foreign = {
            lacks: mine[home.labels == home.classes.index(lacks)][:MOST_FOREIGN],
            other: datasets.decoded(away, SIDE)[np.random.default_rng(0).permutation(len(away.labels))[:MOST_FOREIGN]],
            **{change: novelty.changed(some, change) for change in CHANGES},
        }
        world, *strange = _seen(kind, mine, [mine[rows], *foreign.values()])
        (frozen,) = _seen(kind, mine[rows[:OLD]], [mine[rows[:FROZEN]]])
        datasets.CACHE.mkdir(exist_ok=True)
        np.savez(file, world=world, frozen=frozen, **dict(zip(foreign, strange, strict=True)))
    with np.load(file) as stored:
        parts = {one: stored[one] for one in (lacks, other, *CHANGES)}
        return Case(name, stored["world"], stored["frozen"], parts)


def _seen(kind: str, learned: np.ndarray, seen: list[np.ndarray]) -> list[np.ndarray]:
    """Return features and looks of images, by an encoder that learned from `learned` (n, H, W, 3)."""
    return [np.hstack([made, looks(one)]) for made, one in zip(ENCODERS[kind](learned, seen), seen, strict=True)]


def _pixels(learned: np.ndarray, seen: list[np.ndarray]) -> list[np.ndarray]:
    """Return 64 principal components of pixels at 32 x 32."""
    from sklearn.decomposition import PCA

    def flat(some: np.ndarray) -> np.ndarray:
        halves = some.reshape(len(some), SIDE // 2, 2, SIDE // 2, 2, 3).mean(axis=(2, 4))
        return np.asarray(halves.reshape(len(some), -1).astype(np.float32) / 255)

    model = PCA(64, random_state=0).fit(flat(learned))
    return [model.transform(flat(one)) for one in seen]


def _autoencoder(learned: np.ndarray, seen: list[np.ndarray]) -> list[np.ndarray]:
    """Return features of the package's default autoencoder."""
    from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig

    encoder = Autoencoder(AutoencoderConfig(image_size=SIDE, seconds=120.0)).fit(learned)
    return [encoder.encode(one) for one in seen]


ENCODERS = {"pixels": _pixels, "autoencoder": _autoencoder}


def _digits() -> Case:
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.repeat(np.repeat(np.repeat((found.images * 15.9).astype(np.uint8)[..., None], 3, 3), 8, 1), 8, 2)
    mine, nine = np.random.default_rng(0).permutation(images[found.target != 9]), images[found.target == 9]
    strange = [nine, *(novelty.changed(mine[:MOST_FOREIGN], one) for one in CHANGES)]
    world, *foreign = _seen("pixels", mine, [mine, *strange])
    return Case("digits", world, world, dict(zip(("9", *CHANGES), foreign, strict=True)))


def alarm(world: np.ndarray, old: np.ndarray, window: np.ndarray, seed: int) -> bool:
    """Say whether drift is found in a window of rows of a world, as compared with old ones."""
    both = np.concatenate([world[old], window])
    features, seen = both[:, : -len(LOOKS)].astype(np.float32), both[:, -len(LOOKS) :]
    new = np.arange(len(both)) >= len(old)
    return drift(features, new, looks=lambda rows: seen[rows], seed=seed, times=TIMES).drifted


def calm(case: Case, n_new: int, seed: int) -> bool:
    """Check an unchanged world."""
    rows = np.random.default_rng(seed).permutation(len(case.world))
    return alarm(case.world, rows[:OLD], case.world[rows[OLD : OLD + n_new]], seed)


def calm_frozen(case: Case, seed: int) -> bool:
    """Check an unchanged world whose encoder knows the old images only."""
    rows = OLD + np.random.default_rng(seed).permutation(len(case.frozen) - OLD)
    return alarm(case.frozen, np.arange(OLD), case.frozen[rows[:WINDOW]], seed)


def changed(case: Case, foreign: np.ndarray, share: float, seed: int) -> bool:
    """Check a world into which foreign images have come."""
    rng = np.random.default_rng(seed)
    rows, n = rng.permutation(len(case.world)), round(share * WINDOW)
    window = [case.world[rows[OLD : OLD + WINDOW - n]], foreign[rng.permutation(len(foreign))[:n]]]
    return alarm(case.world, rows[:OLD], np.concatenate(window), seed)


def rate(alarms: list[bool]) -> str:
    """Write the share of alarms."""
    return f"{100 * np.mean(alarms):.1f} %"


def _with_interval(alarms: list[bool]) -> str:
    ends = wilson(sum(alarms), len(alarms))
    return f"{rate(alarms)} ({100 * ends.low:.1f} to {100 * ends.high:.1f}) of {len(alarms):,}"


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--kinds", default="pixels,autoencoder")
    parser.add_argument("--windows", type=int, default=80)
    parser.add_argument("--power", type=int, default=30)
    given = parser.parse_args()
    heads = [f"unchanged, {size} new" for size in SIZES] + [f"frozen, {WINDOW} new"]
    heads += ["foreign", *(f"{share:.0%} foreign" for share in SHARES)]
    print("| set | features | " + " | ".join(heads) + " |\n|" + "---|" * (2 + len(heads)), flush=True)
    began, all_false = time.monotonic(), [[] for _ in range(len(SIZES) + 1)]
    for kind in given.kinds.split(","):
        for case in cases(kind, given.data):
            alarms = [[calm(case, size, seed) for seed in range(given.windows)] for size in SIZES]
            alarms.append([calm_frozen(case, seed) for seed in range(given.windows)])
            all_false = [before + now for before, now in zip(all_false, alarms, strict=True)]
            false = [rate(one) for one in alarms]
            for which, foreign in case.foreign.items():
                found = [rate([changed(case, foreign, one, seed) for seed in range(given.power)]) for one in SHARES]
                print("| " + " | ".join([case.name, kind, *false, which, *found]) + " |", flush=True)
                false = [""] * len(false)
    print("| all | | " + " | ".join([_with_interval(one) for one in all_false] + [""] * (1 + len(SHARES))) + " |")
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
