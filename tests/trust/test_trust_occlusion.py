"""Covering parts of an image finds where an answer comes from."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.trust.occlusion import occlusion


def stamped() -> np.ndarray:
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    image[48:, 48:] = 255  # bottom right
    return image


def brightest(images: np.ndarray) -> np.ndarray:
    """An answer that hangs on the bottom right corner alone."""
    return np.asarray(0.1 + 0.8 * images[:, 48:, 48:].mean(axis=(1, 2, 3)) / 255)


def test_the_part_that_matters_stands_out_and_the_rest_is_nothing() -> None:
    image = stamped()
    weights = occlusion(image, brightest)
    assert weights.shape == (8, 8)
    assert np.unravel_index(weights.argmax(), weights.shape) in [(6, 6), (6, 7), (7, 6), (7, 7)]
    assert weights[6:, 6:].min() > 0.5
    assert np.abs(weights[:5, :5]).max() == pytest.approx(0)
    assert (image == stamped()).all()


def test_what_speaks_against_the_answer_is_below_nothing() -> None:
    weights = occlusion(stamped(), lambda images: 1 - brightest(images))
    assert weights.min() < -0.5
    assert weights.max() == pytest.approx(0)


@pytest.mark.parametrize("shape", [(8, 8, 3), (5, 31, 3)])
def test_small_images_and_certain_answers_have_finite_weights(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert np.isfinite(occlusion(image, lambda images: np.ones(len(images)))).all()
