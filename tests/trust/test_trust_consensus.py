"""Skill and consensus of several annotators: values worked out by hand, and planted skills found again."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import AnnotationError
from annotate_select.trust.consensus import STRENGTH, USUAL, dawid_skene


def planted(
    rates: list[float], n: int, n_classes: int, seed: int
) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Labels of n images by people who are wrong at these rates: images, annotators, labels, and the truth (n,)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    images, names, labels = [], [], []
    for at, rate in enumerate(rates):
        wrong = rng.random(n) < rate
        images.append(np.arange(n))
        names += [f"person {at}"] * n
        labels.append(np.where(wrong, (truth + rng.integers(1, n_classes, n)) % n_classes, truth))
    return np.concatenate(images), names, np.concatenate(labels), truth


def test_one_label_alone_is_weighed_by_the_prior() -> None:
    found = dawid_skene(np.array([7]), ["ana"], np.array([1]), 3)
    even = (1 - USUAL) / 2
    assert found.images.tolist() == [7]
    assert found.shared.tolist() == [0]
    np.testing.assert_allclose(found.posterior, [[even, USUAL, even]])
    np.testing.assert_allclose(found.confusion[0], np.full((3, 3), even) + (USUAL - even) * np.eye(3))
    np.testing.assert_allclose(found.accuracy, [USUAL])


def test_what_is_known_beforehand_enters_by_bayes_rule() -> None:
    found = dawid_skene(
        np.array([1, 2]), ["ana", "ana"], np.array([0, 0]), 2, probabilities=np.array([[0.2, 0.8], [np.nan, np.nan]])
    )
    np.testing.assert_allclose(found.posterior[0, 0], 0.2 * USUAL / (0.2 * USUAL + 0.8 * (1 - USUAL)))
    np.testing.assert_allclose(found.posterior[1, 0], USUAL)


def test_one_image_two_people_who_agree_by_hand() -> None:
    """Both say class 0 of the one image: its posterior is 1 up to rounds, and confusions follow from the counts."""
    found = dawid_skene(np.array([1, 1]), ["ana", "ben"], np.array([0, 0]), 2)
    p = found.posterior[0, 0]
    assert p > 0.98
    right = (2 * p + STRENGTH * USUAL) / (2 + STRENGTH)
    usual = (2 * p + STRENGTH * right) / (2 * p + STRENGTH)  # of class 0, both together
    np.testing.assert_allclose(found.confusion[:, 0, 0], (p + STRENGTH * usual) / (p + STRENGTH), rtol=1e-4)
    np.testing.assert_allclose(found.frequencies, [(p + 1) / 3, (2 - p) / 3], rtol=1e-4)


def test_planted_skills_are_found_and_beat_the_majority() -> None:
    rates = [0.05, 0.4, 0.4, 0.4]
    images, names, labels, truth = planted(rates, 600, 3, seed=0)
    found = dawid_skene(images, names, labels, 3)
    np.testing.assert_allclose(found.accuracy, 1 - np.array(rates), atol=0.05)
    votes = np.zeros((600, 3))
    np.add.at(votes, (images, labels), 1)
    majority = (votes.argmax(axis=1) == truth).mean()
    assert (found.posterior.argmax(axis=1) == truth).mean() > majority + 0.05


def test_one_who_swaps_two_classes_is_understood() -> None:
    images, names, labels, truth = planted([0.1, 0.1, 0.1], 400, 3, seed=1)
    last = np.array(names) == "person 2"
    labels[last] = np.array([1, 0, 2])[truth]  # calls 0 by the name of 1, and 1 by that of 0
    found = dawid_skene(images, names, labels, 3)
    assert found.confusion[2, 0, 1] > 0.9
    assert found.confusion[2, 1, 0] > 0.9
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.95


def test_few_labels_do_not_break_it() -> None:
    """Who gave two labels is drawn towards the others, not to 0 or 1."""
    images, names, labels, truth = planted([0.1, 0.1, 0.1], 100, 4, seed=2)
    images = np.concatenate([images, [0, 1]])
    names = [*names, "new", "new"]
    labels = np.concatenate([labels, (truth[:2] + 1) % 4])  # both wrong
    found = dawid_skene(images, names, labels, 4)
    assert 0.5 < found.accuracy[0] < 0.9  # "new" comes first by name
    assert found.shared.tolist() == [2, 100, 100, 100]


def test_a_model_tells_whose_mistake_it_is_between_two() -> None:
    """A coin between the two is right on 80 %."""
    images, names, labels, truth = planted([0.05, 0.35], 500, 3, seed=3)
    rng = np.random.default_rng(4)
    model = np.where(rng.random(500) < 0.25, (truth + 1) % 3, truth)  # a third opinion, right in three of four
    p = np.full((500, 3), 0.125)
    p[np.arange(500), model] = 0.75
    found = dawid_skene(images, names, labels, 3, probabilities=p)
    np.testing.assert_allclose(found.accuracy, [0.95, 0.65], atol=0.06)
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.9


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(AnnotationError, match="must be as many"):
        dawid_skene(np.array([1, 2]), ["ana"], np.array([0, 1]), 2)
    with pytest.raises(AnnotationError, match="must be as many, and at least one"):
        dawid_skene(np.array([]), [], np.array([]), 2)
    with pytest.raises(AnnotationError, match="class numbers from 0 to 1, got 0 to 2"):
        dawid_skene(np.array([1, 2]), ["ana", "ana"], np.array([0, 2]), 2)
    with pytest.raises(AnnotationError, match=r"shape \(2, 2\), a row an image, got \(1, 2\)"):
        dawid_skene(np.array([1, 2]), ["ana", "ana"], np.array([0, 1]), 2, probabilities=np.ones((1, 2)))
