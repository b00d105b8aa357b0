"""Read labels from a folder a class: which image of the pool each file is, its bytes tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from annotate_select.annotations import images
from annotate_select.errors import DuplicateRows, ExchangeError, ImageError, UnknownImages, listed
from annotate_select.exchange.rows import AnnotationRow
from annotate_select.pool import reader
from annotate_select.pool.fingerprint import fingerprinted
from annotate_select.pool.parallel import in_order
from annotate_select.pool.sources import Entry, read_source
from annotate_select.steps.home import Home
from annotate_select.words import counted

__all__ = ["rows_of_folder"]


def rows_of_folder(home: Home, folder: Path, *, skip_unknown: bool = False) -> tuple[list[AnnotationRow], list[str]]:
    """Return a label for each image of the pool that lies in a class's folder, and the files the pool does not have.

    The folder that lies in `folder` names the class, whatever lies between it and the file. It need not be where the
    pool's images are: the same bytes are the same image. Raises SourceError for a folder without images, ExchangeError
    for files in no class's folder or that cannot be read, DuplicateRows where one image lies in two classes' folders,
    UnknownImages for files that the pool does not have, unless these are skipped.
    """
    entries = read_source(folder).entries
    outside = [entry.key for entry in entries if "/" not in entry.key]
    if outside:
        raise ExchangeError(
            f"in no class's folder lie {counted(len(outside))} in {folder}: {listed(outside)}; the folder that an "
            "image is in names its class: give the folder above those of the classes"
        )
    prints = _prints(folder, entries)
    keys = images.keys_by_fingerprint(home.db, prints.values())
    labels: dict[str, str] = {}
    first: dict[str, str] = {}
    clashes, unknown = [], []
    for name, fingerprint in prints.items():
        label, key = name.split("/", 1)[0], keys.get(fingerprint)
        if key is None:
            unknown.append(name)
        elif labels.setdefault(key, label) == label:
            first.setdefault(key, name)
        else:
            clashes.append(f"{first[key]} and {name}")
    if clashes:
        raise DuplicateRows(
            f"in the folders of two classes lie {counted(len(clashes))}: {listed(clashes)}; delete one of each"
        )
    if unknown and not skip_unknown:
        raise UnknownImages(
            f"of {counted(len(prints))} in {folder} the pool lacks {len(unknown):,}: {listed(unknown)}; add them "
            "with `annotate-select add`, or leave them out with --skip-unknown"
        )
    return [AnnotationRow(image=key, label=label) for key, label in labels.items()], unknown


def _prints(folder: Path, entries: Sequence[Entry]) -> Mapping[str, str]:
    """Return the fingerprint of each file, by its path in the folder."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for at, one in in_order(_print_or_error, [entry.path for entry in entries]):
        if isinstance(one, ImageError):
            problems.append(f"{entries[at].key} ({one})")
        else:
            found[entries[at].key] = one
    if problems:
        raise ExchangeError(
            f"in {folder} {counted(len(problems))} cannot be read: {listed(problems)}; mend or delete them"
        )
    return found


def _print_or_error(path: Path) -> str | ImageError:
    try:
        with reader.open_file(path) as file, reader.reasons():
            return fingerprinted(file)[0]
    except ImageError as error:
        return error
