"""Directions of features and cosines between them, block by block, so that no (n, n) array ever exists."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from threading import Lock
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from annotate_select.errors import SelectionError

__all__ = ["BLOCK", "Directions", "Workers", "directions", "largest_cosines", "near"]

BLOCK = 2**22  # numbers held at a time: 32 MB of float64
CACHED = 2**18  # numbers of a block that is gone over several times: 1 MB of float32
ROUNDING = 1e-6  # of the usual length of a row: what float32 features cannot tell from 0
SAFE = 2.0**40  # numbers beyond it, or all below its inverse, are scaled before they are squared

Answer = TypeVar("Answer")


class Workers:
    """Threads for work in blocks, as many as BLAS may use; while they are there each calls BLAS for itself.

    A BLAS that splits every product waits for its slowest thread each time, and does nothing for what comes after a
    product. How many threads it had is restored when the last of several Workers leaves.
    """

    _lock = Lock()
    _inside = 0
    _count = 1
    _limit = ExitStack()

    def __enter__(self) -> Self:
        with Workers._lock:
            if not Workers._inside:
                Workers._count = max([1, *(one["num_threads"] for one in _blas().info())])
                Workers._limit.enter_context(_blas().limit(limits=1))
            Workers._inside += 1
            self._threads = ThreadPoolExecutor(Workers._count) if Workers._count > 1 else None
        return self

    def __exit__(self, *error: object) -> None:
        if self._threads is not None:
            self._threads.shutdown()
        with Workers._lock:
            Workers._inside -= 1
            if not Workers._inside:
                Workers._limit.close()

    def map(self, work: Callable[[slice], Answer], n: int, step: int) -> list[Answer]:
        """Return work(slice) of every block of n rows, in their order."""
        blocks = [slice(start, min(n, start + step)) for start in range(0, n, step)]
        if self._threads is None or len(blocks) == 1:
            return [work(block) for block in blocks]
        return list(self._threads.map(work, blocks))


class Directions:
    """Directions (n, d) float32 of features: rows centred on the mean of all and scaled to length 1.

    A row at the mean becomes 0. Reads features (n, d) of any real type in blocks, so a memory map will do; numbers too
    large or too small to be squared are scaled by the largest first. What float32 holds exactly is worked with in
    float32, whatever its type, so that the same numbers give the same directions. Raises SelectionError naming the
    first row that is not finite.

    Some rows are turned as they are asked for; once that was as much work as all of them, or `all` is asked for, all
    are made and kept: a strategy that looks at few rows of a million needs no second million.
    """

    def __init__(self, features: np.ndarray) -> None:
        self.shape: tuple[int, int] = (features.shape[0], features.shape[1])
        self._features, self._lock = features, Lock()
        self._all: np.ndarray | None = None
        self._asked = 0  # rows turned so far, the same ones counted again
        n, d = self.shape
        self._step = max(1, min(CACHED, BLOCK) // d)
        with Workers() as workers:
            parts = workers.map(lambda here: _sums(_block(features, here)), n, self._step)
            largest = float(np.max([part.largest for part in parts], initial=0.0))
            if not np.isfinite(largest):
                row = _first_wrong(features, parts, self._step)
                raise SelectionError(
                    f"features must be finite, but row {row} holds NaN or infinity; make the features again"
                )
            self._exact, scale = all(part.exact for part in parts), 1.0
            if largest > 0 and not 1 / SAFE < largest < SAFE:
                self._exact, scale = False, 2.0 ** min(1000, -int(np.frexp(largest)[1]))
                parts = workers.map(
                    lambda here: _sums(_block(features, here).astype(np.float64) * scale), n, self._step
                )
        self._scale = scale
        self._mean = np.sum([part.total for part in parts], axis=0) / max(1, n)
        self._shortest = ROUNDING * float(np.sqrt(sum(part.squares for part in parts) / max(1, n)))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return the directions of some rows, (m, d), of any index that numpy takes; of a single one, (d,)."""
        if self._all is None:
            block = np.atleast_2d(_block(self._features, rows))
            self._asked += len(block)
            if self._asked <= len(self):
                out = np.empty(block.shape, dtype=np.float32)
                self._turn(block, out)
                return out[0] if isinstance(rows, int | np.integer) else out
        return np.asarray(self.all[rows])

    @property
    def all(self) -> np.ndarray:
        """The directions of all rows, (n, d), read-only; the same array each time."""
        with self._lock:
            if self._all is None:
                out = np.empty(self.shape, dtype=np.float32)
                with Workers() as workers:
                    workers.map(lambda here: self._turn(_block(self._features, here), out[here]), len(self), self._step)
                out.setflags(write=False)
                self._all = out
            return self._all

    def _turn(self, block: np.ndarray, out: np.ndarray) -> None:
        """Write the directions of a block of features to out."""
        block = block.astype(np.float32, copy=False) if self._exact else block.astype(np.float64) * self._scale
        _turn(block, self._mean, self._shortest, out)


