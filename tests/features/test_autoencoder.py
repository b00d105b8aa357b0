"""The autoencoder: shapes, seeds, odd input, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.images import Images
from annotate_select.features.network import Network, vicreg
from annotate_select.features.views import augmented


def config(size: int = 8, **changes: object) -> AutoencoderConfig:
    values: dict[str, object] = {
        "image_size": size,
        "kind": "joint",
        "dim": 4,
        "width": 8,
        "epochs": 2,
        "batch_size": 8,
        **changes,
    }
    return AutoencoderConfig(**values)  # type: ignore[arg-type]


def pictures(n: int = 24, size: int = 8, seed: int = 0) -> np.ndarray:
    """Random colours, brighter towards one side: (n, size, size, 3) uint8."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 1, size)[None, :, None, None] * rng.uniform(0, 200, (n, 1, 1, 1))
    return (slope + rng.uniform(0, 55, (n, 1, 1, 3)) + np.zeros((1, 1, size, 1))).astype(np.uint8)


class Pictures(Dataset[object]):
    def __init__(self, images: np.ndarray, wrap: Callable[[np.ndarray], object]) -> None:
        self.images, self.wrap = images, wrap

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> object:
        return self.wrap(self.images[row])


@pytest.mark.parametrize("size", [8, 13, 32, 50, 64, 100])
def test_any_size_from_8_pixels_up(size: int) -> None:
    images = pictures(6, size)
    encoder = Autoencoder(config(size, epochs=1)).fit(images)
    features, rebuilt = encoder.transform(images), encoder.reconstruct(images)
    assert features.shape == (6, 4)
    assert features.dtype == np.float32
    assert rebuilt.shape == images.shape
    assert rebuilt.dtype == np.uint8


def test_it_learns_to_rebuild_and_the_loss_falls() -> None:
    images = pictures(64)
    encoder = Autoencoder(config(epochs=40, invariance=0.0, patience=40)).fit(images)
    first, last = encoder.history[0], encoder.history[-1]
    assert last[1] < first[1] / 2
    assert all(seconds > 0 for _, _, seconds in encoder.history)
    off = encoder.reconstruct(images).astype(float) - images
    assert np.abs(off).mean() < np.abs(images - images.mean(axis=0)).mean() / 2


def test_features_have_mean_0_and_equal_spread_and_stretching_keeps_the_pictures() -> None:
    images = pictures(64)
    network = Network(config())
    network.eval()
    x = Images(images, 8).batch(np.arange(64))
    with torch.no_grad():
        z = network.encoder(x)
        before = network.decoder(z)
        network.whiten(z)
        stretched = network.encoder(x)
        after = network.decoder(stretched)
    np.testing.assert_allclose(stretched.mean(dim=0), np.zeros(4), atol=1e-4)
    assert float(stretched[:, 0].var(correction=0)) == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_stretching_leaves_a_latent_without_spread_alone() -> None:
    network = Network(config())
    before = network.encoder.project.weight.clone()
    network.whiten(torch.ones(5, 4))
    assert torch.equal(network.encoder.project.weight, before)


def test_same_seed_same_features_and_torchs_own_generator_is_left_alone() -> None:
    images = pictures()
    state = torch.get_rng_state()
    one, two, other = (Autoencoder(config(seed=seed)).fit(images).transform(images) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)


def test_images_are_never_changed() -> None:
    images = pictures()
    copy = images.copy()
    images.flags.writeable = False
    Autoencoder(config()).fit(images).transform(images)
    np.testing.assert_array_equal(images, copy)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_few_images(n: int) -> None:
    images = pictures(n)
    encoder = Autoencoder(config()).fit(images)
    assert len(encoder.history) == 2
    assert np.isfinite(encoder.transform(images)).all()


@pytest.mark.parametrize("invariance", [0.0, 1.0])
def test_constant_images_give_finite_features(invariance: float) -> None:
    images = np.full((20, 8, 8, 3), 77, np.uint8)
    features = Autoencoder(config(invariance=invariance)).fit(images).transform(images)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, np.broadcast_to(features[0], features.shape), atol=1e-5)


