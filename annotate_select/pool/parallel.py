"""One function over many items on all cores: results in order, streamed, with a bounded number of them in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["cores", "in_order", "window"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Return the number of cores this process may use, which in a container is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def window(workers: int) -> int:
    """Return how many items may be under way or waiting for the caller.

    A batch's worth even with two cores, so that work goes on while the caller is busy with what it was given.
    """
    return max(32, 4 * workers)


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Iterator[tuple[int, Result]]:
    """Yield (position, work(item)) in the order of `items`, working `window` items ahead on threads.

    Threads are enough: Pillow and the hashes leave the interpreter free while they work. Closing the iterator early
    drops what has not begun and waits for what has.
    """
    workers = workers or cores()
    upcoming = iter(items)
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="images")
    try:
        pending.extend(pool.submit(work, item) for item in islice(upcoming, window(workers)))
        position = 0
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(work, item) for item in islice(upcoming, 1))
            yield position, result
            position += 1
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