def directions(features: np.ndarray) -> np.ndarray:
    """Return the directions (n, d) float32 of features (n, d), see `Directions`; raises SelectionError."""
    return Directions(features).all


def largest_cosines(directions: np.ndarray | Directions, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each of `rows` its largest cosine to any of `others`, -inf when there are none."""
    best = np.full(len(rows), -np.inf, dtype=np.float32)
    step = max(1, BLOCK // 8 // max(1, directions.shape[1]))  # columns are gathered too, so both sides are blocked
    for column in range(0, len(others), step):
        right = directions[others[column : column + step]].T  # (d, c)
        _raise(best, directions, rows, right)
    return best


def _raise(best: np.ndarray, directions: np.ndarray | Directions, rows: np.ndarray, right: np.ndarray) -> None:
    """Raise the best cosines of rows to those with the columns of right (d, c)."""

    def compare(here: slice) -> None:
        np.maximum(best[here], (directions[rows[here]] @ right).max(axis=1), out=best[here])

    step = max(1, BLOCK // 8 // max(right.shape))
    if len(rows) <= step and len(rows) * right.size < BLOCK:
        return compare(slice(None))  # no work for several
    with Workers() as workers:
        workers.map(compare, len(rows), step)


def near(directions: np.ndarray | Directions, rows: np.ndarray, others: np.ndarray, threshold: float) -> np.ndarray:
    """Return for each of `rows` whether its cosine to any of `others` is above the threshold; 1 means never."""
    if threshold >= 1:
        return np.zeros(len(rows), dtype=bool)
    return largest_cosines(directions, rows, others) > threshold


@cache
def _blas() -> Any:
    return ThreadpoolController().select(user_api="blas")


class _Sums(NamedTuple):
    """What a block adds to the whole: its largest size, the sum of its rows (d,), the sum of all squares.

    `exact` says whether float32 holds all of it. A block with numbers too large to be squared has sums of 0.
    """

    largest: float
    total: np.ndarray
    squares: float
    exact: bool


def _block(features: np.ndarray, here: Any) -> np.ndarray:
    """Return some rows, by any index, as float32, or as float64 where they are of a larger type."""
    block = features[here]
    small = block.dtype.kind == "f" and block.dtype.itemsize <= 4
    return np.asarray(block, dtype=np.float32 if small else np.float64, order="C")


def _sums(block: np.ndarray) -> _Sums:
    largest = max(float(block.max()), -float(block.min()))
    if not largest < SAFE:
        return _Sums(largest, np.zeros(block.shape[1]), 0.0, False)
    small = block.astype(np.float32, copy=False)
    exact = block.dtype == np.float32 or bool((small == block).all())
    block = small if exact else block
    squares = np.einsum("ij,ij->i", block, block).sum(dtype=np.float64)
    return _Sums(largest, block.sum(axis=0, dtype=np.float64), float(squares), exact)


def _turn(block: np.ndarray, mean: np.ndarray, shortest: float, out: np.ndarray) -> None:
    """Write the directions of some rows, seen from the mean, to out."""
    first = mean.astype(block.dtype)
    centred = block - first
    if block.dtype != np.float64:
        centred -= (mean - first).astype(block.dtype)  # what rounding leaves of the mean matters to rows near it
    lengths = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    at_mean = lengths <= shortest
    lengths[at_mean] = 1.0
    np.multiply(centred, (1 / lengths)[:, None], out=out, casting="same_kind")
    out[at_mean] = 0.0


def _first_wrong(features: np.ndarray, parts: list[_Sums], step: int) -> int:
    start = step * next(number for number, part in enumerate(parts) if not np.isfinite(part.largest))
    block = np.asarray(features[start : start + step])
    return start + int(np.argmin(np.isfinite(block).all(axis=1)))
