from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from annotate_select.errors import SelectionError, UnknownStrategy
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.select import AUDIT_REASON, select

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(40, 10))
P = RNG.dirichlet(np.ones(3), 40)


def last(pool: Pool, n: int) -> Chosen:
    """A strategy of a user's own."""
    rows = pool.candidates[::-1][:n]
    return Chosen(rows, np.arange(n, 0, -1, dtype=float), ["the last one"] * n, note="from the back")


def test_a_function_of_ones_own() -> None:
    picks = select(FEATURES, 3, last, labeled=[39], labels=[0], exclude=[37])
    assert picks.rows.tolist() == [38, 36, 35]
    assert (picks.scores.tolist(), picks.reasons) == ([3, 2, 1], ["the last one"] * 3)
    assert (picks.strategy, picks.note) == ("last", "from the back")


def test_a_function_by_its_path() -> None:
    picks = select(FEATURES, 4, "annotate_select.selection.chance:random", seed=3)
    assert set(picks.rows) == set(select(FEATURES, 4, "random", seed=3).rows)
    assert picks.strategy == "annotate_select.selection.chance:random"


def test_a_plain_tuple_will_do() -> None:
    picks = select(FEATURES, 1, lambda pool, n: (pool.candidates[:n], np.zeros(n), ["x"] * n))  # type: ignore[arg-type,return-value]
    assert picks.rows.tolist() == [0]


def test_near_duplicates_are_kept_from_a_function_of_ones_own() -> None:
    doubled = np.repeat(FEATURES, 2, axis=0)
    assert (select(doubled, 4, last).rows // 2).tolist() == [39, 38, 37, 36]


def test_a_function_sees_a_frozen_pool() -> None:
    def scribble(pool: Pool, n: int) -> Chosen:
        pool.features[0] = 0
        return last(pool, n)

    with pytest.raises(ValueError, match="read-only"):
        select(FEATURES, 3, scribble)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "must return Chosen(rows, scores, reasons), got NoneType"),
        ((np.array([1]), np.zeros(1), ["a"]), "was asked for 2 rows and returned int64 (1,)"),
        ((np.array([1.0, 2.0]), np.zeros(2), ["a", "b"]), "was asked for 2 rows and returned float64 (2,)"),
        ((np.array([1, 1]), np.zeros(2), ["a", "b"]), "must return distinct rows of pool.candidates"),
        ((np.array([0, 1]), np.zeros(2), ["a", "b"]), "must return distinct rows of pool.candidates"),
        ((np.array([1, 2]), np.array([1, np.nan]), ["a", "b"]), "must return a finite score for each"),
        ((np.array([1, 2]), np.zeros(2), ["a"]), "must return a reason, a text, for each"),
        ((np.array([1, 2]), np.zeros(2), ["a", ""]), "must return a reason, a text, for each"),
    ],
)
def test_answers_that_are_not_what_they_must_be(answer: object, message: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(f"strategy mine {message}")):
        select(FEATURES, 2, named(answer), exclude=[0])


def named(answer: object):  # type: ignore[no-untyped-def]
    def mine(pool: Pool, n: int) -> object:
        return answer

    return mine


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("kmean", r"unknown strategy 'kmean' \(did you mean kmeans\?\); choose from auto, random, kmeans, "),
        ("zzz", r"unknown strategy 'zzz'; choose from auto, "),
        ("no_such_module:f", "'no_such_module' cannot be imported"),
        (":f", "cannot be imported"),
        ("annotate_select.selection.chance:nothing", "has no function 'nothing'"),
    ],
)
def test_unknown_strategies(strategy: str, message: str) -> None:
    with pytest.raises(UnknownStrategy, match=message):
        select(FEATURES, 1, strategy)


