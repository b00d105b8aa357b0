"""ActiveLab's scores: worked out by hand for one annotator and for two, and what they do."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import AnnotationError
from annotate_select.trust.activelab import activelab, worth_relabelling

P = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
Q = np.array([[0.5, 0.5], [0.7, 0.3]])


def test_one_annotator_by_hand() -> None:
    """All weights are 1: labelled (2 q + 1/2) / 3, unlabelled (max p + 1/2) / 2."""
    y = np.array([0, 0, 1])
    found = activelab(np.arange(3), ["ana"] * 3, y, y, P, Q)
    np.testing.assert_allclose(found.labelled, [2.3 / 3, 0.9 / 3, 1.7 / 3])
    np.testing.assert_allclose(found.unlabelled, [0.5, 0.6])
    assert (found.model_weight, found.annotator_weight) == (1.0, {"ana": 1.0})
    assert worth_relabelling(found, 1).tolist() == [1]
    assert worth_relabelling(found, 3).tolist() == [1, 2]  # .3, then the new image at .5, then .567
    assert worth_relabelling(found, 2).tolist() == [1]


def test_two_annotators_by_hand() -> None:
    """Both label images 0 to 3, and differ on the last; ben alone labels image 4."""
    rows = np.array([0, 1, 2, 3, 0, 1, 2, 3, 4])
    names = ["ana"] * 4 + ["ben"] * 5
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 0, 1])
    consensus = np.array([0, 1, 0, 1, 1])
    p = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.4, 0.6], [0.5, 0.5]])
    found = activelab(rows, names, labels, consensus, p, Q)
    # Each agrees with the other on 3 of 4; the commonest class would be wrong on 2 of 4; the model is always right.
    model, person, agreeing = np.sqrt(9 / 5), 1 - 0.25 / 0.5, (3 + 0.5) / 4
    np.testing.assert_allclose(found.model_weight, model)
    np.testing.assert_allclose(list(found.annotator_weight.values()), [person, person])
    quality = np.array([
        (0.8 * model + 2 * person * agreeing) / (model + 2 * person),
        (0.7 * model + 2 * person * agreeing) / (model + 2 * person),
        (0.6 * model + 2 * person * agreeing) / (model + 2 * person),
        (0.6 * model + person * agreeing + person * (1 - agreeing)) / (model + 2 * person),
        (0.5 * model + person * agreeing) / (model + person),
    ])  # fmt: skip
    own = np.array([2, 2, 2, 2, 1]) * person
    np.testing.assert_allclose(found.labelled, (quality * (own + model) + person / 2) / (own + model + person))
    np.testing.assert_allclose(found.unlabelled, (np.array([0.5, 0.7]) * model + person / 2) / (model + person))


def test_an_image_that_was_asked_often_is_left_alone() -> None:
    """Labels that agree raise the score of an image, be the model ever so unsure."""
    scores = []
    for times in (1, 2, 4):
        rows = np.concatenate([np.zeros(times, dtype=int), [1, 1, 2, 2]])
        names = [f"person {at}" for at in range(times)] + ["person 0", "person 1"] * 2
        labels = np.concatenate([np.zeros(times, dtype=int), [1, 1, 0, 0]])
        consensus = np.array([0, 1, 0])
        p = np.array([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1]])
        scores.append(activelab(rows, names, labels, consensus, p, Q).labelled[0])
    assert scores == sorted(scores)
    assert scores[0] < scores[2]


def test_a_wrong_label_competes_with_new_images() -> None:
    """Of 200 labels 20 are wrong; most of what is worth a second opinion is among these."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 200)
    p = rng.dirichlet(np.ones(3), 200) * 0.4 + 0.6 * np.eye(3)[truth]
    given = truth.copy()
    given[:20] = (given[:20] + 1) % 3
    new = np.full((50, 3), 0.1) + 0.7 * np.eye(3)[rng.integers(0, 3, 50)]
    found = activelab(np.arange(200), ["ana"] * 200, given, given, p, new)
    worth = worth_relabelling(found, 20)
    assert len(worth) >= 18
    assert set(worth.tolist()) <= set(range(20))


def test_what_does_not_fit_is_refused() -> None:
    y = np.array([0, 0, 1])
    with pytest.raises(AnnotationError, match=r"must be \(l, C\) and \(m, C\)"):
        activelab(np.arange(3), ["ana"] * 3, y, y[:2], P, Q)
    with pytest.raises(AnnotationError, match="one at least for each of 3 images"):
        activelab(np.array([0, 1, 1]), ["ana"] * 3, y, y, P, Q)
