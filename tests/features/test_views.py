"""What views leave as it is: the way up, the quarter, the colours of grey images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.images import Images
from annotate_select.features.views import augmented, is_grey


def corner(n: int = 400) -> Tensor:
    """Images (n, 3, 12, 12) whose upper left quarter is bright."""
    x = torch.full((n, 3, 12, 12), 0.2)
    x[:, :, :6, :6] = 0.8
    return x


def brightest(x: Tensor) -> set[tuple[int, int]]:
    """Return where, up or down (0, 1) and left or right (0, 1), any of the images is brightest."""
    quarters = torch.nn.functional.adaptive_avg_pool2d(x.mean(dim=1), 2).flatten(1)  # (n, 4)
    clear = quarters.max(dim=1).values - quarters.min(dim=1).values > 0.1
    return {divmod(one, 2) for one in quarters[clear].argmax(dim=1).tolist()}


@pytest.mark.parametrize(
    ("views", "seen"),
    [
        ("oriented", {(0, 0)}),
        ("objects", {(0, 0), (0, 1)}),
        ("auto", {(0, 0), (0, 1)}),
        ("any_orientation", {(0, 0), (0, 1), (1, 0), (1, 1)}),
    ],
)
def test_where_the_upper_left_corner_goes(views: str, seen: set[tuple[int, int]]) -> None:
    assert brightest(augmented(corner(), torch.Generator().manual_seed(0), views)) == seen


def test_any_orientation_lays_a_square_all_eight_ways() -> None:
    x = torch.zeros(600, 3, 12, 12)
    x[:, :, 0:4, 2:6] = 1.0  # at the upper edge, left of its middle: no two of the eight ways are alike
    found = augmented(x, torch.Generator().manual_seed(0), "any_orientation").mean(dim=1)
    places = torch.nn.functional.adaptive_avg_pool2d(found, 4).flatten(1)
    assert set(places.argmax(dim=1).tolist()) >= {1, 2, 4, 7, 8, 11, 13, 14}


def test_grey_images_stay_grey_and_still_differ() -> None:
    x = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    one, two = (augmented(x, torch.Generator().manual_seed(seed), grey=True) for seed in (1, 2))
    assert is_grey(x)
    assert is_grey(one)
    assert not torch.allclose(one, two)
    assert not is_grey(augmented(x, torch.Generator().manual_seed(1)))


def test_whether_images_are_grey_is_found_when_training_starts() -> None:
    settings = AutoencoderConfig(kind="joint", image_size=12, dim=4, width=8, epochs=1, views="any_orientation")
    for grey in (True, False):
        x = torch.rand(20, 12, 12, 1 if grey else 3, generator=torch.Generator().manual_seed(0))
        images = x.expand(-1, -1, -1, 3).numpy()
        network = Autoencoder(settings).fit(images)._fitted()
        assert network.grey is grey
        assert network.views == "any_orientation"
        assert is_grey(Images(images, 12).batch(torch.arange(20).numpy())) is grey


def test_unknown_views_are_refused_with_the_known_ones() -> None:
    with pytest.raises(FeaturesError, match="no views 'upright'; choose one of auto, objects, any_orientation, orient"):
        AutoencoderConfig(views="upright").check()