def test_floats_memory_maps_and_datasets_are_the_same_images(tmp_path: Path) -> None:
    images = pictures()
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    inputs = [
        (images / 255).astype(np.float32),
        mapped,
        Pictures(images, lambda image: image),
        Pictures(images, lambda image: (torch.from_numpy(image), 0)),
    ]
    expected = Autoencoder(config()).fit(images).transform(images)
    for given in inputs:
        found = Autoencoder(config()).fit(given).transform(given)
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), "no images"),
        (np.zeros((2, 9, 8, 3), np.uint8), r"\(8, 8, 3\), got \(9, 8, 3\)"),
        (np.zeros((2, 8, 8), np.uint8), r"got \(8, 8\)"),
        (np.full((2, 8, 8, 3), 200.0), r"0\.\.1, got 200"),
        (np.full((2, 8, 8, 3), np.nan), r"0\.\.1, got nan"),
        (np.zeros((2, 8, 8, 3), np.int64), "int64"),
        ([1, 2], "got list"),
        (Pictures(np.zeros((2, 4, 4, 3), np.uint8), lambda image: image), r"got \(4, 4, 3\)"),
    ],
)
def test_what_is_no_image_is_refused(given: np.ndarray, message: str) -> None:
    with pytest.raises(FeaturesError, match=message):
        Autoencoder(config()).fit(given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 7}, "image_size of the autoencoder must be 8 or more, got 7"),
        ({"dim": 0}, "dim"),
        ({"batch_size": 1}, "batch_size"),
        ({"patience": 0}, "patience"),
        ({"invariance": float("nan")}, "invariance"),
        ({"held_out": 1.0}, "held_out"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"device": "cuda:99"}, "cuda:99"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FeaturesError, match=message):
        Autoencoder(config(**changes)).fit(pictures())  # type: ignore[arg-type]


def test_not_fitted_yet() -> None:
    with pytest.raises(FeaturesError, match="call fit first"):
        Autoencoder(config()).transform(pictures())


def test_saved_and_loaded_it_makes_the_same_features(tmp_path: Path) -> None:
    images = pictures()
    encoder = Autoencoder(config()).fit(images, trained_on="f00d")
    encoder.save(tmp_path / "encoder")
    loaded = Autoencoder.load(tmp_path / "encoder")
    np.testing.assert_array_equal(loaded.transform(images), encoder.transform(images))
    np.testing.assert_array_equal(loaded.reconstruct(images), encoder.reconstruct(images))
    assert loaded.definition() == encoder.definition()
    assert (loaded.config, loaded.history, loaded.stopped) == (encoder.config, encoder.history, encoder.stopped)


def test_the_definition_tells_encoders_apart() -> None:
    images = pictures()
    one = Autoencoder(config()).fit(images, trained_on="a").definition()
    other = Autoencoder(config(seed=1)).fit(images, trained_on="b").definition()
    assert one["kind"] == "autoencoder"
    assert one["architecture"] == {"image_size": 8, "dim": 4, "width": 8, "most_width": 192}
    assert one["weights"] != other["weights"]
    assert (one["trained_on"], other["trained_on"]) == ("a", "b")


@pytest.mark.parametrize("file", ["autoencoder.json", "weights.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]"])
def test_a_damaged_folder_says_to_retrain(tmp_path: Path, file: str, content: bytes | None) -> None:
    Autoencoder(config()).fit(pictures()).save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(FeaturesError, match="--retrain"):
        Autoencoder.load(tmp_path)


def test_vicreg_by_hand() -> None:
    # Two dimensions, two rows: spread and covariance are the same in both views, so agreement is the only difference.
    view = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    # deviation of the first is sqrt(2) > 1: no penalty; of the second sqrt(1e-4) = .01: .99 / 2 dims * 25 / 2, twice
    spread = 2 * 25 * 0.99 / 2 / 2
    assert float(vicreg(view, view)) == pytest.approx(spread, abs=1e-5)
    assert float(vicreg(view, view + 2)) == pytest.approx(spread + 25 * 4, abs=1e-4)
    both = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])  # covariance 2 off the diagonal, twice, over 2 dimensions
    assert float(vicreg(both, both)) == pytest.approx(2 * (2 * 2**2) / 2, abs=1e-4)


def test_views_differ_stay_in_range_and_follow_the_generator() -> None:
    x = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    one, two, again = (augmented(x, torch.Generator().manual_seed(seed)) for seed in (1, 2, 1))
    assert one.shape == x.shape
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1
    assert torch.equal(one, again)
    assert not torch.allclose(one, two)
