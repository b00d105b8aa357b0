"""The linear head that listens to images without labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotate_select.errors import LearningError
from annotate_select.learning import spreading
from annotate_select.learning.head import Head, fit_head
from annotate_select.learning.spreading import PARTS, Spreading, _best_part, _some_of_each, surroundings


def rings(n: int, seed: int, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Return two half circles that reach into each other (n, d), and which is which; the rest is a little noise."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    flat = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    flat[kind == 1] = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)[kind == 1]
    lifted = np.concatenate([flat, np.full((n, 1), 1.5), np.zeros((n, d - 3))], axis=1)
    return lifted + 0.03 * rng.normal(size=(n, d)), kind


def accuracy(head: Head, features: np.ndarray, labels: np.ndarray) -> float:
    return float((head.probabilities(features).argmax(axis=1) == labels).mean())


@pytest.mark.parametrize("d", [12, 200])
def test_six_labels_are_enough_where_the_others_show_the_shape(d: int) -> None:
    around, shape = rings(600, 0, d)
    told = np.concatenate([np.flatnonzero(shape == one)[:3] for one in (0, 1)])
    new, truth = rings(500, 1, d)  # none of them was there when the head learned
    some = {"centre": np.zeros(d)}
    linear = fit_head(around[told], shape[told], 2, **some)
    listens = fit_head(around[told], shape[told], 2, kind="spreading", around=np.delete(around, told, axis=0), **some)
    assert accuracy(linear, new, truth) < 0.95
    assert accuracy(listens, new, truth) > 0.99
    assert accuracy(Head.from_bytes(listens.to_bytes()), new, truth) > 0.99


def lit(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 40) of six kinds, and which: kinds differ in all directions, and light in two of them."""
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(9).normal(size=(6, 40))
    kind = np.arange(n) % 6
    spread = np.arange(1, 41) ** -0.8
    return (kinds[kind] + 0.8 * rng.normal(size=(n, 40))) * spread + 4 * rng.normal(size=(n, 40)) * (spread > 0.5), kind


def test_light_does_not_decide_who_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    around, kind = lit(1200, 0)
    new, truth = lit(600, 1)
    told = np.arange(18)

    def right() -> float:
        head = fit_head(around[told], kind[told], 6, kind="spreading", around=around[18:], centre=around.mean(axis=0))
        return accuracy(head, new, truth)

    whitened = right()
    monkeypatch.setattr(spreading, "soft_whitening", lambda points: None)
    assert whitened > right() + 0.1


def test_slopes_follow_the_shortened_directions() -> None:
    around, kind = lit(600, 0)
    head = fit_head(around[:18], kind[:18], 6, kind="spreading", around=around[18:], centre=around.mean(axis=0))
    row, step = np.random.default_rng(2).normal(size=(2, 40))
    row /= np.linalg.norm(row)
    step *= 1e-5  # among the same neighbours
    before, after = head.classifier.logits(np.stack([row - step, row + step]))
    np.testing.assert_allclose(step @ head.classifier.slopes(row), (after - before) / 2, rtol=1e-3, atol=1e-8)


def test_what_is_held_out_was_not_heard() -> None:
    """Labels drawn by lot: whoever hears a held-out label from its neighbours would tell more than half of them."""
    features = np.repeat(np.random.default_rng(0).normal(size=(100, 10)), 2, axis=0)
    labels = np.random.default_rng(1).integers(2, size=200)
    head = fit_head(features, labels, 2, kind="spreading")
    assert head.held_out is not None
    assert head.cv_accuracy == (head.held_out.argmax(axis=1) == labels).mean()
    assert abs(head.cv_accuracy - 0.5) < 0.1  # the standard error of 200 is .035


