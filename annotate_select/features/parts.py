"""Over which parts of an image the dictionary's answers are summed: what there is, and about where."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["KINDS", "Parts", "windows"]

KINDS = ("overlapping", "thirds")  # thirds: 3 x 3 that touch, of encoders stored before there were others
SIDES = (1, 5)  # overlapping parts a side, coarse and fine: see benchmarks/FEATURES.md
THIRDS = 3


class Parts(nn.Module):
    """Sum answers (b, c, h, w) over parts of the image, as (b, count c).

    Overlapping parts hand a thing over gradually as it moves, and can be finer than parts that touch before few labels
    lose by it: measured in benchmarks/FEATURES.md. The whole weighs as much as they do together (pyramids: Lazebnik,
    Schmid and Ponce, CVPR 2006), for sets whose things may be anywhere.
    """

    def __init__(self, kind: str, places: int) -> None:
        super().__init__()
        self.kind = kind
        self.count = THIRDS**2 if kind == "thirds" else sum(side**2 for side in SIDES)
        for side in SIDES if kind != "thirds" else ():
            self.register_buffer(f"windows_{side}", windows(side, places), persistent=False)

    def forward(self, answers: Tensor) -> Tensor:
        if self.kind == "thirds":
            return F.adaptive_avg_pool2d(answers, THIRDS).flatten(1)
        b, _, h, w = answers.shape
        rows = answers.permute(0, 2, 3, 1).reshape(b, h, -1)  # (b, h, w c), as it lies in memory
        found = []
        for side in SIDES:
            window = self.get_buffer(f"windows_{side}")  # (side, h)
            strips = (window @ rows).view(b, side, w, -1)  # (b, side, w, c)
            found.append((window @ strips).flatten(1))  # (b, side^2 c)
        return torch.cat(found, dim=1)


def windows(count: int, places: int) -> Tensor:
    """Return weights (count, places) of windows, evenly spread, each as wide as two: a cosine, highest in the middle.

    Each sums to 1 / count, so that all of them together weigh as much as the whole.
    """
    middle = (torch.arange(count) + 0.5) * places / count  # (count,)
    away = (torch.arange(places) + 0.5 - middle[:, None]).abs() * count / places  # (count, places), in steps
    weight = (1 + (math.pi * away.clamp(max=1)).cos()) / 2
    return weight / weight.sum(dim=1, keepdim=True) / count
