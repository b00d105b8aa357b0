"""The error of pixels that never become pixels: against the decoder's picture, with its slopes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from annotate_select.features.network import AutoencoderConfig, Network
from annotate_select.features.pixel_error import AT_ONCE, pixel_error, tiled


@pytest.mark.parametrize("size", [8, 32, 64, 70])  # 8 and 70 are cut out of a larger picture
def test_the_decoders_error_and_its_slopes_are_those_of_its_picture(size: int) -> None:
    torch.manual_seed(0)
    decoder = Network(AutoencoderConfig(kind="plain", image_size=size)).decoder
    x, z = torch.rand(AT_ONCE + 3, 3, size, size), torch.randn(AT_ONCE + 3, 128, requires_grad=True)
    moved = [z, *decoder.parameters()]
    wanted, found = F.mse_loss(decoder(z), x), decoder.error(z, x)
    torch.testing.assert_close(found, wanted)
    for one, other in zip(torch.autograd.grad(7 * found, moved), torch.autograd.grad(7 * wanted, moved), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_in_bfloat16_the_error_is_float32_and_the_slope_bfloat16() -> None:
    logits = torch.randn(2, 48, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    error = pixel_error(logits, torch.rand(2, 3, 8, 8), 4)
    error.backward()
    assert error.dtype == torch.float32
    assert logits.grad is not None
    assert logits.grad.dtype == torch.bfloat16


def test_tiles_are_rows_of_pixels() -> None:
    x = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    cut = tiled(x, 2)
    assert cut.shape == (2, 12, 2, 3)
    assert cut[1, :, 1, 2].tolist() == x[1, :, 2:4, 4:6].permute(1, 2, 0).flatten().tolist()
