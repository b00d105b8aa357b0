"""An encoder whose features can be checked by eye, a pool of one-coloured images, and a store filled from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from annotate_select import files
from annotate_select.features.store import FeatureStore

SIZE = 2


class Mean:
    """The mean colour of an image, times `factor`."""

    image_size = SIZE
    dim = 3

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.encoded = 0

    def definition(self) -> dict[str, object]:
        return {"kind": "mean", "how": {"factor": self.factor, "axes": (1, 2)}}

    def encode(self, images: np.ndarray) -> np.ndarray:
        self.encoded += len(images)
        return (images.mean(axis=(1, 2)) * self.factor).astype(np.float32)

    def save(self, folder: Path) -> None:
        (folder / "factor.json").write_text(json.dumps(self.factor))


def image(value: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), value, np.uint8)


def fingerprint(value: int) -> str:
    return f"{value:032x}"


class Pool:
    """Images as id -> value; the value is the colour and, as hexadecimal, the fingerprint."""

    def __init__(self, values: dict[int, int]) -> None:
        self.values = values

    @property
    def ids(self) -> list[int]:
        return list(self.values)

    @property
    def fingerprints(self) -> list[str]:
        return [fingerprint(value) for value in self.values.values()]

    @property
    def by_id(self) -> dict[int, str]:
        return dict(zip(self.ids, self.fingerprints, strict=True))

    def batches(self, positions: list[int], size: int = 2) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(positions), size):
            part = positions[start : start + size]
            yield np.array(part), np.stack([image(self.values[self.ids[i]]) for i in part])


def extend(store: FeatureStore, pool: Pool, encoder: Mean, replace: bool = False) -> list[int]:
    pending = store.pending("f", encoder, pool.ids, pool.fingerprints, replace=replace)
    batches = pool.batches(pending)
    return store.extend("f", encoder, np.array(pool.ids), pool.fingerprints, batches, replace=replace)


def check(store: FeatureStore, pool: Pool, factor: float = 1.0) -> None:
    """Every image of the pool has the row made of it."""
    features = store.open("f", pool.by_id)
    found = dict(zip(features.ids.tolist(), features.array.tolist(), strict=True))
    for image_id, value in pool.values.items():
        assert found[image_id] == [value * factor] * 3


def folder_of(store: FeatureStore, encoder: Mean | None = None) -> Path:
    return store.folder / f"f-{files.digest((encoder or Mean()).definition())}"


class Killed(BaseException):
    """What a kill looks like from inside."""
