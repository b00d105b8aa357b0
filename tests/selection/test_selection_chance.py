from __future__ import annotations

import numpy as np

from annotate_select.selection.chance import uniforms
from annotate_select.selection.select import select


def test_uniforms_are_inside_0_and_1_and_fall_with_the_hash() -> None:
    hashes = np.array([0, 2**63, 2**64 - 1], dtype=np.uint64)
    first, middle, last = uniforms(hashes)
    assert 1 > first > 1 - 1e-15
    np.testing.assert_allclose(middle, 0.5, atol=1e-15)
    assert 0 < last < 1e-15


def test_every_row_is_as_likely() -> None:
    features = np.eye(20)
    counts = np.zeros(20)
    for seed in range(400):
        counts[select(features, 5, "random", seed=seed).rows] += 1
    # Each of 20 rows is expected 100 times; chi-square of 19 degrees is above 43.8 once in a thousand. Drawing without
    # replacement makes it smaller still.
    assert ((counts - 100) ** 2 / 100).sum() < 43.8


def test_weights_are_chances() -> None:
    weights = np.array([3.0, 1.0, 0.0, 0.0])
    firsts = [int(select(np.eye(4), 1, "random", seed=seed, weights=weights).rows[0]) for seed in range(600)]
    assert set(firsts) == {0, 1}
    assert 420 <= firsts.count(0) <= 480  # expected 450, standard deviation 10.6


def test_reason() -> None:
    assert select(np.eye(3), 1, "random").reasons == ["drawn at random"]
    assert select(np.eye(3), 1, "random", weights=[1, 2, 3]).reasons == ["drawn at random, by weight"]
