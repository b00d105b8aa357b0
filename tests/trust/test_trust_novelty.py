"""How new an image looks: ranks worked out by hand."""

from __future__ import annotations

import numpy as np

from annotate_select.trust.novelty import Reference


def test_novelty_is_the_share_of_the_pool_nearer_to_its_neighbour() -> None:
    # on a line at 0, 1, 3, 7: distances to the nearest other are 1, 1, 2, 4
    reference = Reference.of(np.array([[0.0], [1.0], [3.0], [7.0]]))
    new = np.array([[0.0], [8.5], [10.0], [100.0]])  # 0, 1.5, 3 and 93 from their nearest
    assert reference.novelty(new).tolist() == [0.0, 0.5, 0.75, 1.0]


def test_the_scale_of_features_and_that_of_each_look_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    pool, new = rng.normal(size=(300, 5)), rng.normal(size=(20, 5)) * 2
    looks, of_new = rng.normal(size=(300, 3)), rng.normal(size=(20, 3))
    scale = np.array([1, 1000, 0.01])
    same = Reference.of(pool, lambda rows: looks[rows]).novelty(new, of_new)
    scaled = Reference.of(100 * pool, lambda rows: looks[rows] * scale).novelty(100 * new, of_new * scale)
    np.testing.assert_allclose(scaled, same)
    assert same.mean() > 0.5


def test_what_is_new_in_direction_in_length_or_in_looks_is_new() -> None:
    rng = np.random.default_rng(0)
    axis = np.eye(6)[0]
    pool, looks = rng.normal(size=(400, 6)) * 0.3 + 3 * axis, rng.normal(size=(400, 2))
    reference = Reference.of(pool, lambda rows: looks[rows])
    usual, unusual = np.zeros((1, 2)), np.full((1, 2), 9.0)
    here, elsewhere = (3 * axis + 0.1)[None], (3 * axis + 5 * np.eye(6)[1])[None]
    assert reference.novelty(here, usual)[0] < 0.5
    for features, seen in ((elsewhere, usual), (here, unusual)):
        assert reference.novelty(features, seen)[0] == 1.0
    assert reference.novelty(here, np.full((1, 2), np.nan))[0] < 0.5  # what cannot be seen is as usual


def test_where_the_pool_cannot_be_looked_at_features_alone_count() -> None:
    rng = np.random.default_rng(0)
    pool, new = rng.normal(size=(100, 4)), rng.normal(size=(20, 4))
    blind = Reference.of(pool, lambda rows: np.full((len(rows), 3), np.nan))
    assert blind.novelty(new, rng.normal(size=(20, 3))).tolist() == Reference.of(pool).novelty(new).tolist()


def test_images_like_the_pool_are_spread_evenly_over_the_ranks() -> None:
    rng = np.random.default_rng(1)
    found = Reference.of(rng.normal(size=(2000, 4))).novelty(rng.normal(size=(2000, 4)))
    assert abs(np.mean(found < 0.95) - 0.95) < 0.02


def test_a_pool_of_one_image_and_constant_features() -> None:
    reference = Reference.of(np.ones((1, 3)))
    assert reference.novelty(np.ones((1, 3))).tolist() == [0.0]
    assert reference.novelty(np.zeros((1, 3))).tolist() == [1.0]
