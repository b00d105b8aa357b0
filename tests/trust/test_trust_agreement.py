"""Agreement of annotators against published figures, and look-alikes with different labels."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import AnnotationError, FeaturesError
from annotate_select.trust.agreement import agreement, krippendorff_alpha
from annotate_select.trust.contradictions import contradictions

# Four observers, twelve units, nominal data with gaps: Krippendorff (2011), section C; its alpha is .743.
TABLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def published() -> tuple[np.ndarray, list[str], np.ndarray]:
    said = [
        (unit, f"observer {i}", value - 1) for i, row in enumerate(TABLE) for unit, value in enumerate(row) if value
    ]
    return np.array([one[0] for one in said]), [one[1] for one in said], np.array([one[2] for one in said])


def test_alpha_is_the_published_one() -> None:
    images, _, labels = published()
    assert krippendorff_alpha(images, labels, 5) == pytest.approx(0.743, abs=5e-4)


def test_full_agreement_chance_and_nothing_to_disagree_on() -> None:
    images = np.array([0, 0, 1, 1])
    assert krippendorff_alpha(images, np.array([0, 0, 1, 1]), 2) == 1
    assert krippendorff_alpha(images, np.array([0, 1, 0, 1]), 2) == pytest.approx(-0.5)
    assert krippendorff_alpha(images, np.array([1, 1, 1, 1]), 2) is None
    assert krippendorff_alpha(np.array([0, 1]), np.array([0, 1]), 2) is None
    rng = np.random.default_rng(0)
    chance = krippendorff_alpha(np.repeat(np.arange(4_000), 2), rng.integers(0, 3, 8_000), 3)
    assert chance == pytest.approx(0, abs=0.04)


def test_pairs_and_classes() -> None:
    images, annotators, labels = published()
    found = agreement(images, annotators, labels, ["a", "b", "c", "d", "e"])
    assert found.images == 11  # unit 12 has one value
    first = next(one for one in found.pairs if (one.first, one.second) == ("observer 0", "observer 1"))
    assert (first.n, first.same) == (9, 8)
    assert found.classes["e"] == 1  # whoever saw a 5 was not alone, and nobody else objected
    assert min(one for one in found.classes.values() if one is not None) < 0.743


def test_columns_of_different_lengths() -> None:
    with pytest.raises(AnnotationError, match="must be as many, got 2, 1 and 2"):
        agreement(np.array([0, 0]), ["a"], np.array([0, 1]), ["x", "y"])


def test_look_alikes_with_other_labels_are_pairs_once() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 16)).astype(np.float32)
    features[7], features[250] = features[3] * 2, features[100] + 1e-3
    labels = np.zeros(300, dtype=int)
    labels[7], labels[250] = 1, 2
    found = contradictions(features, labels, np.zeros(16), 0.995)
    assert [one[:2] for one in found] == [(3, 7), (100, 250)]
    assert found[0][2] == pytest.approx(1)
    assert contradictions(features, np.zeros(300, dtype=int), np.zeros(16), 0.995) == []
    assert [one[:2] for one in contradictions(features, labels, np.zeros(16), 0.995, most=1)] == [(3, 7)]


def test_no_rows_and_broken_rows() -> None:
    assert contradictions(np.zeros((0, 4)), np.zeros(0, dtype=int), np.zeros(4), 0.9) == []
    with pytest.raises(FeaturesError, match="must be finite"):
        contradictions(np.full((2, 4), np.nan), np.array([0, 1]), np.zeros(4), 0.9)
    with pytest.raises(FeaturesError, match="one for each of 2 rows"):
        contradictions(np.zeros((2, 4)), np.array([0]), np.zeros(4), 0.9)
