"""List what a source holds, before any image is opened: a folder, a manifest, a list of paths, one file."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from annotate_select.errors import SourceError, listed
from annotate_select.pool.manifest import Row, read_list, read_manifest
from annotate_select.words import counted

__all__ = ["Entry", "Source", "read_source"]

Kind = Literal["folder", "manifest", "list"]

# Files that are clearly not images. Every other file is listed, so that a broken image is reported, not passed over.
NOT_IMAGES = frozenset(
    suffix
    for group in (
        ".csv .tsv .txt .json .jsonl .ndjson .toml .yaml .yml .xml .html .htm .md .rst .log .ini .cfg .conf .url",
        ".db .sqlite .sqlite3 .db-wal .db-shm .db-journal .lock .tmp .part .crdownload .parquet .arrow .feather",
        ".py .pyc .ipynb .r .m .sh .bat .exe .dll .so .js .css .lnk .npy .npz .pt .pth .safetensors .onnx .pkl .h5",
        ".pdf .doc .docx .xls .xlsx .ppt .pptx .odt .ods .zip .tar .gz .tgz .bz2 .xz .7z .rar .md5 .sha256",
        ".mp3 .wav .mp4 .avi .mov .mkv .webm .ds_store",
    )
    for suffix in group.split()
)
NOT_IMAGE_NAMES = frozenset({"thumbs.db", "desktop.ini", "license", "licence", "readme", "makefile", "dvc.lock"})
PROJECT_FILE, PROJECT_FOLDERS = "project.toml", frozenset({"features", "models", "thumbnails", "batches"})
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one slash: a Path has made one of two; one letter would be a drive


@dataclass(frozen=True)
class Entry:
    """One thing a source lists; `key` is its path relative to the source's root, with `/` between folders."""

    key: str
    path: Path
    group: str | None = None
    captured_at: str | None = None  # ISO 8601
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A source and its entries: sorted by key for folders, in the file's order for manifests and lists."""

    name: str
    kind: Kind
    root: Path  # absolute, resolved
    file: Path | None  # the manifest or list
    entries: list[Entry]


def read_source(source: str | Path | Sequence[str | Path]) -> Source:
    """List a folder (recursively), a `.csv` manifest, a `.txt` list of paths, one image file, or a sequence of paths.

    Raises SourceError when it does not exist, holds no image, or is a manifest that cannot be understood. Single images
    that are missing or broken are listed all the same: whoever opens them says what is wrong.
    """
    if not isinstance(source, str | Path):
        return _from_paths([_local(one) for one in source])
    path = _local(source)
    _check_there(path)
    if path.is_dir():
        return _from_folder(Path(os.path.realpath(path)))
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _from_rows("manifest", path, read_manifest(path))
    if suffix == ".txt":
        return _from_rows("list", path, read_list(path))
    if suffix in NOT_IMAGES:
        raise SourceError(f"{path} is not an image; name a folder, a .csv manifest, a .txt list or an image file")
    return _from_paths([path])


def _local(source: str | Path) -> Path:
    """Return the absolute path of a file or folder on this machine."""
    text = str(source)
    if URL.match(text):
        raise SourceError(f"cannot read {text}: this version reads local files only; copy the images here first")
    if "\0" in text or not text:
        raise SourceError(f"{text!r} is not a path; name a folder of images, a .csv manifest or an image file")
    return Path(os.path.abspath(os.path.expanduser(text)))


