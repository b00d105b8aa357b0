"""Where the app and the sample images are: inside the installed package, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

from annotate_select.errors import StorageError

__all__ = ["app_folder", "sample_folder"]


def app_folder() -> Path:
    """Return the folder of the Streamlit app."""
    return _place("app")


def sample_folder() -> Path:
    """Return the folder of the sample images: images/ and labels.csv."""
    return _place("sample_data")


def _place(name: str) -> Path:
    package = Path(__file__).parent
    for folder in (package / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise StorageError(f"{name}/ is missing beside {package}; install annotate-select again")
