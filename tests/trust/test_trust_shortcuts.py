"""Nuisances that predict the label are found and named; those that do not, are not."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.trust.nuisances import GROUP, Nuisance, category, colour, number
from annotate_select.trust.shortcuts import Association, associations, enough, permuted, usual


def noise(rng: np.random.Generator, n: int) -> list[Nuisance]:
    """Twelve nuisances of each kind that say nothing."""
    return [
        *(number(f"number {at}", rng.normal(size=n)) for at in range(6)),
        *(category(f"category {at}", [f"v{one}" for one in rng.integers(0, 2 + 3 * at, n)]) for at in range(4)),
        *(colour(f"colour {at}", rng.random((n, 3))) for at in range(2)),
    ]


def found(rows: list[Association]) -> list[str]:
    return [one.nuisance.name for one in rows if one.found]


def test_planted_shortcuts_are_found_the_strongest_first() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    planted = [
        number("brightness", y + rng.normal(size=200)),
        category("folder", [f"camera {one if rng.random() < 0.95 else 1 - one}" for one in y]),
        colour("border", np.stack([0.3 + 0.3 * y + 0.1 * rng.normal(size=200)] * 3, axis=1)),
    ]
    rows = associations([*noise(rng, 200), *planted], y)
    assert set(found(rows)) == {"brightness", "folder", "border"}
    folder = next(one for one in rows if one.nuisance.name == "folder")
    said = np.array([int(name[-1]) for name in folder.cells.names])[folder.cells.number]
    assert folder.accuracy == pytest.approx(np.mean([(said == y)[y == one].mean() for one in (0, 1)]))
    assert (rows[0].nuisance.name, rows[0].chance) == ("folder", 0.5)
    assert found(rows) == [one.nuisance.name for one in rows[:3]]
    brightness = next(one for one in rows if one.nuisance.name == "brightness")
    assert 0.6 < brightness.accuracy < 0.75  # two normals one deviation apart: 69 % at best


def test_one_class_of_many_that_is_told_is_named() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 12, 600)
    marked = np.where(y == 7, 3.0, 0.0) + rng.normal(size=600)
    rows = associations([*noise(rng, 600), number("stamp", marked)], y)
    assert found(rows)[0] == "stamp"
    assert rows[0].told[0].number == 7
    assert rows[0].told[0].accuracy > 0.85
    assert rows[0].accuracy < 0.25


def test_a_missing_value_may_be_what_gives_a_class_away() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 120)
    quality = np.where((y == 1) & (rng.random(120) < 0.8), np.nan, rng.normal(90, 3, 120))
    assert found(associations([number("jpeg_quality", quality)], y)) == ["jpeg_quality"]


def test_what_is_the_same_of_all_images_says_nothing() -> None:
    y = np.arange(60) % 2
    same = [
        number("width", np.full(60, 32.0)),
        category("camera", [None] * 60),
        category("name", list(map(str, y * 0))),
    ]
    assert associations(same, y) == []
    # values that each image has alone are pooled, and say nothing either
    assert associations([category("file", [f"{at}.jpg" for at in range(60)])], y) == []


@pytest.mark.parametrize("case", ["balanced", "rare", "many classes"])
def test_false_finds_stay_at_five_in_a_hundred(case: str) -> None:
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = {
            "balanced": lambda rng: rng.integers(0, 2, 80),
            "rare": lambda rng: (np.arange(80) < 9).astype(int),
            "many classes": lambda rng: rng.integers(0, 6, 80),
        }[case](rng)
        wrong += bool(found(associations(noise(rng, 80), y, seed=seed, permutations=399)))
    # all nuisances say nothing, so a run with any find is a false find; 5 of 100 and two and a half deviations
    assert wrong <= 10


@pytest.mark.parametrize("mixed", [0.0, 0.3])
def test_groups_that_share_label_and_nuisance_are_no_proof(mixed: float) -> None:
    wrong, naive = 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        group, of_group = rng.integers(0, 20, 120), rng.integers(0, 2, 20)
        y = np.where(rng.random(120) < mixed, rng.integers(0, 2, 120), of_group[group])
        place = rng.normal(size=(20, 6))[group] + 0.3 * rng.normal(size=(120, 6))
        nuisances = [number(str(at), column) for at, column in enumerate(place.T)]
        wrong += bool(found(associations(nuisances, y, group, seed=seed, permutations=399)))
        naive += bool(found(associations(nuisances, y, seed=seed, permutations=399)))
    assert wrong <= 8  # 3 are expected
    assert naive > 30  # image by image, chance would be called a find


def test_with_groups_a_shortcut_across_groups_is_found_and_the_group_itself_is_told() -> None:
    rng = np.random.default_rng(3)
    group = np.arange(200) // 5
    y = (group % 2).astype(int)
    nuisances = [
        number("brightness", y + 0.5 * rng.normal(size=200)),
        category(GROUP, [f"patient {one}" for one in group]),
        number("noise", rng.normal(size=200)),
    ]
    assert set(found(associations(nuisances, y, group))) == {"brightness", GROUP}


def test_labels_are_dealt_anew_in_whole_groups() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 1, 1, 2])
    units = np.array([0, 0, 0, 1, 1, 2])
    dealt = permuted(labels, units, 50, rng)
    assert dealt[0].tolist() == labels.tolist()
    assert all(len(set(row[:3])) == 1 and row[3] == row[4] for row in dealt.tolist())
    assert {tuple(sorted({row[0], row[3], row[5]})) for row in dealt.tolist()} == {(0, 1, 2)}
    alone = permuted(labels, np.arange(6), 50, rng)
    assert all(sorted(row) == sorted(labels.tolist()) for row in alone.tolist())


@pytest.mark.parametrize(
    ("labels", "usable", "missing"),
    [
        ([], [False, False, False], 30),
        ([0] * 2 + [1] * 9, [False, True, False], 19),
        ([0] * 100, [True, False, False], 8),
        ([0] * 100 + [1] * 5, [True, False, False], 3),
        ([0] * 10 + [1] * 10, [True, True, False], 10),
        ([0] * 20 + [1] * 10 + [2] * 3, [True, True, False], 0),
    ],
)
def test_too_few_labels_say_how_many_more(labels: list[int], usable: list[bool], missing: int) -> None:
    classes, more = enough(np.array(labels, dtype=np.int64), 3)
    assert (classes.tolist(), more) == (usable, missing)


def test_the_same_seed_gives_the_same_answer_and_inputs_stay() -> None:
    rng = np.random.default_rng(5)
    y, nuisances = rng.integers(0, 3, 90), noise(rng, 90)
    before = y.copy()
    first, second = (associations(nuisances, y, seed=4, permutations=99) for _ in range(2))
    assert [(one.nuisance.name, one.p) for one in first] == [(one.nuisance.name, one.p) for one in second]
    assert (y == before).all()


def test_what_is_usual_is_learned_from_the_labels_there_are() -> None:
    level = np.concatenate([np.linspace(0, 0.4, 20), np.linspace(0.6, 1, 20)])
    labels = np.repeat([0, 1], 20)
    labels[::2] = -1
    found = usual(number("brightness", level), labels, 3)
    assert found[:20, 0].all()
    assert found[20:, 1].all()
    assert not found[20:, 0].any()
    assert not found[:20, 1].any()
    assert found[:, 2].all()  # a class without a label is nowhere unusual
