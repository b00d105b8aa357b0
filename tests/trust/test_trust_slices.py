"""Kinds of exam images on which a model fails."""

from __future__ import annotations

import numpy as np

from annotate_select.trust.slices import FEWEST, slices


def blobs(rng: np.random.Generator, n: int, kinds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features (n, 8) around `kinds` centres, and of which kind each is."""
    kind = rng.integers(0, kinds, n)
    return rng.normal(size=(kinds, 8))[kind] * 4 + 0.3 * rng.normal(size=(n, 8)), kind


def test_a_planted_slice_is_found_with_its_mistakes_first() -> None:
    rng = np.random.default_rng(0)
    features, kind = blobs(rng, 200, 8)
    labels = rng.integers(0, 3, 200)
    wrong = np.where(kind == 5, rng.random(200) < 0.8, rng.random(200) < 0.05)
    labels[kind == 5] = 2
    predicted = np.where(wrong, np.where(labels == 2, 0, 2), labels)
    found = slices(features, labels, predicted)
    worst = found.found[0]
    assert set(worst.rows) <= set(np.flatnonzero(kind == 5).tolist())
    assert len(worst.rows) >= 10
    assert (worst.label, worst.predicted) == (2, 0)
    assert worst.right == sum(not wrong[row] for row in worst.rows)
    assert all(wrong[row] for row in worst.rows[: len(worst.rows) - worst.right])
    assert worst.interval.low <= worst.accuracy <= worst.interval.high < 0.6
    assert found.missing == 0


def test_where_mistakes_are_anywhere_no_slice_stands_out() -> None:
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        features, _ = blobs(rng, 150, 6)
        labels = rng.integers(0, 2, 150)
        predicted = np.where(rng.random(150) < 0.2, 1 - labels, labels)
        false += bool(slices(features, labels, predicted, seed=seed).found)
    assert false <= 6  # 2 expected


def test_too_small_an_exam_says_how_many_more() -> None:
    labels = np.zeros(FEWEST - 7, dtype=np.int64)
    found = slices(np.zeros((len(labels), 2)), labels, labels)
    assert (found.missing, found.found, found.cells) == (7, (), 0)


def test_images_that_are_all_the_same_have_no_slices() -> None:
    labels = np.arange(80) % 2
    found = slices(np.ones((80, 3)), labels, np.zeros(80, dtype=np.int64))
    assert (found.missing, found.found) == (0, ())
