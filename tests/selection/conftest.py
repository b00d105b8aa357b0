"""The engines of selection are tested with the threads that they take on a machine of several cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from annotate_select.selection import geometry


class Cores:
    """What engines ask BLAS; says that it has a thread for each core.

    Where tests run beside each other it has one, for its threads would wait for each other all the time.
    """

    def __init__(self, blas: Any) -> None:
        self.limit = blas.limit

    def info(self) -> list[dict[str, int]]:
        return [{"num_threads": os.cpu_count() or 1}]


@pytest.fixture(scope="module", autouse=True)
def _threads_for_engines() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        cores = Cores(geometry._blas())
        patch.setattr(geometry, "_blas", lambda: cores)
        yield
