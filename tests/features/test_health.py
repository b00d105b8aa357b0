"""Measures of a space: by hand, and what they say in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import skew

from annotate_select.errors import FeaturesError
from annotate_select.features.health import Health, agreement, effective_rank, hubness, neighbour_accuracy


def test_effective_rank_by_hand() -> None:
    square = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])  # two equal singular values
    assert effective_rank(square) == pytest.approx(2)
    assert effective_rank(square + 7) == pytest.approx(2)
    shares = np.array([3, 1]) / 4
    assert effective_rank(square * [3, 1, 1]) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert effective_rank(np.ones((5, 3))) == 0
    assert effective_rank(np.full((5, 3), 1e20)) == 0


def test_hubness_is_the_skewness_of_how_often_a_row_is_a_neighbour() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 4))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    near = np.argsort(-(unit @ unit.T) + 9 * np.eye(60), axis=1)[:, :5]
    assert hubness(points, 5) == pytest.approx(float(skew(np.bincount(near.ravel(), minlength=60))))
    assert hubness(np.eye(6), 5) == 0  # everybody is everybody's neighbour
    assert hubness(points[:2]) == 0


def test_a_hub_is_seen() -> None:
    rng = np.random.default_rng(0)
    points = np.vstack([rng.normal(size=(200, 50)) * 0.5 + 1, np.ones((1, 50))])  # the mean is near to all
    assert hubness(points) > 3


def test_agreement_is_1_for_the_same_images_and_0_for_others() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100, 8))
    assert agreement(points, points) == pytest.approx(1)
    assert agreement(points, points * 3) == pytest.approx(1)
    assert agreement(points, rng.normal(size=(100, 8))) < 0.1
    assert 0.2 < agreement(points, points + rng.normal(size=(100, 8)) * 0.5) < 0.9
    assert agreement(points[:2], points[:2]) == 1
    with pytest.raises(FeaturesError, match=r"\(100, 8\).*\(99, 8\)"):
        agreement(points, points[:99])


def test_neighbour_accuracy_leaves_the_row_itself_out() -> None:
    angles = np.array([0.0, 0.1, 0.2, 1.5, 1.6, 1.7])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert neighbour_accuracy(points, np.array([0, 0, 0, 1, 1, 1]), k=2) == 1
    assert neighbour_accuracy(points, np.array([0, 1, 0, 1, 0, 1]), k=1) == 0
    assert neighbour_accuracy(points, np.array([0, 0, 0, 1, 1, 1])) == 1  # 20 would ask everybody


def test_sentences_say_what_is_good_and_what_is_not() -> None:
    good = Health(500, 128, 90.0, 1.0, 0.6, 80, 0.7, 0.5, 0.8, 0.6).sentences()
    assert good == [
        "90 of 128 dimensions are in use.",
        "No image is everybody's neighbour (hubness 1.0).",
        "60 % of an image's neighbours stay when it is cropped and recoloured: good.",
        "Neighbours name the class of 70 % of 80 labelled images, among principal components of pixels 50 %.",
        "A linear model names the class of 80 % of 80 labelled images, among principal components of pixels 60 %.",
    ]
    poor = Health(500, 128, 9.0, 4.0, 0.1, 80, 0.4, 0.5).sentences()
    assert "few, so distances may miss" in poor[0]
    assert "neighbours of very many (hubness 4.0)" in poor[1]
    assert poor[2].endswith("poor.")
    assert poor[3].endswith(": no better.")
    assert len(Health(500, 128, 90.0, 1.0).sentences()) == 2


def test_sentences_promise_nothing_of_a_space_that_shows_nothing() -> None:
    assert Health(1, 128, 0.0, 0.0, 1.0).sentences() == ["1 image is too few to judge a space by."]
    (said,) = Health(40, 128, 0.0, 0.0, 1.0).sentences()
    assert said.startswith("All 40 images have the same features")
    of_few = Health(12, 128, 10.6, 0.0).sentences()[0]
    assert of_few == "11 of the 11 dimensions that so few images can show are in use."
    assert "few, so" in Health(101, 128, 14.0, 0.0).sentences()[0]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_or_equal_images_are_measured_too(n: int) -> None:
    points = np.ones((n, 4), np.float32)
    assert effective_rank(points) == 0
    assert np.isfinite(hubness(points))
    assert agreement(points, points) == pytest.approx(1)
