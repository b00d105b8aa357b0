"""Small files for a person to look at."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import Image

from annotate_select.errors import ImageError, StorageError
from annotate_select.pool.inspect import inspect
from annotate_select.pool.thumbnails import thumbnail


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), (200, 30, 40)).save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg"


def made(photo: Path, size: int, cache: Path) -> Path:
    return thumbnail(photo, inspect(photo).fingerprint, size, cache)


def test_a_thumbnail_is_small_upright_webp(photo: Path, tmp_path: Path) -> None:
    path = made(photo, 100, tmp_path / "cache")
    name = inspect(photo).fingerprint
    assert path == tmp_path / "cache" / name[:2] / f"{name}-100.webp"
    with Image.open(path) as image:
        assert (image.format, image.size) == ("WEBP", (50, 100))
        red, green, blue = image.convert("RGB").getpixel((25, 50))  # type: ignore[misc]
    assert (abs(red - 200) < 8, abs(green - 30) < 8, abs(blue - 40) < 8) == (True, True, True)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_small_images_are_not_enlarged(photo: Path, tmp_path: Path) -> None:
    with Image.open(made(photo, 1000, tmp_path / "cache")) as image:
        assert image.size == (200, 400)


def test_it_is_made_once(photo: Path, tmp_path: Path) -> None:
    name = inspect(photo).fingerprint
    path = thumbnail(photo, name, 64, tmp_path / "cache")
    os.utime(path, ns=(1, 1))
    photo.unlink()
    assert thumbnail(photo, name, 64, tmp_path / "cache") == path
    assert path.stat().st_mtime_ns == 1


def test_a_file_that_changed_is_not_shown_as_the_old_image(photo: Path, tmp_path: Path) -> None:
    name = inspect(photo).fingerprint
    Image.new("RGB", (10, 10)).save(photo)
    with pytest.raises(ImageError, match="has changed since it was added"):
        thumbnail(photo, name, 64, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_vanished_file(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        thumbnail(tmp_path / "gone.jpg", inspect(photo).fingerprint, 64, tmp_path / "cache")


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_cache_that_cannot_be_written(photo: Path, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        made(photo, 64, tmp_path / below)


def test_a_file_where_a_folder_of_the_cache_should_be(photo: Path, tmp_path: Path) -> None:
    (tmp_path / inspect(photo).fingerprint[:2]).touch()
    with pytest.raises(StorageError, match="a file stands where its folder should be; remove it"):
        made(photo, 64, tmp_path)


def test_a_read_only_cache(photo: Path, as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    with tempfile.TemporaryDirectory() as name:  # whose folder others may reach, as pytest's they may not
        Path(name).chmod(0o755)
        copy = Path(shutil.copy(photo, name))
        cache = Path(name) / "cache"
        cache.mkdir()
        cache.chmod(0o555)
        with as_nobody(), pytest.raises(StorageError, match="it is read-only"):
            made(copy, 64, cache)
        cache.chmod(0o755)


def test_a_full_disk_leaves_nothing_behind(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(StorageError, match="no space left"):
        made(photo, 64, tmp_path / "cache")
    assert [one for one in (tmp_path / "cache").rglob("*") if one.is_file()] == []
