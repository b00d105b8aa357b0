from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.selection import rare
from annotate_select.selection.pool import Picks
from annotate_select.selection.rare import neighbours
from annotate_select.selection.select import select

NAMES = ["ok", "crack", "dent"]
# Thought ok: rows 0 to 3, the closest call first; crack: 4 and 5; dent: 6. Exact in binary.
P = np.array(
    [
        [0.5, 0.5, 0.0],
        [0.5, 0.375, 0.125],
        [0.5, 0.25, 0.25],
        [0.75, 0.25, 0.0],
        [0.25, 0.5, 0.25],
        [0.0, 0.875, 0.125],
        [0.0, 0.25, 0.75],
        [0.5, 0.25, 0.25],
        [0.5, 0.25, 0.25],
        [0.5, 0.25, 0.25],
    ]
)
GIVEN = {"probabilities": P, "labeled": [7, 8, 9], "labels": [0, 0, 2], "class_names": NAMES}


def around(n: int) -> np.ndarray:
    """Directions all around a circle, evenly: row i is as near to row 0 as row n - i is."""
    angles = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_class_quota_takes_turns_the_rarest_class_first() -> None:
    picks = select(np.eye(10), 7, "class_quota", **GIVEN)  # type: ignore[arg-type]
    # crack has no label, dent one and ok two
    assert picks.rows.tolist() == [4, 6, 0, 5, 1, 2, 3]
    assert picks.scores.tolist() == [0.75, 0.5, 1.0, 0.25, 0.875, 0.75, 0.5]
    assert picks.reasons[:3] == [
        "thought crack .50, next ok .25; class crack has 0 labels",
        "thought dent .75, next crack .25; class dent has 1 label",
        "torn between ok .50 and crack .50; class ok has 2 labels",
    ]


def test_class_quota_of_classes_without_names() -> None:
    picks = select(np.eye(2), 1, "class_quota", probabilities=P[[3, 6]])
    assert picks.reasons == ["thought class 0 .75, next class 1 .25; class 0 has 0 labels"]


def test_class_quota_leaves_a_weight_of_0_for_last() -> None:
    weights = np.array([1, 2, 1, 1, 0, 1, 0, 1, 1, 1])
    picks = select(np.eye(10), 7, "class_quota", weights=weights, **GIVEN)  # type: ignore[arg-type]
    assert picks.rows.tolist() == [5, 1, 0, 2, 3, 6, 4] or picks.rows.tolist() == [5, 1, 0, 2, 3, 4, 6]
    assert picks.scores[:3].tolist() == [0.25, 1.75, 1.0]


def test_similar_to_takes_the_nearest_of_each_given_image_in_turn() -> None:
    picks = select(around(12), 6, "similar_to", like=[0, 4], exclude=[0, 3, 4])
    # Row 2 is as near to the one as to the other. Rows 1 and 11 are 30 degrees from 0, row 5 from 4.
    assert set(picks.rows[:2].tolist()) in ({1, 5}, {11, 5})
    assert set(picks.rows[2:4].tolist()) in ({1, 6}, {11, 6}, {1, 2}, {11, 2})
    np.testing.assert_allclose(picks.scores[:2], 1 + np.cos(np.pi / 6), rtol=1e-6)
    assert picks.reasons[0] == "cosine .87 to the nearest of 2 given images"


def test_given_images_that_may_be_picked_come_first_whatever_rounding_makes_of_them() -> None:
    """One is at the mean and has no direction, two are the same; the others' cosine to themselves is about 1."""
    half = np.random.default_rng(5).normal(size=(20, 9))
    features = np.concatenate([half, -half, np.zeros((1, 9)), half[:1], -half[:1]])
    like = [0, 7, 11, 25, 40, 41]
    firsts = [select(features * scale, 6, "similar_to", like=like, near_duplicate=1.0) for scale in (1, 3.7, 1000)]
    assert sorted(firsts[0].rows.tolist()) == like
    assert [one.rows.tolist() for one in firsts] == [firsts[0].rows.tolist()] * 3
    assert set(firsts[0].reasons) == {"one of the 6 given images"}


def test_similar_to_gives_a_lonely_image_its_share() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([np.eye(12)[0] + rng.normal(scale=0.05, size=(50, 12)), rng.normal(size=(50, 12))])
    picks = select(features, 10, "similar_to", like=[0, 1, 99], exclude=[0, 1, 99], near_duplicate=1.0)
    assert (picks.rows >= 50).sum() >= 3


def test_similar_to_one_that_may_be_picked_itself() -> None:
    picks = select(around(12), 3, "similar_to", like=[5])
    assert (picks.rows[0], set(picks.rows[1:].tolist())) == (5, {4, 6})
    assert picks.reasons == ["the given image itself", *["cosine .87 to the given image"] * 2]


