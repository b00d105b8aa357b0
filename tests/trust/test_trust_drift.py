"""Drift: an unchanged world rarely raises an alarm, a changed one does, and what is new is named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, mannwhitneyu, norm

from annotate_select.errors import LearningError
from annotate_select.trust.drift import drift
from annotate_select.trust.drift_statistics import rank_shifts

D = 24
KINDS = np.random.default_rng(7).normal(size=(8, D))


def world(n: int, rng: np.random.Generator) -> np.ndarray:
    """Images of eight kinds."""
    found: np.ndarray = 1.5 * KINDS[rng.integers(len(KINDS), size=n)] + rng.normal(size=(n, D))
    return found


def last(n_old: int, n_new: int) -> np.ndarray:
    return np.arange(n_old + n_new) >= n_old


def foreign(n: int, rng: np.random.Generator) -> np.ndarray:
    """Images of a kind that the world did not have."""
    found: np.ndarray = 1.5 * np.random.default_rng(3).normal(size=D) + rng.normal(size=(n, D))
    return found


def test_an_unchanged_world_raises_an_alarm_in_5_of_100_checks_at_most() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(drift(world(150, rng), last(110, 40), seed=at, times=99).drifted for at in range(100))
    assert alarms <= binom.ppf(0.995, 100, 0.05)


def test_a_new_kind_is_found_and_its_images_are_named() -> None:
    rng = np.random.default_rng(1)
    features = np.concatenate([world(300, rng), world(90, rng), foreign(10, rng)])
    found = drift(features, last(300, 100), times=199)
    assert found.drifted
    assert found.p == min(one.p for one in found.evidence)
    assert set(found.rows[found.far].tolist()) >= set(range(392, 400))
    assert found.far.sum() <= 10 + 6  # 1 in 100 by chance
    assert found.ground[found.far].all()
    (cell, *_) = found.cells
    assert cell.new > cell.old
    assert set(cell.examples) <= set(range(390, 400))


@pytest.mark.parametrize(("share", "least"), [(0.1, 9), (0.2, 10)])
def test_power(share: float, least: int) -> None:
    hits = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = round(100 * share)
        features = np.concatenate([world(300, rng), world(100 - n, rng), foreign(n, rng)])
        hits += drift(features, last(300, 100), seed=seed, times=99).drifted
    assert hits >= least


def test_a_kind_that_only_becomes_more_frequent_is_drift_without_strangers() -> None:
    rng = np.random.default_rng(2)
    more = 1.5 * KINDS[0] + rng.normal(size=(60, D))
    found = drift(np.concatenate([world(400, rng), world(60, rng), more]), last(400, 120), times=199)
    assert found.drifted
    assert found.far.sum() <= 8
    assert sum(one.new for one in found.cells) > 0.4 > sum(one.old for one in found.cells)
    by_name = {one.name: one for one in found.evidence}
    assert by_name["cells"].p <= 0.05
    assert by_name["strangers"].p > 0.05
    assert by_name["classifier"].value > 0.6 > by_name["classifier"].by_chance


def test_what_a_model_says_counts_too() -> None:
    rng = np.random.default_rng(3)
    features, new = world(300, rng), last(200, 100)
    predicted = np.where(new, 1, 0)
    found = drift(features, new, predicted=predicted, n_classes=2, times=99)
    assert found.evidence[-1].name == "classes"
    assert found.evidence[-1].p <= 0.05
    assert [(one.label, one.new, one.old) for one in found.shifts] == [(0, 0.0, 1.0), (1, 1.0, 0.0)]


def test_a_new_patient_is_not_drift_where_all_patients_differ() -> None:
    """Dealt image by image, nearly every new patient would be an alarm; by patient, as many as there should be."""
    by_image = by_group = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(24), 8)
        features = world(192, rng) + 1.2 * rng.normal(size=(24, D))[groups]
        new = groups >= 18
        by_image += drift(features, new, seed=seed, times=99).drifted
        by_group += drift(features, new, groups=groups, seed=seed, times=99).drifted
    assert by_image >= 30
    assert by_group <= binom.ppf(0.995, 40, 0.05)


def test_a_foreign_kind_of_patients_is_drift() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(24), 8)
    features = np.concatenate([world(144, rng), foreign(48, rng)]) + 0.6 * rng.normal(size=(24, D))[groups]
    found = drift(features, groups >= 18, groups=groups, times=199)
    assert found.drifted
    assert found.units == (18, 6)


def test_too_little_is_said() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(LearningError, match="4 new images against 60 old ones are too few"):
        drift(world(64, rng), last(60, 4))
    with pytest.raises(LearningError, match="20 new images against 20 old ones are too few"):
        drift(world(40, rng), last(20, 20))
    groups = np.repeat(np.arange(5), 20)
    with pytest.raises(LearningError, match=r"of 1 of 5 groups.*only 5 ways"):
        drift(world(100, rng), groups == 4, groups=groups)
    with pytest.raises(LearningError, match="must be finite"):
        drift(np.full((100, 3), np.nan), last(60, 40))
    with pytest.raises(LearningError, match=r"groups must be one for each of the 100 rows, got \(3,\)"):
        drift(world(100, rng), last(60, 40), groups=np.arange(3))


def test_identical_images_are_no_drift() -> None:
    for features in (np.ones((100, D)), np.full((100, D), 0.1, dtype=np.float32)):
        found = drift(features, last(70, 30), times=99)
        assert not found.drifted
        assert found.far.sum() == 0
    two = np.where(np.arange(120)[:, None] % 2, KINDS[0], KINDS[1])
    found = drift(two, last(90, 30), times=99)
    assert (found.drifted, found.far.sum(), found.cells) == (False, 0, ())


def test_the_same_seed_gives_the_same_answer_and_nothing_is_changed() -> None:
    rng = np.random.default_rng(0)
    features, new = world(150, rng), last(100, 50)
    before = features.copy()
    first, second = (drift(features, new, seed=4, times=99) for _ in range(2))
    assert (first.p, first.evidence) == (second.p, second.evidence)
    assert np.array_equal(features, before)


def seen(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Looks (n, l) by rows."""
    return lambda rows: values[rows]


