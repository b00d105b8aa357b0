"""Where in an image a model finds its answer: parts are covered one after another, and how much less sure it is counts.

Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), section 3, by captum. It needs no
gradient, so it works with every encoder.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["occlusion"]

CELLS = 8  # of a side
WIDE = 2  # cells that a cover has
SURE = 1e-6  # nearer to 0 or 1, a probability says no more


def occlusion(image: np.ndarray, say: Callable[[np.ndarray], np.ndarray], cells: int = CELLS) -> np.ndarray:
    """Return (cells, cells) how much covering each part of an image (H, W, 3) uint8 takes from the answer, in log-odds.

    `say` gives, for images (b, H, W, 3), the probability (b,) of the answer asked about. The cover has the image's mean
    colour, and is two cells wide; a cell has the mean of all covers over it. Below 0: without it, the answer is surer.
    """
    from captum.attr import Occlusion  # a second to load, for the few who ask

    def odds(pictures: Tensor) -> Tensor:
        said = say(pictures.permute(0, 2, 3, 1).contiguous().numpy())
        return torch.from_numpy(_log_odds(said))

    steps = tuple(max(1, round(side / cells)) for side in image.shape[:2])  # pixels of a cell
    covers = tuple(min(WIDE * step, side) for step, side in zip(steps, image.shape[:2], strict=True))
    mean = torch.from_numpy(image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8))
    picture = torch.from_numpy(image).permute(2, 0, 1)[None]  # (1, 3, H, W)
    weights = Occlusion(odds).attribute(
        picture,
        sliding_window_shapes=(3, *covers),
        strides=(3, *steps),
        baselines=mean[None, :, None, None].expand_as(picture),
        perturbations_per_eval=(cells + 1) ** 2,
    )  # (1, 3, H, W)
    pooled = F.adaptive_avg_pool2d(weights[:, :1].double(), cells)
    return np.asarray(pooled[0, 0].numpy())


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    shares = np.clip(np.asarray(probabilities, dtype=np.float64), SURE, 1 - SURE)
    return np.asarray(np.log(shares / (1 - shares)))
