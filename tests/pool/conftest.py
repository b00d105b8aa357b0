"""What tests of bad files need."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest


@pytest.fixture(autouse=True)
def _every_warning_is_an_error() -> Iterator[None]:
    """Let no warning pass here, Pillow's own neither: keeping them quiet is this room's work."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """Give a block in which root is nobody: root may read and write all, and could not test what others may not."""

    @contextmanager
    def block() -> Iterator[None]:
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(before)

    return block
