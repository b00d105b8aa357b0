"""The dictionary encoder: against the same written out patch by patch, few and equal images, and what it is for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from annotate_select.errors import FeaturesError
from annotate_select.features import dictionary
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.dictionary import DAMPING, components, learn, reduced, steadied
from annotate_select.features.images import Images
from annotate_select.features.network import CONTRAST, KINDS, DictionaryEncoder
from annotate_select.features.parts import KINDS as PARTS
from annotate_select.features.parts import windows
from annotate_select.progress import silent


def config(size: int = 16, **changes: object) -> AutoencoderConfig:
    values: dict[str, object] = {"image_size": size, "dim": 6, "atoms": 10, "epochs": 1, "batch_size": 8, **changes}
    return AutoencoderConfig(**values)  # type: ignore[arg-type]


def noise(n: int = 20, size: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def learned(images: np.ndarray, **changes: object) -> DictionaryEncoder:
    settings = config(images.shape[1], **changes)
    encoder = DictionaryEncoder(settings)
    learn(encoder, Images(images, images.shape[1]), np.arange(len(images)), settings, silent)
    return encoder


@pytest.mark.parametrize("size", [8, 16, 33, 64, 70])
@pytest.mark.parametrize("parts", PARTS)
def test_its_code_is_the_answers_of_single_patches_summed_over_parts(size: int, parts: str) -> None:
    images = noise(3, size)
    encoder = learned(images, parts=parts)
    x = images[0].transpose(2, 0, 1) / 255.0  # (3, H, W)
    p, places = encoder.patch, range(0, size - encoder.patch + 1, encoder.stride)
    filters, threshold = encoder.filters.numpy().astype(float), encoder.threshold.numpy()
    answers = np.zeros((10, len(places), len(places)))
    for i, top in enumerate(places):
        for j, left in enumerate(places):
            patch = x[:, top : top + p, left : left + p]
            normal = (patch - patch.mean()) / np.sqrt(patch.var() + CONTRAST)
            answers[:, i, j] = np.maximum((filters * normal).sum(axis=(1, 2, 3)) - threshold, 0)
    if parts == "thirds":
        summed = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(answers), 3).numpy().reshape(-1)
    else:
        sides = [windows(side, len(places)).numpy().astype(float) for side in (1, 5)]
        summed = np.concatenate([np.einsum("cij,ui,vj->uvc", answers, one, one).reshape(-1) for one in sides])
    code = encoder.code(Images(images, size).batch(np.array([0]))).numpy()
    np.testing.assert_allclose(code[0], np.sqrt(summed), atol=2e-3)


def test_a_brighter_or_paler_image_gives_nearly_the_same_features() -> None:
    images = noise(40, 32)
    encoder = learned(images, atoms=30)
    x = Images(images, 32).batch(np.arange(40))
    pale = (x - 0.5) * 0.8 + 0.6
    one, other = encoder(x).numpy(), encoder(pale).numpy()
    one, other = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (one, other))
    same, others = (one * other).sum(axis=1), one @ one.T - 2 * np.eye(40)
    assert same.min() > 0.95
    assert (same > others.max(axis=1)).all()


def test_features_have_mean_0_and_mean_variance_1() -> None:
    images = noise(200)
    z = learned(images)(Images(images, 16).batch(np.arange(200))).numpy()
    np.testing.assert_allclose(z.mean(axis=0), np.zeros(6), atol=1e-3)
    assert z.var(axis=0).mean() == pytest.approx(1, abs=0.02)


def test_components_keep_two_thirds_of_the_logarithms_of_variance() -> None:
    codes = np.random.default_rng(0).normal(size=(4000, 2)) * [8.0, 1.0]  # variances 64 and 1
    weight, bias = components(codes.astype(np.float32), 2, 0)
    variance = (codes @ weight.T + bias).var(axis=0)
    assert variance.mean() == pytest.approx(1, rel=1e-3)
    assert variance[0] / variance[1] == pytest.approx(64 * (1.325 / 64.325) ** (1 / 3), rel=0.1)  # + .01 of 32.5


def test_components_leave_directions_that_are_not_there_at_0() -> None:
    codes = np.outer(np.arange(5.0), [3.0, 4.0, 0.0]).astype(np.float32)  # on a line
    weight, bias = components(codes, 4, 0)
    z = codes @ weight.T + bias
    np.testing.assert_allclose(z.mean(axis=0), np.zeros(4), atol=1e-5)
    assert z[:, 0].var() == pytest.approx(4, rel=0.01)  # a mean of 1 over four, three of them 0
    assert np.abs(z[:, 1:]).max() < 1e-2
    weight, bias = components(np.ones((3, 2), np.float32), 2, 0)
    assert not weight.any()
    assert not bias.any()


def test_steadied_shrinks_the_direction_in_which_views_move() -> None:
    moved = np.outer([1.0, -1.0, 1.0], [3.0, 0.0]).astype(np.float32)  # along the first axis alone
    turn = steadied(moved, share=0.5)
    assert turn[0, 0] / turn[1, 1] == pytest.approx((DAMPING / (2 + DAMPING)) ** 0.25)  # spreads 9 and 0: 2, 0
    np.testing.assert_allclose([turn[0, 1], turn[1, 0]], 0, atol=1e-6)


def test_steadied_with_views_that_do_not_move_changes_nothing() -> None:
    np.testing.assert_array_equal(steadied(np.zeros((4, 3), np.float32), share=1.0), np.eye(3))


def test_reduced_keeps_distances_and_treats_alike_the_rows_that_decided_and_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = noise(50)
    encoder, found = learned(images), Images(images, 16)
    codes = encoder.code(found.batch(np.arange(50))).numpy()
    for most in (20, 50):
        monkeypatch.setattr(dictionary, "MOST_REDUCED", most)
        (weight, bias), points = reduced(encoder, found, np.arange(50), 512, 0, silent)
        assert points.shape == (50, most)
        np.testing.assert_allclose(points, codes @ weight.T + bias, atol=1e-3)
    ratio = np.linalg.norm(points[1:] - points[:-1], axis=1) / np.linalg.norm(codes[1:] - codes[:-1], axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=0.01)


def nearness_of_mirrored(views: str, invariance: float = 1.0) -> float:
    """Return how far an image lies from its mirror image, as a share of how far images lie from each other."""
    images = noise(60, 32, seed=3)
    images[:, :, :16] //= 8  # the left half is dark: mirrored, they differ in that, whatever the noise
    encoder = learned(images, atoms=30, views=views, invariance=invariance)
    z = encoder(Images(images, 32).batch(np.arange(60))).numpy()
    mirrored = encoder(Images(images[:, :, ::-1].copy(), 32).batch(np.arange(60))).numpy()
    between = np.linalg.norm(z[:, None] - z[None], axis=2).sum() / (60 * 59)
    return float(np.linalg.norm(z - mirrored, axis=1).mean() / between)


def test_what_views_change_moves_features_less() -> None:
    blind = nearness_of_mirrored("objects", invariance=0.0)
    assert nearness_of_mirrored("objects") < 0.8 * blind
    assert nearness_of_mirrored("objects") < 0.8 * nearness_of_mirrored("oriented")


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_images(n: int) -> None:
    encoder = Autoencoder(config(8)).fit(noise(n, 8))
    assert np.isfinite(encoder.transform(noise(4, 8))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_images_give_equal_finite_features(kind: str) -> None:
    for images in (np.full((9, 8, 8, 3), 77, np.uint8), np.repeat(noise(1, 8), 9, axis=0)):
        features = Autoencoder(config(8, kind=kind)).fit(images).transform(images)
        assert np.isfinite(features).all()
        np.testing.assert_allclose(features, np.broadcast_to(features[0], features.shape), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_saved_and_loaded_and_repeats(tmp_path: Path, kind: str) -> None:
    images = noise()
    encoder = Autoencoder(config(kind=kind)).fit(images)
    encoder.save(tmp_path)
    loaded = Autoencoder.load(tmp_path)
    np.testing.assert_array_equal(loaded.transform(images), encoder.transform(images))
    np.testing.assert_array_equal(loaded.reconstruct(images), encoder.reconstruct(images))
    again = Autoencoder(config(kind=kind)).fit(images)
    np.testing.assert_allclose(again.transform(images), encoder.transform(images), atol=1e-4)
    assert loaded.definition() == encoder.definition()
    assert len(encoder.history) == 1


def test_it_tells_textures_apart_that_raw_pixels_do_not() -> None:
    """Noise smeared sideways or downwards: pixel by pixel no image is like another of its kind."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 200)
    images = rng.normal(0, 1, (200, 32, 32, 1)) * rng.uniform(30, 60, (200, 1, 1, 3))
    for one in range(200):
        images[one] = sum(np.roll(images[one], shift, axis=kind[one]) for shift in range(3)) / 3
    images = (images + 127).clip(0, 255)
    features = Autoencoder(config(32, atoms=40)).fit(images.astype(np.uint8)).transform(images.astype(np.uint8))

    def agreement(points: np.ndarray) -> float:
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        near = np.argsort(-(unit @ unit.T) + 2 * np.eye(200), axis=1)[:, :5]
        return float((kind[near] == kind[:, None]).mean())

    flat = images.reshape(200, -1)
    assert 1 - agreement(features) < (1 - agreement(flat - flat.mean(axis=0))) / 3


