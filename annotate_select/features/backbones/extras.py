"""Packages that only some encoders need."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from annotate_select.errors import FeaturesError

__all__ = ["installed", "needed"]


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
