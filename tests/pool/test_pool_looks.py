"""How images look: every number moves the way its words say, and files that cannot be read say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select.pool.looks import LOOKS, looks, looks_of_files

PLACE = {one.name: at for at, one in enumerate(LOOKS)}


def photo(side: int = 64) -> np.ndarray:
    """Grey waves with some noise, as float pixels (H, H, 3) from 0 to 255."""
    at = np.linspace(0, 6, side)
    waves = 128 + 50 * np.sin(at)[:, None] * np.cos(1.3 * at)[None, :]
    noise = np.random.default_rng(0).normal(size=(side, side, 1)) * 5
    return np.asarray(waves[..., None] + noise + np.zeros(3))


def look(pixels: np.ndarray) -> dict[str, float]:
    found = looks(pixels.clip(0, 255).round().astype(np.uint8)[None])[0]
    return dict(zip(PLACE, found.tolist(), strict=True))


def averaged(pixels: np.ndarray) -> np.ndarray:
    return sum(np.roll(pixels, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)) / 9


def bordered(pixels: np.ndarray, colour: list[float]) -> np.ndarray:
    found = pixels.copy()
    found[:4] = found[-4:] = found[:, :4] = found[:, -4:] = colour
    return found


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("brightness", lambda one: one + 40),
        ("contrast", lambda one: 128 + 1.5 * (one - 128)),
        ("saturation", lambda one: one * [1.2, 1, 0.8]),
        ("warmth", lambda one: one + np.array([20, 0, -20])),
        ("tint", lambda one: one + np.array([-10, 20, -10])),
        ("variegation", lambda one: one + [30, 0, 0] * (np.arange(len(one)) % 16 < 8)[:, None, None]),
        ("detail", lambda one: one + 30 * (np.indices(one.shape[:2]).sum(axis=0) % 4 < 2)[..., None]),
        ("sharpness", lambda one: one + np.random.default_rng(1).normal(size=one.shape) * 20),
        ("border brightness", lambda one: bordered(one, [250, 250, 250])),
        ("border warmth", lambda one: bordered(one, [200, 120, 40])),
        ("border tint", lambda one: bordered(one, [90, 200, 90])),
    ],
)
def test_more_of_it_is_more(name: str, change: object) -> None:
    assert callable(change)
    assert look(change(photo()))[name] > look(photo())[name] + 0.02


def test_blur_is_less_sharp_and_darkness_leaves_colour_alone() -> None:
    plain = look(photo())
    assert look(averaged(photo()))["sharpness"] < plain["sharpness"] - 0.5
    darker = look(photo() * 0.6)
    assert darker["brightness"] == pytest.approx(0.6 * plain["brightness"], abs=0.01)
    assert darker["warmth"] == pytest.approx(plain["warmth"], abs=0.005)


def test_the_size_hardly_matters_and_small_or_no_images_work() -> None:
    large = np.repeat(np.repeat(photo(), 3, axis=0), 3, axis=1)
    for name, value in look(photo()).items():
        assert look(large)[name] == pytest.approx(value, abs=0.01), name
    assert np.isfinite(looks(np.zeros((2, 2, 2, 3), dtype=np.uint8))).all()
    assert np.isfinite(looks(np.full((1, 64, 64, 3), 255, dtype=np.uint8))).all()
    assert looks(np.empty((0, 64, 64, 3), dtype=np.uint8)).shape == (0, len(LOOKS))


def test_many_images_give_what_each_gives_alone() -> None:
    some = np.random.default_rng(2).integers(0, 256, size=(300, 16, 16, 3)).astype(np.uint8)
    one_by_one = np.concatenate([looks(one[None]) for one in some])
    np.testing.assert_allclose(looks(some), one_by_one, rtol=1e-4, atol=1e-5)


def test_files_that_cannot_be_read_are_nan(tmp_path: Path) -> None:
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    Image.fromarray(photo().astype(np.uint8)).save(good)
    broken.write_bytes(b"no image")
    found = looks_of_files([good, broken, tmp_path / "gone.png"])
    np.testing.assert_allclose(found[0], looks(photo().astype(np.uint8)[None])[0])
    assert np.isnan(found[1:]).all()
    assert looks_of_files([]).shape == (0, len(LOOKS))
