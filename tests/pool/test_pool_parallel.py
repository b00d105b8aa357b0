"""Work in order, a bounded number of items ahead."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from annotate_select.pool import parallel
from annotate_select.pool.parallel import in_order


def test_results_keep_the_order_of_items_that_take_unequal_time() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0.0)
        return item * item

    assert list(in_order(slow_first, range(50), workers=4)) == [(i, i * i) for i in range(50)]


def test_work_runs_at_most_a_window_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "window", lambda workers: 2 * workers)
    begun: list[int] = []
    results = in_order(begun.append, range(1000), workers=3)
    for taken in range(1, 40):
        next(results)
        time.sleep(0.001)
        assert taken <= len(begun) <= taken + 6
    assert len(begun) < 50


def test_the_items_are_not_all_taken_at_once() -> None:
    results = in_order(str, range(10**9), workers=2)
    assert [next(results) for _ in range(3)] == [(0, "0"), (1, "1"), (2, "2")]
    results.close()  # type: ignore[attr-defined]


def test_closing_drops_what_has_not_begun_and_joins() -> None:
    before, begun = threading.active_count(), []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.005)

    results = in_order(work, range(500), workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    count = len(begun)
    assert threading.active_count() == before
    time.sleep(0.02)
    assert len(begun) == count < 20


def test_an_error_of_the_work_reaches_the_caller_and_ends_the_threads() -> None:
    before = threading.active_count()

    def work(item: int) -> int:
        return 1 // (3 - item)

    def run() -> Iterator[int]:
        yield from (value for _, value in in_order(work, range(100), workers=2))

    with pytest.raises(ZeroDivisionError):
        list(run())
    assert threading.active_count() == before


def test_all_allowed_cores_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert parallel.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert parallel.cores() == 7


def test_the_window_is_a_batch_or_more() -> None:
    assert (parallel.window(1), parallel.window(2), parallel.window(64)) == (32, 32, 256)
