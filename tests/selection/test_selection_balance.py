"""Equally many picks of each stratum."""

from __future__ import annotations

import numpy as np
import pytest
from strategy_needs import give

from annotate_select.errors import SelectionError
from annotate_select.selection.balance import quotas
from annotate_select.selection.select import select
from annotate_select.selection.table import STRATEGIES

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(200, 12))
STRATA = np.repeat([0, 1, 2, 3], [150, 30, 17, 3])
NAMES = ["ok, dark", "ok, bright", "dent, dark", "dent, bright"]


@pytest.mark.parametrize(
    ("sizes", "n", "order", "shares"),
    [
        ([10, 10, 10], 9, [0, 1, 2], [3, 3, 3]),
        ([10, 10, 10], 10, [2, 0, 1], [3, 3, 4]),
        ([1, 100, 100], 21, [0, 1, 2], [1, 10, 10]),
        ([1, 2, 100], 50, [0, 1, 2], [1, 2, 47]),
        ([0, 5, 5], 1, [0, 2, 1], [0, 0, 1]),
        ([2, 3], 9, [0, 1], [2, 3]),
    ],
)
def test_shares_are_even_as_far_as_sizes_allow(sizes: list[int], n: int, order: list[int], shares: list[int]) -> None:
    assert quotas(np.array(sizes), n, np.array(order)).tolist() == shares


def test_rare_strata_get_their_picks_and_reasons_say_so() -> None:
    labeled = np.array([0, 1, 2, 150, 180])
    picks = select(
        FEATURES, 23, "kmeans", labeled=labeled, labels=[0, 0, 0, 0, 1], strata=STRATA, strata_names=NAMES, seed=1
    )
    assert np.bincount(STRATA[picks.rows], minlength=4).tolist() == [6, 7, 7, 3]  # the least seen get what is over
    assert len(set(picks.rows.tolist()) - set(labeled.tolist())) == 23
    reason = dict(zip(picks.rows.tolist(), picks.reasons, strict=True))
    assert all(reason[row].startswith("dent, bright: seen 0 of 3; ") for row in (197, 198, 199))
    assert all(text.startswith("ok, dark: seen 3 of 150; ") for row, text in reason.items() if row < 150)
    # strata take turns: the first four are one of each
    assert sorted(STRATA[picks.rows[:4]].tolist()) == [0, 1, 2, 3]


def test_without_balance_a_rare_stratum_gets_hardly_any() -> None:
    plain = select(FEATURES, 24, "random", seed=1)
    balanced = select(FEATURES, 24, "random", strata=STRATA, seed=1)
    rare = [int((STRATA[picks.rows] >= 2).sum()) for picks in (plain, balanced)]
    assert rare[0] <= 6 < rare[1] == 10
    assert balanced.reasons[0].startswith("stratum ")


def test_audits_are_drawn_first_and_the_same_as_without() -> None:
    plain = select(FEATURES, 40, "random", audit=0.25, seed=3)
    balanced = select(FEATURES, 40, "random", audit=0.25, seed=3, strata=STRATA, strata_names=NAMES)
    audits = [
        [row for row, role in zip(one.rows.tolist(), one.roles, strict=True) if role == "audit"]
        for one in (plain, balanced)
    ]
    assert audits[0] == audits[1]
    assert len(audits[0]) == 10
    assert len(set(balanced.rows.tolist())) == 40


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_every_strategy_can_be_balanced(strategy: str) -> None:
    probabilities = RNG.dirichlet(np.ones(3), size=200)
    given: dict[str, object] = {
        "labeled": [0, 60, 160],
        "labels": [0, 1, 2],
        "probabilities": probabilities,
        "n_classes": 3,
    }
    given = give(strategy, 200, given) | {"strata": STRATA, "seed": 0, "audit": 0.1}
    for n in (1, 30, 197):
        first, second = (select(FEATURES, n, strategy, **given) for _ in range(2))  # type: ignore[arg-type]
        assert len(set(first.rows.tolist())) == n
        assert not set(first.rows.tolist()) & {0, 60, 160}
        assert first.rows.tolist() == second.rows.tolist()


@pytest.mark.parametrize(
    ("strata", "names", "message"),
    [
        (np.zeros(5, dtype=int), (), r"strata must be one integer for each of the 200 rows"),
        (np.zeros(200), (), r"strata must be one integer"),
        (np.full(200, -1), (), "strata are numbered from 0, got -1"),
        (STRATA, ("a", "b"), r"strata_names must name every stratum, 0 to 3, got 2 names"),
    ],
)
def test_strata_that_do_not_fit_are_refused(strata: np.ndarray, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        select(FEATURES, 5, "random", strata=strata, strata_names=names)
