"""Measures of files: values that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select.errors import ChangedImage, ImageError
from annotate_select.pool.inspect import inspect
from annotate_select.pool.measures import NUMBERS, TEXTS, jpeg_quality, measure, measure_many


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels.astype(np.uint8)).save(path, **options)  # type: ignore[arg-type]
    return path


def numbers(path: Path) -> dict[str, float]:
    return dict(zip(NUMBERS, measure(path).numbers.tolist(), strict=True))


def test_a_plain_image_is_measured_by_hand(tmp_path: Path) -> None:
    pixels = np.zeros((50, 100, 3))
    pixels[..., 0] = 255  # red
    found = numbers(saved(tmp_path / "red.png", pixels))
    assert found["file_size"] == (tmp_path / "red.png").stat().st_size
    assert (found["width"], found["height"], found["aspect"]) == (100, 50, 2)
    assert found["brightness"] == pytest.approx(0.299)
    assert (found["contrast"], found["sharpness"]) == (pytest.approx(0), pytest.approx(0))
    assert (found["saturation"], found["hue"]) == (pytest.approx(1), pytest.approx(0))
    assert [found[f"colour_{band}"] for band in "rgb"] == [1, 0, 0]
    assert np.isnan(found["jpeg_quality"])


def test_border_and_corners_are_seen_apart_from_the_middle(tmp_path: Path) -> None:
    pixels = np.full((100, 100, 3), 255.0)
    pixels[:20, -20:] = (0, 0, 255)  # blue, top right
    pixels[20:-20, 20:-20] = 0
    found = numbers(saved(tmp_path / "corner.png", pixels))
    assert [found[f"top_right_{band}"] for band in "rgb"] == [0, 0, 1]
    assert [found[f"bottom_left_{band}"] for band in "rgb"] == [1, 1, 1]
    # of 100 x 100 pixels the outermost 6 are the border: 2,256, of them 20 x 20 - 14 x 14 = 204 blue
    assert found["border_r"] == pytest.approx(1 - 204 / 2256)
    assert found["border_b"] == pytest.approx(1)


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_read_from_its_tables(tmp_path: Path, quality: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3))
    assert numbers(saved(tmp_path / "one.jpg", pixels, quality=quality))["jpeg_quality"] == quality
    assert np.isnan(jpeg_quality(None))


def test_blur_takes_sharpness_whatever_is_shown_and_hues_are_angles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (200, 200, 3))
    # of white noise with variance v the Laplacian has 20 v, the gradient 2 v in each of two directions
    assert numbers(saved(tmp_path / "noise.png", noise))["sharpness"] == pytest.approx(5, abs=0.1)
    faint = numbers(saved(tmp_path / "faint.png", 120 + noise // 16))["sharpness"]
    assert faint == pytest.approx(5, abs=0.2)
    Image.fromarray(noise.astype(np.uint8)).resize((100, 100)).resize((200, 200)).save(tmp_path / "blurred.png")
    assert numbers(tmp_path / "blurred.png")["sharpness"] < 2
    for colour, hue in (((0, 255, 0), 120), ((0, 0, 255), 240), ((255, 0, 255), -60)):
        assert numbers(saved(tmp_path / "hue.png", np.full((9, 9, 3), colour)))["hue"] == pytest.approx(hue)
    assert np.isnan(numbers(saved(tmp_path / "gray.png", np.full((9, 9, 3), 128)))["hue"])


def test_camera_and_time_are_read_where_the_file_says_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Acme", "Acme One\0", "2020:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:31 16:20:11"
    path = saved(tmp_path / "photo.jpg", np.zeros((8, 8, 3)), exif=exif)
    assert dict(zip(TEXTS, measure(path).texts, strict=True)) == {
        "format": "JPEG",
        "camera": "Acme One",
        "taken": "2019:05:31 16:20:11",
    }
    assert measure(saved(tmp_path / "bare.png", np.zeros((8, 8, 3)))).texts == ("PNG", "", "")


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (2, 3)])
def test_the_smallest_images_have_measures(tmp_path: Path, size: tuple[int, int]) -> None:
    found = measure(saved(tmp_path / "small.png", np.full((*size, 3), 200))).numbers
    assert np.isfinite(found[[name not in ("jpeg_quality", "hue") for name in NUMBERS]]).all()


def test_a_damaged_file_is_an_error_and_stops_no_other(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3)))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(whole.read_bytes()[:300])
    with pytest.raises(ImageError):
        measure(broken)
    found = [one for _, one in measure_many([whole, broken, tmp_path / "gone.jpg", whole])]
    assert [isinstance(one, ImageError) for one in found] == [False, True, True, False]


def test_other_bytes_than_were_added_are_not_measured(tmp_path: Path) -> None:
    file = saved(tmp_path / "one.png", np.zeros((8, 8, 3)))
    print_of = inspect(file).fingerprint
    np.testing.assert_array_equal(measure(file, print_of).numbers, measure(file).numbers)
    saved(file, np.full((8, 8, 3), 255))
    (changed,) = measure_many([file], fingerprints=[print_of])
    assert isinstance(changed[1], ChangedImage)
    with pytest.raises(ChangedImage, match="has changed since it was added"):
        measure(file, print_of)
