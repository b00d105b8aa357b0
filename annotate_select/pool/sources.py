"""List what a source holds, before any image is opened: a folder, a manifest, a list of paths, one file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from annotate_select.errors import SourceError, listed
from annotate_select.pool.manifest import Row, read_list, read_manifest

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
    if not path.exists():
        raise SourceError(f"there is no {path}; name a folder of images, a .csv manifest or an image file")
    if path.is_dir():
        return _from_folder(_real(path))
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _from_rows("manifest", path, read_manifest(path))
    if suffix == ".txt":
        return _from_rows("list", path, read_list(path))
    if suffix in NOT_IMAGES:
        raise SourceError(
            f"{path} is not an image; name a folder of images, a .csv manifest, a .txt list or an image file"
        )
    return _from_paths([path])


def _local(source: str | Path) -> Path:
    """Return the absolute path of a file or folder on this machine."""
    text = str(source)
    if URL.match(text):
        raise SourceError(f"cannot read {text}: this version reads local files only; copy the images here first")
    if "\0" in text or not text:
        raise SourceError(f"{text!r} is not a path; name a folder of images, a .csv manifest or an image file")
    return Path(os.path.abspath(Path(text).expanduser()))


# --- folders ----------------------------------------------------------------------------------------------------


def _from_folder(root: Path) -> Source:
    if not os.access(root, os.R_OK | os.X_OK):
        raise SourceError(f"cannot list {root}: permission denied; make it readable")
    entries = []
    for path in _walk(root):
        key = _text_of(path.relative_to(root))
        entries.append(Entry(key, root / key))
    if not entries:
        raise SourceError(f"{root} holds no images; name the folder they are in")
    entries.sort(key=lambda entry: entry.key)
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
            if one.is_dir():
                if one.name not in skipped:
                    (links if one.is_symlink() else stack).append(folder / one.name)
            elif _may_be_image(one):
                yield folder / one.name


def _may_be_image(found: os.DirEntry[str]) -> bool:
    name = found.name.lower()
    if name in NOT_IMAGE_NAMES or os.path.splitext(name)[1] in NOT_IMAGES:
        return False
    return found.is_symlink() or found.is_file()  # no pipes, no sockets; a broken link is an image that is missing


def _text_of(path: Path) -> str:
    """Return a posix key; bytes that are no text become `\\xff`, so that file will be reported as missing."""
    return os.fsencode(path.as_posix()).decode("utf-8", errors="backslashreplace")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises on a circle of links


def _name(text: str) -> str:
    return os.fsencode(text).decode("utf-8", errors="replace") or "images"


# --- manifests and lists ----------------------------------------------------------------------------------------


def _from_rows(kind: Kind, file: Path, rows: Sequence[Row]) -> Source:
    """Make a source of the rows of a file, whose paths are relative to the file's folder."""
    if not rows:
        raise SourceError(f"{file} lists no images; add a line for each")
    file = _real(file.parent) / file.name
    paths = [_listed_path(row.image, file.parent) for row in rows]
    repeated = _repeated(paths)
    if repeated and kind == "manifest":
        raise SourceError(f"{file} lists images more than once: {listed(repeated)}; remove the repeated lines")
    _check_any(paths, f"of {file} (paths are relative to {file.parent})")
    return _assembled(_name(file.stem), kind, file, paths, rows)


def _from_paths(given: Sequence[Path]) -> Source:
    """Make a source of paths that a caller named."""
    if not given:
        raise SourceError("the list of images is empty; name at least one file")
    folders = [path for path in given if path.is_dir()]
    if folders:
        raise SourceError(f"{folders[0]} is a folder in a list of images; add folders by themselves")
    paths = [_real(path.parent) / path.name for path in given]
    _check_any(paths, "given")
    name = paths[0].stem if len(paths) == 1 else _common(paths).name
    return _assembled(_name(name), "list", None, paths, [Row("")] * len(paths))


def _listed_path(text: str, folder: Path) -> Path:
    """Return where a path written in a file of `folder` leads."""
    if URL.match(text):
        raise SourceError(f"cannot read {text}: this version reads local files only; copy the images here first")
    path = Path(os.path.abspath(folder / text))
    if "\\" in text and not path.exists():  # written on Windows
        path = Path(os.path.abspath(folder / text.replace("\\", "/")))
    # Links on the way are followed only where the name as it stands is not below the folder; never the last name,
    # which is the one people know.
    return path if path.is_relative_to(folder) else _real(path.parent) / path.name


def _repeated(paths: Iterable[Path]) -> list[Path]:
    seen: set[Path] = set()
    again = []
    for path in paths:
        if path in seen:
            again.append(path)
        seen.add(path)
    return again


def _check_any(paths: Sequence[Path], where: str) -> None:
    """One missing image is reported with the others; if none is there, the whole source points to the wrong place."""
    if not any(os.path.lexists(path) for path in paths):
        raise SourceError(f"none of the {len(paths):,} images {where} exists, e.g. {paths[0]}; check where they lie")


def _assembled(name: str, kind: Kind, file: Path | None, paths: Sequence[Path], rows: Sequence[Row]) -> Source:
    """Join paths and rows to entries; of a path named again only the first counts."""
    below = file is not None and all(path.is_relative_to(file.parent) for path in paths)
    root = file.parent if file is not None and below else _common(paths)
    entries: dict[str, Entry] = {}
    for path, row in zip(paths, rows, strict=True):
        key = _text_of(path.relative_to(root))
        entries.setdefault(key, Entry(key, root / key, row.group, row.captured_at, row.metadata))
    return Source(name, kind, root, file, list(entries.values()))


def _common(paths: Sequence[Path]) -> Path:
    """Return the nearest folder above all paths."""
    try:
        return Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError as error:
        raise SourceError("the images lie on different drives; add those of each drive by themselves") from error
