"""Features that several projects share: what one has encoded, the others find by the image's fingerprint.

SHARED/DIGEST/definition.json   the full definition, whose digest names the folder
SHARED/DIGEST/CONTENT.block     two .npy arrays in one file: fingerprints (n,) S32 and features (n, d) float32

SHARED is a folder or a URL (see shared_place.py). A block is written once, under the digest of its content, so that
writers need no lock and damage shows. Whatever is wrong with a shared place, the images are encoded as if there were
none.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BytesIO

import numpy as np

from annotate_select.errors import StorageError
from annotate_select.features.rows import BLOCK_ROWS
from annotate_select.features.shared_place import Place
from annotate_select.files import digest

__all__ = ["SharedFeatures"]

SIZE = 16  # bytes of the digest that names a block
MOST = 2**24  # bytes of a definition
NAMES_BYTES = 128 + 32 * BLOCK_ROWS  # the fingerprints of a block, if it has no more rows than those written here
SECONDS, SECONDS_AN_IMAGE = 1.0, 0.001  # looking takes no longer than encoding would
NOT_SHARED = ("concatenation", "model", "compressed", "function")  # made faster than found, or not all of it is said


class SharedFeatures:
    """The features of one definition in a shared place, which need not exist."""

    def __init__(self, place: Place, definition: Mapping[str, object], dim: int) -> None:
        self.place = place
        self.folder = digest(definition)
        self._definition = json.loads(json.dumps(definition))
        self._dim = dim
        self._known: set[bytes] | None = None  # fingerprints that are there
        self._all_known = False  # those are all: the last look ended before its time was up
        self.begun = False  # somebody has shared such features already
        self.usable = definition.get("kind") not in NOT_SHARED and self._agrees()

    def find(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (positions (b,) in `wanted`, their features (b, d) float32), each position at most once.

        `wanted` (m,) S32 are fingerprints. Stops looking after a second and a millisecond an image.
        """
        places: dict[bytes, list[int]] = {}
        for position, fingerprint in enumerate(wanted.tolist()):
            places.setdefault(fingerprint, []).append(position)
        end = _end(len(wanted))
        for name in self._blocks():
            if not places or time.monotonic() > end:
                return
            if places.keys().isdisjoint(self._fingerprints(name).tolist()):
                continue
            fingerprints, features = self._block(name)
            hits = [(at, row) for row, one in enumerate(fingerprints.tolist()) for at in places.pop(one, ())]
            if hits:
                positions, rows = np.array(hits).T
                yield positions, features[rows]

    def add(self, fingerprints: np.ndarray, features: np.ndarray) -> bool:
        """Write those that are not there yet, of fingerprints (n,) S32 and features (n, d); say whether all are there.

        Where nothing can be written, nothing is.
        """
        if not self.usable:
            return False
        if self._known is None:
            self._look(len(fingerprints))
        known = self._known or set()
        new = [row for row, one in enumerate(fingerprints.tolist()) if one not in known]
        if not new:
            return True
        stream = BytesIO()
        np.save(stream, fingerprints[new].astype("S32"), allow_pickle=False)
        np.save(stream, np.ascontiguousarray(features[new], "<f4"), allow_pickle=False)
        content = stream.getvalue()
        try:
            if not self.begun:
                about = json.dumps(self._definition, indent=2) + "\n"
                self.place.write(f"{self.folder}/definition.json", about.encode())
                self.begun = True
            self.place.write(f"{self.folder}/{digest(content, SIZE)}.block", content)
        except StorageError:
            return False
        known.update(fingerprints[new].tolist())
        return True

    def add_all(self, fingerprints: np.ndarray, features: np.ndarray, rows: np.ndarray) -> bool:
        """As `add`, in blocks, for some rows (m,) of earlier runs: only once it is sure which are not there."""
        if not self._all_known:
            self._look(len(rows))
        parts = (rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS))
        return self._all_known and all(self.add(fingerprints[part], features[part]) for part in parts)

    def _look(self, count: int) -> None:
        """Learn which fingerprints are there, as far as a look before writing `count` rows finds them."""
        self._known, end = self._known or set(), _end(count)
        for name in self._blocks():
            if time.monotonic() > end:
                return
            self._known.update(self._fingerprints(name).tolist())
        self._all_known = True

    def _agrees(self) -> bool:
        path = f"{self.folder}/definition.json"
        try:
            self.begun = json.loads(self.place.read(path, MOST)) == self._definition
        except FileNotFoundError:
            return True
        except StorageError:  # the place has said why it does not answer
            return False
        except (OSError, ValueError):
            self.begun = False
        if not self.begun:
            self._warn("definition.json", "it does not hold the definition its folder is named after")
        return self.begun

    def _blocks(self) -> list[str]:
        with suppress(OSError, StorageError):
            return [name for name in self.place.names(self.folder) if name.endswith(".block")] if self.usable else []
        return []

    def _fingerprints(self, name: str) -> np.ndarray:
        """Read the names of a block's rows alone: 32 bytes each."""
        found = np.empty(0, "S32")
        for most in (NAMES_BYTES, None):
            try:
                found = np.lib.format.read_array(BytesIO(self._read(name, most)), allow_pickle=False)
                break
            except (OSError, ValueError, EOFError, SyntaxError, MemoryError):
                continue
            except StorageError:
                return found
        if found.ndim != 1 or found.dtype != np.dtype("S32") or len(found) == 0:
            self._warn(name, "it cannot be read")
            return np.empty(0, "S32")
        return found

    def _block(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Read a block: fingerprints (n,) and features (n, d); none of a damaged one."""
        nothing = np.empty(0, "S32"), np.empty((0, self._dim), np.float32)
        try:
            content = self._read(name)
            sound = f"{digest(content, SIZE)}.block" == name
            stream = BytesIO(content)
            fingerprints = np.lib.format.read_array(stream, allow_pickle=False)
            features = np.lib.format.read_array(stream, allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError, MemoryError):
            sound = False
        except StorageError:
            return nothing
        if not sound or features.shape != (len(fingerprints), self._dim) or features.dtype != np.float32:
            self._warn(name, "it is not what was written")
            return nothing
        return fingerprints, features

    def _read(self, name: str, most: int | None = None) -> bytes:
        return self.place.read(f"{self.folder}/{name}", most)

    def _warn(self, name: str, why: str) -> None:
        path = f"{self.place}/{self.folder}/{name}"
        warnings.warn(f"shared features {path} are not used: {why}; delete the file", stacklevel=3)


def _end(count: int) -> float:
    return time.monotonic() + SECONDS + SECONDS_AN_IMAGE * count
