"""The time at which a camera says that a picture was taken."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from annotate_select.pool.exif import camera_and_time, captured_at, time_of
from annotate_select.pool.inspect import inspect

TAKEN, OFFSET, CHANGED, EXIF_IFD = 0x9003, 0x9011, 0x0132, 0x8769


def photo(taken: object = None, offset: object = None, changed: str | None = None, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 1  # a PNG is written without, where nothing stands beside the time
    inner = exif.get_ifd(EXIF_IFD)
    for tag, value in ((TAKEN, taken), (OFFSET, offset)):
        if value is not None:
            inner[tag] = value
    if changed is not None:
        exif[CHANGED] = changed
    content = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(content, kind, exif=exif)
    return content.getvalue()


def said(content: bytes) -> str | None:
    return captured_at(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO"])
def test_the_time_is_found_in_the_formats_of_cameras(kind: str, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(photo("2019:05:31 16:20:11", "+02:00", kind=kind))
    seen = inspect(tmp_path / "photo")
    assert (seen.captured_at, seen.problem) == ("2019-05-31T16:20:11+02:00", None)


@pytest.mark.parametrize(
    ("taken", "offset", "expected"),
    [
        ("2019:05:31 16:20:11", None, "2019-05-31T16:20:11"),
        ("2019:05:31 16:20:11\0", "-05:30\0", "2019-05-31T16:20:11-05:30"),
        ("2019:05:31 16:20:11", "   :  ", "2019-05-31T16:20:11"),  # as EXIF writes an offset nobody knows
        ("2019:05:31 16:20:11", "+99:00", "2019-05-31T16:20:11"),
        ("2019:05:31", None, "2019-05-31T00:00:00"),
        ("2019-05-31T16:20:11Z", "+02:00", "2019-05-31T16:20:11+00:00"),
        ("0000:00:00 00:00:00", None, None),
        ("0001:01:01 00:00:00", None, None),
        ("    :  :     :  :  ", None, None),
        ("1970:01:01 00:13:22", None, None),
        ("1980:01:01 00:00:00", None, None),
        ("2222:05:31 16:20:11", None, None),
        ("2019:02:30 16:20:11", None, None),
        ("2019:05:31 16:61:00", None, None),
        ("yesterday", None, None),
        (None, None, None),
    ],
)
def test_what_cameras_write_and_what_is_made_of_it(taken: str | None, offset: str | None, expected: str | None) -> None:
    assert said(photo(taken, offset)) == expected


def test_when_a_file_was_changed_is_not_when_it_was_taken() -> None:
    content = photo(changed="2020:01:01 00:00:00")
    assert said(content) is None
    assert camera_and_time(Image.open(io.BytesIO(content))) == ("", "2020:01:01 00:00:00")


@pytest.mark.parametrize("change", [lambda one: one[:-9], lambda one: one.replace(b"2019", b"\xff\xfe\0x")])
def test_damaged_metadata_says_nothing(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    plain = Image.new("RGB", (32, 24), "red")
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[TAKEN] = "2019:05:31 16:20:11"
    plain.save(tmp_path / "photo.jpg", exif=change(exif.tobytes()))
    seen = inspect(tmp_path / "photo.jpg")
    assert (seen.captured_at, seen.problem) == (None, None)


def test_times_of_exif_and_of_a_project_are_read_alike() -> None:
    assert time_of("2019:05:31 16:20:11") == time_of("2019-05-31T16:20:11") == datetime(2019, 5, 31, 16, 20, 11)
    assert (time_of(None), time_of(""), time_of("soon")) == (None, None, None)
