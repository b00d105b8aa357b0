"""Bad files: each gives an ImageError with a short reason, and nothing else ever comes out."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from annotate_select.errors import ImageError
from annotate_select.pool import reader
from annotate_select.pool.decode import open_image, read_image


def encoded(format_: str, **options: object) -> bytes:
    """A blurred-noise image of 40 x 30 pixels, so that every byte of the file matters."""
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1)).save(file, format_, **options)
    return file.getvalue()


FILES = {
    "png": encoded("PNG"),
    "jpeg": encoded("JPEG"),
    "progressive jpeg": encoded("JPEG", progressive=True),
    "tiff": encoded("TIFF"),
    "tiff lzw": encoded("TIFF", compression="tiff_lzw"),
    "gif": encoded("GIF"),
    "webp": encoded("WEBP"),
    "bmp": encoded("BMP"),
    "jpeg 2000": encoded("JPEG2000"),
}


def reason(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        open_image(path)
    return str(caught.value)


def written(folder: Path, content: bytes) -> Path:
    (folder / "image").write_bytes(content)
    return folder / "image"


# --- reasons ----------------------------------------------------------------------------------------------------


def test_a_vanished_file(tmp_path: Path) -> None:
    assert reason(tmp_path / "gone.png") == "cannot be read: no such file"


def test_an_empty_file(tmp_path: Path) -> None:
    assert reason(written(tmp_path, b"")) == "zero bytes"


def test_a_folder(tmp_path: Path) -> None:
    assert reason(tmp_path) == "a folder, not a file"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png") == "not an ordinary file"


def test_a_path_that_cannot_be() -> None:
    assert reason(Path("a\0b.png")) == "broken: embedded null byte"
    assert reason(Path("x" * 5000)) == "cannot be read: file name too long"


def test_a_circle_of_links(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    assert reason(tmp_path / "a.png") == "cannot be read: too many levels of symbolic links"


def test_a_forbidden_file(tmp_path: Path, as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    path = written(tmp_path, FILES["png"])
    path.chmod(0)
    with as_nobody():
        assert reason(path) == "cannot be read: permission denied"


@pytest.mark.parametrize("content", [b"x", b"<html>not found</html>", b"%PDF-1.4", b"\0" * 1000, "é".encode() * 50])
def test_not_an_image(tmp_path: Path, content: bytes) -> None:
    assert reason(written(tmp_path, content)) == "not an image"


def test_postscript_is_a_program_and_never_run(tmp_path: Path) -> None:
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "EPS"  # Pillow would
    assert reason(written(tmp_path, content)) == "not an image"


@pytest.mark.parametrize("name", ["png", "jpeg", "progressive jpeg", "tiff", "gif", "bmp"])
def test_a_truncated_file(tmp_path: Path, name: str) -> None:
    content = FILES[name]
    assert reason(written(tmp_path, content[: len(content) * 9 // 10])) == "truncated"


@pytest.mark.parametrize(
    ("name", "format_"), [("tiff lzw", "TIFF"), ("webp", "WebP"), ("jpeg", "JPEG"), ("png", "PNG")]
)
def test_a_file_truncated_in_its_header(tmp_path: Path, name: str, format_: str) -> None:
    keep = 20 if format_ in ("JPEG", "PNG") else len(FILES[name]) - 20
    expected = f"truncated or broken: its {format_} header cannot be read"
    assert reason(written(tmp_path, FILES[name][:keep])) == expected


def test_reasons_are_short_and_on_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise ValueError("a\nlong " + "story " * 100)

    monkeypatch.setattr(reader, "load", load)
    text = reason(written(tmp_path, FILES["png"]))
    assert text.startswith("broken: a long story")
    assert len(text) < 100


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SyntaxError("broken PNG file"), "broken: PNG file"),
        (struct.error(), "broken: error"),
        (EOFError("no more"), "truncated"),
        (OverflowError("too large"), "broken: too large"),
        (MemoryError(), "not enough memory to decode it"),
        (OSError(5, "Input/output error"), "cannot be read: input/output error"),
        (Image.DecompressionBombError("boom"), "too many pixels for its format"),
        (RecursionError("deep"), "broken: deep"),
    ],
)
def test_whatever_pillow_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str
) -> None:
    def load(_: object) -> None:
        raise error

    monkeypatch.setattr(reader, "load", load)
    assert reason(written(tmp_path, FILES["png"])) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(5, "Input/output error"), "cannot be read: input/output error"),
        (MemoryError(), "not enough memory to decode it"),
        (OSError("no format says this"), "truncated or broken: its PNG header cannot be read"),
    ],
)
def test_what_goes_wrong_while_the_header_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str
) -> None:
    def factory(*_: object) -> None:
        raise error

    monkeypatch.setitem(Image.OPEN, "PNG", (factory, lambda prefix: prefix.startswith(b"\x89PNG")))
    assert reason(written(tmp_path, FILES["png"])) == expected


def test_an_image_without_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accepting = (lambda *_: Image.new("RGB", (0, 5)), lambda _: True)  # as a format of a Pillow plug-in might
    monkeypatch.setitem(Image.OPEN, Image.ID[0], accepting)
    assert reason(written(tmp_path, FILES["png"])) == "no pixels (0 x 5)"


def test_an_interrupt_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "load", load)
    with pytest.raises(KeyboardInterrupt):
        open_image(written(tmp_path, FILES["png"]))


# --- bombs and warnings -----------------------------------------------------------------------------------------


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 30_000, 20_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    idat = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    path = written(tmp_path, b"\x89PNG\r\n\x1a\n" + chunk + idat)
    assert reason(path) == "too many pixels (30000 x 20000 = 600 million; at most 300 million)"


def test_the_limit_is_the_last_size_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, FILES["png"])
    monkeypatch.setattr(reader, "MAX_PIXELS", 40 * 30)
    assert open_image(path).size == (40, 30)
    monkeypatch.setattr(reader, "MAX_PIXELS", 40 * 30 - 1)
    assert reason(path).startswith("too many pixels (40 x 30")


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"webp"}))
def test_pillows_own_limit_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 30 // 3)  # Pillow warns of more, and refuses twice as many
    assert open_image(written(tmp_path, FILES[name])).size == (40, 30)


def test_pillows_warning_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 30 * 2 // 3)
    filters = list(warnings.filters)
    assert open_image(written(tmp_path, FILES["webp"])).size == (40, 30)
    assert list(warnings.filters) == filters


def test_a_warning_from_pillow_is_ignored_and_ours_is_not() -> None:
    def warn_as(module: str) -> None:
        exec("import warnings; warnings.warn('damaged metadata')", {"__name__": module})

    with reader.reasons():
        warn_as("PIL.TiffImagePlugin")
    with pytest.raises(ImageError, match="damaged metadata"), reader.reasons():
        warn_as("elsewhere")
    with pytest.raises(UserWarning, match="damaged metadata"):
        warn_as("PIL.TiffImagePlugin")


def test_large_images_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MANY_PIXELS", 100)
    held: list[bool] = []
    real = reader._load
    monkeypatch.setattr(reader, "_load", lambda image: (held.append(reader._large.locked()), real(image)))
    open_image(written(tmp_path, FILES["png"]))
    open_image(written(tmp_path, FILES["jpeg"]), size=5)  # 10 x 8 by the time it is decoded
    assert held == [True, False]
    assert not reader._large.locked()


# --- fuzz -------------------------------------------------------------------------------------------------------


def outcome(content: bytes, size: int | None = None) -> str | None:
    """Return the reason, None when it decodes; anything but an ImageError fails the test."""
    try:
        image, whole = read_image(io.BytesIO(content), size)
    except ImageError as error:
        return str(error)
    assert image.mode == "RGB"
    assert min(whole) > 0
    return None


# How many last bytes hold no pixels: checksums and end marks.
AFTER_THE_PIXELS = {"png": 24, "gif": 2}


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"jpeg 2000"}))  # whose decoder accepts some cuts as blurred
def test_every_truncation_is_found(name: str) -> None:
    content = FILES[name]
    assert outcome(content) is None
    most = len(content) - AFTER_THE_PIXELS.get(name, 0) - 1
    for keep in {*range(0, most, 1 + most // 150), most}:
        assert outcome(content[:keep]) is not None, f"{keep} of {len(content)} bytes"


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg"])
def test_truncation_is_found_as_well_at_an_eighth(name: str) -> None:
    content = FILES[name]
    for keep in range(0, len(content), 3):
        assert outcome(content[:keep], size=1) is not None, f"{keep} of {len(content)} bytes"


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_raise_nothing_else(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PIXELS", 4_000_000)
    rng = np.random.default_rng(1)
    original = np.frombuffer(FILES[name], dtype=np.uint8)
    reasons = set()
    for trial in range(250):
        content = original.copy()
        reach = min(len(content), 200) if trial % 2 else len(content)  # every other time the header, where it hurts
        places = rng.integers(0, reach, size=1 + trial % 4)
        content[places] = rng.integers(0, 256, size=len(places))
        reasons.add(outcome(content.tobytes()))
    assert len(reasons) > 1
