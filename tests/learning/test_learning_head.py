from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from head_tools import ROWS, Mixture, small_head

from annotate_select.errors import LearningError
from annotate_select.learning import head as head_module
from annotate_select.learning.head import Head, fit_head
from annotate_select.learning.kinds import HEADS
from annotate_select.learning.learners import LEARNERS
from annotate_select.learning.softmax_regression import Linear, fit_linear


def loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


both = pytest.mark.parametrize("kind", LEARNERS)


@pytest.fixture(params=LEARNERS)
def small(request: pytest.FixtureRequest) -> tuple[Mixture, Head]:
    return small_head(request.param)


@both
def test_what_was_held_out_is_what_cross_validation_counted(kind: str) -> None:
    features, labels = Mixture(d=8, n_classes=4, apart=2.5).draw(ROWS[kind], seed=1)
    labels[labels == 3] = 4  # class 3 is never seen, and class 5 once
    labels[0] = 5
    head = fit_head(features, labels, 6, kind=kind)
    assert head.held_out is not None
    assert head.held_out.shape == (ROWS[kind], 6)
    known = ~np.isnan(head.held_out).any(axis=1)
    assert np.flatnonzero(~known).tolist() == [0]
    said = head.held_out[known]
    np.testing.assert_allclose(said.sum(axis=1), 1.0, rtol=1e-5)
    assert (said[:, 3] == 0).all()
    assert head.cv_accuracy == (said.argmax(axis=1) == labels[known]).mean()
    flattered = head.probabilities(features)[known]
    assert loss(flattered, labels[known]) < loss(said, labels[known])
    assert Head.from_bytes(head.to_bytes()).held_out is None


@both
def test_nothing_is_held_out_of_too_few_or_of_labels_the_features_saw(kind: str) -> None:
    features, labels = Mixture(d=8, n_classes=4, apart=2.5).draw(ROWS[kind], seed=1)
    assert fit_head(features, labels, 4, kind=kind, choose=False).held_out is None
    assert fit_head(features[:6], np.arange(6) % 2, 4, kind=kind).held_out is None


def test_known_probabilities_are_recovered() -> None:
    mixture = Mixture(d=7, n_classes=4, apart=2.5)  # below 8 dimensions rows keep their lengths
    head = fit_head(*mixture.draw(3000, seed=1), 4)
    x, y = mixture.draw(4000, seed=2)
    best = loss(mixture.truth(x), y)
    assert 0.3 < best < 1.2  # neither trivial nor hopeless
    assert loss(head.probabilities(x), y) < best + 0.02
    assert np.abs(head.probabilities(x) - mixture.truth(x)).mean() < 0.02


def test_cv_accuracy_is_the_accuracy_on_new_rows() -> None:
    mixture = Mixture(d=8, n_classes=4, apart=2.5)
    x, y = mixture.draw(10_000, seed=99)
    gaps = []
    for seed in range(12):
        head = fit_head(*mixture.draw(300, seed=seed), 4)
        assert head.cv_accuracy is not None
        gaps.append(head.cv_accuracy - (head.probabilities(x).argmax(axis=1) == y).mean())
    assert abs(np.mean(gaps)) < 0.025  # the standard error of 12 times 300 labels is .008


def test_rows_sum_to_1_and_blocks_do_not_show(small: tuple[Mixture, Head], monkeypatch: pytest.MonkeyPatch) -> None:
    mixture, head = small
    x, _ = mixture.draw(101, seed=3)
    whole = head.probabilities(x)
    monkeypatch.setattr(head_module, "BLOCK", 8 * 7)  # seven rows at a time
    np.testing.assert_allclose(head.probabilities(x), whole, rtol=1e-6)
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=1e-6)


