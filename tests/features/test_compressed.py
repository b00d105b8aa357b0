"""The autoencoder over features: what it keeps, what it calls new, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from annotate_select.errors import FeaturesError
from annotate_select.features import compressed
from annotate_select.features.compressed import Compressed, default_dim
from annotate_select.features.derived import Part

WIDTH = 24


def rows(n: int, seed: int = 0, rank: int = 5) -> np.ndarray:
    """Rows (n, WIDTH) near a bent surface of `rank` dimensions that is the same for every seed."""
    basis = np.random.default_rng(99).normal(size=(2 * rank, WIDTH))
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, rank))
    return np.asarray(np.hstack([z, np.tanh(2 * z)]) @ basis + 3 + 0.05 * rng.normal(size=(n, WIDTH)), np.float32)


def fitted(data: np.ndarray, dim: int | None = 5, seed: int = 0) -> Compressed:
    return Compressed.fit(Part("wide", "0" * 16, data.shape[1]), data, dim=dim, seed=seed)


@pytest.fixture(scope="module")
def model() -> Compressed:
    return fitted(rows(1000))


def test_it_rebuilds_better_than_principal_components(model: Compressed) -> None:
    data, new = rows(1000), rows(300, seed=1)
    x, y = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (data, new))
    mean, scale = x.mean(axis=0), x.var(axis=0).mean() ** 0.5
    _, _, axes = np.linalg.svd(x - mean, full_matrices=False)
    left = (y - mean) - (y - mean) @ axes[:5].T @ axes[:5]
    assert model.errors(new).mean() < 0.9 * ((left / scale) ** 2).mean()


def test_latents_are_evened_components(model: Compressed) -> None:
    z = model.encode(rows(1000)).astype(np.float64)
    assert (z.shape, model.dim) == ((1000, 5), 5)
    spread = np.cov(z.T)
    variances = np.diag(spread)
    assert np.abs(spread - np.diag(variances)).max() < 0.1 * variances.min()
    assert (np.diff(variances) < 0.05).all()
    np.testing.assert_allclose(variances.mean(), 1, atol=0.05)


def test_lengths_of_rows_do_not_matter_and_a_row_of_zeros_is_one_of_them(model: Compressed) -> None:
    some = rows(5, seed=2)
    np.testing.assert_allclose(model.encode(1000 * some), model.encode(some), atol=1e-4)
    np.testing.assert_allclose(model.encode(np.float32(1e30) * some), model.encode(some), atol=1e-4)
    assert np.isfinite(model.encode(np.zeros((1, WIDTH), np.float32))).all()
    assert model.encode(np.zeros((0, WIDTH), np.float32)).shape == (0, 5)


def test_a_memory_map_of_any_precision_is_read_and_left_as_it_is(model: Compressed, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows(20, seed=2).astype(np.float16))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    before = np.array(mapped)
    np.testing.assert_allclose(model.encode(mapped), model.encode(rows(20, seed=2)), atol=0.02)
    assert np.isfinite(fitted(mapped).encode(mapped)).all()
    assert (mapped == before).all()


def test_novelty_ranks_among_the_pool_and_what_is_unlike_it_is_new(model: Compressed) -> None:
    known = model.novelty(rows(500, seed=3))
    assert ((known >= 0) & (known <= 1)).all()
    np.testing.assert_allclose(np.quantile(known, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.12)
    strange = np.random.default_rng(4).normal(size=(50, WIDTH)).astype(np.float32)
    assert model.novelty(strange).min() == 1
    assert model.errors(strange).min() > np.quantile(model.errors(rows(500, seed=3)), 0.95)
    assert model.novelty(strange[:0]).shape == (0,)


def test_new_kinds_within_what_can_be_rebuilt_are_new() -> None:
    """Points between two heaps are rebuilt without error, yet nothing like them was learned from."""
    rng = np.random.default_rng(0)
    heaps = rng.choice([-1.0, 1.0], size=(400, 1)) + 0.02 * rng.normal(size=(400, 1))
    line = np.hstack([heaps, np.ones((400, 1)), 0.02 * rng.normal(size=(400, 6))]).astype(np.float32)
    found = fitted(line, dim=2)
    between = np.array([[0, 1, 0, 0, 0, 0, 0, 0]], np.float32)
    assert found.novelty(between)[0] == 1


def test_the_same_seed_makes_the_same_and_torchs_own_generator_stays(model: Compressed) -> None:
    before = torch.get_rng_state()
    again = fitted(rows(1000))
    assert torch.equal(before, torch.get_rng_state())
    assert again.definition() == model.definition() != fitted(rows(1000), seed=1).definition()
    assert (again.novelty(rows(9, seed=5)) == model.novelty(rows(9, seed=5))).all()


def test_saved_and_loaded_it_is_the_same(model: Compressed, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = Compressed.load(tmp_path, model.definition())
    some = rows(50, seed=6)
    assert loaded.definition() == model.definition()
    assert (loaded.encode(some) == model.encode(some)).all()
    assert (loaded.novelty(some) == model.novelty(some)).all()
    for damage in (b"", b"x" * 100, None):
        if damage is None:
            (tmp_path / "weights.safetensors").unlink()
        else:
            (tmp_path / "weights.safetensors").write_bytes(damage)
        with pytest.raises(FeaturesError, match=r"is damaged .* with --retrain"):
            Compressed.load(tmp_path, model.definition())


def test_training_that_helps_nothing_leaves_the_components(monkeypatch: pytest.MonkeyPatch) -> None:
    data, stages = rows(200), list[tuple[int, int, str]]()
    monkeypatch.setattr(compressed, "LEARNING_RATE", 10.0)
    part = Part("wide", "0" * 16, WIDTH)
    Compressed.fit(part, data, dim=5, progress=lambda stage, done, total, note: stages.append((done, total, note)))
    best, first = stages[-1][2].removeprefix("held-out error ").split(", of components ")
    assert best == first
    assert stages[-1][0] == stages[-1][1] > len(stages) - 1  # it stopped early, and said that it was done


def test_an_error_that_is_not_finite_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "LEARNING_RATE", float("inf"))
    with pytest.raises(FeaturesError, match="became nan; compress to another --dim, or look for damage"):
        fitted(rows(50))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 20])
def test_few_rows_will_do(n: int) -> None:
    found = fitted(rows(n), dim=5)
    assert np.isfinite(found.encode(rows(n))).all()
    assert found.novelty(np.random.default_rng(0).normal(size=(2, WIDTH)).astype(np.float32)).tolist() == [1, 1]


@pytest.mark.parametrize(("n", "images"), [(1, "1 image"), (2, "2 images"), (50, "50 images")])
def test_rows_that_do_not_differ_are_refused(n: int, images: str) -> None:
    with pytest.raises(FeaturesError, match=rf"features 'wide' do not differ \({images}\).*add other images"):
        fitted(np.repeat(rows(1), n, axis=0))


@pytest.mark.parametrize("dim", [0, WIDTH + 1])
def test_a_width_that_cannot_be_is_refused(dim: int) -> None:
    with pytest.raises(FeaturesError, match=rf"'wide' are 24 wide; compress them to 1 to 24, got dim {dim}"):
        fitted(rows(10), dim=dim)


def test_the_usual_width_is_128_and_at_most_half() -> None:
    assert [default_dim(width) for width in (1, 2, 24, 256, 1280)] == [1, 1, 12, 128, 128]
