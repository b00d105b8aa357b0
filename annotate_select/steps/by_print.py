"""What was read of files, kept by their bytes: the same is not read twice, whatever a file is called or where it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from annotate_select.files import write_whole

__all__ = ["ByPrint", "prints_of"]

KIND = "S32"  # a fingerprint: 32 hex characters


def prints_of(fingerprints: list[str]) -> np.ndarray:
    """Return fingerprints as an array (n,) that can be searched."""
    return np.array([one.encode() for one in fingerprints], dtype=KIND)


@dataclass(frozen=True, eq=False)
class ByPrint:
    """Columns (m, k) of m files by fingerprint; `words` are what a column of positions stands for, if one does."""

    prints: np.ndarray  # (m,) ascending
    columns: dict[str, np.ndarray]
    words: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, version: int, empty: Mapping[str, np.ndarray]) -> ByPrint:
        """Read what was kept; `empty` columns (0, k) where the file is missing, damaged, or of another version."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                columns = {name: stored[name] for name in empty}
                found = cls(stored["prints"], columns, stored["words"].tolist())
                shapes = all(columns[name].shape == (len(found.prints), one.shape[1]) for name, one in empty.items())
                if int(stored["version"]) == version and shapes:
                    return found
        except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile):
            pass
        return cls(np.empty(0, dtype=KIND), dict(empty))

    def write(self, path: Path, version: int) -> None:
        """Write all, whole or not at all."""
        content = io.BytesIO()
        arrays: dict[str, Any] = {"prints": self.prints, "words": np.array(self.words, dtype=str), **self.columns}
        np.savez(content, version=version, **arrays)
        write_whole(path, content.getvalue())

    def places(self, wanted: np.ndarray) -> np.ndarray:
        """Return where fingerprints (k,) are, -1 for those that are not."""
        if not len(self.prints):
            return np.full(len(wanted), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.prints, wanted), len(self.prints) - 1)
        return np.where(self.prints[at] == wanted, at, -1)

    def with_more(self, prints: np.ndarray, columns: Mapping[str, np.ndarray], words: list[str]) -> ByPrint:
        """Return these and others, none of which is here yet."""
        both = np.concatenate([self.prints, prints])
        order = np.argsort(both, kind="stable")
        merged = {
            name: np.concatenate([one, np.asarray(columns[name], dtype=one.dtype)])[order]
            for name, one in self.columns.items()
        }
        return ByPrint(both[order], merged, words)