def test_a_strategy_that_is_no_strategy() -> None:
    with pytest.raises(SelectionError, match=r"strategy must be a name, .* or a function, got 7"):
        select(FEATURES, 1, 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n must be between 1 and 40 (unlabelled, unexcluded rows), got 0"),
        ({"n": -3}, "n must be between 1 and 40 (unlabelled, unexcluded rows), got -3"),
        ({"n": 2.0}, "n must be a whole number, got 2.0"),
        ({"n": True}, "n must be a whole number, got True"),
        ({"seed": "a"}, "seed must be a whole number, got 'a'"),
        ({"audit": 1.5}, "audit must be from 0 to 1, got 1.5"),
        ({"audit": -0.1}, "audit must be from 0 to 1, got -0.1"),
        ({"accuracy": float("nan")}, "accuracy must be from 0 to 1, got nan"),
        ({"near_duplicate": 2}, "near_duplicate must be from 0 to 1, got 2"),
        (
            {"features": np.zeros(5)},
            "features must be numbers of shape (n, d), a row an image, got float64 of shape (5,)",
        ),
        ({"features": np.zeros((5, 0))}, "got float64 of shape (5, 0)"),
        ({"features": np.float64(3)}, "got float64 of shape ()"),
        ({"features": np.zeros((5, 2), dtype=complex)}, "got complex128 of shape (5, 2)"),
        ({"features": np.array([["a"]])}, "got <U1 of shape (1, 1)"),
        ({"features": np.zeros((0, 4))}, "there is nothing left to select"),
        ({"labeled": [40], "labels": [0]}, "labeled must be rows from 0 to 39, got 40"),
        ({"labeled": [-1], "labels": [0]}, "labeled must be rows from 0 to 39, got -1"),
        ({"labeled": [3, 3], "labels": [0, 1]}, "row 3 is there more than once"),
        ({"labeled": [0.5], "labels": [0]}, "labeled must be row numbers, a list of integers, got float64"),
        (
            {"labeled": np.ones(40, dtype=bool), "labels": np.zeros(40, dtype=int)},
            "np.flatnonzero makes them of a mask",
        ),
        ({"labeled": [1, 2], "labels": [0]}, "labels must be one for each of the 2 labeled rows, got shape (1,)"),
        ({"labeled": [1]}, "labels must be one for each of the 1 labeled rows, got shape (0,)"),
        ({"labeled": [1], "labels": [-1]}, "labels must be class numbers from 0, got -1; leave unlabelled rows out"),
        ({"labeled": [1], "labels": [1.0]}, "labels must be class numbers, integers from 0, got float64"),
        ({"labeled": [1], "labels": [3], "probabilities": P}, "labels must be class numbers from 0 to 2, got 3"),
        ({"labeled": [1], "labels": [3], "n_classes": 2}, "labels must be class numbers from 0 to 1, got 3"),
        ({"n_classes": 2, "class_names": ["a", "b", "c"]}, "n_classes 2, class_names 3"),
        ({"n_classes": 0}, "n_classes must be at least 1, got 0"),
        ({"n_classes": 10**30}, "n_classes must be at most 1,000,000, got 1000000000000000000000000000000"),
        ({"labeled": [1], "labels": [10**12]}, "from 0 to 999,999, without large gaps, got 1000000000000; np.unique"),
        ({"labeled": [1], "labels": np.array([2**64 - 1], np.uint64)}, "large gaps, got 18446744073709551615"),
        ({"labeled": [1], "labels": ["crack"]}, "got <U5; np.unique(..., return_inverse=True)[1] makes class numbers"),
        ({"class_names": "abc"}, "class_names must be a list of names, a name a class, got the text 'abc'"),
        ({"strata": np.full(40, 10**12)}, "from 0 to 999,999, without large gaps, got 1000000000000; number them anew"),
        ({"weights": np.full(40, 1e-40)}, "the largest of the weights must be at least 1e-30, got 1e-40"),
        ({"weights": np.ones(40) * 1j}, "weights must be an array of numbers"),
        ({"features": {1: 2}}, "got dict; list() makes one of a set or generator"),
        ({"features": np.zeros((5, 2), dtype=object)}, ".astype(np.float32) makes numbers of what can be one"),
        ({"exclude": [99]}, "exclude must be rows from 0 to 39, got 99"),
        (
            {"probabilities": P[:5]},
            "probabilities must be numbers of shape (40, 3), a row an image, got float64 of shape (5, 3)",
        ),
        ({"probabilities": P[:, 0]}, "got float64 of shape (40,)"),
        ({"probabilities": P / 2}, "row 0 sums to 0.5"),
        ({"probabilities": np.tile([-0.5, 0.5, 1.0], (40, 1))}, "row 0 holds a number outside"),
        ({"probabilities": np.full((40, 3), np.nan)}, "row 0 holds a number outside"),
        ({"weights": np.ones(3)}, "weights must be one for each of the 40 rows, got shape (3,)"),
        ({"weights": np.r_[np.ones(39), -1]}, "weights must be from 0 to 1e+30, but row 39 has -1.0"),
        ({"weights": np.r_[np.inf, np.ones(39)]}, "but row 0 has inf"),
        ({"weights": np.r_[1e31, np.ones(39)]}, "weights must be from 0 to 1e+30, but row 0 has 1e+31"),
        ({"weights": ["a"] * 40}, "weights must be an array of numbers"),
        ({"weights": (1.0 for _ in range(40))}, "weights must be an array of numbers"),
        ({"labeled": [[1], [2, 3]], "labels": [0, 1]}, "labeled must be an array of numbers"),
        ({"probabilities": [[0.5, 0.5], [1.0]]}, "probabilities must be an array of numbers"),
        ({"groups": [1, 2]}, "groups must be one for each of the 40 rows, got shape (2,)"),
        ({"groups": np.array(["a", 1] * 20, dtype=object)}, "groups must be all of one kind"),
        ({"tokens": np.ones(40)}, "tokens must be one integer for each of the 40 rows, got float64"),
        ({"tokens": [1]}, "tokens must be one integer for each of the 40 rows"),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(changes: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"features": FEATURES, "n": 1, "strategy": "random", **changes}
    with pytest.raises(SelectionError, match=re.escape(message)):
        select(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint64, np.int8])