def test_the_neighbours_have_no_say_where_they_are_wrong() -> None:
    """One direction tells the class, and nine say nothing and are all that neighbours see."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, 10)) * np.array([0.4] + [1.0] * 9)
    labels = (features[:, 0] > 0).astype(np.int64)
    head = fit_head(features[:300], labels[:300], 2, kind="spreading", around=features[300:1000])
    assert isinstance(head.classifier, Spreading)
    assert head.classifier.part[0] == min(PARTS)
    linear = fit_head(features[:300], labels[:300], 2)
    assert accuracy(head, features[1000:], labels[1000:]) > accuracy(linear, features[1000:], labels[1000:]) - 0.01


def test_the_part_of_the_neighbours_by_hand() -> None:
    """Sixty labels that one side tells rightly and the other wrongly, each at odds of 9 to 1."""
    y = np.arange(60) % 2
    right = np.log(np.where(np.arange(2) == y[:, None], 0.9, 0.1))
    for straight, heard, part in ((right, right[:, ::-1], 0.0), (right[:, ::-1], right, 0.75), (right, right, 0.5)):
        found, temperature = _best_part(straight, heard, y, np.ones(60))
        assert found == part
        assert temperature < 1  # all are right: be surer


def test_more_labels_than_the_graph_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "NODES", 100)
    monkeypatch.setattr(spreading, "MOST_TOLD", 60)
    features, labels = rings(300, 0)
    head = fit_head(features[:200], labels[:200], 2, kind="spreading", around=features[200:])
    assert isinstance(head.classifier, Spreading)
    assert head.classifier.nodes.shape == (100, 12)
    assert head.held_out is not None
    assert np.isfinite(head.held_out).all()


def test_of_many_labels_every_class_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreading, "MOST_TOLD", 40)
    y = np.repeat([0, 1, 2], [300, 50, 3])
    for seed in range(5):
        told = _some_of_each(y, np.random.default_rng(seed))
        assert (np.diff(told) > 0).all()
        assert sorted(np.bincount(y[told]).tolist()) == [3, 18, 19]
    few = _some_of_each(y[:30], np.random.default_rng(0))
    assert few.tolist() == list(range(30))


def test_neighbours_are_those_of_all_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks that do not come out even, and among copies, of which the first comes first."""
    monkeypatch.setattr(spreading, "BLOCK", 1000)
    rng = np.random.default_rng(0)
    nodes, rows = (rng.normal(size=(n, 6)).astype(np.float32) for n in (50, 41))
    nodes[40:] = nodes[:10]
    nodes, rows = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (nodes, rows))
    squared = ((rows[:, None].astype(np.float64) - nodes) ** 2).sum(axis=2)
    wanted = np.argsort(squared, axis=1, kind="stable")[:, :7]
    found, cosines = spreading._nearest(nodes, 7, rows)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(cosines, 1 - np.take_along_axis(squared, wanted, axis=1) / 2, atol=1e-12)
    assert spreading._nearest(nodes[:3], 7, rows)[0].shape == (41, 3)


def test_labels_that_many_are_near_count_more() -> None:
    """Of four labels around a circle the first has eight images nearest to it, and the third three."""
    x = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    angles = np.concatenate([np.linspace(-0.2, 0.2, 8), np.pi + np.array([-0.1, 0.0, 0.1])])
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    y = np.array([0, 0, 1, 1])
    found = surroundings(x, y, around, 0)
    assert found.near.tolist() == [8, 0, 3, 0]
    first, third = 9 ** (2 / 102), 4 ** (2 / 102)  # two labels a class
    wanted = [6 * first / (first + 1), 6 / (first + 1), 1 * third / (third + 1), 1 / (third + 1)]
    np.testing.assert_allclose(found.weighed(y, np.array([3.0, 3.0, 0.5, 0.5])), wanted)
    many = replace(found, near=np.array([3] + [0] * 299)).weighed(np.zeros(300, dtype=np.int64), np.ones(300))
    np.testing.assert_allclose(many[:2], [600 / 301, 300 / 301])  # the root at most, however many labels there are
    nobody = surroundings(x, y, around[:0], 0)
    np.testing.assert_allclose(nobody.weighed(y, np.array([3.0, 3.0, 0.5, 0.5])), [3.0, 3.0, 0.5, 0.5])


def test_labels_that_crowd_in_a_corner_do_not_speak_for_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a corner, where most labels are and few images, the classes lie the other way round."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 10))
    corner = features[:, 2] > 1.3
    labels = ((features[:, 0] > 0) ^ corner).astype(np.int64)
    chance = np.where(corner, 20.0, 1.0)
    told = rng.choice(3000, 240, replace=False, p=chance / chance.sum())
    rest = np.setdiff1d(np.arange(3000), told)
    found = []
    for few in (1e12, spreading.FEW):
        monkeypatch.setattr(spreading, "FEW", few)
        head = fit_head(features[told], labels[told], 2, kind="spreading", around=features[rest], centre=np.zeros(10))
        found.append(accuracy(head, features[rest], labels[rest]))
    assert found[1] > found[0] + 0.05


def test_wrong_surroundings_are_refused() -> None:
    features, labels = rings(20, 0)
    with pytest.raises(LearningError, match=r"around must have shape .images, 12., got .5, 3."):
        fit_head(features, labels, 2, kind="spreading", around=np.zeros((5, 3)))
    with pytest.raises(LearningError, match="row 2"):
        fit_head(
            features, labels, 2, kind="spreading", around=np.where(np.arange(3)[:, None] == 2, np.nan, features[:3])
        )
