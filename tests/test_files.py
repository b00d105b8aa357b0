from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from annotate_select.errors import BusyError, StorageError
from annotate_select.files import digest, lock, whole_file, whole_folder, write_whole

OLD = "what was there before"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(OLD)
    return path


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, name, fail)


def fail_after_writing(path: Path, kind: type[BaseException]) -> None:
    path.write_text("half")
    raise kind


def stays(path: Path) -> bool:
    """Tell whether the old file is there, whole, and nothing lies beside it."""
    return path.read_text() == OLD and os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("content", "expected"), [("größe\n", "größe\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")]
)
def test_write_whole_replaces(old: Path, content: str | bytes, expected: bytes) -> None:
    write_whole(old, content)
    assert old.read_bytes() == expected
    assert os.listdir(old.parent) == [old.name]


def test_write_whole_makes_folders(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_whole(tmp_path / "x", "x")
        with whole_folder(tmp_path / "f"):
            pass
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o750


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, r"no space left to write .*labels\.csv: free some space, then run this again"),
        (errno.EDQUOT, r"no space left to write .*labels\.csv"),
        (errno.EROFS, r"cannot write .*labels\.csv: it is read-only; change its permissions"),
        (errno.EACCES, r"cannot write .*labels\.csv: it is read-only"),
        (errno.EIO, r"cannot write .*labels\.csv: Input/output error"),
    ],
)
def test_a_failing_disk_leaves_the_old_file(
    old: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, message: str
) -> None:
    refuse(monkeypatch, call, code)
    with pytest.raises(StorageError, match=message):
        write_whole(old, "new")
    assert stays(old)


def test_a_disk_that_fills_while_writing(old: Path) -> None:
    """`/dev/full` answers every write as a full disk does."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def fill(temporary: Path) -> None:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_text("new")

    with pytest.raises(StorageError, match="no space left"), whole_file(old) as temporary:
        fill(temporary)
    assert stays(old)


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_of_the_block_comes_through(old: Path, kind: type[BaseException]) -> None:
    with pytest.raises(kind), whole_file(old) as temporary:
        fail_after_writing(temporary, kind)
    assert stays(old)


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*labels\.csv: Is a directory"):
        write_whole(tmp_path / "labels.csv", "x")
    assert os.listdir(tmp_path) == ["labels.csv"]


@pytest.mark.parametrize("below", ["x.csv", "a/x.csv"])
def test_a_file_where_a_folder_should_be(old: Path, below: str) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*labels\.csv"):
        write_whole(old / below, "x")
    assert stays(old)


WRITE = (
    "import sys, time; from pathlib import Path; from annotate_select.files import whole_file\n"
    "with whole_file(Path(sys.argv[1])) as temporary:\n"
    "    temporary.write_text('half'); print('ready', flush=True); time.sleep(60)\n"
)


@contextmanager
def killed_at_the_end(script: str, path: Path) -> Iterator[None]:
    """Run a script until it says that it is ready; kill it when the block ends."""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def test_a_killed_writer_leaves_the_old_file(old: Path) -> None:
    with killed_at_the_end(WRITE, old):
        pass
    assert old.read_text() == OLD
    write_whole(old, "again")
    assert old.read_text() == "again"


def test_whole_folder(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a" / "out") as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "x").write_text("x")
        assert not (tmp_path / "a" / "out").exists()
    assert (tmp_path / "a" / "out" / "deep" / "x").read_text() == "x"
    assert os.listdir(tmp_path / "a") == ["out"]


def test_whole_folder_does_not_replace(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), whole_folder(tmp_path / "out"):
        write_whole(tmp_path / "out" / "theirs", "x")
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == ["theirs"]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_whole_folder_on_a_failing_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    refuse(monkeypatch, call, errno.ENOSPC)
    with (
        pytest.raises(StorageError, match=r"no space left to write .*out"),
        whole_folder(tmp_path / "out") as temporary,
    ):
        (temporary / "x").write_text("x")
    assert os.listdir(tmp_path) == []


def test_whole_folder_with_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out") as temporary:
        fail_after_writing(temporary / "x", ZeroDivisionError)
    assert os.listdir(tmp_path) == []


HOLD = (
    "import sys, time; from pathlib import Path; from annotate_select.files import lock\n"
    "with lock(Path(sys.argv[1]), 'selecting a batch'):\n"
    "    print('ready', flush=True); time.sleep(60)\n"
)


def test_a_lock_of_another_process(tmp_path: Path) -> None:
    path = tmp_path / "project" / ".selecting.lock"
    message = r"another process is selecting a batch in .*project; wait until it ends, then run this again"
    with killed_at_the_end(HOLD, path), pytest.raises(BusyError, match=message), lock(path, "selecting a batch"):
        pass


def test_a_lock_is_free_when_its_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with killed_at_the_end(HOLD, path), pytest.raises(StorageError), lock(path, "selecting a batch"):
        pass
    with lock(path, "selecting a batch"):
        assert path.exists()


def test_a_lock_is_not_held_twice(tmp_path: Path) -> None:
    with lock(tmp_path / "x.lock", "training"), pytest.raises(BusyError), lock(tmp_path / "x.lock", "training"):
        pass


def test_a_lock_is_freed_by_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with pytest.raises(ZeroDivisionError), lock(path, "training"):
        raise ZeroDivisionError
    with lock(path, "training"):
        assert path.exists()


def test_two_things_may_be_done_at_once(tmp_path: Path) -> None:
    with lock(tmp_path / "a.lock", "selecting"), lock(tmp_path / "b.lock", "training"):
        assert {"a.lock", "b.lock"} <= set(os.listdir(tmp_path))


def test_a_lock_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "open", errno.EROFS)
    with pytest.raises(StorageError, match=r"cannot write .*x\.lock: it is read-only"), lock(tmp_path / "x.lock", "x"):
        pass


def test_digest() -> None:
    assert digest(b"abc") == hashlib.blake2b(b"abc", digest_size=8).hexdigest()
    assert digest({"b": 1, "a": [2]}) == digest({"a": [2], "b": 1}) == digest(b'{"a": [2], "b": 1}')
    assert len(digest("x", size=16)) == 32
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest(None) != digest("None")
