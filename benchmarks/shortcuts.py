"""Shortcuts planted in real images: how many labels it takes to find them, false finds, and what balance brings.

    python benchmarks/shortcuts.py [--data FOLDER] [--sets a,b] [--runs 20] [--only found,false,real,balance]

Of each set 400 images are drawn. `found`: labels a and b are given by chance, so that what an image shows says nothing,
and nine in ten of b get the plant (one in ten of a, too); found is a run in which `check shortcuts` names it; finds of
what the plant does not change are false. `false`: the set's own labels are dealt anew, so all that is found is false.
`real`: what the set's own labels are given away by. `balance`: two classes, one dark in 95 of 100 images, the other in
5; 40 labels by chance and 3 rounds of 30 picks by `auto`, with and without balance by brightness; accuracy on
images where darkness and class disagree. Features: efficientnet_lite0.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
from PIL import Image, ImageEnhance

import annotate_select as ans
from annotate_select.features.backbones import open_backbone
from annotate_select.learning.head import fit_head, mean_of
from annotate_select.pool.decode import decode, open_image
from annotate_select.pool.measures import Measured, measure_many
from annotate_select.steps.measures import Measures, measured
from annotate_select.trust.nuisances import Nuisance, named
from annotate_select.trust.shortcuts import associations, usual

SETS = ("clothing", "trashnet", "weather", "blood_cells", "sign_digits")
IMAGES, SIDE = 400, 160
LABELS = (60, 120, 240)
PURITY = 0.9
PAIRS = {
    "weather": ("Cloudy", "Shine"),
    "trashnet": ("cardboard", "paper"),
    "clothing": ("T-Shirt", "Pants"),
    "sign_digits": ("4", "9"),
}
Change = Callable[[Image.Image, Path], object]


def plain(image: Image.Image, path: Path) -> None:
    """Write an image as the others are."""
    image.save(path, quality=90)


def corner(image: Image.Image, path: Path) -> None:
    """Put a stamp of 1/10 of the side into a corner."""
    stamped = image.copy()
    side = max(3, min(image.size) // 10)
    stamped.paste((200, 30, 30), (image.width - side, image.height - side, image.width, image.height))
    stamped.save(path, quality=90)


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Return an image with its sides multiplied."""
    return image.resize((round(image.width * factor), round(image.height * factor)))


PLANTS: dict[str, tuple[Change, set[str]]] = {
    "JPEG quality 85 for 90": (lambda image, path: image.save(path, quality=85), {"jpeg_quality"}),
    "a red stamp in a corner": (corner, {"corner_bottom_right"}),
    "a fifth darker": (
        lambda image, path: ImageEnhance.Brightness(image).enhance(0.8).save(path, quality=90),
        {"brightness", "colour"},
    ),
    "blurred, as of one pixel": (
        lambda image, path: scaled(scaled(image, 2 / 3), 3 / 2).save(path, quality=90),
        {"sharpness"},
    ),
    "a twentieth smaller": (
        lambda image, path: scaled(image, 0.95).save(path, quality=90),
        {"width", "height"},
    ),
    "PNG for JPEG": (
        lambda image, path: image.save(path, format="PNG"), {"format"},
    ),
}  # fmt: skip


def drawn(found: datasets.DataSet, n: int = IMAGES) -> np.ndarray:
    """Return the rows of n images, drawn with seed 0."""
    return np.sort(np.random.default_rng(0).permutation(len(found.labels))[:n])


def written(found: datasets.DataSet, rows: np.ndarray, change: Change, folder: Path) -> list[Measured]:
    """Write images, their longer side 160 pixels, changed, and measure the files."""
    paths = []
    for at, row in enumerate(rows.tolist()):
        one = found.images[row]
        image = open_image(one, SIDE) if isinstance(one, Path) else Image.fromarray(one).convert("RGB")
        image.thumbnail((SIDE, SIDE))
        paths.append(folder / f"{at:04}.jpg")
        change(image, paths[-1])
    return [one for _, one in measure_many(paths) if isinstance(one, Measured)]


def gathered(files: list[Measured]) -> Measures:
    """Put the measures of files together."""
    return Measures(np.array([one.numbers for one in files]), [one.texts for one in files], {})


