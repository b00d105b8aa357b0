"""Whether a model leans on nuisances: a probe, and the model where the probe is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.trust.leaning import leaning, probe
from annotate_select.trust.nuisances import GROUP, category, number


def test_a_probe_learns_from_all_nuisances_but_not_from_the_group() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    told = [number("a", y + 0.2 * rng.normal(size=150)), category("b", [f"v{one}" for one in rng.integers(0, 4, 150)])]
    assert (probe(told, y) == y).mean() > 0.95
    patient = category(GROUP, [f"patient {one}" for one in y])
    assert (probe([patient], y, np.arange(150)) == y).mean() < 0.5


@pytest.mark.parametrize("scale", [1e39, 1e300])
def test_numbers_beyond_what_trees_hold_are_told_apart(scale: float) -> None:
    y = np.arange(100) % 2
    digits = number("id", [*((y + 0.001 * np.arange(100)) * scale)[:99], np.nan])
    assert (probe([digits], y) == y).mean() > 0.9


def test_what_the_group_knows_is_not_held_against_the_model() -> None:
    rng = np.random.default_rng(1)
    group = np.arange(160) // 8
    y = rng.integers(0, 2, 20)[group]
    place = number("place", rng.normal(size=20)[group] + 0.01 * rng.normal(size=160))
    assert (probe([place], y) == y).mean() > 0.85  # neighbours are of the same group
    assert (probe([place], y, group) == y).mean() < 0.75


def test_the_difference_is_that_of_mantel_and_haenszel() -> None:
    # class 0: 8 of 10 right where the probe is right, 5 of 10 where not; class 1: 9 of 10 and 2 of 10
    labels = np.repeat([0, 1], 20)
    said = np.where(np.tile(np.arange(20) < 10, 2), labels, 1 - labels)
    right = np.concatenate([np.arange(10) < 8, np.arange(10) < 5, np.arange(10) < 9, np.arange(10) < 2])
    found = leaning(labels, said, np.where(right, labels, 1 - labels))
    assert (found.n, found.n_against, found.chance) == (40, 20, 0.5)
    assert (found.probe, found.model) == pytest.approx((0.5, 0.6))
    assert (found.with_it, found.against_it) == (0.85, 0.35)
    assert found.difference == pytest.approx(0.5)
    assert found.interval is not None
    # strata of equal sizes: the mean difference, with a standard error near sqrt(.41 + .25) / sqrt(40) = .13
    assert found.interval.low == pytest.approx(0.5 - 1.96 * 0.128, abs=0.02)
    assert found.interval.high == pytest.approx(0.5 + 1.96 * 0.128, abs=0.02)
    assert found.leans


def test_a_class_that_is_easy_for_both_is_no_leaning() -> None:
    # class 0: the probe right on 90 %, the model on 90 %; class 1: on 10 % and on 50 %; within classes no relation
    rng = np.random.default_rng(0)
    leans = 0
    for _ in range(100):
        labels = np.repeat([0, 1], 100)
        agrees = rng.random(200) < np.where(labels == 0, 0.9, 0.1)
        right = rng.random(200) < np.where(labels == 0, 0.9, 0.5)
        found = leaning(labels, np.where(agrees, labels, 1 - labels), np.where(right, labels, 1 - labels))
        assert found.with_it is not None
        assert found.against_it is not None
        assert found.with_it > found.against_it + 0.1
        leans += found.leans
    assert leans <= 8  # one end of a 95 % interval: 2.5 expected


def test_the_part_explained_is_between_nothing_and_all() -> None:
    labels = np.arange(40) % 2
    blind, perfect = np.zeros(40, dtype=np.int64), labels
    assert leaning(labels, blind, perfect).explained == 0
    assert leaning(labels, perfect, perfect).explained == 1
    assert leaning(labels, perfect, blind).explained == 0  # a model that knows nothing leans on nothing
    none = leaning(labels, perfect, perfect)
    assert (none.n_against, none.difference, none.interval, none.leans) == (0, None, None, False)
