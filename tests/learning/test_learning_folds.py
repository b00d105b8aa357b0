from __future__ import annotations

import numpy as np

from annotate_select.learning.folds import FOLDS, deal


def dealt(labels: list[int], groups: list[int] | None = None, seed: int = 0) -> np.ndarray:
    return deal(np.array(labels), None if groups is None else np.array(groups), np.random.default_rng(seed))


def test_every_fold_has_its_share_of_every_class() -> None:
    labels = [0] * 50 + [1] * 15 + [2] * 5
    folds = dealt(labels)
    for fold in range(FOLDS):
        np.testing.assert_array_equal(np.bincount(np.array(labels)[folds == fold]), [10, 3, 1])


def test_sizes_differ_by_little_when_nothing_divides() -> None:
    folds = dealt([0] * 23 + [1] * 11 + [2] * 2)
    assert folds.min() == 0
    sizes = np.bincount(folds, minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 2
    assert folds[-1] != folds[-2]  # the two of the rarest class are apart, so each is learned from the other


def test_a_class_of_one_stays_in_training() -> None:
    folds = dealt([0] * 10 + [1] * 10 + [2])
    assert folds[-1] == -1
    assert (folds[:-1] >= 0).all()


def test_too_few_to_compare_on() -> None:
    assert (dealt([0, 0, 0, 0, 1, 1, 1, 1, 1]) == -1).all()  # nine
    assert (dealt([0] * 30 + [1]) == -1).all()  # only one class could be held out
    assert (dealt([0] * 5 + [1] * 5) >= 0).all()  # ten


def test_groups_stay_whole_and_rows_without_one_are_free() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 12, 120)
    groups[:20] = -1
    labels = rng.integers(0, 3, 120)
    folds = deal(labels, groups, np.random.default_rng(0))
    for group in range(12):
        assert len(set(folds[groups == group])) == 1
    assert len(set(folds[:20])) == FOLDS
    assert set(folds) == set(range(FOLDS))


def test_a_class_of_one_group_stays_in_training() -> None:
    folds = dealt([0, 1] * 10 + [2, 2, 2], groups=[i // 2 for i in range(20)] + [99, 99, 99])
    assert (folds[-3:] == -1).all()
    assert (folds[:-3] >= 0).all()


def test_the_seed_decides() -> None:
    labels = [0, 1] * 20
    np.testing.assert_array_equal(dealt(labels, seed=4), dealt(labels, seed=4))
    assert (dealt(labels, seed=4) != dealt(labels, seed=5)).any()
