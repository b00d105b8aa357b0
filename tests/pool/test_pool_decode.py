"""Files of every kind to upright RGB."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select.errors import ChangedImage, ImageError
from annotate_select.files import digest
from annotate_select.pool import decode as decoding
from annotate_select.pool.decode import DECODING, decode, decode_many, open_image, square
from annotate_select.pool.inspect import inspect

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def quarters(width: int = 40, height: int = 20) -> Image.Image:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


def corners(image: Image.Image) -> list[str]:
    """Name the colours top left, top right, bottom left, bottom right, forgiving JPEG's small errors."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    right, bottom = image.width - 3, image.height - 3
    found = [np.array(image.getpixel(at)) for at in ((2, 2), (right, 2), (2, bottom), (right, bottom))]
    return [names[min(names, key=lambda colour: int(abs(one - colour).sum()))] for one in found]


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    return [tuple(one) for one in np.asarray(image).reshape(-1, 3).tolist()]


UPRIGHT = ["red", "green", "blue", "white"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "webp", "bmp", "ppm", "jp2", "tga", "qoi"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    quarters().save(tmp_path / f"image.{suffix}")
    opened = open_image(tmp_path / f"image.{suffix}")
    assert (opened.mode, opened.size, corners(opened)) == ("RGB", (40, 20), UPRIGHT)


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    quarters().save(tmp_path / "image.jpg", "GIF")
    assert corners(open_image(tmp_path / "image.jpg")) == UPRIGHT


# Which corner of the upright picture is stored top left, top right, ...: EXIF 2.32, table 6.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    turn = STORED[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"turned.{suffix}", exif=exif)
    opened = open_image(tmp_path / f"turned.{suffix}")
    assert (opened.size, corners(opened)) == ((40, 20), UPRIGHT)


def test_a_phone_photo_on_its_side_stands_up(tmp_path: Path) -> None:
    stored = Image.new("RGB", (40, 20), WHITE)
    stored.paste(RED, (0, 0, 20, 20))  # orientation 6: the stored left side is the top
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "phone.png", exif=exif)
    opened = open_image(tmp_path / "phone.png")
    assert opened.size == (20, 40)
    assert opened.getpixel((10, 2)) == RED
    assert opened.getpixel((10, 37)) == WHITE


@pytest.mark.parametrize("damage", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_damaged_exif_does_not_matter(tmp_path: Path, damage: bytes) -> None:
    quarters().save(tmp_path / "image.jpg", exif=damage)
    assert corners(open_image(tmp_path / "image.jpg")) == UPRIGHT


def test_exif_that_cannot_be_read_at_all_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise SyntaxError("not a TIFF file")

    quarters().save(tmp_path / "image.jpg")
    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert corners(open_image(tmp_path / "image.jpg")) == UPRIGHT


def test_an_orientation_that_does_not_exist_does_not_matter(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    quarters().save(tmp_path / "image.jpg", exif=exif)
    assert corners(open_image(tmp_path / "image.jpg")) == UPRIGHT


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_of_several_frames_the_first(tmp_path: Path, suffix: str) -> None:
    second = Image.new("RGB", (40, 20), BLACK)
    quarters().save(tmp_path / f"frames.{suffix}", save_all=True, append_images=[second])
    assert corners(open_image(tmp_path / f"frames.{suffix}")) == UPRIGHT


def test_cmyk(tmp_path: Path) -> None:
    quarters().convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert corners(open_image(tmp_path / "print.jpg")) == UPRIGHT
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "print.tif")
    assert open_image(tmp_path / "print.tif").getpixel((4, 4)) == RED


def test_gray_and_bits(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 77).save(tmp_path / "gray.png")
    assert open_image(tmp_path / "gray.png").getpixel((0, 0)) == (77, 77, 77)
    bits = Image.new("1", (4, 4), 0)
    bits.putpixel((1, 1), 1)
    bits.save(tmp_path / "bits.png")
    opened = open_image(tmp_path / "bits.png")
    assert (opened.getpixel((0, 0)), opened.getpixel((1, 1))) == (BLACK, WHITE)


def test_lab(tmp_path: Path) -> None:
    Image.frombytes("LAB", (2, 2), bytes([255, 0, 0]) * 4).save(tmp_path / "lab.tif")
    assert all(value >= 250 for value in open_image(tmp_path / "lab.tif").getpixel((0, 0)))


def test_palettes_without_and_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (4, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    for x, number in enumerate([0, 1, 2, 1]):
        image.putpixel((x, 0), number)
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "hole.png", transparency=1)
    image.save(tmp_path / "half.png", transparency=bytes([255, 255, 51]))
    assert colours(open_image(tmp_path / "plain.png")) == [RED, GREEN, BLUE, GREEN]
    assert colours(open_image(tmp_path / "hole.png")) == [RED, WHITE, BLUE, WHITE]
    assert open_image(tmp_path / "half.png").getpixel((2, 0)) == (204, 204, 255)  # a fifth of blue on white


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_shows_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.convert(mode).save(tmp_path / "glass.png")
    opened = open_image(tmp_path / "glass.png")
    assert (opened.getpixel((0, 0)), opened.getpixel((1, 0))) == (WHITE, (127, 127, 127))


def test_an_alpha_channel_that_is_nothing_but_zero_is_left_out(tmp_path: Path) -> None:
    Image.new("RGBA", (3, 3), (10, 20, 30, 0)).save(tmp_path / "defect.png")
    assert open_image(tmp_path / "defect.png").getpixel((1, 1)) == (10, 20, 30)


def test_a_transparent_colour_of_a_png_without_alpha(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), BLUE)
    image.save(tmp_path / "key.png", transparency=BLUE)
    assert colours(open_image(tmp_path / "key.png")) == [RED, WHITE]


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((800, 400), None, (800, 400)),
        ((800, 400), 401, (800, 400)),
        ((800, 400), 400, (800, 400)),
        ((800, 400), 200, (400, 200)),
        ((800, 400), 101, (400, 200)),
        ((800, 400), 100, (200, 100)),
        ((800, 400), 50, (100, 50)),
        ((800, 400), 1, (100, 50)),
        ((403, 801), 100, (101, 201)),
    ],
)
def test_large_jpegs_are_decoded_small_but_never_too_small(
    tmp_path: Path, shape: tuple[int, int], size: int | None, expected: tuple[int, int]
) -> None:
    quarters(*shape).save(tmp_path / "large.jpg")
    opened = open_image(tmp_path / "large.jpg", size)
    assert (opened.size, corners(opened)) == (expected, UPRIGHT)
    assert min(opened.size) >= min(size or 0, *shape)


