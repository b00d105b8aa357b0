"""Features that several projects share: what one has encoded, the others find by the image's fingerprint.

SHARED/DIGEST/definition.json   the full definition, whose digest names the folder
SHARED/DIGEST/CONTENT.block     two .npy arrays in one file: fingerprints (n,) S32 and features (n, d) float32

A block is written once, under the digest of its content, so that writers need no lock and damage shows. Whatever is
wrong with a shared folder, the images are encoded as if there were none.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np

from annotate_select.errors import StorageError
from annotate_select.files import digest, write_whole

__all__ = ["SharedFeatures"]

SIZE = 16  # bytes of the digest that names a block
SECONDS, SECONDS_AN_IMAGE = 1.0, 0.001  # looking takes no longer than encoding would
NOT_SHARED = ("concatenation", "model", "function")  # made faster than found; or the definition does not say it all


class SharedFeatures:
    """The features of one definition in a shared folder, which need not exist."""

    def __init__(self, folder: Path, definition: Mapping[str, object], dim: int) -> None:
        self.folder = folder / digest(definition)
        self._definition = json.loads(json.dumps(definition))
        self._dim = dim
        self._known: set[bytes] | None = None  # fingerprints that are there
        self.usable = definition.get("kind") not in NOT_SHARED and self._agrees()

    def find(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions (b,) in `wanted`, their features (b, d) float32), each position at most once.

        `wanted` (m,) S32 are fingerprints. Stops looking after a second and a millisecond an image.
        """
        places: dict[bytes, list[int]] = {}
        for position, fingerprint in enumerate(wanted.tolist()):
            places.setdefault(fingerprint, []).append(position)
        end = time.monotonic() + SECONDS + SECONDS_AN_IMAGE * len(wanted)
        for path in self._blocks():
            if not places or time.monotonic() > end:
                return
            if places.keys().isdisjoint(self._fingerprints(path).tolist()):
                continue
            fingerprints, features = self._block(path)
            hits = [(at, row) for row, one in enumerate(fingerprints.tolist()) for at in places.pop(one, ())]
            if hits:
                positions, rows = np.array(hits).T
                yield positions, features[rows]

    def add(self, fingerprints: np.ndarray, features: np.ndarray) -> None:
        """Write those that are not there yet, of fingerprints (n,) S32 and features (n, d); read-only, nothing."""
        if not self.usable:
            return
        if self._known is None:
            self._known = self._look(len(fingerprints))
        new = [row for row, one in enumerate(fingerprints.tolist()) if one not in self._known]
        if not new:
            return
        self._known.update(fingerprints[new].tolist())
        stream = BytesIO()
        np.save(stream, fingerprints[new].astype("S32"), allow_pickle=False)
        np.save(stream, np.ascontiguousarray(features[new], "<f4"), allow_pickle=False)
        content = stream.getvalue()
        with suppress(StorageError):
            if not (self.folder / "definition.json").exists():
                write_whole(self.folder / "definition.json", json.dumps(self._definition, indent=2) + "\n")
            write_whole(self.folder / f"{digest(content, SIZE)}.block", content)

    def _look(self, count: int) -> set[bytes]:
        """Return the fingerprints that are there, as far as a look before writing `count` rows finds them."""
        found, end = set[bytes](), time.monotonic() + SECONDS + SECONDS_AN_IMAGE * count
        for path in self._blocks():
            if time.monotonic() > end:
                break
            found.update(self._fingerprints(path).tolist())
        return found

    def _agrees(self) -> bool:
        path = self.folder / "definition.json"
        try:
            same: bool = json.loads(path.read_text(encoding="utf-8")) == self._definition
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            same = False
        if not same:
            _warn(path, "it does not hold the definition its folder is named after")
        return same

    def _blocks(self) -> list[Path]:
        with suppress(OSError):
            return sorted(self.folder.glob("*.block")) if self.usable else []
        return []

    def _fingerprints(self, path: Path) -> np.ndarray:
        """Read the names of a block's rows alone: 32 bytes each."""
        try:
            with path.open("rb") as file:
                found = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError, MemoryError):
            found = np.empty(0, "S32")
        if found.ndim != 1 or found.dtype != np.dtype("S32") or len(found) == 0:
            _warn(path, "it cannot be read")
            return np.empty(0, "S32")
        return found

    def _block(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """Read a block: fingerprints (n,) and features (n, d); none of a damaged one."""
        try:
            content = path.read_bytes()
            sound = digest(content, SIZE) == path.stem
            stream = BytesIO(content)
            fingerprints = np.lib.format.read_array(stream, allow_pickle=False)
            features = np.lib.format.read_array(stream, allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError, MemoryError):
            sound = False
        if not sound or features.shape != (len(fingerprints), self._dim) or features.dtype != np.float32:
            _warn(path, "it is not what was written")
            return np.empty(0, "S32"), np.empty((0, self._dim), np.float32)
        return fingerprints, features


def _warn(path: Path, why: str) -> None:
    warnings.warn(f"shared features {path} are not used: {why}; delete the file", stacklevel=3)
