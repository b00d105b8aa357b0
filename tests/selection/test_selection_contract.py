"""What every strategy of the table promises, whatever it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from strategy_needs import LABELLESS, give

from annotate_select.errors import SelectionError
from annotate_select.selection.pool import Picks
from annotate_select.selection.select import select, strategies
from annotate_select.selection.table import STRATEGIES

N, D, C = 60, 9, 3
LABELED = np.array([3, 17, 40, 41, 8])
LABELS = np.array([0, 1, 2, 0, 1])
EXCLUDE = np.array([0, 59, 30])
FREE = np.setdiff1d(np.arange(N), np.concatenate([LABELED, EXCLUDE]))
EVERY = pytest.mark.parametrize("strategy", list(STRATEGIES))
GREEDY = pytest.mark.parametrize("strategy", [name for name, entry in STRATEGIES.items() if entry.prefix_consistent])


def points(n: int = N, d: int = D, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def opinions(n: int = N, classes: int = C, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), n)


def ask(features: np.ndarray, n: int, strategy: str, **changes: object) -> Picks:
    given: dict[str, object] = {"labeled": LABELED, "labels": LABELS, "exclude": EXCLUDE}
    given |= {"probabilities": opinions(len(features)), **changes}
    return select(features, n, strategy, **give(strategy, len(features), given))  # type: ignore[arg-type]


def require_sound(picks: Picks, n: int, free: np.ndarray = FREE) -> None:
    assert picks.rows.dtype == np.int64
    assert picks.rows.shape == picks.scores.shape == (n,)
    assert len(picks.reasons) == len(picks.roles) == n
    assert all(picks.reasons)
    assert np.isfinite(picks.scores).all()
    assert len(np.unique(picks.rows)) == n
    assert np.isin(picks.rows, free).all()


@EVERY
@pytest.mark.parametrize("n", [1, 2, 13, len(FREE)])
@pytest.mark.parametrize("audit", [0.0, 0.25])
def test_exactly_n_distinct_free_rows(strategy: str, n: int, audit: float) -> None:
    picks = ask(points(), n, strategy, audit=audit)
    require_sound(picks, n)
    assert picks.strategy.startswith(strategy)
    assert picks.note


@EVERY
@pytest.mark.parametrize("labels", [np.zeros(5, dtype=np.int64), LABELS])
def test_one_class_and_several(strategy: str, labels: np.ndarray) -> None:
    require_sound(ask(points(), 10, strategy, labels=labels), 10)


@EVERY
def test_a_project_of_one_class(strategy: str) -> None:
    picks = ask(points(), 10, strategy, labels=np.zeros(5, dtype=np.int64), probabilities=np.ones((N, 1)))
    require_sound(picks, 10)


@pytest.mark.parametrize("strategy", LABELLESS)
def test_nothing_labelled(strategy: str) -> None:
    require_sound(ask(points(), 10, strategy, labeled=(), labels=()), 10, np.setdiff1d(np.arange(N), EXCLUDE))


@EVERY
def test_same_seed_same_answer(strategy: str) -> None:
    first, second = (ask(points(), 12, strategy, seed=5, audit=0.2) for _ in range(2))
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert (first.reasons, first.roles) == (second.reasons, second.roles)


@pytest.mark.parametrize("strategy", ["random", "kmeans"])
def test_another_seed_another_answer(strategy: str) -> None:
    assert set(ask(points(), 12, strategy, seed=0).rows) != set(ask(points(), 12, strategy, seed=1).rows)


@GREEDY
@pytest.mark.parametrize("groups", [None, np.arange(N) % 4, np.where(np.arange(N) < 50, 0, 1)])
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, N)])
def test_asking_for_fewer_gives_the_first_of_more(
    strategy: str, groups: np.ndarray | None, weights: np.ndarray | None
) -> None:
    doubled = np.repeat(points(N // 2), 2, axis=0)  # every row has a near-duplicate
    all_of_them = ask(doubled, len(FREE), strategy, groups=groups, weights=weights)
    for n in (1, 2, 7, 20, 33):
        few = ask(doubled, n, strategy, groups=groups, weights=weights)
        np.testing.assert_array_equal(few.rows, all_of_them.rows[:n])
        assert few.reasons == all_of_them.reasons[:n]


@EVERY
@pytest.mark.parametrize("distinct", [1, 2, 5])
@pytest.mark.parametrize("n", [4, len(FREE)])
def test_pools_of_little_but_duplicates(strategy: str, distinct: int, n: int) -> None:
    require_sound(ask(points()[np.arange(N) % distinct], n, strategy), n)


@EVERY
@pytest.mark.parametrize("value", [0.0, 1.0, 1e30, -7.25])
def test_constant_features(strategy: str, value: float) -> None:
    require_sound(ask(np.full((N, D), value), 20, strategy), 20)


@EVERY
def test_rows_of_zeros_and_columns_of_one_value(strategy: str) -> None:
    features = points()
    features[::3] = 0.0
    features[:, 2] = 4.0
    require_sound(ask(features, 40, strategy), 40)


@EVERY
@pytest.mark.parametrize("d", [1, 2, 2048])
def test_few_and_many_dimensions(strategy: str, d: int) -> None:
    require_sound(ask(points(d=d), 30, strategy), 30)


@pytest.mark.parametrize("strategy", LABELLESS)
def test_a_pool_of_one_row(strategy: str) -> None:
    picks = ask(points(1), 1, strategy, labeled=(), labels=(), exclude=())
    assert picks.rows.tolist() == [0]


@EVERY
def test_a_pool_of_one_row_beside_a_label(strategy: str) -> None:
    picks = ask(points(2), 1, strategy, labeled=[1], labels=[0], exclude=())
    assert picks.rows.tolist() == [0]


@EVERY
@pytest.mark.parametrize("factor", [1e-200, 1e-30, 1e30, 1e200])
def test_scale_changes_nothing(strategy: str, factor: float) -> None:
    as_is = ask(points(), 15, strategy)
    np.testing.assert_array_equal(ask(points() * factor, 15, strategy).rows, as_is.rows)


@EVERY
@pytest.mark.parametrize("kind", ["float16", "float32", "Fortran", "every other column", "memory map", "list"])
def test_any_layout_of_the_same_numbers(strategy: str, kind: str, tmp_path: Path) -> None:
    numbers = np.round(points() * 8) / 8  # exact in float16
    wide = np.zeros((N, 2 * D))
    wide[:, ::2] = numbers
    np.save(tmp_path / "features.npy", numbers)
    layouts = {
        "float16": lambda: numbers.astype(np.float16),
        "float32": lambda: numbers.astype(np.float32),
        "Fortran": lambda: np.asfortranarray(numbers),
        "every other column": lambda: wide[:, ::2],
        "memory map": lambda: np.load(tmp_path / "features.npy", mmap_mode="r"),
        "list": lambda: numbers.tolist(),
    }
    expected = ask(numbers, 15, strategy).rows
    np.testing.assert_array_equal(ask(layouts[kind](), 15, strategy, probabilities=opinions()).rows, expected)


@EVERY
def test_integer_features(strategy: str) -> None:
    require_sound(ask(np.round(points() * 10).astype(np.int16), 15, strategy), 15)


@EVERY
def test_inputs_stay_unchanged(strategy: str) -> None:
    given = {
        "features": points(),
        "probabilities": opinions(),
        "labeled": LABELED.copy(),
        "labels": LABELS.copy(),
        "exclude": EXCLUDE.copy(),
        "weights": np.linspace(0.5, 2, N),
        "groups": np.arange(N) % 7,
        "tokens": np.arange(N, dtype=np.uint64)[::-1].copy(),
    }
    copies = {name: array.copy() for name, array in given.items()}
    features = given["features"]
    ask(features, 20, strategy, audit=0.2, **{name: array for name, array in given.items() if name != "features"})
    for name, array in given.items():
        np.testing.assert_array_equal(array, copies[name])
        assert array.flags.writeable, name


@EVERY
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite(strategy: str, value: float) -> None:
    features = points()
    features[[44, 21], 3] = value
    with pytest.raises(SelectionError, match=r"row 21 holds NaN or infinity; make the features again"):
        ask(features, 5, strategy)


@EVERY
def test_more_than_there_is(strategy: str) -> None:
    with pytest.raises(SelectionError, match=r"^n must be between 1 and 52 \(unlabelled, unexcluded rows\), got 53$"):
        ask(points(), 53, strategy)


@EVERY
def test_everything_labelled(strategy: str) -> None:
    with pytest.raises(SelectionError, match="nothing left to select"):
        ask(points(), 1, strategy, labeled=np.arange(N), labels=np.zeros(N, dtype=int), exclude=())


@EVERY
def test_weights_of_zero_are_picked_last(strategy: str) -> None:
    weights = np.zeros(N)
    weights[FREE[:10]] = 1.0
    picks = ask(points(), 10, strategy, weights=weights)
    require_sound(picks, 10)
    assert set(picks.rows) == set(FREE[:10])


@EVERY
def test_weights_of_zero_are_picked_last_where_the_model_is_certain(strategy: str) -> None:
    weights = np.zeros(N)
    weights[FREE[::5]] = 10.0 ** -np.arange(len(FREE[::5]))
    picks = ask(points(), 11, strategy, weights=weights, probabilities=np.eye(C)[np.arange(N) % C])
    if strategy != "kcenter_robust":  # of what it leaves for last float32 cannot tell these weights from 0
        assert set(picks.rows) == set(FREE[::5])


@EVERY
def test_weights_of_nothing_at_all(strategy: str) -> None:
    require_sound(ask(points(), 25, strategy, weights=np.zeros(N)), 25)


@EVERY
def test_what_cannot_be_picked_may_weigh_anything(strategy: str) -> None:
    weights = np.full(N, 1e-20)
    weights[[0, 3]] = 1e30  # excluded, and labelled
    require_sound(ask(points(), 10, strategy, weights=weights), 10)


@EVERY
def test_the_order_of_the_pool_does_not_matter_to_chance(strategy: str) -> None:
    """With tied features and probabilities all is left to the hash, which follows the image."""
    tokens = np.arange(100, 100 + N, dtype=np.uint64)
    turned = np.random.default_rng(3).permutation(N)
    labels = {"labels": (), "labeled": ()} if strategy in LABELLESS else {"labels": [1], "labeled": [7]}
    flat = {"probabilities": np.full((N, C), 1 / C), "exclude": (), **labels}
    flat |= {"like": [1, 50, 58]} if "like" in STRATEGIES[strategy].needs else {}
    here = ask(np.ones((N, D)), 9, strategy, tokens=tokens, audit=0.3, **flat)
    flat |= {name: np.flatnonzero(np.isin(turned, flat[name])) for name in ("labeled", "like") if name in flat}
    there = ask(np.ones((N, D)), 9, strategy, tokens=tokens[turned], audit=0.3, **flat)
    assert tokens[here.rows].tolist() == tokens[turned][there.rows].tolist()


def test_the_table_is_what_is_listed() -> None:
    listed = strategies()
    assert [one.name for one in listed] == list(STRATEGIES)
    assert all(one.summary.endswith(".") and "\n" not in one.summary for one in listed)
    assert {one.name: one.needs for one in listed} == {name: entry.needs for name, entry in STRATEGIES.items()}
    assert [one.needs for one in listed if one.name in ("random", "margin")] == [(), ("probabilities",)]


@pytest.mark.parametrize(
    ("strategy", "need"), [(name, need) for name, entry in STRATEGIES.items() for need in entry.needs]
)
def test_what_a_strategy_cannot_do_without(strategy: str, need: str) -> None:
    nothing: dict[str, dict[str, object]] = {
        "labels": {"labeled": (), "labels": ()},
        "probabilities": {"probabilities": None},
        "samples": {"probabilities": None},
        "like": {"like": ()},
    }
    with pytest.raises(SelectionError, match=f"strategy '{strategy}' needs {need}; "):
        ask(points(), 5, strategy, **nothing[need])
