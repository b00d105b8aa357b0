from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection.badge import factors
from annotate_select.selection.geometry import directions
from annotate_select.selection.select import select


def pool(n: int = 300, d: int = 8, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(classes), n)


def gradients(features: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The outer products, written down."""
    slopes = probabilities - np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
    return (slopes[:, :, None] * directions(features)[:, None, :]).reshape(len(features), -1)


def test_factors_by_hand() -> None:
    np.testing.assert_allclose(
        factors(np.array([[0.2, 0.7, 0.1], [0.5, 0.5, 0.0]])), [[0.2, -0.3, 0.1], [-0.5, 0.5, 0]]
    )


def test_the_first_is_the_longest_and_scores_are_squared_distances() -> None:
    features, probabilities = pool()
    picks = select(features, 150, "badge", probabilities=probabilities, near_duplicate=1.0)
    all_of_them = gradients(features, probabilities)
    lengths = (all_of_them**2).sum(axis=1)
    assert picks.rows[0] == np.argmax(lengths)
    assert picks.scores[0] == pytest.approx(lengths.max(), rel=1e-5)
    for place in range(1, 150):  # the last of them after many that were taken in late
        gaps = ((all_of_them[picks.rows[place]] - all_of_them[picks.rows[:place]]) ** 2).sum(axis=1)
        assert picks.scores[place] == pytest.approx(gaps.min(), rel=1e-3)
    assert picks.reasons[0].endswith("; its label would change the model most")
    assert "its label would change the model in a way that is" in picks.reasons[1]


def test_draws_are_in_proportion_to_squared_distances_by_weight() -> None:
    features, probabilities = pool(12, classes=3)
    weights = np.linspace(0.5, 2, 12)
    all_of_them = gradients(features, probabilities)
    worth = (all_of_them**2).sum(axis=1) * weights
    first = int(np.argmax(worth))
    expected = ((all_of_them - all_of_them[first]) ** 2).sum(axis=1) * weights
    counts = np.zeros(12)
    for seed in range(1500):
        rows = select(
            features, 2, "badge", probabilities=probabilities, weights=weights, seed=seed, near_duplicate=1.0
        ).rows
        assert rows[0] == first
        counts[rows[1]] += 1
    expected *= 1500 / expected.sum()
    others = np.arange(12) != first
    assert (((counts - expected)[others]) ** 2 / expected[others]).sum() < 31.3  # of chi squared 10: one in 2,000


def test_late_draws_are_in_proportion_too() -> None:
    """The tenth pick, made while earlier ones are not in the distances of all rows, given the same nine before it."""
    from annotate_select.selection import badge as module
    from annotate_select.selection.checks import build_pool

    features, probabilities = pool(16, classes=3)
    all_of_them = gradients(features, probabilities)
    known = [1, 5, 6, 8, 13]
    built = build_pool(
        features,
        **dict.fromkeys(("labeled", "labels", "exclude", "class_names"), ()),  # type: ignore[arg-type]
        probabilities=probabilities,
        accuracy=None,
        seed=0,
        weights=None,
        groups=None,
        n_classes=None,
        tokens=np.arange(16, dtype=np.uint64),
        near_duplicate=1.0,
    )
    draws = module._Draws(built)
    for at in known:
        draws._allowed.take(at)
        draws._missed.append(at)
        if at == 5:
            draws._catch_up()  # of five centres the distances of all rows know two
    expected = ((all_of_them[:, None] - all_of_them[known]) ** 2).sum(axis=2).min(axis=1)
    counts = np.bincount([draws._drawn()[0] for _ in range(3000)], minlength=16)
    assert counts[known].sum() == 0
    expected *= 3000 / expected.sum()
    others = np.setdiff1d(np.arange(16), known)
    assert ((counts - expected)[others] ** 2 / expected[others]).sum() < 31.3


def test_equal_gradients_are_drawn_once() -> None:
    features, probabilities = pool(5)
    picks = select(np.tile(features, (4, 1)), 8, "badge", probabilities=np.tile(probabilities, (4, 1)))
    assert len(set((picks.rows[:5] % 5).tolist())) == 5
    assert picks.reasons[5] == (
        "drawn at random, as no other label would change the model in a new way; a near-duplicate of one labelled or "
        "picked, as nothing else is left"
    )
    assert picks.scores[5:].tolist() == [0, 0, 0]


def test_a_model_that_is_certain_leaves_all_to_chance() -> None:
    features, _ = pool()
    picks = select(features, 20, "badge", probabilities=np.ones((300, 1)))
    assert set(picks.reasons) == {"drawn at random, as no other label would change the model in a new way"}


def test_it_follows_the_images_and_not_their_positions() -> None:
    features, probabilities = pool()
    tokens = np.arange(300, dtype=np.uint64)
    turned = np.random.default_rng(3).permutation(300)
    here = select(features, 30, "badge", probabilities=probabilities, tokens=tokens)
    there = select(features[turned], 30, "badge", probabilities=probabilities[turned], tokens=tokens[turned])
    assert here.rows.tolist() == turned[there.rows].tolist()
    assert select(features, 30, "badge", probabilities=probabilities, seed=1).rows.tolist() != here.rows.tolist()


def test_a_group_does_not_fill_the_batch() -> None:
    features, probabilities = pool()
    groups = np.where(np.arange(300) < 270, 0, 1)
    rows = select(features, 30, "badge", probabilities=probabilities, groups=groups).rows
    assert (groups[rows] == 0).sum() <= 20


def test_audits_are_centres_and_labels_are_none() -> None:
    features, probabilities = pool(40)
    picks = select(features, 20, "badge", probabilities=probabilities, audit=0.5, near_duplicate=1.0)
    drawn = [row for row, role in zip(picks.rows.tolist(), picks.roles, strict=True) if role == "audit"]
    all_of_them = gradients(features, probabilities)
    first = next(place for place, role in enumerate(picks.roles) if role == "pick")
    gaps = ((all_of_them[picks.rows[first]] - all_of_them[drawn]) ** 2).sum(axis=1)
    assert picks.scores[first] == pytest.approx(gaps.min(), rel=1e-3)