def _check_there(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError as error:
        raise SourceError(f"there is no {path}; name a folder of images, a .csv manifest or an image file") from error
    except OSError as error:
        raise SourceError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error


# --- folders ----------------------------------------------------------------------------------------------------


def _from_folder(root: Path) -> Source:
    try:
        os.scandir(root).close()
    except OSError as error:
        raise SourceError(f"cannot list {root}: {(error.strerror or str(error)).lower()}") from error
    start = _slashed(str(root))
    keys = sorted(_key(str(path)[len(start) :]) for path in _walk(root))
    entries = [Entry(key, Path(start + key)) for key in keys]
    if not entries:
        raise SourceError(f"{root} holds no images; name the folder they are in")
    return Source(_name(root.name), "folder", root, None, entries)


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below a folder that may be images, and the folders that cannot be opened.

    Links to folders are followed after all else, and only to where nobody has been: an image that is both in a folder
    and behind a link has the folder's name, and a circle of links ends.
    """
    seen = {str(parent) for parent in root.parents}
    waiting = [root]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            yield from _walk_real(start, seen, links)
        waiting = sorted(links)


def _walk_real(start: Path, seen: set[str], links: list[Path]) -> Iterator[Path]:
    """Walk without following links to folders: those are added to `links`, and the real paths of the rest to `seen`."""
    stack = [start]
    while stack:
        folder = stack.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as scan:
                found = [one for one in scan if not one.name.startswith(".")]
        except OSError:
            yield folder
            continue
        skipped = PROJECT_FOLDERS if any(one.name == PROJECT_FILE for one in found) else frozenset()
        for one in found:
            if _is_folder(one):
                if one.name not in skipped:
                    (links if one.is_symlink() else stack).append(folder / one.name)
            elif _may_be_image(one):
                yield folder / one.name


def _is_folder(found: os.DirEntry[str]) -> bool:
    try:
        return found.is_dir()
    except OSError:  # a link in a circle
        return False


def _may_be_image(found: os.DirEntry[str]) -> bool:
    name = found.name.lower()
    if name in NOT_IMAGE_NAMES or os.path.splitext(name)[1] in NOT_IMAGES:
        return False
    return found.is_symlink() or found.is_file()  # no pipes, no sockets; a broken link is an image that is missing


# --- manifests and lists ----------------------------------------------------------------------------------------
# Paths are text here, made a Path only once they stand in an Entry: with a million of them that is half the time.


def _from_rows(kind: Kind, file: Path, rows: Sequence[Row]) -> Source:
    """Make a source of the rows of a file, whose paths are relative to the file's folder."""
    if not rows:
        raise SourceError(f"{file} lists no images; add a line for each")
    folder = os.path.realpath(file.parent)
    paths = [_listed_path(row.image, folder) for row in rows]
    repeated = [path for path, count in Counter(paths).items() if count > 1] if kind == "manifest" else []
    if repeated:
        raise SourceError(f"{file} lists images more than once: {listed(repeated)}; remove the repeated lines")
    _check_any(paths, f"of {file} (paths are relative to {folder})")
    below = all(path.startswith(_slashed(folder)) for path in paths)
    root = folder if below else _common(paths)
    return Source(_name(file.stem), kind, Path(root), Path(folder) / file.name, _entries(root, paths, rows))


def _from_paths(given: Sequence[Path]) -> Source:
    """Make a source of paths that a caller named."""
    if not given:
        raise SourceError("the list of images is empty; name at least one file")
    folders = [path for path in given if path.is_dir()]
    if folders:
        raise SourceError(f"{folders[0]} is a folder in a list of images; add folders by themselves")
    paths = [_unlinked(str(path)) for path in given]
    _check_any(paths, "given")
    root = _common(paths)
    name = given[0].stem if len(given) == 1 else os.path.basename(root)
    return Source(_name(name), "list", Path(root), None, _entries(root, paths, [Row("")] * len(paths)))


def _entries(root: str, paths: Sequence[str], rows: Sequence[Row]) -> list[Entry]:
    """Join paths and rows; of a path named again only the first counts."""
    entries: dict[str, Entry] = {}
    slashed = _slashed(root)
    for path, row in zip(paths, rows, strict=True):
        key = _key(path[len(slashed) :])
        entries.setdefault(key, Entry(key, Path(slashed + key), row.group, row.captured_at, row.metadata))
    return list(entries.values())


def _listed_path(text: str, folder: str) -> str:
    """Return where a path written in a file of `folder` leads, absolute."""
    if URL.match(text):
        raise SourceError(f"cannot read {text}: this version reads local files only; copy the images here first")
    path = os.path.abspath(os.path.join(folder, text))
    if "\\" in text and not os.path.lexists(path):  # written on Windows
        path = os.path.abspath(os.path.join(folder, text.replace("\\", "/")))
    return path if path.startswith(_slashed(folder)) else _unlinked(path)


def _unlinked(path: str) -> str:
    """Follow links on the way to a file, but not the file's own name, which is the one people know."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _check_any(paths: Sequence[str], where: str) -> None:
    """One missing image is reported with the others; if none is there, the whole source points to the wrong place."""
    if not any(os.path.lexists(path) for path in paths):
        raise SourceError(f"none of the {counted(len(paths))} {where} exists, e.g. {paths[0]}; check where they lie")


def _common(paths: Sequence[str]) -> str:
    """Return the nearest folder above all paths."""
    try:
        return os.path.commonpath({os.path.dirname(path) for path in paths})
    except ValueError as error:
        raise SourceError("the images lie on different drives; add those of each drive by themselves") from error


# --- names ------------------------------------------------------------------------------------------------------


def _slashed(folder: str) -> str:
    return folder if folder.endswith(os.sep) else folder + os.sep


def _key(relative: str) -> str:
    """Return a posix key; bytes that are no text become `\\xff`, so that file will be reported as missing."""
    return os.fsencode(relative.replace(os.sep, "/")).decode("utf-8", errors="backslashreplace")


def _name(text: str) -> str:
    return os.fsencode(text).decode("utf-8", errors="replace") or "images"
