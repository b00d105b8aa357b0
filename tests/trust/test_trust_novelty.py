"""How new an image looks: ranks worked out by hand."""

from __future__ import annotations

import numpy as np

from annotate_select.trust.novelty import Reference


def test_novelty_is_the_share_of_the_pool_nearer_to_its_neighbour() -> None:
    # on a line at 0, 1, 3, 7: distances to the nearest other are 1, 1, 2, 4
    reference = Reference.of(np.array([[0.0], [1.0], [3.0], [7.0]]))
    new = np.array([[0.0], [8.5], [10.0], [100.0]])  # 0, 1.5, 3 and 93 from their nearest
    assert reference.novelty(new).tolist() == [0.0, 0.5, 0.75, 1.0]


def test_scales_of_features_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    pool, new = rng.normal(size=(300, 5)), rng.normal(size=(20, 5)) * 2
    scale = np.array([1, 10, 0.01, 1000, 1])
    same = Reference.of(pool).novelty(new)
    np.testing.assert_allclose(Reference.of(pool * scale).novelty(new * scale), same)
    assert same.mean() > 0.5


def test_images_like_the_pool_are_spread_evenly_over_the_ranks() -> None:
    rng = np.random.default_rng(1)
    found = Reference.of(rng.normal(size=(2000, 4))).novelty(rng.normal(size=(2000, 4)))
    assert abs(np.mean(found < 0.95) - 0.95) < 0.02


def test_a_pool_of_one_image_and_constant_features() -> None:
    reference = Reference.of(np.ones((1, 3)))
    assert reference.novelty(np.ones((1, 3))).tolist() == [0.0]
    assert reference.novelty(np.zeros((1, 3))).tolist() == [1.0]