def test_images_held_out_teach_the_dictionary_as_any_other() -> None:
    images = noise()
    features = [Autoencoder(config(held_out=share)).fit(images).transform(images) for share in (0.1, 0.8)]
    np.testing.assert_allclose(features[0], features[1], atol=1e-4)


def test_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FeaturesError, match="no autoencoder of kind 'best'; choose one of dictionary, joint, plain"):
        Autoencoder(config(kind="best")).fit(noise())


def test_settings_stored_before_there_were_kinds() -> None:
    assert AutoencoderConfig.of({"image_size": 8, "invariance": 1.0}).kind == "joint"
    assert AutoencoderConfig.of({"image_size": 8, "invariance": 0.0}).kind == "plain"
    assert AutoencoderConfig.of({"kind": "dictionary", "image_size": 8}).image_size == 8


def test_an_encoder_stored_before_parts_overlapped_stays_as_it_was(tmp_path: Path) -> None:
    images = noise()
    encoder = Autoencoder(config(parts="thirds")).fit(images)
    encoder.save(tmp_path)
    about = json.loads((tmp_path / "autoencoder.json").read_text())
    del about["config"]["parts"]
    (tmp_path / "autoencoder.json").write_text(json.dumps(about))
    loaded = Autoencoder.load(tmp_path)
    np.testing.assert_array_equal(loaded.transform(images), encoder.transform(images))
    assert set(loaded.definition()["architecture"]) == {"kind", "image_size", "dim", "atoms"}  # as it was written


def test_windows_weigh_as_much_together_as_the_whole_and_slide() -> None:
    for places in (3, 27, 29):
        weight = windows(5, places).numpy()
        np.testing.assert_allclose(weight.sum(), 1, rtol=1e-5)
        np.testing.assert_allclose(weight, weight[::-1, ::-1], atol=1e-6)
    away_from_the_edge = windows(5, 1000).numpy()[:, 300:700].sum(axis=0)
    np.testing.assert_allclose(away_from_the_edge, 1e-3, rtol=1e-3)  # wherever a thing is, all of it is seen


def test_unknown_parts_are_refused_with_the_known_ones() -> None:
    with pytest.raises(FeaturesError, match="no parts 'halves'; choose one of overlapping, thirds"):
        Autoencoder(config(parts="halves")).fit(noise())


def test_few_images_decide_few_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """More would be these images' own, and an unchanged world would seem to shrink."""
    asked: list[int] = []

    def recorded(*arguments: object) -> object:
        asked.append(int(str(arguments[3])))
        return reduced(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(dictionary, "reduced", recorded)
    for n in (20, 100):
        learned(noise(n))
    learned(noise(20), dim=12)
    assert asked == [6, 25, 12]  # of 20 images 5, and as many as are kept
