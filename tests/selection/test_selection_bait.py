from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection import bait as module
from annotate_select.selection.bait import Design, information
from annotate_select.selection.select import select


def test_information_by_hand() -> None:
    np.testing.assert_allclose(information(np.array([[0.5, 0.5], [0.1, 0.9], [0.0, 1.0]])), [0.25, 0.09, 0.0])


def test_a_gain_by_hand() -> None:
    # One weight, M = 1, F = 1/4, and a label that tells 1/4: the trace falls from .25 to .25 / 1.25 = .2.
    design = Design(np.ones((1, 1)), np.array([0.25]), np.eye(1), np.full((1, 1), 0.25))
    assert design.trace == pytest.approx(0.25)
    np.testing.assert_allclose(design.gains(), [0.05])
    design.take(0)
    assert design.trace == pytest.approx(0.2)
    np.testing.assert_allclose(design.gains(), [0.2 - 0.25 / 1.5])


def test_gains_are_what_the_trace_loses_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    points, told = rng.normal(size=(30, 5)), rng.uniform(0, 0.25, 30)
    mean = (points * told[:, None]).T @ points / 30
    known = 0.1 * np.eye(5) + np.outer(points[3], points[3])
    design = Design(points, told, known, mean)
    for at in (4, 17, 4, 0):
        trace = np.trace(np.linalg.inv(known) @ mean)
        assert design.trace == pytest.approx(trace)
        after = [np.trace(np.linalg.inv(known + w * np.outer(z, z)) @ mean) for z, w in zip(points, told, strict=True)]
        np.testing.assert_allclose(design.gains(), trace - np.array(after), atol=1e-10)
        design.take(at)
        known = known + told[at] * np.outer(points[at], points[at])


def opinions(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), n)


@pytest.mark.parametrize("drawn", [60, 20_000])
def test_picks_are_those_of_plain_greedy(drawn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWN", drawn)
    features, probabilities = np.random.default_rng(0).normal(size=(60, 6)), opinions(60)
    labeled = [0, 1, 2]
    given = {"labeled": labeled, "labels": labeled, "probabilities": probabilities, "near_duplicate": 1.0}
    picks = select(features, 12, "bait", **given)  # type: ignore[arg-type]
    unit = features - features.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    told = information(probabilities)
    mean = (unit * told[:, None]).T @ unit / 60
    known = 0.01 * np.eye(6) + (unit[:3] * told[:3, None]).T @ unit[:3]
    left = set(range(3, 60))
    for row, score in zip(picks.rows.tolist(), picks.scores.tolist(), strict=True):
        trace = np.trace(np.linalg.inv(known) @ mean)
        gains = {
            one: trace - np.trace(np.linalg.inv(known + told[one] * np.outer(unit[one], unit[one])) @ mean)
            for one in left
        }
        assert row == max(gains, key=lambda one: gains[one])
        assert score == pytest.approx(gains[row], rel=1e-3)
        left.remove(row)
        known += told[row] * np.outer(unit[row], unit[row])
    assert " % off what is in doubt about the model's weights" in picks.reasons[0]


def test_a_certain_model_leaves_all_to_chance() -> None:
    picks = select(np.random.default_rng(0).normal(size=(40, 8)), 5, "bait", probabilities=np.eye(2)[np.arange(40) % 2])
    assert picks.scores.tolist() == [0] * 5
    assert picks.reasons[0].endswith("drawn at random, as no label would tell the model more")


def test_many_dimensions_are_seen_along_those_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """All directions lie in 4 of 20 dimensions, so 4 axes show all there is."""
    flat = np.random.default_rng(0).normal(size=(80, 4)) @ np.random.default_rng(1).normal(size=(4, 20))
    expected = select(flat, 15, "bait", probabilities=opinions(80))
    monkeypatch.setattr(module, "WIDEST", 4)
    picks = select(flat, 15, "bait", probabilities=opinions(80))
    assert picks.rows.tolist() == expected.rows.tolist()
    np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-3)


def test_large_pools_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWN", 40)
    monkeypatch.setattr(module, "REFERENCE", 100)
    features, probabilities = np.random.default_rng(0).normal(size=(300, 8)), opinions(300)
    rows = select(features, 60, "bait", probabilities=probabilities).rows
    assert len(set(rows.tolist())) == 60
    assert select(features, 25, "bait", probabilities=probabilities).rows.tolist() == rows[:25].tolist()


def test_groups_and_near_duplicates() -> None:
    doubled = np.repeat(np.random.default_rng(0).normal(size=(40, 8)), 2, axis=0)
    picks = select(doubled, 50, "bait", probabilities=np.repeat(opinions(40), 2, axis=0))
    assert len(set((picks.rows[:40] // 2).tolist())) == 40
    assert "near-duplicate" in picks.reasons[40]
    groups = np.where(np.arange(80) < 70, 0, 1)
    rows = select(np.random.default_rng(0).normal(size=(80, 8)), 9, "bait", probabilities=opinions(80), groups=groups)
    assert (groups[rows.rows] == 0).sum() <= 6
