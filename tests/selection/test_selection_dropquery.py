from __future__ import annotations

import numpy as np
import pytest

from annotate_select.selection import dropquery as module
from annotate_select.selection.dropquery import kept
from annotate_select.selection.pool import seeded_hashes
from annotate_select.selection.select import select


def test_a_quarter_is_kept_by_image_and_pass() -> None:
    hashes = seeded_hashes(np.arange(3000), 0)
    first, second = kept(hashes, 100, 0), kept(hashes, 100, 1)
    assert first.shape == (3000, 100)
    np.testing.assert_allclose(first.mean(axis=0), 0.25, atol=0.04)
    np.testing.assert_allclose(first.mean(axis=1).mean(), 0.25, atol=0.005)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(first[:, 0], first[:, 64])[0, 1]) < 0.06
    np.testing.assert_array_equal(kept(hashes[::-1], 100, 0), first[::-1])


def test_what_lies_between_the_classes_flips() -> None:
    """Two classes at the ends of one diagonal, a tight group between them and a little to one side."""
    rng = np.random.default_rng(0)
    side = np.repeat([1.0, -1.0, 0.0], [150, 150, 60])
    features = side[:, None] * np.ones(32) + rng.normal(scale=0.6, size=(360, 32))
    labeled, labels = [0, 1, 2, 150, 151, 152], [0, 0, 0, 1, 1, 1]
    picks = select(features, 3, "dropquery", labeled=labeled, labels=labels, near_duplicate=1.0)
    assert (picks.rows >= 300).all()
    assert picks.reasons[0].startswith("its prediction flips in ")
    assert " of 3 passes with three quarters of its features dropped; stands for " in picks.reasons[0]
    assert picks.reasons[0].endswith(" in doubt")
    assert (np.diff(picks.scores) <= 0).all()


def test_samples_are_the_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENOUGH", 1)
    features = np.random.default_rng(0).normal(size=(50, 10))
    samples = np.tile([0.9, 0.1], (3, 50, 1))
    samples[0, :5] = [0.3, 0.7]  # the mean is still the first class
    samples[:2, 5:8] = [0.45, 0.55]  # again, .6 on average
    given = {"labeled": [49], "labels": [0], "probabilities": samples, "near_duplicate": 1.0}
    picks = select(features, 3, "dropquery", **given)  # type: ignore[arg-type]
    assert set(picks.rows.tolist()) == {5, 6, 7}
    assert picks.reasons == ["its prediction flips in 2 of 3 passes"] * 3
    more = select(features, 8, "dropquery", **given)  # type: ignore[arg-type]
    assert set(more.rows.tolist()) == set(range(8))
    all_and_more = select(features, 10, "dropquery", **given)  # type: ignore[arg-type]
    assert set(all_and_more.rows[:8].tolist()) == set(range(8))
    assert all_and_more.reasons[9] == "its prediction flips in 0 of 3 passes"


def test_one_class_cannot_flip() -> None:
    features = np.random.default_rng(0).normal(size=(50, 10))
    picks = select(features, 5, "dropquery", labeled=[0, 1], labels=[1, 1], n_classes=3)
    assert picks.note == "kmeans, as no two classes have a label yet"
    assert picks.rows.tolist() == select(features, 5, "kmeans", labeled=[0, 1], labels=[1, 1]).rows.tolist()


def test_nothing_flips_where_nothing_differs() -> None:
    picks = select(np.ones((30, 8)), 5, "dropquery", labeled=[0, 1], labels=[0, 1])
    assert picks.reasons[1] == "its prediction flips in 0 of 3 passes with three quarters of its features dropped"
    assert "in doubt" not in picks.reasons[0]


def test_large_pools_are_sampled_and_weights_of_nothing_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLUSTERED", 20)
    features = np.random.default_rng(0).normal(size=(400, 16))
    weights = np.where(np.arange(400) % 2, 0.0, 1.0)
    picks = select(features, 10, "dropquery", labeled=np.arange(6), labels=[0, 1] * 3, weights=weights)
    assert (picks.rows % 2 == 0).all()
    assert picks.scores.sum() <= 20
