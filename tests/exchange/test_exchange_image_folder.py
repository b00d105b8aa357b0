from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import ImageFolder

from annotate_select.errors import ExchangeError, StorageError
from annotate_select.exchange.image_folder import MANIFEST, write_image_folder
from annotate_select.exchange.read import read_annotations


def image(path: Path, colour: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (colour, colour, colour)).save(path)
    return path


def manifest(folder: Path) -> dict[str, tuple[str, str]]:
    """Read the manifest by hand: file -> (key, label)."""
    import csv

    with (folder / MANIFEST).open(newline="", encoding="utf-8") as file:
        return {row["file"]: (row["image"], row["label"]) for row in csv.DictReader(file)}


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_torchvision_reads_it(tmp_path: Path) -> None:
    items = [
        ("ok", "b/1.png", image(tmp_path / "pool/b/1.png", 10)),
        ("crack", "2.png", image(tmp_path / "pool/2.png", 20)),
        ("ok", "a/1.png", image(tmp_path / "pool/a/1.png", 30)),
    ]
    assert write_image_folder(tmp_path / "out", items) == 3
    read = ImageFolder(str(tmp_path / "out"))
    assert read.classes == ["crack", "ok"]
    found = {
        (Path(path).name, read.classes[number], read.loader(path).getpixel((0, 0))[0]) for path, number in read.imgs
    }
    assert found == {("2.png", "crack", 20), ("b_1.png", "ok", 10), ("a_1.png", "ok", 30)}


def test_the_manifest_can_be_imported(tmp_path: Path) -> None:
    source = image(tmp_path / "1.png", 1)
    write_image_folder(tmp_path / "out", [("a/b", "x/1.png", source), ("a_b", '"1",\n.png', source)])
    rows = read_annotations(tmp_path / "out" / MANIFEST)
    assert {(row.image, row.label) for row in rows} == {("x/1.png", "a/b"), ('"1",\n.png', "a_b")}


def test_clashing_keys_are_all_kept(tmp_path: Path) -> None:
    keys = ["a/b.png", "a_b.png", "A_b.png", "a_b_2.png", "a\\b.png"]
    sources = [image(tmp_path / "pool" / str(i) / "x.png", i) for i in range(5)]
    items = [("ok", key, source) for key, source in zip(keys, sources, strict=True)]
    assert write_image_folder(tmp_path / "out", items) == 5
    files = {key: file for file, (key, _) in manifest(tmp_path / "out").items()}
    assert files == {
        "a_b.png": "ok/a_b.png",  # names that are safe already keep themselves, in their order
        "A_b.png": "ok/A_b_2.png",
        "a_b_2.png": "ok/a_b_2_2.png",
        "a/b.png": "ok/a_b_3.png",
        "a\\b.png": "ok/a_b_4.png",
    }
    for key, source in zip(keys, sources, strict=True):
        assert (tmp_path / "out" / files[key]).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("label", "folder"),
    [
        ("a/b", "a_b"),
        ("..", "_"),
        ("../../etc", ".._.._etc"),
        ("", "_"),
        ("dots...", "dots"),
        ("space ", "space"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1", "_Com1"),
        ("console", "console"),
        ('a<b>:"|?*', "a_b______"),
        ("a\nb\0", "a_b_"),
        ("grün", "grün"),
        ("labels.csv", "labels_2.csv"),
        ("ß" * 150, "ß" * 100),
        ("x" * 210 + "." + "y" * 30, "x" * 200),
    ],
)
def test_names_of_classes_are_made_safe(tmp_path: Path, label: str, folder: str) -> None:
    write_image_folder(tmp_path / "out", [(label, "1.png", image(tmp_path / "1.png", 1))])
    assert written(tmp_path / "out") == {f"{folder}/1.png", MANIFEST}
    assert manifest(tmp_path / "out") == {f"{folder}/1.png": ("1.png", label)}