def test_a_memory_map_will_do(small: tuple[Mixture, Head], tmp_path: Path) -> None:
    mixture, head = small
    x, _ = mixture.draw(50, seed=3)
    np.save(tmp_path / "x.npy", x.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_allclose(head.probabilities(mapped), head.probabilities(x), atol=1e-5)


def test_no_rows_give_no_probabilities(small: tuple[Mixture, Head]) -> None:
    assert small[1].probabilities(np.empty((0, 8))).shape == (0, 4)


@pytest.mark.parametrize("d", [4, 200])
def test_calibration_keeps_or_improves_log_loss(d: int) -> None:
    mixture = Mixture(d=d, n_classes=5, apart=3.5)
    x, y = mixture.draw(4000, seed=2)
    gains = []
    for seed in range(4):
        head = fit_head(*mixture.draw(120, seed=10 + seed), 5)
        gains.append(loss(replace(head, temperature=1.0).probabilities(x), y) - loss(head.probabilities(x), y))
    assert np.mean(gains) > -0.003


@both
def test_far_fewer_labels_than_dimensions(kind: str) -> None:
    mixture = Mixture(d=500, n_classes=3, apart=12)
    head = fit_head(*mixture.draw(30, seed=1), 3, kind=kind)
    x, y = mixture.draw(500, seed=2)
    assert (head.probabilities(x).argmax(axis=1) == y).mean() > 0.9


@both
def test_one_dimension(kind: str) -> None:
    x = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 1.0, 1.1, 1.2, 1.3, 1.4])[:, None]
    head = fit_head(x, np.repeat([0, 1], 5), 2, kind=kind)
    assert head.probabilities(np.array([[0.2], [1.2]])).argmax(axis=1).tolist() == [0, 1]
    assert head.cv_accuracy == 1.0


def test_a_class_a_hundred_times_rarer_is_still_found() -> None:
    mixture = Mixture(d=6, n_classes=2, apart=3.0)
    x, y = mixture.draw(2000, seed=1, shares=[0.99, 0.01])
    head = fit_head(x, y, 2)
    x, y = mixture.draw(4000, seed=2)
    best = (mixture.truth(x).argmax(axis=1) == y)[y == 1].mean()
    assert (head.probabilities(x).argmax(axis=1) == y)[y == 1].mean() > best - 0.12


@both
def test_two_labels_are_enough_to_begin(kind: str) -> None:
    head = fit_head(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]), 2, kind=kind)
    assert head.cv_accuracy is None
    assert head.temperature == 1.0
    assert head.regularisation == LEARNERS[kind].default
    probabilities = head.probabilities(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]))
    np.testing.assert_allclose(probabilities[2], [0.5, 0.5], atol=1e-5 if kind == "linear" else 0.1)
    assert 0.5 < probabilities[0, 0] < 0.95  # right, but not sure after two labels


