from __future__ import annotations

import numpy as np
import pytest
from strategy_needs import LABELLESS, select_for

from annotate_select.selection.guard import REPEATED, Caps
from annotate_select.selection.pool import Pool
from annotate_select.selection.select import select
from annotate_select.selection.table import STRATEGIES

EVERY = pytest.mark.parametrize("strategy", list(STRATEGIES))


def bursts(scenes: int, shots: int, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scenes shot several times: cosine about .9999 within a scene, far less between two."""
    rng = np.random.default_rng(seed)
    scene = np.repeat(np.arange(scenes), shots)
    return rng.normal(size=(scenes, d))[scene] + rng.normal(scale=0.01, size=(scenes * shots, d)), scene


def opinions_by_scene(scene: np.ndarray) -> np.ndarray:
    """The model is most torn over the first scenes, all of their shots."""
    torn = 0.5 + scene / (2.5 * len(np.unique(scene)))
    return np.stack([torn, 1 - torn], axis=1)


@EVERY
@pytest.mark.parametrize("audit", [0.0, 0.1])
def test_one_shot_of_a_scene_as_long_as_there_are_others(strategy: str, audit: float) -> None:
    features, scene = bursts(30, 6)
    labeled = np.flatnonzero(np.isin(scene, [0, 7]))[::4]
    picks = select_for(
        strategy,
        features,
        20,
        labeled=labeled,
        labels=np.arange(len(labeled)) % 2,
        probabilities=opinions_by_scene(scene),
        audit=audit,
    )
    kept = [row for row, role in zip(picks.rows.tolist(), picks.roles, strict=True) if role == "pick"]
    drawn = [row for row, role in zip(picks.rows.tolist(), picks.roles, strict=True) if role == "audit"]
    assert len({int(scene[row]) for row in kept}) == len(kept)
    assert not {int(scene[row]) for row in kept} & {0, 7, *(int(scene[row]) for row in drawn)}


@EVERY
def test_repeats_fill_the_batch_when_nothing_else_is_left(strategy: str) -> None:
    features, scene = bursts(5, 8)
    picks = select_for(
        strategy, features, 12, labeled=[0], labels=[0], probabilities=opinions_by_scene(scene), near_duplicate=0.99
    )
    assert sorted(scene[picks.rows[:4]].tolist()) == [1, 2, 3, 4]
    assert [reason.endswith(REPEATED) for reason in picks.reasons] == [False] * 4 + [True] * 8


@EVERY
def test_a_threshold_of_one_allows_everything(strategy: str) -> None:
    features, scene = bursts(5, 8)
    picks = select_for(strategy, features, 40, probabilities=opinions_by_scene(scene), near_duplicate=1.0)
    assert not any(reason.endswith(REPEATED) for reason in picks.reasons)


def test_ranking_passes_over_near_duplicates() -> None:
    features, scene = bursts(6, 4)
    picks = select(features, 6, "margin", probabilities=opinions_by_scene(scene))
    assert scene[picks.rows].tolist() == [0, 1, 2, 3, 4, 5]


def test_below_eight_dimensions_cosines_are_not_believed() -> None:
    features = np.random.default_rng(0).normal(size=(100, 2))
    picks = select(features, 50, "random")
    assert not any(reason.endswith(REPEATED) for reason in picks.reasons)
    strict = select(features, 50, "random", near_duplicate=0.9)
    assert any(reason.endswith(REPEATED) for reason in strict.reasons)


def pool_of_groups(groups: np.ndarray) -> Pool:
    n = len(groups)
    none = np.empty(0, dtype=np.int64)
    hashes = np.arange(n, dtype=np.uint64)
    return Pool(np.zeros((n, 1)), np.arange(n), none, none, 1, (), None, hashes, None, groups, 0)


@pytest.mark.parametrize(
    ("sizes", "expected"),  # how many of the first 10 picks each group may have
    [
        ([50], [99]),  # a single group has no cap
        ([5, 5], [7, 7]),  # two thirds
        ([98, 1, 1], [7, 5, 5]),  # at most two thirds; at least 2 / (3 + 1)
        ([10] * 9, [3] * 9),  # twice a ninth
        ([90] + [1] * 99, [10 * 2 / 3, *[1] * 99]),
    ],
)
def test_caps(sizes: list[int], expected: list[float]) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    caps = Caps(pool_of_groups(groups))
    for group, most in enumerate(expected):
        row = int(np.flatnonzero(groups == group)[0])
        for _ in range(int(np.ceil(most))):
            assert not caps.full(10)[group]
            caps.add(row)
        assert caps.full(10)[group] == (most < 99)


@EVERY
def test_no_group_fills_a_batch(strategy: str) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2, 3, 4], [60, 20, 20, 10, 10])
    features = rng.normal(size=(120, 10))
    features[groups == 0] *= 3
    torn = np.where(groups == 0, 0.5, 0.9) + rng.uniform(0, 0.01, 120)
    picks = select_for(
        strategy,
        features,
        20,
        groups=groups,
        probabilities=np.stack([torn, 1 - torn], axis=1),
        weights=np.where(groups == 0, 100.0, 1.0),
    )
    counts = np.bincount(groups[picks.rows], minlength=5)
    assert counts[0] <= 14  # two thirds of 20, rounded up
    assert (counts[1:] <= 7).all()  # 2 / (5 + 1), rounded up


@EVERY
def test_the_cap_gives_way_when_others_have_nothing_left(strategy: str) -> None:
    groups = np.repeat([0, 1], [40, 3])
    picks = select_for(
        strategy,
        np.random.default_rng(0).normal(size=(43, 10)),
        30,
        groups=groups,
        probabilities=np.full((43, 2), 0.5),
    )
    assert np.bincount(groups[picks.rows]).tolist() == [27, 3]
    assert not any(reason.endswith(REPEATED) for reason in picks.reasons)


@EVERY
def test_the_cap_gives_way_before_near_duplicates_do(strategy: str) -> None:
    features, scene = bursts(8, 5)
    groups = (scene >= 7).astype(np.int64)  # group 1 has one scene, shot five times
    picks = select_for(strategy, features, 8, groups=groups, probabilities=opinions_by_scene(scene))
    assert sorted(scene[picks.rows].tolist()) == list(range(8))


def test_rows_passed_over_come_back_when_the_cap_allows() -> None:
    # Ranking: a a a a b b; of k picks a group may have ceil(2 k / 3): a, a waits until the third pick.
    p = np.array([0.5, 0.51, 0.52, 0.53, 0.6, 0.61])
    picks = select(
        np.random.default_rng(0).normal(size=(6, 3)),
        6,
        "margin",
        probabilities=np.stack([p, 1 - p], axis=1),
        groups=["a", "a", "a", "a", "b", "b"],
    )
    # caps for a at k = 1..6: 1, 2, 2, 3, 4, 4
    assert picks.rows.tolist() == [0, 1, 4, 2, 3, 5]


def test_negative_groups_are_no_groups() -> None:
    p = np.linspace(0.5, 0.9, 9)
    picks = select(
        np.random.default_rng(0).normal(size=(9, 3)),
        4,
        "margin",
        probabilities=np.stack([p, 1 - p], axis=1),
        groups=[-1, -1, -1, -1, 5, 5, 5, 5, 5],
    )
    assert picks.rows.tolist() == [0, 1, 2, 3]


def test_a_long_ranking_of_bursts() -> None:
    features, scene = bursts(20, 200)
    picks = select(features, 20, "margin", probabilities=opinions_by_scene(scene))
    assert scene[picks.rows].tolist() == list(range(20))


@EVERY
def test_the_cap_counts_audits_and_other_parts_of_the_batch(strategy: str) -> None:
    """Four images of each of 100 patients: of 20 picks a patient may have one, whoever chose it."""
    patients = np.repeat(np.arange(100), 4)
    features = np.random.default_rng(0).normal(size=(400, 16))
    given = {"probabilities": np.full((400, 2), 0.5), "groups": patients, "chance": 0.5}
    for seed in range(2):
        audited = select_for(strategy, features, 20, audit=0.3, seed=seed, **given)
        picked = np.array(audited.roles) == "pick"
        picks, audits = patients[audited.rows[picked]], patients[audited.rows[~picked]]
        assert len(np.unique(picks)) == 14
        assert not np.isin(picks, audits).any()
        strata = np.arange(400 + (strategy not in LABELLESS)) % 3
        parted = select_for(strategy, features, 20, seed=seed, strata=strata, **given)
        assert len(np.unique(patients[parted.rows])) == 20


def test_rows_without_a_group_have_one_of_their_own() -> None:
    features = np.random.default_rng(0).normal(size=(30, 16))
    alone = select(features, 10, "random", groups=np.full(30, np.nan)).rows
    np.testing.assert_array_equal(alone, select(features, 10, "random").rows)
    mixed = np.array(["a"] * 15 + [None] * 15, dtype=object)  # type: ignore[list-item]
    picks = select(features, 12, "random", groups=mixed)
    assert 0 < np.sum(picks.rows < 15) < 12