def test_square_crops_the_centre() -> None:
    stripes = Image.new("RGB", (30, 10), RED)
    stripes.paste(GREEN, (10, 0, 20, 10))
    stripes.paste(BLUE, (20, 0, 30, 10))
    assert (square(stripes, 10) == np.array(GREEN)).all()
    assert (square(stripes.transpose(Image.Transpose.ROTATE_90), 10) == np.array(GREEN)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (7, 5), (300, 301)])
@pytest.mark.parametrize("size", [1, 64])
def test_square_has_its_shape(shape: tuple[int, int], size: int) -> None:
    array = square(Image.new("RGB", shape, (9, 8, 7)), size)
    assert (array.shape, array.dtype, array.flags.c_contiguous) == ((size, size, 3), np.uint8, True)
    assert (array == np.array([9, 8, 7])).all()


def test_square_of_the_same_size_changes_nothing() -> None:
    image = quarters(20, 20)
    assert (square(image, 20) == np.asarray(image)).all()


def test_decode_is_the_two_together(tmp_path: Path) -> None:
    quarters(64, 32).save(tmp_path / "image.png")
    array = decode(tmp_path / "image.png", 32)
    assert (array == np.asarray(quarters(64, 32).crop((16, 0, 48, 32)))).all()


# --- many -------------------------------------------------------------------------------------------------------


def grays(folder: Path, n: int) -> list[Path]:
    paths = [folder / f"{i}.png" for i in range(n)]
    for i, path in enumerate(paths):
        Image.new("L", (4, 4), i % 256).save(path)
    return paths


@pytest.mark.parametrize("workers", [None, 1, 5])
def test_many_come_in_order_with_errors_in_place(tmp_path: Path, workers: int | None) -> None:
    paths = grays(tmp_path, 90)
    paths[3].write_bytes(b"no image at all")
    paths[80].unlink()
    results = list(decode_many(paths, 2, workers))
    assert [position for position, _ in results] == list(range(90))
    errors = {i: str(one) for i, one in results if isinstance(one, ImageError)}
    assert errors == {3: "not an image", 80: "cannot be read: no such file"}
    assert all(int(one[0, 0, 0]) == i for i, one in results if isinstance(one, np.ndarray))


def test_none_of_none() -> None:
    assert list(decode_many([], 8)) == []


def test_errors_hold_no_memory(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"x")
    ((_, error),) = decode_many([tmp_path / "broken.png"], 8)
    assert isinstance(error, ImageError)
    assert (error.__traceback__, error.__cause__, error.__context__) == (None, None, None)


def test_one_file_may_be_decoded_by_many_threads(tmp_path: Path) -> None:
    quarters(200, 200).save(tmp_path / "image.jpg")
    expected = decode(tmp_path / "image.jpg", 32)
    results = [one for _, one in decode_many([tmp_path / "image.jpg"] * 100, 32, workers=8)]
    assert all(isinstance(one, np.ndarray) and (one == expected).all() for one in results)


def test_closing_early_stops_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Path] = []
    real = decoding.decode

    def counted(path: Path, size: int, fingerprint: str | None) -> np.ndarray:
        begun.append(path)
        time.sleep(0.002)
        return real(path, size)

    monkeypatch.setattr(decoding, "decode", counted)
    before = threading.active_count()
    results = decode_many(grays(tmp_path, 60) * 20, 2, workers=2)
    assert next(results)[0] == 0
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(begun) < 40


@pytest.mark.parametrize("name", ["weather", "traffic_lights"])
def test_real_images_all_decode(name: str) -> None:
    folder = SHARED / name / "images"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    broken = {paths[i].name: str(one) for i, one in decode_many(paths, 64) if isinstance(one, ImageError)}
    assert len(paths) > 1000
    assert broken == {}


def test_only_the_bytes_of_a_fingerprint_are_decoded(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path, colour in zip(paths, (RED, GREEN, BLUE), strict=True):
        Image.new("RGB", (9, 9), colour).save(path)
    prints = [inspect(path).fingerprint for path in paths]
    Image.new("RGB", (9, 9), BLACK).save(paths[1])
    paths[2].unlink()
    first, second, third = (found for _, found in decode_many(paths, 8, fingerprints=prints))
    assert isinstance(first, np.ndarray)
    assert np.array_equal(first, decode(paths[0], 8))
    assert isinstance(second, ChangedImage)
    assert type(third) is ImageError


def test_pixels_and_their_name_in_definitions_change_together(tmp_path: Path) -> None:
    pixels = np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3) * 7919 % 251
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "image.png")
    found = digest(decode(tmp_path / "image.png", 16).tobytes())
    assert (DECODING, found) == ("shorter side to image_size, centre crop, RGB / 255", "04f282eaa79ea556")