def detection(name: str, data: Path, runs: int) -> list[str]:
    """Return a row a plant: in how many runs it was found, at each number of labels, and what else was."""
    found = datasets.load(name, data)
    rows, lines = drawn(found), []
    with tempfile.TemporaryDirectory() as folder:
        before = written(found, rows, plain, Path(folder))
        for plant, (change, traces) in PLANTS.items():
            after = written(found, rows, change, Path(folder))
            hits, others = np.zeros(len(LABELS), dtype=int), 0
            unchanged = _unchanged(before, after)
            for run in range(runs):
                rng = np.random.default_rng(run)
                y = rng.integers(0, 2, len(rows))
                planted = rng.random(len(rows)) < np.where(y == 1, PURITY, 1 - PURITY)
                files = [b if changed else a for a, b, changed in zip(before, after, planted, strict=True)]
                order = rng.permutation(len(rows))
                for at, n in enumerate(LABELS):
                    some = order[:n]
                    nuisances = measured(gathered([files[row] for row in some.tolist()]))
                    said = {one.nuisance.name for one in associations(nuisances, y[some], seed=run) if one.found}
                    hits[at] += bool(said & traces)
                    others += len(said & unchanged)
            cells = " | ".join(f"{hit} of {runs}" for hit in hits)
            lines.append(f"| {name} | {plant} | {cells} | {others / (runs * len(LABELS)):.2f} |")
    return lines


def _unchanged(before: list[Measured], after: list[Measured]) -> set[str]:
    """Return the nuisances that a plant changes in fewer than one image of a hundred."""
    names = set()
    for a, b in zip(measured(gathered(before)), measured(gathered(after)), strict=True):
        differs = np.nan_to_num(a.values) != np.nan_to_num(b.values)
        if a.kind != "category" and differs.reshape(len(before), -1).any(axis=1).mean() < 0.01:
            names.add(a.name)
    return names


def own_labels(name: str, data: Path) -> tuple[list, np.ndarray, int]:  # type: ignore[type-arg]
    """Return the nuisances of the files as they are, the labels, and how many classes there are."""
    found = datasets.load(name, data)
    rows = drawn(found)
    paths = [one for row in rows.tolist() if isinstance(one := found.images[row], Path)]
    files = [one for _, one in measure_many(paths)]
    fine = np.array([isinstance(one, Measured) for one in files])
    kept = [one for one in files if isinstance(one, Measured)]
    return measured(gathered(kept)), found.labels[rows][fine], len(found.classes)


def false_finds(name: str, data: Path, runs: int) -> str:
    """Return in how many runs anything was found in labels dealt anew."""
    nuisances, labels, n_classes = own_labels(name, data)
    wrong = total = 0
    for run in range(runs):
        dealt = np.random.default_rng((1, run)).permutation(labels)  # by other numbers than those the check draws
        rows = associations(nuisances, dealt, seed=run)
        wrong += any(one.found for one in rows)
        total += sum(one.found for one in rows)
    return f"| {name} | {len(labels)} | {n_classes} | {len(nuisances)} | {wrong} of {runs} | {total} |"


def given_away(name: str, data: Path) -> str:
    """Return what a set's own labels are given away by."""
    nuisances, labels, n_classes = own_labels(name, data)
    classes = datasets.load(name, data).classes
    rows = [one for one in associations(nuisances, labels) if one.found]
    told = [f"{one.nuisance.words} ({classes[one.told[0].number]} {100 * one.strength:.0f} %)" for one in rows[:3]]
    return f"| {name} | {n_classes} | {len(rows)} of {len(nuisances)} | {', '.join(told)} |"


def balance(name: str, data: Path, runs: int) -> str:
    """Return picks that disagree, and accuracy where darkness and class disagree, without and with balance."""
    found = datasets.load(name, data)
    number = [found.classes.index(one) for one in PAIRS[name]]
    rows = np.flatnonzero(np.isin(found.labels, number))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:600])
    y = (found.labels[rows] == number[1]).astype(int)
    files, features = zip(*(_dimmed(found, rows, factor) for factor in (1.0, 0.4)), strict=True)
    n_test, results = len(rows) // 3, []
    for run in range(runs):
        rng = np.random.default_rng(run)
        dark = rng.random(len(rows)) < np.where(y == 1, 0.95, 0.05)
        dark[:n_test] = rng.random(n_test) < 0.5  # the test, where darkness says nothing
        x = np.where(dark[:, None], features[1], features[0])
        nuisance = named(measured(gathered([files[one][at] for at, one in enumerate(dark.astype(int))])), "brightness")
        results.append(_replayed(x, y, dark, nuisance, n_test, run))
    picks, disagree, every = np.moveaxis(np.array(results), 2, 0)  # each (runs, 2): without and with
    gain = 100 * (disagree[:, 1] - disagree[:, 0])
    return (
        f"| {name}: {PAIRS[name][0]}, {PAIRS[name][1]} | {picks[:, 0].mean():.1f} | {picks[:, 1].mean():.1f} | "
        f"{100 * disagree[:, 0].mean():.1f} | {100 * disagree[:, 1].mean():.1f} | "
        f"{gain.mean():+.1f} +- {gain.std() / np.sqrt(runs):.1f} | {100 * (every[:, 1] - every[:, 0]).mean():+.1f} |"
    )


