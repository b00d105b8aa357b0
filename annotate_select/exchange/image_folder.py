"""Write labelled images as a folder a class, which torchvision's ImageFolder and many other tools read."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from annotate_select.errors import ExchangeError
from annotate_select.exchange.table import write_table
from annotate_select.files import storage_errors, whole_folder
from annotate_select.words import counted, named

__all__ = ["MANIFEST", "write_image_folder"]

MANIFEST = "labels.csv"
LONGEST_NAME = 200  # bytes; file systems allow 255, and a number may still be added
LONGEST_SUFFIX = 20  # bytes; what is longer is no suffix
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)  # by Windows

_Item = tuple[str, str, Path]  # label, key, file


def write_image_folder(folder: Path, items: Iterable[tuple[str, str, Path]], *, link: bool = False) -> int:
    """Copy each image of (label, key, path) to `folder/class/key`, whole or not at all; return how many.

    A key's slashes become `_`; names that a file system refuses or confuses are changed, and told apart by a number.
    `labels.csv` in the folder says which label and key each file has, and can be imported. With `link` the files are
    symbolic links. Raises ExchangeError when there is nothing to write, an image's file is missing, or `folder` is
    there and not empty; StorageError when the disk is full or read-only.
    """
    wanted = list(items)
    _check(folder, wanted)
    classes: dict[str, list[tuple[str, Path]]] = {label: [] for label in sorted({label for label, _, _ in wanted})}
    for label, key, path in wanted:
        classes[label].append((key, path))
    names = _distinct(list(classes), taken=[MANIFEST])
    try:
        with whole_folder(folder) as temporary:
            table = [
                (key, label, f"{name}/{file}")
                for name, (label, images) in zip(names, classes.items(), strict=True)
                for key, file in _write_class(temporary / name, images, link)
            ]
            with (temporary / MANIFEST).open("w", encoding="utf-8", newline="") as file:
                write_table(file, ("image", "label", "file"), table)
    except FileExistsError as error:
        raise ExchangeError(f"{folder} was made by another process meanwhile; choose another folder") from error
    return len(wanted)


def _check(folder: Path, items: Sequence[_Item]) -> None:
    if not items:
        raise ExchangeError(f"there is no labelled image to write to {folder}; annotate or import labels first")
    with storage_errors(folder):
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise ExchangeError(f"{folder} is there already and not empty; choose a new folder, or delete it")
    missing = [path for _, _, path in items if not os.path.isfile(path)]  # False also where it may not look
    if missing:
        raise ExchangeError(
            f"{counted(len(missing), 'image file', ('is', 'are'))} missing: {named(map(str, missing))}; put them "
            "back, or mend `root` in project.toml"
        )


def _write_class(folder: Path, images: Sequence[tuple[str, Path]], link: bool) -> list[tuple[str, str]]:
    """Write the images (key, path) of one class; return the file name that each key got."""
    folder.mkdir()
    keys = [key for key, _ in images]
    files = _distinct(keys)
    for (_, path), file in zip(images, files, strict=True):
        _put(path, folder / file, link)
    return list(zip(keys, files, strict=True))


def _put(source: Path, target: Path, link: bool) -> None:
    if link:
        target.symlink_to(source.absolute())
        return
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if str(error.filename) == str(source) and error.filename2 is None:  # with both names it is about the copy
            raise ExchangeError(f"cannot read {source}: {error.strerror or error}") from error
        raise


def _distinct(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a safe file name for each name, distinct also where capitals do not count, in the same order.

    A name that is safe already comes first and keeps itself; the later ones get `_2`, `_3` and so on.
    """
    used = {_folded(name) for name in taken}
    safe = [_safe(name) for name in names]
    found = dict.fromkeys(range(len(names)), "")
    for position in sorted(found, key=lambda one: safe[one] != names[one]):
        name = safe[position]
        path, number = PurePath(name), 1
        while _folded(name) in used:
            number += 1
            name = f"{path.stem}_{number}{path.suffix}"
        used.add(_folded(name))
        found[position] = name
    return list(found.values())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _safe(name: str) -> str:
    """Change what Linux, macOS or Windows would refuse, or read as something else, in the name of a file."""
    name = FORBIDDEN.sub("_", name).rstrip(". ") or "_"
    if RESERVED.fullmatch(name):
        name = f"_{name}"
    suffix = PurePath(name).suffix
    suffix = suffix if len(suffix.encode()) <= LONGEST_SUFFIX else ""
    stem = name.removesuffix(suffix)
    while len((stem + suffix).encode()) > LONGEST_NAME:
        stem = stem[:-1]
    return (stem + suffix).rstrip(". ") or "_"
