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

TURNS = 4  # that a thread has in a window


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

    Threads are enough: Pillow and the hashes leave the interpreter free while they work. Each takes some items at a
    time, for handing over costs as much as a tenth of a small image. Closing the iterator early drops what has not
    begun and waits for what has.
    """
    workers = workers or cores()
    together = max(1, window(workers) // (TURNS * workers))
    upcoming = iter(items)
    pending: deque[Future[list[Result]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="images")

    def submit(most: int) -> None:
        while most > 0 and (some := list(islice(upcoming, together))):
            pending.append(pool.submit(lambda some: [work(item) for item in some], some))
            most -= len(some)

    try:
        submit(window(workers))
        position = 0
        while pending:
            results = pending.popleft().result()
            submit(1)
            for result in results:
                yield position, result
                position += 1
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
