"""How fast encoders are here, against plain torch: float32, contiguous NCHW, batches of 64.

    python benchmarks/backbones.py [--encoders efficientnet_lite0] [--images 256] [--image-size 224]

prints a table, images a second, the best of three passes in turn, after one that is not counted (in which a network may
be exported). Encoders are given random pixels: their speed does not depend on them.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from annotate_select.features.backbones.backbone import Backbone

BATCH = 64
PASSES = 3


def plain(backbone: Backbone, images: np.ndarray) -> np.ndarray:
    """Encode images as the shortest torch code would."""
    network = copy.deepcopy(backbone._network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (backbone.mean, backbone.std))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            x = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2).contiguous().float() / 255
            parts.append(network((x - mean) / std).flatten(1).numpy())
    return np.concatenate(parts)


def rates(images: np.ndarray, *encoders: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """Return images a second of each encoder, which take turns, so that what else the machine does hits all alike."""
    best = [float("inf")] * len(encoders)
    for _ in range(PASSES):
        for number, encode in enumerate(encoders):
            start = time.perf_counter()
            encode(images)
            best[number] = min(best[number], time.perf_counter() - start)
    return [len(images) / seconds for seconds in best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", default="efficientnet_lite0")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--image-size", type=int)
    given = parser.parse_args()
    print("| encoder | pixels | runs on | first pass, s | images/s | plain torch | times | most off |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.encoders.split(","):
        backbone = Backbone(name, image_size=given.image_size, device="cpu")
        size = backbone.image_size
        images = np.random.default_rng(0).integers(0, 256, (given.images, size, size, 3), dtype=np.uint8)
        start = time.perf_counter()
        backbone.encode(images)
        first = time.perf_counter() - start
        features, expected = backbone.encode(images), plain(backbone, images)
        fast, slow = rates(images, backbone.encode, partial(plain, backbone))
        off = np.abs(features - expected).max() / np.abs(expected).max()
        row = (name, size, backbone.runtime, f"{first:.1f}", f"{fast:.0f}", f"{slow:.1f}", f"{fast / slow:.1f}", off)
        print("| {} | {} | {} | {} | {} | {} | {} | {:.0e} |".format(*row))


if __name__ == "__main__":
    main()