def test_a_long_key_keeps_its_suffix(tmp_path: Path) -> None:
    write_image_folder(tmp_path / "out", [("ok", "d/" * 200 + "1.png", image(tmp_path / "1.png", 1))])
    (file,) = written(tmp_path / "out") - {MANIFEST}
    assert file == "ok/" + "d_" * 98 + ".png"


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(items=st.lists(st.tuples(names, names), min_size=1, max_size=8))
def test_no_name_loses_an_image(tmp_path: Path, items: list[tuple[str, str]]) -> None:
    source = tmp_path / "1.png"
    source.write_bytes(b"bytes")
    folder = tmp_path / "out"
    shutil.rmtree(folder, ignore_errors=True)
    assert write_image_folder(folder, [(label, key, source) for label, key in items]) == len(items)
    said = manifest(folder)
    assert sorted((label, key) for key, label in said.values()) == sorted(items)
    assert written(folder) == {*said, MANIFEST}
    assert len({file.casefold() for file in said}) == len(items)
    assert len({file.split("/")[0] for file in said}) == len({label for label, _ in items})
    assert all(part.rstrip(". ") == part for file in said for part in file.split("/"))


def test_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = image(tmp_path / "1.png", 7)
    monkeypatch.chdir(tmp_path)
    write_image_folder(tmp_path / "out", [("ok", "1.png", Path("1.png"))], link=True)
    link = tmp_path / "out" / "ok" / "1.png"
    assert link.is_symlink()
    assert link.read_bytes() == source.read_bytes()
    assert len(ImageFolder(str(tmp_path / "out"))) == 1


def test_a_missing_file_writes_nothing(tmp_path: Path) -> None:
    items = [("ok", "1.png", image(tmp_path / "1.png", 1)), ("ok", "2.png", tmp_path / "2.png")]
    with pytest.raises(ExchangeError, match=r"1 image file is missing: .*2\.png; put them back"):
        write_image_folder(tmp_path / "out", items)
    assert os.listdir(tmp_path) == ["1.png"]


def test_nothing_to_write(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="there is no labelled image to write"):
        write_image_folder(tmp_path / "out", [])
    assert os.listdir(tmp_path) == []


def test_an_existing_folder(tmp_path: Path) -> None:
    items = [("ok", "1.png", image(tmp_path / "1.png", 1))]
    (tmp_path / "out").mkdir()
    assert write_image_folder(tmp_path / "out", items) == 1  # empty: fine
    before = written(tmp_path / "out")
    with pytest.raises(ExchangeError, match="out is there already and not empty; choose a new folder"):
        write_image_folder(tmp_path / "out", items)
    assert written(tmp_path / "out") == before


def test_an_existing_file(tmp_path: Path) -> None:
    items = [("ok", "1.png", image(tmp_path / "1.png", 1))]
    with pytest.raises(ExchangeError, match=r"1\.png is there already"):
        write_image_folder(tmp_path / "1.png", items)


def test_a_folder_made_meanwhile_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [("ok", "1.png", image(tmp_path / "1.png", 1))]
    copyfile = shutil.copyfile

    def late(source: Path, target: Path) -> object:
        (tmp_path / "out" / "theirs").mkdir(parents=True)
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", late)
    with pytest.raises(ExchangeError, match="out was made by another process meanwhile"):
        write_image_folder(tmp_path / "out", items)
    assert os.listdir(tmp_path / "out") == ["theirs"]
    assert sorted(os.listdir(tmp_path)) == ["1.png", "out"]


@pytest.mark.parametrize(
    ("code", "named", "expected", "message"),
    [
        (errno.EACCES, ("1.png", None), ExchangeError, r"cannot read .*1\.png: Permission denied"),
        (errno.ENOSPC, ("1.png", "copy"), StorageError, "no space left to write .*out"),
        (errno.ENOSPC, (None, None), StorageError, "no space left to write .*out"),
    ],
)
def test_a_copy_that_fails_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    named: tuple[str | None, str | None],
    expected: type[Exception],
    message: str,
) -> None:
    source = image(tmp_path / "1.png", 1)

    def fail(_: Path, target: Path) -> None:
        error = OSError(code, os.strerror(code))
        error.filename = str(source) if named[0] else None
        error.filename2 = str(target) if named[1] else None
        raise error

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(expected, match=message):
        write_image_folder(tmp_path / "out", [("ok", "1.png", source)])
    assert os.listdir(tmp_path) == ["1.png"]