def test_features_that_saw_the_labels_do_not_deceive_a_head_that_chooses_nothing() -> None:
    """Noise, to which the labels of the training rows were added: right by heart, a coin for all else."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 10)), rng.integers(0, 2, 60)
    x[:, 0] += 6.0 * y
    new, wanted = rng.normal(size=(2000, 10)), rng.integers(0, 2, 2000)
    chosen, plain = (fit_head(x, y, 2, centre=np.zeros(10), choose=choose) for choose in (True, False))
    assert chosen.cv_accuracy is not None
    assert chosen.cv_accuracy > 0.9
    assert plain.cv_accuracy is None
    assert (plain.regularisation, plain.temperature) == (10.0, 1.0)
    assert loss(plain.probabilities(new), wanted) < loss(chosen.probabilities(new), wanted) / 2


@both
def test_a_class_of_one_member_is_learned(kind: str) -> None:
    x, y = Mixture(d=6, n_classes=3, apart=6.0).draw(60, seed=1, shares=[0.5, 0.5, 0.0])
    x, y = np.vstack([x, np.full(6, 9.0)]), np.append(y, 2)
    head = fit_head(x, y, 3, kind=kind)
    assert head.cv_accuracy is not None
    assert head.probabilities(np.full((1, 6), 9.0)).argmax() == 2


@both
def test_classes_never_seen_get_probability_0(kind: str) -> None:
    x, y = Mixture(d=4, n_classes=2, apart=4).draw(40, seed=1)
    head = fit_head(x, np.where(y == 0, 1, 3), 5, kind=kind)
    probabilities = head.probabilities(x)
    assert head.classes_seen.tolist() == [False, True, False, True, False]
    assert (probabilities[:, [0, 2, 4]] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_constant_columns_are_safe() -> None:
    x, y = Mixture(d=3, n_classes=2, apart=4).draw(60, seed=1)
    plain = fit_head(x.astype(np.float32), y, 2)
    constant = np.full((60, 1), 0.1, dtype=np.float32)
    padded = fit_head(np.hstack([x.astype(np.float32), constant]), y, 2)
    new = np.hstack([x[:5], np.full((5, 1), 123.0)])  # in the pool the column varies after all
    assert (padded.probabilities(new).argmax(axis=1) == plain.probabilities(x[:5]).argmax(axis=1)).all()


def test_an_outlier_among_few_labels_does_not_take_over_the_pool() -> None:
    rng = np.random.default_rng(0)
    x = np.hstack([np.repeat([[-1.0], [1.0]], 6, axis=0) + rng.normal(size=(12, 1)) * 0.1, np.zeros((12, 1))])
    x[-1, 1] = 1e-3  # varies by a thousandth here, by thousands in the pool
    head = fit_head(x, np.repeat([0, 1], 6), 2)
    far = head.probabilities(np.array([[-1.0, 1e3]]))
    assert 1e-3 < far[0, 1] < 1 - 1e-3  # too strange to be sure of


def test_features_in_another_unit_give_the_same_head() -> None:
    for d in (4, 20):
        x, y = Mixture(d=d, n_classes=3, apart=3).draw(90, seed=1)
        for factor in (1e-30, 1e4):
            changed = fit_head(x * factor + 7 * factor, y, 3).probabilities(x * factor + 7 * factor)
            np.testing.assert_allclose(changed, fit_head(x, y, 3).probabilities(x), atol=1e-3)


def test_lengths_do_not_matter_in_many_dimensions() -> None:
    x, y = Mixture(d=20, n_classes=3, apart=3).draw(90, seed=1)
    head = fit_head(x, y, 3, centre=np.zeros(20))
    np.testing.assert_allclose(head.probabilities(x * 100), head.probabilities(x), atol=1e-6)


def test_fewer_labels_than_dimensions_cost_no_accuracy() -> None:
    """The weights lie in the span of the labelled rows, so solving there solves the whole problem."""
    x, y = Mixture(d=40, n_classes=3, apart=4).draw(30, seed=1)
    head = fit_head(x, y, 3)
    rows = x - head.centre
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = len(y) / (3 * np.bincount(y))[y]
    full = fit_linear(rows, y, weights, head.regularisation, Linear.zeros(40, 3))
    np.testing.assert_allclose(head.classifier.weights, full.weights, atol=1e-2)


def test_the_centre_is_the_pools_where_it_is_given() -> None:
    x, y = Mixture(d=9, n_classes=2, apart=3).draw(30, seed=1)
    np.testing.assert_array_equal(fit_head(x, y, 2, centre=np.full(9, 0.25)).centre, np.full(9, 0.25))
    np.testing.assert_array_equal(fit_head(x, y, 2).centre, x.mean(axis=0))
    with pytest.raises(LearningError, match=r"centre must have shape \(9,\), got \(8,\)"):
        fit_head(x, y, 2, centre=np.zeros(8))


def test_groups_are_kept_together_so_that_cv_accuracy_is_not_flattered() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    labels = np.repeat(rng.permutation(np.repeat([0, 1], 10)), 10)  # a label says nothing but who sent the image
    x = rng.normal(size=(20, 30))[groups] + rng.normal(size=(200, 30)) * 0.1
    alone, together = (fit_head(x, labels, 2, groups=one) for one in (None, groups))
    assert alone.cv_accuracy is not None
    assert together.cv_accuracy is not None
    assert alone.cv_accuracy > 0.95
    assert together.cv_accuracy < 0.75


def test_a_class_of_two_groups_that_fall_into_one_fold_is_no_trouble() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 10)
    labels = np.tile([0, 1], 15)
    labels[[0, 10]] = 2
    head = fit_head(rng.normal(size=(30, 4)), labels, 3, groups=groups)
    assert head.cv_accuracy is not None
    assert 0.1 <= head.temperature <= 10


@both
def test_the_same_seed_gives_the_same_head(kind: str) -> None:
    x, y = Mixture(d=5, n_classes=3, apart=2).draw(12, seed=1)
    first, second = (fit_head(x, y, 3, kind=kind, seed=4).to_bytes() for _ in range(2))
    assert first == second


def test_inputs_are_not_changed_and_lists_will_do() -> None:
    x, y = Mixture(d=5, n_classes=2, apart=2).draw(30, seed=1)
    before = x.copy()
    head = fit_head(x, y, 2)
    np.testing.assert_array_equal(x, before)
    assert fit_head(np.array(x.tolist()), np.array(y.tolist()), 2).to_bytes() == head.to_bytes()


def test_progress_runs_from_start_to_end() -> None:
    told: list[tuple[str, int, int, str]] = []
    x, y = Mixture(d=5, n_classes=2, apart=2).draw(30, seed=1)
    fit_head(x, y, 2, progress=lambda *values: told.append(values))
    assert told[-1][1] == told[-1][2]
    assert [one[1] for one in told] == sorted(one[1] for one in told)
    assert "log-loss" in told[0][3]


def test_the_kinds_that_learn_are_offered() -> None:
    assert set(LEARNERS) <= set(HEADS)
    with pytest.raises(LearningError, match=r"no head 'mpl'.*linear, spreading, mlp"):
        fit_head(np.eye(2), np.array([0, 1]), 2, kind="mpl")


@both
def test_labels_that_are_hard_to_tell_apart_do_not_make_a_head_that_says_nothing(kind: str) -> None:
    """Without anything to be learned the least loss is that of always saying the same; who selects needs more."""
    x, y = np.random.default_rng(0).normal(size=(40, 10)), np.arange(40) % 4
    least = 0.05 if kind == "spreading" else 0.1  # half of it is what neighbours were told, which is nothing here
    assert np.ptp(fit_head(x, y, 4, kind=kind).probabilities(x), axis=0).max() > least


def test_a_hidden_layer_learns_what_no_linear_head_can() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)) / 2 + rng.choice([-2.0, 2.0], size=(400, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)  # opposite corners
    linear, mlp = (fit_head(x[:200], y[:200], 2, kind=kind, centre=np.zeros(2)) for kind in ("linear", "mlp"))
    assert (linear.probabilities(x[200:]).argmax(axis=1) == y[200:]).mean() < 0.8
    assert (mlp.probabilities(x[200:]).argmax(axis=1) == y[200:]).mean() > 0.95
    assert mlp.cv_accuracy is not None
    assert mlp.cv_accuracy > 0.95


GOOD = np.random.default_rng(0).normal(size=(6, 2))


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (GOOD, [3, 3, 3, 3, 3, 3], "at least 2 classes, got only class 3 .6 labels"),
        (np.empty((0, 2)), [], "got no labels"),
        (GOOD, [0, 1], "one for each of the 6 rows"),
        (GOOD[:, 0], [0, 1, 0, 1, 0, 1], "shape"),
        (np.empty((2, 0)), [0, 1], "shape"),
        (GOOD, [0, 1, 0, 1, 0, 5], "from 0 to 4, got 5"),
        (GOOD, [0, 1, 0, 1, 0, -1], "from 0 to 4, got -1"),
        (GOOD, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0], "integers"),
        (np.where(np.arange(12).reshape(6, 2) == 7, np.nan, GOOD), [0, 1, 0, 1, 0, 1], "NaN or infinity in row 3"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(features: np.ndarray, labels: list[float], message: str) -> None:
    with pytest.raises(LearningError, match=message):
        fit_head(features, np.array(labels), 5)


def test_wrong_groups_are_refused() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1])
    with pytest.raises(LearningError, match="groups must be one for each"):
        fit_head(GOOD, labels, 2, groups=np.array([1, 2]))
    with pytest.raises(LearningError, match="groups must be integers"):
        fit_head(GOOD, labels, 2, groups=np.array(list("aabbcc")))


def test_wrong_features_are_refused_when_predicting(small: tuple[Mixture, Head]) -> None:
    with pytest.raises(LearningError, match=r"shape \(n, 8\), got \(3, 7\)"):
        small[1].probabilities(np.zeros((3, 7)))
    x = np.zeros((5, 8))
    x[4, 2] = np.inf
    with pytest.raises(LearningError, match="row 4"):
        small[1].probabilities(x)
