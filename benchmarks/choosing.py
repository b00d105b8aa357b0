"""Which figures of a sample tell the better space: `embed --encoder auto` with and without labels, as Markdown tables.

    python benchmarks/choosing.py [--data FOLDER] [--sets a,b] [--kinds pixels,autoencoder] [--labels 50,100,200]

Every encoder learns from and is measured on 400 images of a set as `auto` does it, of which so many have labels, by
five draws; what it makes of them stays in benchmarks/cache. The truth is how many neighbours share the class in the
whole set, "On every set" of FEATURES.md. A pair is two spaces of one set whose truths differ by more than a point; a
rule is right where it prefers the better one, and loses what its first choice of all lacks to the best of the set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import datasets
import numpy as np

from annotate_select.features.autoencoder import Autoencoder
from annotate_select.features.backbones import open_backbone
from annotate_select.features.choice import Trial, decided
from annotate_select.steps.candidates import trial_config
from annotate_select.steps.choose import SAMPLE, judged, tried
from annotate_select.steps.standing import UNLABELLED

KINDS = {
    "pixels": "",
    "autoencoder": "dictionary",
    "efficientnet_lite0": "",
    "joint": "joint",
}  # of autoencoder, or none
DRAWS = 5  # of the images that have labels
APART = 1.0  # points: spaces nearer to each other are no better and no worse

Rule = Callable[[Sequence[Trial]], Trial]


def majority(found: Sequence[Trial]) -> Trial:
    """Return the trial that is ahead in most comparisons of all three figures with every other."""
    figures = np.array([[one.agreement, one.rank / one.most_rank, -one.hubness] for one in found])  # (t, 3)
    return found[int((figures[:, None] > figures[None]).sum(axis=(1, 2)).argmax())]


@dataclass
class Score:
    """How often a rule prefers the better of two spaces, and what its first choice of all lacks to the best."""

    right: int = 0
    pairs: int = 0
    lost: list[float] = field(default_factory=list)

    def add(self, rule: Rule, found: Sequence[Trial], truth: dict[str, float]) -> None:
        """Ask a rule about all pairs and about all of some trials."""
        for pair in combinations(found, 2):
            gap = truth[pair[0].encoder] - truth[pair[1].encoder]
            if abs(gap) > APART:
                self.pairs += 1
                self.right += rule(pair) is pair[int(gap < 0)]
        self.lost.append(max(truth[one.encoder] for one in found) - truth[rule(found).encoder])


RULES: dict[str, Rule] = {
    "agreement": lambda found: max(found, key=lambda one: one.agreement),
    "rank": lambda found: max(found, key=lambda one: one.rank),
    "rank, as a share": lambda found: max(found, key=lambda one: one.rank / one.most_rank),
    "hubness": lambda found: min(found, key=lambda one: one.hubness),
    "most of the three": majority,
    "auto": lambda found: next(one for one in found if one.encoder == decided(found, float("inf")).encoder),
}


class Pixels:
    """Principal components of a sample's pixels, as an encoder."""

    image_size, dim = 32, 128

    def __init__(self, pictures: np.ndarray) -> None:
        from sklearn.decomposition import PCA

        self._model = PCA(self.dim, random_state=0).fit(self._flat(pictures))

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, 128) of images (b, 32, 32, 3)."""
        return np.asarray(self._model.transform(self._flat(images)), np.float32)

    def _flat(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32) / 255


@dataclass(frozen=True, eq=False)
class Sample:
    """What each kind made of 400 images of a set (n, d) and of the same images changed, and their labels (n,)."""

    made: dict[str, tuple[np.ndarray, np.ndarray]]
    labels: np.ndarray

    def trials(self, labels: int = 0, seed: int = 0) -> list[Trial]:
        """Return the trial of each kind where so many of the images, drawn by a seed, have labels."""
        known = np.full(len(self.labels), UNLABELLED)
        drawn = np.random.default_rng(seed).permutation(len(known))[:labels]
        known[drawn] = self.labels[drawn]
        return [judged(kind, features, again, known) for kind, (features, again) in self.made.items()]


def sampled(name: str, data: Path, kinds: Sequence[str]) -> Sample:
    """Return what each kind made of 400 images of a set."""
    known = datasets.load(name, data)
    rows = np.sort(np.random.default_rng(0).permutation(len(known.labels))[:SAMPLE])
    images = known.images[rows] if isinstance(known.images, np.ndarray) else [known.images[row] for row in rows]
    sample = datasets.DataSet(name, images, known.labels[rows], known.classes)
    return Sample({kind: _made(kind, sample) for kind in kinds}, sample.labels)


def _made(kind: str, sample: datasets.DataSet) -> tuple[np.ndarray, np.ndarray]:
    file = datasets.CACHE / f"{sample.name}-{kind}-tried.npz"
    if not file.exists():
        datasets.CACHE.mkdir(exist_ok=True)
        features, again = encoded(kind, sample)
        np.savez(file, features=features, again=again)
    with np.load(file) as stored:
        return stored["features"], stored["again"]


def encoded(kind: str, sample: datasets.DataSet) -> tuple[np.ndarray, np.ndarray]:
    """Return what one kind makes (n, d) of a sample, and of the same images changed."""
    encoder = open_backbone(kind) if kind == "efficientnet_lite0" else None
    if KINDS[kind]:
        encoder = Autoencoder(replace(trial_config(KINDS[kind], 0), seconds=None))
    pictures = datasets.decoded(sample, Pixels.image_size if encoder is None else encoder.image_size)
    if isinstance(encoder, Autoencoder):
        encoder.fit(pictures)
    found = tried(Pixels(pictures) if encoder is None else encoder, pictures)
    assert found is not None
    return found[0], found[1]


def truths() -> dict[str, dict[str, float]]:
    """Return the neighbours' accuracy of each kind on each set, in per cent, of the table in FEATURES.md."""
    text = (Path(__file__).parent / "FEATURES.md").read_text().partition("## On every set")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: dict(zip(lines[0][1:], map(float, row[1:]), strict=True)) for row in lines[1:]}


def main() -> None:
    """Print the figures, how often each rule is right, and what it loses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--sets", default="")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--labels", default="50,100,200", help="how many of the 400 have labels")
    given = parser.parse_args()
    kinds, counts = given.kinds.split(","), [int(one) for one in given.labels.split(",") if one]
    known, scores = truths(), {rule: Score() for rule in RULES}
    informed = {count: Score() for count in counts}
    print("| set | " + " | ".join(kinds) + " |\n|---|" + "---|" * len(kinds))
    for name in given.sets.split(",") if given.sets else datasets.names(given.data):
        sample, truth = sampled(name, given.data, kinds), known[name]
        found = sample.trials()
        cells = (
            f"{100 * t.agreement:.0f}, {t.rank:.0f} of {t.most_rank}, {t.hubness:.1f}: {truth[t.encoder]}"
            for t in found
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        for rule, score in scores.items():
            score.add(RULES[rule], found, truth)
        for count, score in informed.items():
            for seed in range(DRAWS):
                score.add(RULES["auto"], sample.trials(count, seed), truth)
    print("\n| rule | pairs told rightly | points lost, mean | most |\n|---|---|---|---|")
    for what, score in [*scores.items(), *((f"auto, {count} labels", one) for count, one in informed.items())]:
        print(f"| {what} | {score.right} of {score.pairs} | {np.mean(score.lost):.1f} | {max(score.lost):.1f} |")


if __name__ == "__main__":
    main()
