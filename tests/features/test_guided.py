"""Labels fed back into an encoder: which may enter, what they stretch, and that nothing without a label collapses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.dictionary import components, guided_components
from annotate_select.features.guided import directions, stretch, usable
from annotate_select.features.network import KINDS


def config(**changes: object) -> AutoencoderConfig:
    values: dict[str, object] = {
        "image_size": 8,
        "atoms": 12,
        "dim": 4,
        "width": 8,
        "epochs": 3,
        "batch_size": 8,
        **changes,
    }
    return AutoencoderConfig(**values)  # type: ignore[arg-type]


def noise(n: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


def some(n: int = 40, known: int = 24) -> np.ndarray:
    """Labels 0, 1, 0, 1, ... of the first images, none of the others."""
    return np.where(np.arange(n) < known, np.arange(n) % 2, -1)


def test_a_class_with_fewer_than_five_labels_counts_as_unlabelled() -> None:
    labels = np.array([7] * 5 + [3] * 4 + [-1] * 2 + [1] * 6)
    assert usable(labels, 17).tolist() == [1] * 5 + [-1] * 6 + [0] * 6


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0] * 9 + [1]), r"once two classes have 5 of them outside the exam, got 1 such classes; label more"),
        (np.full(10, -1), "got 0 such classes"),
        (np.zeros(9, int), r"one whole number for each of the 10 images, -1 for none, got int64 \(9,\)"),
        (np.zeros(10), "got float64"),
        (np.full(10, -2), "from -2"),
    ],
)
def test_labels_that_cannot_enter(labels: np.ndarray, message: str) -> None:
    with pytest.raises(FeaturesError, match=message):
        Autoencoder(config()).fit(noise(10), labels=labels)


def test_directions_are_those_that_tell_classes_apart_and_skill_is_what_others_confirm() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    points = rng.normal(size=(300, 5))
    points[:, 2] += 6 * labels
    found, skill = directions(points, labels)
    assert found.shape == (5, 1)
    assert abs(found[2, 0]) > 0.99
    assert skill > 0.97
    for_nothing = [directions(rng.normal(size=(300, 5)), labels)[1] for _ in range(10)]
    assert np.mean(for_nothing) < 0.06


def test_leaving_out_in_closed_form_is_leaving_out() -> None:
    rng = np.random.default_rng(1)
    labels = np.array([0] * 12 + [1] * 12)  # of one size, so that a class's weight does not change much
    points = rng.normal(size=(24, 3)) + 0.8 * labels[:, None]
    right = 0
    for one in range(24):
        rest = np.arange(24) != one
        mean = points[rest].mean(axis=0)
        slope = np.linalg.lstsq(points[rest] - mean, labels[rest] - labels[rest].mean(), rcond=None)[0]
        right += int(((points[one] - mean) @ slope + labels[rest].mean() > 0.5) == labels[one])
    assert directions(points, labels)[1] == pytest.approx(2 * right / 24 - 1, abs=0.1)


def test_no_direction_where_all_points_are_equal() -> None:
    found, skill = directions(np.ones((12, 3)), np.arange(12) % 2)
    assert found.shape == (3, 0)
    assert skill == 0


def test_what_tells_classes_apart_becomes_longer_and_the_rest_stays() -> None:
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(400) < 200, np.arange(400) % 2, -1)
    points = rng.normal(size=(400, 6))
    points[:, 0] += 4.0 * (np.arange(400) % 2)
    points -= points.mean(axis=0)
    turned = points @ stretch(points, labels, 2.0, 6)
    spreads = np.sort(turned.std(axis=0))[::-1]
    assert spreads[0] == pytest.approx(points[:, 0].std() * 3, rel=0.05)  # skill is nearly 1
    np.testing.assert_allclose(spreads[1:], np.sort(points[:, 1:].std(axis=0))[::-1], rtol=0.08)


def test_with_weight_0_the_components_are_those_without_labels() -> None:
    codes = np.random.default_rng(0).normal(size=(60, 30)).astype(np.float32) * np.linspace(3, 1, 30)
    codes = codes.astype(np.float32)
    wide, wide_bias = components(codes, 30, 0)
    weight, bias = guided_components(codes, some(60), 30, 0, 0.0)
    one, other = codes @ wide.T + wide_bias, codes @ weight.T + bias
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=0.02)  # the same but for a turn


def coloured(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four classes told apart by which way stripes run and where, under stronger differences of no meaning."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n)
    images = rng.normal(128, 45, (n, 16, 16, 3))
    for one in range(n):
        side = slice(0, 8) if kind[one] < 2 else slice(8, 16)
        stripes = 9 * np.sign(np.sin(np.arange(16)))
        images[one, side] += (stripes[None, :, None] if kind[one] % 2 else stripes[:8, None, None]) * np.ones(
            (8, 16, 1)
        )
    return images.clip(0, 255).astype(np.uint8), kind


def neighbours(features: np.ndarray, kind: np.ndarray) -> float:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    near = np.argsort(-(unit @ unit.T) + 2 * np.eye(len(kind)), axis=1)[:, :10]
    return float((kind[near] == kind[:, None]).mean())


def test_labels_draw_classes_together_and_leave_the_others_apart() -> None:
    images, kind = coloured(400, 0)
    labels = np.where((np.arange(400) < 200) & (kind < 2), kind, -1)  # of two classes only
    settings = {"image_size": 16, "atoms": 60, "dim": 12, "epochs": 1}
    before = Autoencoder(config(**settings)).fit(images).transform(images)
    after = Autoencoder(config(**settings)).fit(images, labels=labels).transform(images)
    new = np.arange(400) >= 200
    told, others = new & (kind < 2), kind >= 2
    assert neighbours(after[told], kind[told]) > neighbours(before[told], kind[told]) + 0.03
    assert neighbours(after[others], kind[others]) > neighbours(before[others], kind[others]) - 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_features_that_saw_labels_say_so_and_are_others(tmp_path: Path, kind: str) -> None:
    plain = Autoencoder(config(kind=kind)).fit(noise())
    encoder = Autoencoder(config(kind=kind)).fit(noise(), labels=some())
    assert "labels" not in plain.definition()
    said = encoder.definition()["labels"]
    assert isinstance(said, dict)
    assert (said["count"], said["classes"]) == (24, 2)
    assert encoder.definition()["weights"] != plain.definition()["weights"]
    encoder.save(tmp_path)
    loaded = Autoencoder.load(tmp_path)
    assert loaded.definition() == encoder.definition()
    np.testing.assert_array_equal(loaded.transform(noise()), encoder.transform(noise()))
    again = Autoencoder(config(kind=kind)).fit(noise(), labels=some())
    np.testing.assert_allclose(again.transform(noise()), encoder.transform(noise()), atol=1e-4)
