"""How far a decoder's picture is from the image, without making the picture.

At full size every pass over the pixels costs as much as a convolution: from channels to pixels and back, to float32 and
back, between two orders in memory. Here the image is cut up as the decoder's channels are instead, a few images at a
time, so that what follows finds them in a core's cache; and the slope is computed where all it needs is at hand.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ["pixel_error", "tiled"]

AT_ONCE = 16  # images whose pixels fit a core's cache


def pixel_error(logits: Tensor, x: Tensor, side: int) -> Tensor:
    """Return the mean squared error of sigmoid(logits) against tiles of images x (b, c, H, W), as `tiled` cuts them."""
    error: Tensor = _PixelError.apply(logits, x, side)
    return error


def tiled(x: Tensor, side: int) -> Tensor:
    """Cut images (b, c, H, W) into tiles of side x side pixels: (b, side side c, H / side, W / side), colours last.

    Fast where channels come last in memory, as they do in the answer.
    """
    b, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(b, h // side, side, w // side, side * c)
    return rows.transpose(2, 3).reshape(b, h // side, w // side, side * side * c).permute(0, 3, 1, 2)


class _PixelError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor, x: Tensor, side: int) -> Tensor:
        slopes, squares = [], logits.new_zeros((), dtype=torch.float32)
        for some, wanted in zip(logits.split(AT_ONCE), x.split(AT_ONCE), strict=True):  # type: ignore[no-untyped-call]  # torch's has no types
            made = some.float().sigmoid()
            off = made - tiled(wanted, side)
            squares += torch.linalg.vector_norm(off).square()
            slope = torch.ops.aten.sigmoid_backward(off.mul_(2 / logits.numel()), made)
            slopes.append(slope.to(logits.dtype))
        ctx.save_for_backward(torch.cat(slopes))
        return squares / logits.numel()

    @staticmethod
    def backward(ctx: FunctionCtx, above: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors  # type: ignore[attr-defined]  # torch sets it
        return slope * above.to(slope.dtype), None, None
