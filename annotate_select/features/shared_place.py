"""Where features are shared: a folder of this machine, or what fsspec reaches by a URL (s3://, gs://, sftp://, ...).

A file appears whole or not at all. A folder takes it by a rename, and so do file systems that have one; object stores
show what is put into them only once all of it is there.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol, TypeVar

from annotate_select.errors import StorageError, first_line
from annotate_select.files import write_whole

__all__ = ["FolderPlace", "Place", "RemotePlace", "place_of"]

T = TypeVar("T")

# file systems without a rename, in which a put is whole
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "hf", "memory"}
ANSWER_SECONDS = 20.0  # a place that says nothing for so long is not there ...
TRANSFER_SECONDS = 300.0  # ... but a block of 64 MB may take a while


class Place(Protocol):
    """Files by their path in a place; `str` of it is what the user wrote."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted; none where it is not there. Raises OSError."""
        ...

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return a file, or at most so many bytes of its beginning.

        Raises FileNotFoundError, another OSError, or StorageError once the place itself does not answer.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all. Raises StorageError."""
        ...


def place_of(text: str, root: Path) -> Place:
    """Return the place of a folder, in `root` unless it is absolute, or of a URL; nothing is looked for yet."""
    if "://" in text and not text.startswith("file://"):
        return RemotePlace(text)
    return FolderPlace(root / Path(text.removeprefix("file://")).expanduser())


class FolderPlace:
    """A folder of this machine, or mounted on it, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._down: StorageError | None = None

    def __str__(self) -> str:
        """Return the folder."""
        return str(self._folder)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted."""
        self._require_folder()
        return sorted(path.name for path in (self._folder / folder).glob("*"))

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return a file, or at most so many bytes of its beginning."""
        self._require_folder()
        with (self._folder / path).open("rb") as file:
            return file.read(-1 if most is None else most)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all; a folder that may only be read says so by a StorageError alone."""
        self._require_folder()
        try:
            write_whole(self._folder / path, content)
        except StorageError as error:
            if self._folder.is_dir():
                raise
            raise self._lost(first_line(error)) from error

    def _require_folder(self) -> None:
        """Refuse what can never be a folder. Raises StorageError, the first time with a warning."""
        if self._down is not None:
            raise self._down
        if self._folder.exists() and not self._folder.is_dir():
            raise self._lost("it is a file")

    def _lost(self, why: str) -> StorageError:
        self._down = StorageError(
            f"shared features in {self} are not used: {why}; set features.shared in project.toml to a folder that is "
            "there, or that can be made"
        )
        warnings.warn(str(self._down), stacklevel=2)
        return self._down


class RemotePlace:
    """A folder behind a URL. Once it does not answer, a warning says so and it is not asked again."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._down: StorageError | None = None

    def __str__(self) -> str:
        """Return the URL."""
        return self._url

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted."""

        def look(system: Any, path: str) -> list[str]:
            system.invalidate_cache(path)  # others write there, too
            return sorted(name.rstrip("/").rpartition("/")[2] for name in system.ls(path, detail=False))

        with suppress(FileNotFoundError):
            return self._asked(look, folder)
        return []

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return a file, or at most so many bytes of its beginning."""
        seconds = TRANSFER_SECONDS if most is None else ANSWER_SECONDS
        part = {} if most is None else {"start": 0, "end": most}
        return self._asked(lambda system, whole: bytes(system.cat_file(whole, **part)), path, seconds)

    def write(self, path: str, content: bytes) -> None:
        """Write a file, whole or not at all; what may only be read says so by a StorageError, without a warning."""

        def put(system: Any, whole: str) -> None:
            if self._url.partition("://")[0] in OBJECT_STORES:
                system.pipe_file(whole, content)
                return
            folder, _, name = whole.rpartition("/")
            system.makedirs(folder, exist_ok=True)
            _put_and_move(system, f"{folder}/.{name}.{token_hex(8)}.tmp", whole, content)

        try:
            self._asked(put, path, TRANSFER_SECONDS, answer=PermissionError)
        except PermissionError as error:
            raise StorageError(f"cannot write {self}/{path}: it is read-only; ask for the right to write") from error

    def _asked(
        self,
        work: Callable[[Any, str], T],
        path: str,
        seconds: float = ANSWER_SECONDS,
        answer: type[OSError] = FileNotFoundError,
    ) -> T:
        """Do some work with the file system and the whole path; any error but `answer` means that the place is lost."""
        if self._down is not None:
            raise self._down

        def asked() -> T:
            from fsspec.core import url_to_fs

            return work(*url_to_fs(f"{self._url}/{path}"))

        try:
            return _within(seconds, asked)
        except answer:
            raise
        except Exception as error:  # each file system has errors of its own
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> StorageError:
        what = f"shared features in {self} are not used: {type(error).__name__}: {first_line(error)}"
        how = "look whether it can be reached from here"
        if isinstance(error, ImportError):
            how = "install that, for s3:// with `pip install annotate-select[remote]`"
        self._down = StorageError(f"{what}; {how}, and the next `embed` shares what was made until then")
        warnings.warn(str(self._down), stacklevel=2)
        return self._down


def _put_and_move(system: Any, temporary: str, path: str, content: bytes) -> None:
    try:
        system.pipe_file(temporary, content)
        system.mv(temporary, path)
    except BaseException:
        with suppress(Exception):  # what went wrong before counts
            system.rm_file(temporary)
        if not system.exists(path):  # else another writer was first, with the same content
            raise


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Return what the work returns; raises what it raises, or TimeoutError, and leaves it behind, when it hangs."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)  # so that it does not keep the program from ending
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    return results[0]
