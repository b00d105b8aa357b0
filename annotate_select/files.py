"""Files that are written whole or not at all, digests, and locks between processes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from annotate_select.errors import BusyError, StorageError

__all__ = ["digest", "lock", "storage_errors", "whole_file", "whole_folder", "write_whole"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is synced and renamed over `path`, on failure removed.

    Raises StorageError when the disk is full or the folder cannot be written; the old file is then untouched.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(path)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # the system applies the umask
    try:
        yield temporary
        with storage_errors(path):
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
    except OSError as error:
        raise _storage_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success it becomes `path`, which must not exist yet.

    Raises StorageError when it cannot be written, FileExistsError when another process made `path` first.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(path)
        temporary.mkdir()
    try:
        yield temporary
        for entry in [*temporary.rglob("*"), temporary]:
            _sync(entry)
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and path.is_dir():
                raise _Taken from error
            raise
        _sync(path.parent)
    except _Taken as error:
        raise FileExistsError(str(path)) from error
    except OSError as error:
        raise _storage_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Taken(Exception):
    """Another process made the folder first."""


def write_whole(path: Path, content: bytes | str) -> None:
    """Write `content` to `path`, whole or not at all; text as UTF-8."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def lock(path: Path, doing: str) -> Iterator[None]:
    """Hold an exclusive lock file for as long as the block runs; it is freed when the process dies.

    Raises BusyError, saying what is being done, when another process holds it.
    """
    from filelock import FileLock, Timeout

    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(path, timeout=0)
    try:
        held.acquire()
    except Timeout as error:  # a Timeout is an OSError: it has to be asked for first
        raise BusyError(
            f"another process is {doing} in {path.parent}; wait until it ends, then run this again"
        ) from error
    except OSError as error:
        raise _storage_error(path, error) from error
    try:
        yield
    finally:
        held.release()


def digest(content: object, size: int = 8) -> str:
    """Return the BLAKE2b digest, `2 * size` hex characters, of bytes or of anything JSON can write."""
    data = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=size).hexdigest()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise _storage_error(path, error) from error


def _storage_error(path: Path, error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"no space left to write {path}: free some space, then run this again (nothing was changed)"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"cannot write {path}: it is read-only; change its permissions or use another folder")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return StorageError(f"cannot write {path}: a file stands where its folder should be; remove it")
    return StorageError(f"cannot write {path}: {error.strerror or error}")


def _sync(path: Path) -> None:
    """Flush a file, or on POSIX a folder's entries, to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    """Name a temporary neighbour, on the same file system, that nobody else uses."""
    return path.with_name(f".{path.name}.{token_hex(8)}.tmp")