def test_whole_numbers_of_any_kind(kind: type) -> None:
    """Data sets often come with labels of one byte."""

    def chosen(kind: type) -> list[int]:
        labels, strata = np.array([0, 2], dtype=kind), (np.arange(40) % 2).astype(kind)
        picks = select(FEATURES, 6, labeled=labels, labels=labels, strata=strata, strata_names=["dark", "bright"])
        return picks.rows.tolist()

    assert chosen(kind) == chosen(np.int64)


def test_none_is_as_good_as_nothing() -> None:
    nothing = {"labeled": None, "labels": None, "exclude": None, "like": None, "audits": None, "class_names": None}
    assert select(FEATURES, 6, **nothing).rows.tolist() == select(FEATURES, 6).rows.tolist()  # type: ignore[arg-type]


def test_given_images_that_a_strategy_does_not_look_at_are_told() -> None:
    note = "chosen by random; nothing more like given images is looked for: similar_to does that"
    assert select(FEATURES, 3, "random", like=[4]).note == note
    assert select(FEATURES, 3, "similar_to", like=[4]).note == "chosen by similar_to"
    assert select(FEATURES, 3, "random").note == "chosen by random"


def test_features_of_yes_and_no_are_ones_and_zeros() -> None:
    features = FEATURES > 0
    assert select(features, 6).rows.tolist() == select(features.astype(np.float32), 6).rows.tolist()


def test_probabilities_of_half_precision_are_good_enough() -> None:
    assert len(select(FEATURES, 5, "margin", probabilities=P.astype(np.float16)).rows) == 5


def test_excluding_twice_or_what_is_labelled_is_no_matter() -> None:
    picks = select(FEATURES, 36, "random", labeled=[1, 2], labels=[0, 0], exclude=[2, 3, 3, 4])
    assert not {1, 2, 3, 4} & set(picks.rows.tolist())


@pytest.mark.parametrize(
    ("n", "audit", "count"),
    [(1, 0.1, 0), (2, 0.01, 1), (10, 0.1, 1), (20, 0.2, 4), (15, 0.0, 0), (1, 1.0, 1), (12, 1.0, 12), (40, 0.25, 10)],
)
def test_how_many_are_audits(n: int, audit: float, count: int) -> None:
    picks = select(FEATURES, n, "kcenter", audit=audit)
    assert picks.roles.count("audit") == count
    assert set(picks.roles) <= {"pick", "audit"}
    for role, reason, score in zip(picks.roles, picks.reasons, picks.scores.tolist(), strict=True):
        assert (reason == AUDIT_REASON) == (role == "audit")
        assert score == 0 or role == "pick"


def test_audits_stand_evenly_in_the_batch() -> None:
    roles = select(FEATURES, 20, "random", audit=0.2).roles
    assert [place for place, role in enumerate(roles) if role == "audit"] == [2, 7, 12, 17]


def test_every_row_is_as_likely_an_audit_whatever_the_guard_thinks() -> None:
    """Half of the rows are one picture, and the strategy would never take two of it; audits do not care."""
    features = RNG.normal(size=(20, 10))
    features[10:] = features[10]
    counts = np.zeros(20)
    for seed in range(400):
        picks = select(features, 6, "kcenter", labeled=[0, 11], labels=[0, 1], exclude=[5, 15], audit=0.5, seed=seed)
        counts[picks.rows[np.array(picks.roles) == "audit"]] += 1
    assert counts[[0, 11, 5, 15]].tolist() == [0, 0, 0, 0]
    expected = 400 * 3 / 16
    drawn = np.delete(counts, [0, 5, 11, 15])
    # 15 degrees of freedom: above 37.7 once in a thousand.
    assert ((drawn - expected) ** 2 / expected).sum() < 37.7


def test_audits_are_the_same_whatever_the_strategy() -> None:
    audits = [
        set(picks.rows[np.array(picks.roles) == "audit"].tolist())
        for picks in (select(FEATURES, 20, one, audit=0.3, probabilities=P) for one in ("random", "margin", "kmeans"))
    ]
    assert audits[0] == audits[1] == audits[2]


def test_chance_of_the_strategy_is_not_the_chance_of_the_audit() -> None:
    audits = select(FEATURES, 20, "random", audit=1.0).rows
    assert set(audits.tolist()) != set(select(FEATURES, 20, "random").rows.tolist())


def test_any_whole_seed() -> None:
    for seed in (np.int64(3), -1, 2**64 + 5):
        assert len(select(FEATURES, 3, "kmeans", seed=seed, audit=0.4).rows) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("code", ["import sys; sys.exit(0)", "1 / 0", "def broken("])
def test_a_module_that_fails_while_it_is_loaded_is_one_error(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"own_strategy_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownStrategy, match=f"'{name}' cannot be imported"):
        select(FEATURES, 1, f"{name}:pick")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (([1, 2], ["a", "b"], ["x", "y"]), "scores"),
        (([1, 2], [0.0, 0.0], None), "must return a reason"),
        (([1, [2, 3]], [0.0, 0.0], ["x", "y"]), "rows"),
        (([1, 2], [0.0, 0.0], ["x", "y"], 7), "must return texts as note and became"),
    ],
)
def test_answers_that_are_no_arrays_or_no_texts(answer: object, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        select(FEATURES, 2, named(answer), exclude=[0])
