"""Which figures of a sample tell the better space: `embed --encoder auto` without labels, as Markdown tables.

    python benchmarks/choosing.py [--data FOLDER] [--sets a,b] [--kinds pixels,autoencoder]

Every encoder learns from and is measured on 400 images of a set as `auto` does it; the trials stay in benchmarks/cache.
The truth is how many neighbours share the class in the whole set, "On every set" of FEATURES.md. A pair is two
spaces of one set whose truths differ by more than a point; a rule is right where it prefers the better one, and loses
what its first choice of all lacks to the best of the set.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
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
APART = 1.0  # points: spaces nearer to each other are no better and no worse

Rule = Callable[[Sequence[Trial]], Trial]


def majority(found: Sequence[Trial]) -> Trial:
    """Return the trial that is ahead in most comparisons of all three figures with every other."""
    figures = np.array([[one.agreement, one.rank / one.most_rank, -one.hubness] for one in found])  # (t, 3)
    return found[int((figures[:, None] > figures[None]).sum(axis=(1, 2)).argmax())]


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


def trials(name: str, data: Path, kinds: Sequence[str]) -> list[Trial]:
    """Return the trial of each kind on a set."""
    file = datasets.CACHE / f"{name}-trials.json"
    kept = json.loads(file.read_text()) if file.exists() else {}
    if missing := [kind for kind in kinds if kind not in kept]:
        known = datasets.load(name, data)
        rows = np.sort(np.random.default_rng(0).permutation(len(known.labels))[:SAMPLE])
        images = known.images[rows] if isinstance(known.images, np.ndarray) else [known.images[row] for row in rows]
        sample = datasets.DataSet(name, images, known.labels[rows], known.classes)
        for kind in missing:
            kept[kind] = asdict(trial(kind, sample))
            datasets.CACHE.mkdir(exist_ok=True)
            file.write_text(json.dumps(kept, indent=1))
    return [Trial(**kept[kind]) for kind in kinds]


def trial(kind: str, sample: datasets.DataSet) -> Trial:
    """Try one kind on a sample, without its labels."""
    encoder = open_backbone(kind) if kind == "efficientnet_lite0" else None
    if KINDS[kind]:
        encoder = Autoencoder(replace(trial_config(KINDS[kind], 0), seconds=None))
    pictures = datasets.decoded(sample, Pixels.image_size if encoder is None else encoder.image_size)
    if isinstance(encoder, Autoencoder):
        encoder.fit(pictures)
    encoded = tried(Pixels(pictures) if encoder is None else encoder, pictures)
    assert encoded is not None
    return judged(kind, encoded[0], encoded[1], np.full(len(pictures), UNLABELLED))


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
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    known, right, lost = truths(), {rule: [0, 0] for rule in RULES}, {rule: list[float]() for rule in RULES}
    print("| set | " + " | ".join(kinds) + " |\n|---|" + "---|" * len(kinds))
    for name in given.sets.split(",") if given.sets else datasets.names(given.data):
        found, truth = trials(name, given.data, kinds), known[name]
        cells = (
            f"{100 * t.agreement:.0f}, {t.rank:.0f} of {t.most_rank}, {t.hubness:.1f}: {truth[t.encoder]}"
            for t in found
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        for rule, choose in RULES.items():
            for pair in combinations(found, 2):
                gap = truth[pair[0].encoder] - truth[pair[1].encoder]
                if abs(gap) > APART:
                    right[rule][1] += 1
                    right[rule][0] += choose(pair) is pair[int(gap < 0)]
            lost[rule].append(max(truth[one.encoder] for one in found) - truth[choose(found).encoder])
    print("\n| rule | pairs told rightly | points lost, mean | most |\n|---|---|---|---|")
    for rule, (good, pairs) in right.items():
        print(f"| {rule} | {good} of {pairs} | {np.mean(lost[rule]):.1f} | {max(lost[rule]):.1f} |")


if __name__ == "__main__":
    main()