def test_similar_to_by_weight() -> None:
    picks = select(around(12), 11, "similar_to", like=[0], exclude=[0], weights=[1, 1, 5, 0, *[1] * 7, 1])
    assert picks.rows[0] == 2
    assert (picks.rows[-1], picks.scores[-1]) == (3, 0.0)
    np.testing.assert_allclose(picks.scores[0], 5 * 1.5, rtol=1e-6)


def test_similar_to_nothing() -> None:
    with pytest.raises(SelectionError, match=r"no images to find more like; name their rows, like=\[...\]"):
        select(around(5), 1, "annotate_select.selection.rare:similar_to")


def seals(n: int, **changes: object) -> tuple[Picks, np.ndarray]:
    """Ask for n of 40 around a circle, of which row 0 is labelled; the lower the row the closer the call."""
    first = 0.5 + np.arange(40) / 128
    given: dict[str, object] = {"labeled": [0], "labels": [0], "probabilities": np.stack([first, 1 - first], axis=1)}
    picks = select(around(40), n, "seals", **(given | changes))  # type: ignore[arg-type]
    return picks, picks.rows


def test_seals_looks_among_neighbours_with_every_tenth_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare, "NEIGHBOURS", 18)
    picks, rows = seals(39)
    inside = [*range(1, 10), *range(31, 40)]
    assert rows[:9].tolist() == inside[:9]
    assert rows[10:19].tolist() == inside[9:]
    drawn = rows[[9, 19]]
    assert not np.isin(drawn, inside).any()
    assert rows[20:].tolist() == np.setdiff1d(np.arange(10, 31), drawn).tolist()  # margin over the rest
    assert picks.reasons[0] == "torn between class 0 .51 and class 1 .49; cosine .99 to the labelled image"
    assert picks.reasons[9].endswith(
        "; drawn at random outside the neighbourhood of 1 labelled image, which might miss a kind"
    )
    assert picks.reasons[20].endswith("; outside the neighbourhood of 1 labelled image")
    np.testing.assert_allclose(picks.scores, 1 - rows / 64)


def test_seals_draws_others_with_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare, "NEIGHBOURS", 18)
    assert len({int(seals(10, seed=seed)[1][9]) for seed in range(10)}) > 3


def test_seals_looks_around_given_images_rather_than_labelled_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare, "NEIGHBOURS", 3)
    picks, rows = seals(6, like=[15, 25])
    assert rows.tolist() == [14, 15, 16, 24, 25, 26]
    assert picks.reasons[0].endswith("; cosine .99 to the nearest of 2 given images")


def test_seals_looks_around_the_rarest_classes_where_labels_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare, "NEIGHBOURS", 2)
    monkeypatch.setattr(rare, "MOST_SEEDS", 1)
    _, rows = seals(2, labeled=[0, 1, 30], labels=[0, 0, 1])
    assert rows.tolist() == [29, 31]


def test_seals_with_nothing_labelled_is_margin() -> None:
    picks, rows = seals(12, labeled=(), labels=())
    assert rows.tolist() == list(range(12))
    assert picks.reasons[0].endswith("; nothing is labelled yet, so there are no neighbours to look among")


def test_seals_leaves_a_weight_of_0_for_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare, "NEIGHBOURS", 3)
    _, rows = seals(39, weights=np.where(np.isin(np.arange(40), [1, 39, 12]), 0.0, 1.0))
    assert set(rows[:3].tolist()) in ({2, 38, 3}, {2, 38, 37}, {2, 38, 3, 37}) or rows[:4].tolist() == [2, 3, 37, 38]
    assert set(rows[-3:].tolist()) == {1, 12, 39}


@pytest.mark.parametrize("k", [1, 5, 60, 99])
def test_neighbours(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(80, 6)).astype(np.float32)
    rows, others = np.arange(20, 80), np.array([3, 7, 25])
    expected: set[int] = set()
    for other in others:
        expected |= set(rows[np.argsort(-(points[rows] @ points[other]))[:k]].tolist())
    assert set(rows[neighbours(points, rows, others, k)].tolist()) == expected
    monkeypatch.setattr(rare, "BLOCK", 2 * 6 * 7)  # blocks of 7 rows, fewer than k
    assert set(rows[neighbours(points, rows, others, k)].tolist()) == expected


def test_neighbours_that_are_equals_are_all_inside() -> None:
    points = np.ones((9, 2), dtype=np.float32)
    assert neighbours(points, np.arange(9), np.array([0]), 2).all()
    assert not neighbours(points, np.arange(9), np.arange(0), 2).any()
