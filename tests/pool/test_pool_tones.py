"""Deep pixels: 16-bit, 32-bit and float files of known values, written by hand where Pillow cannot write them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from annotate_select.pool.decode import open_image
from annotate_select.pool.tones import scaled

RAMP = np.arange(64).reshape(1, 64).repeat(8, axis=0) * 65  # (8, 64), 0..4095: 12 bits


def png16(values: np.ndarray) -> bytes:
    """Write (h, w) or (h, w, bands) numbers as a 16-bit PNG."""
    bands = 1 if values.ndim == 2 else values.shape[2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[bands]
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff16(
    values: np.ndarray, order: str, *, deflate: bool = False, photometric: int = 2, extra: int | None = None
) -> bytes:
    """Write numbers as a 16-bit TIFF of one strip, in either byte order."""
    bands = 1 if values.ndim == 2 else values.shape[2]
    strip = values.astype(order + "u2").tobytes()
    strip = zlib.compress(strip) if deflate else strip
    count = 9 + (extra is not None)
    bits_at = 8 + 2 + 12 * count + 4
    strip_at = bits_at + 8
    tags = {256: values.shape[1], 257: values.shape[0], 258: bits_at if bands > 2 else 16, 259: 8 if deflate else 1}
    tags |= {262: photometric, 273: strip_at, 277: bands, 278: values.shape[0], 279: len(strip)}
    tags |= {} if extra is None else {338: extra}
    entries = b""
    for tag, value in tags.items():
        if tag in (273, 279) or (tag == 258 and bands > 2):
            entries += struct.pack(order + "HHII", tag, 4 if tag != 258 else 3, 1 if tag != 258 else bands, value)
        else:
            entries += struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, count)
    return start + entries + b"\0" * 4 + struct.pack(order + "4H", 16, 16, 16, 16) + strip


def pixels(folder: Path, content: bytes) -> np.ndarray:
    (folder / "deep").write_bytes(content)
    return np.asarray(open_image(folder / "deep"))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_twelve_bits_in_sixteen_span_black_to_white(tmp_path: Path, mode: str) -> None:
    order = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, (64, 8), RAMP.astype(order).tobytes())
    image.save(tmp_path / "ramp.tif")
    opened = np.asarray(open_image(tmp_path / "ramp.tif"))
    assert opened[0, :, 0].tolist() == np.rint(np.arange(64) * 255 / 63).tolist()
    assert (opened[..., 0] == opened[..., 1]).all()
    assert (opened[..., 0] == opened[..., 2]).all()


def test_a_deep_png_is_scaled_by_its_own_range(tmp_path: Path) -> None:
    opened = pixels(tmp_path, png16(np.array([[1000, 1050, 1100]])))
    assert opened[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(("mode", "values"), [("I", [-70000, 0, 70000]), ("F", [-0.5, 0.0, 0.5])])
def test_wide_numbers_are_scaled_by_their_own_range(tmp_path: Path, mode: str, values: list[float]) -> None:
    Image.fromarray(np.array([values], dtype=np.int32 if mode == "I" else np.float32)).save(tmp_path / "wide.tif")
    assert np.asarray(open_image(tmp_path / "wide.tif"))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_deep_image_is_black(tmp_path: Path, value: int) -> None:
    assert not pixels(tmp_path, png16(np.full((4, 4), value))).any()


def test_numbers_that_are_not_finite_do_not_set_the_range() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 1.0, 2.0, 3.0]], dtype=np.float32)
    assert scaled(values).tolist() == [[0, 255, 0, 0, 128, 255]]
    assert scaled(np.full((2, 2), np.nan, dtype=np.float32)).tolist() == [[0, 0], [0, 0]]


def test_the_largest_float_range_does_not_overflow() -> None:
    most = np.finfo(np.float32).max
    assert scaled(np.array([[-most, 0.0, most]], dtype=np.float32)).tolist() == [[0, 128, 255]]


def test_scaling_goes_on_over_many_rows() -> None:
    assert scaled(np.arange(1000).reshape(1000, 1))[[0, 255, 256, 999], 0].tolist() == [0, 65, 65, 255]


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_deep_negative_is_turned_over(tmp_path: Path, order: str, deflate: bool) -> None:
    white_is_zero = tiff16(RAMP, "<", deflate=deflate, photometric=0)
    assert pixels(tmp_path, white_is_zero)[0, [0, 63], 0].tolist() == [255, 0]
    assert pixels(tmp_path, tiff16(RAMP, order, deflate=deflate, photometric=1))[0, [0, 63], 0].tolist() == [0, 255]


COLOUR = np.stack([RAMP, RAMP // 2, np.zeros_like(RAMP)], axis=2)  # (8, 64, 3) 12 bits of orange
OPAQUE = np.concatenate([COLOUR, np.full((8, 64, 1), 65535)], axis=2)
DEEP_COLOUR = {
    "png": png16(COLOUR),
    "png, alpha": png16(OPAQUE),
    "tiff": tiff16(COLOUR, "<"),
    "tiff, other endian": tiff16(COLOUR, ">"),
    "tiff, deflated": tiff16(COLOUR, "<", deflate=True),
    "tiff, other endian, deflated": tiff16(COLOUR, ">", deflate=True),
    "tiff, alpha": tiff16(OPAQUE, "<", extra=2),
    "tiff, alpha, deflated": tiff16(OPAQUE, ">", deflate=True, extra=2),
    "tiff, unused band": tiff16(OPAQUE, ">", extra=0),
}


@pytest.mark.parametrize("name", DEEP_COLOUR)
def test_twelve_bit_colour_is_neither_black_nor_coarse(tmp_path: Path, name: str) -> None:
    opened = pixels(tmp_path, DEEP_COLOUR[name])
    assert opened[0, :, 0].tolist() == np.rint(np.arange(64) * 255 / 63).tolist()
    assert opened[0, 63].tolist() == [255, 127, 0]  # 2047 of 4095 stays half as bright: hues are kept


def test_full_range_deep_colour_keeps_its_upper_bytes(tmp_path: Path) -> None:
    assert pixels(tmp_path, png16(np.array([[[0x1234, 0x80FF, 0x0FFF]]])))[0, 0].tolist() == [0x12, 0x80, 0x0F]


def test_black_deep_colour_stays_black(tmp_path: Path) -> None:
    assert not pixels(tmp_path, png16(np.zeros((4, 4, 3), dtype=int))).any()