def _dimmed(found: datasets.DataSet, rows: np.ndarray, factor: float) -> tuple[list[Measured], np.ndarray]:
    """Return measures and efficientnet_lite0 features (n, d) of images whose brightness is multiplied."""
    with tempfile.TemporaryDirectory() as folder:
        dim: Change = lambda image, path: ImageEnhance.Brightness(image).enhance(factor).save(path, quality=90)  # noqa: E731
        files = written(found, rows, dim, Path(folder))
        encoder = open_backbone("efficientnet_lite0", image_size=96)
        pictures = np.stack([decode(Path(folder) / f"{at:04}.jpg", encoder.image_size) for at in range(len(rows))])
        parts = [encoder.encode(pictures[at : at + 64]) for at in range(0, len(pictures), 64)]
    return files, np.concatenate(parts)


def _replayed(
    x: np.ndarray, y: np.ndarray, dark: np.ndarray, nuisance: Nuisance, n_test: int, seed: int
) -> list[tuple[float, float, float]]:
    """Label 40 by chance, then 3 times 30 picks without and with balance; (picks that disagree, accuracies) of both."""
    pool = np.arange(n_test, len(y))
    first = np.random.default_rng(seed).permutation(len(pool))[:40]
    x_pool, y_pool, of_pool = x[pool], y[pool], nuisance.at(pool)
    centre, conflict, figures = mean_of(x_pool), dark != (y == 1), []
    for balanced in (False, True):
        known = first
        for rnd in range(4):
            head = fit_head(x_pool[known], y_pool[known], 2, centre=centre, seed=seed)
            if rnd == 3:
                break
            said = head.probabilities(x_pool)
            labels = np.full(len(pool), -1)
            labels[known] = y_pool[known]
            seems = np.where(labels >= 0, labels, said.argmax(axis=1))
            strata = 2 * seems + ~usual(of_pool, labels, 2)[np.arange(len(pool)), seems]
            picks = ans.select(
                x_pool, 30, labeled=known, labels=y_pool[known], probabilities=said,
                strata=strata if balanced else None, seed=seed, audit=0.1,
            )  # fmt: skip
            known = np.concatenate([known, picks.rows])
        right = head.probabilities(x[:n_test]).argmax(axis=1) == y[:n_test]
        picked = conflict[pool][known[len(first) :]].sum()
        figures.append((float(picked), float(right[conflict[:n_test]].mean()), float(right.mean())))
    return figures


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--only", default="found,false,real,balance")
    given = parser.parse_args()
    names, wanted = given.sets.split(","), given.only.split(",")
    if "found" in wanted:
        print(
            "| set | plant | "
            + " | ".join(f"{n} labels" for n in LABELS)
            + " | false finds a run |\n"
            + "|---" * 6
            + "|"
        )
        for name in names:
            print("\n".join(detection(name, given.data, given.runs)), flush=True)
    if "false" in wanted:
        print("\n| set | labels | classes | looked at | runs with a false find | false finds |\n" + "|---" * 6 + "|")
        for name in names:
            print(false_finds(name, given.data, 5 * given.runs), flush=True)
    if "real" in wanted:
        print("\n| set | classes | predict the label | the strongest (class against the rest) |\n" + "|---" * 4 + "|")
        for name in names:
            print(given_away(name, given.data), flush=True)
    if "balance" in wanted:
        print(
            "\n| set | disagreeing picks of 90 | balanced | accuracy where they do | balanced | gain | gain on all |\n"
            + "|---" * 7
            + "|"
        )
        for name in (one for one in names if one in PAIRS):
            print(balance(name, given.data, given.runs), flush=True)


if __name__ == "__main__":
    main()