def test_looks_add_no_false_alarms_for_images_or_for_patients() -> None:
    rng, alarms, by_patient = np.random.default_rng(0), 0, 0
    patients = np.repeat(np.arange(30), 5)
    for at in range(100):
        features, looks = world(150, rng), rng.normal(size=(150, 6)) ** 3
        alarms += drift(features, last(110, 40), looks=seen(looks), seed=at, times=99).drifted
        of_patient = looks[patients]
        new = np.isin(patients, rng.permutation(30)[:10])
        by_patient += drift(features, new, groups=patients, looks=seen(of_patient), seed=at, times=99).drifted
    assert max(alarms, by_patient) <= binom.ppf(0.995, 100, 0.05)


def test_what_features_overlook_is_found_by_looks_and_named() -> None:
    rng = np.random.default_rng(1)
    features, looks = world(400, rng), rng.normal(size=(400, 4))
    assert not drift(features, last(300, 100), looks=seen(looks), times=199).drifted
    looks[300:, 2] -= 1.0
    looks[::150] = np.nan
    found = drift(features, last(300, 100), looks=seen(looks), times=199)
    assert found.drifted
    assert next(one for one in found.evidence if one.name == "looks").p == found.p
    (shift,) = found.looks
    known = looks[300:, 2][np.isfinite(looks[300:, 2])]
    assert (shift.look, shift.above) == (2, pytest.approx(np.mean(known > np.nanmedian(looks[:300, 2]))))
    assert shift.above < 0.35


def test_strangers_by_looks_alone() -> None:
    rng = np.random.default_rng(2)
    features, looks = world(400, rng), rng.normal(size=(400, 4))
    looks[390:] += 8 * np.sign(rng.normal(size=(10, 4)))
    found = drift(features, last(300, 100), looks=seen(looks), times=199)
    assert set(found.rows[found.far].tolist()) >= set(range(390, 400))


@pytest.mark.parametrize("missing", [slice(None), slice(0, 200), slice(200, 300), slice(0, 300, 2), slice(0, 100)])
def test_what_cannot_be_looked_at_is_no_difference(missing: slice) -> None:
    """All files, or those of the old or of the new images, may be away: then features alone are compared."""
    rng = np.random.default_rng(3)
    features, looks = world(300, rng), rng.normal(size=(300, 4))
    looks[missing] = np.nan
    without = drift(features, last(200, 100), times=99)
    found = drift(features, last(200, 100), looks=seen(looks), times=99)
    assert (found.p, found.evidence, found.looks) == (without.p, without.evidence, ())
    assert found.distance.tolist() == without.distance.tolist()


def test_rank_shifts_are_those_of_the_rank_sum_test() -> None:
    rng = np.random.default_rng(4)
    values, new = rng.normal(size=(60, 3)).round(1), last(40, 20)
    values[5, 1] = values[50, 1] = np.nan
    found = rank_shifts(new[None], values)[0]
    for column in (0, 2):
        here, there = values[new, column], values[~new, column]
        p = mannwhitneyu(here, there, use_continuity=False, method="asymptotic").pvalue
        assert 2 * norm.sf(abs(found[column])) == pytest.approx(p, rel=0.02)
    assert np.isfinite(found).all()
