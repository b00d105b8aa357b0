"""Fingerprints, sizes and problems of files."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path

import pytest
from PIL import Image

from annotate_select.pool import fingerprint as hashing
from annotate_select.pool import inspect as inspecting
from annotate_select.pool.inspect import Inspection, inspect, inspect_many


def photo(path: Path, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.effect_noise((400, 200), 50).save(path, exif=exif)
    return path


def fingerprint(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def test_a_good_file(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.jpg")
    os.utime(path, ns=(5, 1_600_000_000_123_456_789))
    seen = inspect(path)
    content = path.read_bytes()
    assert seen == Inspection(fingerprint(content), len(content), 1_600_000_000_123_456_789, 400, 200, None)
    assert len(seen.fingerprint) == 32


def test_the_fingerprint_is_of_the_bytes_and_not_of_the_name(tmp_path: Path) -> None:
    one, other = photo(tmp_path / "one.jpg"), tmp_path / "other.png"
    other.write_bytes(one.read_bytes())
    assert inspect(one).fingerprint == inspect(other).fingerprint
    other.write_bytes(one.read_bytes() + b"\0")
    assert inspect(one).fingerprint != inspect(other).fingerprint


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize(("orientation", "shape"), [(1, (400, 200)), (3, (400, 200)), (6, (200, 400)), (5, (200, 400))])
def test_width_and_height_are_those_of_the_upright_image(
    tmp_path: Path, suffix: str, orientation: int, shape: tuple[int, int]
) -> None:
    seen = inspect(photo(tmp_path / f"turned.{suffix}", orientation))
    assert (seen.width, seen.height, seen.problem) == (*shape, None)


def test_an_icon_is_as_large_as_its_pixels_and_not_as_its_directory_says(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(picture, "PNG")
    entry = struct.pack("<4B2H2I", 16, 16, 0, 0, 1, 24, len(picture.getvalue()), 22)
    (tmp_path / "icon.ico").write_bytes(struct.pack("<3H", 0, 1, 1) + entry + picture.getvalue())
    seen = inspect(tmp_path / "icon.ico")
    assert (seen.width, seen.height, seen.problem) == (32, 24, None)


def test_a_truncated_jpeg_is_found(tmp_path: Path) -> None:
    content = photo(tmp_path / "photo.jpg").read_bytes()
    (tmp_path / "photo.jpg").write_bytes(content[:-200])
    seen = inspect(tmp_path / "photo.jpg")
    assert (seen.problem, seen.width, seen.height) == ("truncated", 0, 0)
    assert (seen.fingerprint, seen.size_bytes) == (fingerprint(content[:-200]), len(content) - 200)


def test_bad_files(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    empty, text, gone, folder = (inspect(tmp_path / name) for name in ("empty.png", "text.png", "gone.png", ""))
    assert (empty.problem, empty.fingerprint, empty.size_bytes) == ("zero bytes", "", 0)
    assert (text.problem, text.fingerprint, text.size_bytes) == ("not an image", fingerprint(b"hello"), 5)
    assert gone == Inspection("", 0, 0, 0, 0, "cannot be read: no such file")
    assert folder.problem == "a folder, not a file"


def test_a_forbidden_file_still_has_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "secret.jpg")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    seen = inspect(path)
    assert (seen.problem, seen.fingerprint) == ("cannot be read: permission denied", "")
    assert seen.size_bytes == path.stat().st_size > 0


def test_a_failing_disk_is_a_problem_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(inspecting, "fingerprinted", fail)
    assert inspect(photo(tmp_path / "photo.jpg")).problem == "cannot be read: input/output error"


def test_a_huge_file_is_hashed_without_holding_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = photo(tmp_path / "photo.jpg")
    whole = inspect(path)
    monkeypatch.setattr(hashing, "IN_MEMORY", 10)
    assert inspect(path) == whole


def test_many_come_in_order(tmp_path: Path) -> None:
    paths = [photo(tmp_path / f"{i}.jpg") for i in range(5)]
    paths.insert(2, tmp_path / "gone.jpg")
    seen = list(inspect_many(paths, workers=3))
    assert [i for i, _ in seen] == list(range(6))
    assert [one.problem is None for _, one in seen] == [True, True, False, True, True, True]
    assert [one for _, one in seen] == [inspect(path) for path in paths]
