"""What fine-tuning gives against a linear model on the features as they are: a Markdown table.

    python benchmarks/finetune.py [--data FOLDER] [--sets trashnet,weather] [--labels 20,100] [--seeds 2]

So many labels of each class are drawn at random from one half of a set; at most 600 images of the other half are
asked about. `efficientnet_lite0` at its own 224 pixels, as `train` and `train --head finetune` do it: a fifth of the
labels is held out. Seconds are of the processor, and of fine-tuning alone: without reading images or encoding them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import datasets
import numpy as np

MOST_ASKED = 600
CLEARLY = 1.0  # standard errors, as steps/finetune.py asks for


def main() -> None:
    """Print a line for each set and number of labels: means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--sets", default="trashnet,weather")
    parser.add_argument("--labels", default="20,100")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    print(
        "| set | labels a class | right | log loss | calibration error | it says | kept | CPU seconds |\n"
        + "|---" * 8
        + "|"
    )
    for name in given.sets.split(","):
        found = datasets.load(name, given.data)
        images = datasets.decoded(found, 224)
        frozen = _encoded(None, images)
        for count in map(int, given.labels.split(",")):
            runs = [_run(images, frozen, found.labels, count, seed) for seed in range(given.seeds)]
            pairs = np.mean([one[0] for one in runs], axis=0)  # (3, 2)
            cells = [f"{a:.{d}f} -> {b:.{d}f}" for (a, b), d in zip(pairs, (1, 2, 1), strict=True)]
            said, seconds = (np.mean([one[at] for one in runs]) for at in (1, 3))
            kept = f"{sum(one[2] for one in runs)} of {len(runs)}"
            print(f"| {name} | {count} | {' | '.join(cells)} | {said:.1f} | {kept} | {seconds:.0f} |", flush=True)


def _run(
    images: np.ndarray, frozen: np.ndarray, labels: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, float, bool, float]:
    """Return (3, 2) figures before and after, what held-out labels say of the accuracy, whether it is kept, seconds."""
    from annotate_select.features.backbones.backbone import Backbone
    from annotate_select.features.finetune import Settings, fine_tune
    from annotate_select.learning.folds import deal
    from annotate_select.learning.head import fit_head, mean_of

    order, classes = np.random.default_rng(seed).permutation(len(labels)), int(labels.max()) + 1
    asked, free = np.split(order, [len(order) // 2])
    told = np.sort(np.concatenate([free[labels[free] == one][:count] for one in range(classes)]))
    asked, y, centre = asked[:MOST_ASKED], labels[told], mean_of(frozen)
    held = deal(y, None, np.random.default_rng(seed)) == 0
    plain = fit_head(frozen[told], y, classes, seed=seed, centre=centre)
    probe = fit_head(frozen[told], y, classes, centre=centre, held_out=held)
    start = fit_head(frozen[told[~held]], y[~held], classes, centre=centre, choose=False)
    backbone, began = Backbone("efficientnet_lite0"), time.process_time()
    fine_tune(backbone, images[told[~held]], y[~held], start, Settings(seed=seed))
    seconds = time.process_time() - began
    seen = _encoded(backbone, images[np.concatenate([told, asked])])
    tuned = fit_head(seen[: len(told)], y, classes, centre=mean_of(seen), held_out=held)
    figures = np.array(
        [_figures(plain, frozen[asked], labels[asked]), _figures(tuned, seen[len(told) :], labels[asked])]
    )
    losses = [-np.log(np.maximum(one.held_out[held, y[held]], 1e-6)) for one in (probe, tuned)]
    gain = losses[0] - losses[1]
    return figures.T, 100 * tuned.cv_accuracy, bool(gain.mean() > CLEARLY * gain.std() / len(gain) ** 0.5), seconds


def _figures(head: object, features: np.ndarray, labels: np.ndarray) -> list[float]:
    """Return balanced accuracy, log loss, and the expected calibration error in ten bins; shares in per cent."""
    said = head.probabilities(features)
    right, sure = said.argmax(axis=1) == labels, said.max(axis=1)
    balanced = np.mean([right[labels == one].mean() for one in np.unique(labels)])
    loss = -np.log(np.maximum(said[np.arange(len(labels)), labels], 1e-9)).mean()
    bins = np.minimum((10 * sure).astype(int), 9)
    off = sum(abs((sure - right)[bins == one].sum()) for one in range(10)) / len(labels)
    return [100 * float(balanced), float(loss), 100 * float(off)]


def _encoded(backbone: object, images: np.ndarray) -> np.ndarray:
    """Return features by the network as it comes, or as it is after fine-tuning."""
    from annotate_select.features.backbones.backbone import Backbone

    if backbone is None:
        return Backbone("efficientnet_lite0").encode(images)
    with tempfile.TemporaryDirectory() as folder:
        backbone.save(Path(folder))
        return Backbone.load(Path(folder)).encode(images)


if __name__ == "__main__":
    main()
