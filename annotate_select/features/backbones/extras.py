"""Packages that only some encoders need."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from annotate_select.errors import FeaturesError

__all__ = ["installed", "needed", "quiet", "version_of"]


def installed(*packages: str) -> bool:
    """Say whether all these packages are there; none is imported."""
    return all(find_spec(package) is not None for package in packages)


def needed(package: str, extra: str) -> Any:
    """Import a package of an extra; raises FeaturesError, which says how to install it, when it is not there."""
    try:
        return import_module(package)
    except ImportError as error:
        raise FeaturesError(
            f"{package} cannot be imported ({error}); install it with `pip install annotate-select[{extra}]`"
        ) from error


def version_of(library: ModuleType) -> str:
    """Return a library's name and version, without what only mends faults: "timm 1.0"."""
    version = str(getattr(library, "__version__", "of an unknown version"))
    return f"{library.__name__} {'.'.join(version.split('.')[:2])}"


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Keep a library's warnings, prints and logs to itself: standard output belongs to the command's own answer."""
    found = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in found]
    try:
        for logger in found:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(found, levels, strict=True):
            logger.setLevel(level)
