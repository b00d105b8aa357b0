"""Features on disk: one folder a name and encoder, one row an image, matched by id and fingerprint.

features/NAME-DIGEST/  features.npy, ids.npy, checksums.json (see rows.py), definition.json, encoder/

Of several folders of one name the one with the newest definition.json counts. A new name gets its definition.json as
soon as its encoder is saved, so that a run cut short goes on with the same encoder and the blocks that are there; an
encoder that replaces another gets it last, so that until then the old features stay.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from annotate_select.errors import FeaturesError, did_you_mean, listed
from annotate_select.features import checksums
from annotate_select.features.definitions import Record, differences, later, plain, read_record
from annotate_select.features.merge import compact, merge, out_of_range
from annotate_select.features.rows import (
    ROW,
    BlockWriter,
    blocks,
    compare,
    partial_rows,
    read_rows,
    read_sound,
    whole_features,
)
from annotate_select.features.shared import SharedFeatures
from annotate_select.features.shared_place import Place
from annotate_select.features.sharing import share_earlier, share_waiting
from annotate_select.files import digest, storage_errors, whole_folder, write_whole
from annotate_select.progress import Progress, silent
from annotate_select.words import counted

if TYPE_CHECKING:
    from annotate_select.features.encoder import Encoder  # which loads torch

__all__ = ["FeatureStore", "Features"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_FOLDER = re.compile(r"(?P<name>.+)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, eq=False)
class Features:
    """The stored features of a pool."""

    name: str
    digest: str  # of the encoder's definition
    array: np.ndarray  # (n, d) float32, or float16 where the project says so, memory-mapped
    ids: np.ndarray  # (n,) int64 database ids
    keys: Sequence[str] = ()  # (n,) given by who knows the database
    left_out: Mapping[str, str] = field(default_factory=dict)  # why images left the pool meanwhile, by key
    untaught: np.ndarray | None = None  # (n, d') what a network saw that has learned classes since

    @property
    def alike(self) -> np.ndarray:
        """Return what tells copies of an image (n, d'): to a network that learned classes, all of a class are alike."""
        return self.array if self.untaught is None else self.untaught


class FeatureStore:
    """The features of one project, stored as `dtype`, float32 or float16, and shared with others in `shared`."""

    def __init__(self, folder: Path, dtype: str = "float32", shared: Place | None = None) -> None:
        self.folder = folder
        self.dtype = dtype
        self.shared = shared

    def names(self) -> list[str]:
        """Return the names that features were made under, finished or not, sorted."""
        return sorted({match["name"] for match, _ in self._named()})

    def kept_names(self) -> list[str]:
        """Return the names under which there are rows, sorted: of the others a run was cut short, or failed."""
        return sorted({match["name"] for match, folder in self._named() if _holds_rows(folder)})

    def open(self, name: str, fingerprints: Mapping[int, str]) -> Features:
        """Open features, memory-mapped, for a pool given as id -> fingerprint; rows of other ids are allowed.

        Raises FeaturesError when the name is unknown, a file is corrupt, an image has no row yet, or a row was made of
        other bytes than the image has now.
        """
        folder, record = self._current(name)
        rows, array = read_sound(folder)
        if len(rows) == 0:
            raise FeaturesError(f"features {name!r} are not finished; run `annotate-select embed` again to go on")
        ids = np.fromiter(fingerprints.keys(), np.int64, len(fingerprints))
        present, same = compare(rows, ids, _fingerprints(fingerprints.values()))
        absent, stale = int((~present).sum()), int((present & ~same).sum())
        if absent:
            raise FeaturesError(
                f"{absent:,} of {counted(len(ids))} {'has' if absent == 1 else 'have'} no features {name!r} yet; run "
                "`annotate-select embed` first"
            )
        if stale:
            raise FeaturesError(
                f"{stale:,} of {counted(len(ids))} changed since features {name!r} were made; "
                "run `annotate-select embed` to encode them again"
            )
        return Features(name, digest(record.definition), array, rows["id"].copy())

    def covers(self, name: str) -> np.ndarray:
        """Return the stored (id, fingerprint) pairs, an array (n,) of `rows.ROW`; none for an unknown name."""
        return read_rows(self._current(name)[0])[0] if name in self.names() else np.empty(0, ROW)

    def definition(self, name: str) -> dict[str, object]:
        """Return the definition of the encoder that made the features."""
        return self._current(name)[1].definition

    def folders(self, name: str) -> list[Path]:
        """Return every folder of a name, those replaced or never finished first, oldest before newer; the current last.

        Raises FeaturesError when the name is unknown.
        """
        current = self._current(name)[0]
        others = [folder for match, folder in self._folders() if match["name"] == name and folder != current]
        made = {folder: record.created_at for folder, record in self._records(name)}
        return [*sorted(others, key=lambda folder: made.get(folder, "")), current]

    def made_at(self, folder: Path) -> str | None:
        """Return when the features in a folder became the current ones, ISO 8601; None before they ever did."""
        if not (folder / "definition.json").exists():
            return None
        return read_record(folder, folder.name.rpartition("-")[2]).created_at

    def stored_definition(self, name: str, digest: str) -> dict[str, object] | None:
        """Return the definition of features that may have been replaced since; None when they are gone."""
        folder = self.folder / f"{name}-{digest}"
        return read_record(folder, digest).definition if (folder / "definition.json").exists() else None

    def stored(self, name: str, digest: str) -> Features:
        """Open exactly these features, replaced or not, with the rows they have. Raises FeaturesError when gone."""
        folder = self.folder / f"{name}-{digest}"
        rows, array = read_sound(folder)
        if len(rows) == 0:
            raise FeaturesError(f"the features {name}-{digest} are gone; only what was made of them is left")
        return Features(name, digest, array, rows["id"].copy())

    def width(self, name: str) -> int:
        """Return the width d of stored features. Raises FeaturesError when there are none yet."""
        folder, _ = self._current(name)
        return int(whole_features(folder).shape[1])

    def encoder_folder(self, name: str, digest: str) -> Path:
        """Return where the encoder of these features is saved."""
        return self.folder / f"{name}-{digest}" / "encoder"

    def pending(
        self,
        name: str,
        encoder: Encoder,
        ids: Sequence[int] | np.ndarray,
        fingerprints: Sequence[str],
        *,
        replace: bool = False,
    ) -> list[int]:
        """Return the positions in `ids` that have no row yet, or one made of other bytes.

        Raises FeaturesError when the name belongs to another encoder, unless `replace` allows that.
        """
        folder = self._folder_for(name, encoder, replace)
        stored, _ = _rows_or_none(folder) if replace else read_rows(folder)
        rows = np.concatenate([stored, partial_rows(folder, encoder.dim)])
        _, same = compare(rows, np.asarray(ids, np.int64), _fingerprints(fingerprints))
        return [int(position) for position in np.flatnonzero(~same)]

    def reuse(
        self,
        name: str,
        encoder: Encoder,
        ids: Sequence[int] | np.ndarray,
        fingerprints: Sequence[str],
        *,
        replace: bool = False,
    ) -> int:
        """Take what other projects have encoded of the images that are pending; return how many that were.

        Raises FeaturesError as `pending` does, and for numbers that the project's dtype cannot hold.
        """
        pending = self.pending(name, encoder, ids, fingerprints, replace=replace)
        if self.shared is None or not pending:
            return 0
        folder = self._begin(name, encoder, replace)
        wanted = _fingerprints([fingerprints[position] for position in pending])
        places = np.asarray(ids, np.int64)[pending]
        writer, count = BlockWriter(folder, encoder.dim), 0
        for at, features in SharedFeatures(self.shared, encoder.definition(), encoder.dim).find(wanted):
            writer.add(places[at], wanted[at], _checked(features, (len(at), encoder.dim), self.dtype))
            count += len(at)
        writer.flush()
        return count

    def extend(
        self,
        name: str,
        encoder: Encoder,
        ids: Sequence[int] | np.ndarray,
        fingerprints: Sequence[str],
        batches: Iterable[tuple[np.ndarray, np.ndarray]],
        progress: Progress = silent,
        *,
        replace: bool = False,
    ) -> list[int]:
        """Encode and store rows; returns the positions that were stored, in the order they came.

        batches: (positions (b,) in `ids`, images (b, H, W, 3) uint8); images that could not be decoded are left out of
        them. With `replace`, the name may belong to another encoder until now, and a corrupt file is made anew.
        Rows of images that are not among `ids` are dropped once they are more than a tenth.
        Raises FeaturesError on features that are not finite, or when not one row is there in the end.
        """
        total = len(self.pending(name, encoder, ids, fingerprints, replace=replace))
        folder = self._begin(name, encoder, replace)
        stored = _encode(encoder, folder, np.asarray(ids, np.int64), fingerprints, batches, total, progress, self.dtype)
        shared = SharedFeatures(self.shared, encoder.definition(), encoder.dim) if self.shared is not None else None
        if shared is not None:
            share_waiting(folder, shared, encoder.dim)
        rows, array = _rows_or_none(folder) if replace else read_rows(folder)
        merge(folder, encoder.dim, rows, array, self.dtype)
        if not (folder / "ids.npy").exists():
            raise FeaturesError("not one image could be encoded; run `annotate-select add` again to see why")
        self._make_current(name, folder, encoder.definition())
        compact(folder, np.asarray(ids, np.int64))
        if shared is not None:
            share_earlier(folder, shared)
        return stored

    def _folders(self) -> Iterator[tuple[re.Match[str], Path]]:
        for folder in sorted(self.folder.glob("*-*")) if self.folder.is_dir() else []:
            if (match := _FOLDER.fullmatch(folder.name)) and _NAME.fullmatch(match["name"]) and folder.is_dir():
                yield match, folder

    def _named(self) -> Iterator[tuple[re.Match[str], Path]]:
        return ((match, folder) for match, folder in self._folders() if (folder / "definition.json").exists())

    def _records(self, name: str) -> list[tuple[Path, Record]]:
        return [
            (folder, read_record(folder, match["digest"])) for match, folder in self._named() if match["name"] == name
        ]

    def _current(self, name: str) -> tuple[Path, Record]:
        records = self._records(name)
        if records:
            return max(records, key=lambda one: one[1].created_at)
        known = self.names()
        have = f"there are {listed(known)}{did_you_mean(name, known)}" if known else "there are none yet"
        raise FeaturesError(f"no features are called {name!r}; {have}; make them with `annotate-select embed`")

    def _folder_for(self, name: str, encoder: Encoder, replace: bool) -> Path:
        """Return the folder of this name and encoder; refuse a name under which another encoder's rows are kept."""
        if not _NAME.fullmatch(name):
            raise FeaturesError(
                f"{name!r} cannot name features; use at most 100 letters, digits, '.', '_', '+' and '-'"
            )
        definition = encoder.definition()
        folder = self.folder / f"{name}-{digest(definition)}"
        if not replace and name in self.names():
            current, record = self._current(name)
            if current != folder and _holds_rows(current):
                raise FeaturesError(
                    f"features {name!r} were made by another encoder ({differences(record.definition, definition)}); "
                    "give the new ones another --name, or replace them with --retrain"
                )
        return folder

    def _begin(self, name: str, encoder: Encoder, replace: bool) -> Path:
        """Save the encoder, and where the name is new take it, so that a run cut short goes on with the same one."""
        folder = self._folder_for(name, encoder, replace)
        _save_encoder(encoder, folder / "encoder", replace)
        if name not in self.kept_names():
            self._make_current(name, folder, encoder.definition())
        return folder

    def _make_current(self, name: str, folder: Path, definition: dict[str, object]) -> None:
        """Write definition.json with a time later than that of every other folder of the name."""
        others: list[Record] = []
        for match, other in self._folders():
            if match["name"] == name and (other / "definition.json").exists():
                try:
                    others.append(read_record(other, match["digest"]))
                except FeaturesError:
                    if other != folder:  # replaced for being corrupt: it must not be asked again
                        (other / "definition.json").unlink()
        if others and max(others, key=lambda one: one.created_at).definition == plain(definition):
            return
        created = max([datetime.now(UTC), *(later(one.created_at) for one in others)])
        content = {"name": name, "created_at": created.isoformat(timespec="microseconds"), "definition": definition}
        write_whole(folder / "definition.json", json.dumps(content, indent=2) + "\n")


def _encode(
    encoder: Encoder,
    folder: Path,
    ids: np.ndarray,
    fingerprints: Sequence[str],
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    total: int,
    progress: Progress,
    dtype: str,
) -> list[int]:
    """Encode batches into blocks; what was encoded before an interruption is written too."""
    writer = BlockWriter(folder, encoder.dim)
    stored: list[int] = []
    try:
        for positions, images in batches:
            features = _checked(encoder.encode(images), (len(positions), encoder.dim), dtype)
            chosen = [int(position) for position in positions]
            writer.add(ids[chosen], _fingerprints([fingerprints[i] for i in chosen]), features)
            stored += chosen
            progress("encoding images", len(stored), max(total, len(stored)), "")
    finally:
        writer.flush()
    return stored


def _checked(features: np.ndarray, shape: tuple[int, int], dtype: str) -> np.ndarray:
    if features.shape != shape:
        raise FeaturesError(f"the encoder returned features of shape {features.shape}, expected {shape}")
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features).all(axis=1)).sum())
        raise FeaturesError(
            f"the encoder returned features that are not finite for {bad} of {counted(len(features))}; "
            "train it again with `annotate-select embed --retrain`, or use other weights"
        )
    largest = float(np.abs(features).max(initial=0))
    if dtype == "float16" and largest > float(np.finfo(np.float16).max):
        raise out_of_range(largest)
    return features


def _save_encoder(encoder: Encoder, folder: Path, anew: bool) -> None:
    if anew:
        with storage_errors(folder):
            shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        with suppress(FileExistsError), whole_folder(folder) as temporary:
            encoder.save(temporary)


def _holds_rows(folder: Path) -> bool:
    return (folder / "ids.npy").exists() or any(blocks(folder))


def _rows_or_none(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read rows that are about to be replaced: where anything is damaged, they count as none."""
    with suppress(FeaturesError):
        rows, array = read_rows(folder)
        known = checksums.present(folder) if len(rows) else None
        sound = known is None or checksums.of_ids(rows) in known.ids
        if sound and (known is None or not any(checksums.damaged(whole_features(folder), known))):
            return rows, array
    return read_rows(folder / "none")


def _fingerprints(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), "S32")
