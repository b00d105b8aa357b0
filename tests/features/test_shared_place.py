"""Shared features behind a URL: found as in a folder, whole or not there, and never in the way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from store_tools import Mean, Pool, check, extend

from annotate_select import files
from annotate_select.errors import StorageError
from annotate_select.features import shared_place
from annotate_select.features.shared import SharedFeatures
from annotate_select.features.shared_place import FolderPlace, RemotePlace, place_of
from annotate_select.features.store import FeatureStore

FINE = 1 + 2**-12  # times a colour: a number that float32 has, and float16 has not


class Renaming(MemoryFileSystem):  # type: ignore[misc]
    """A file system with a rename, like sftp, that fails as it is told to, in the middle of a file."""

    protocol = "renaming"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fails: ClassVar[set[str]] = set()
    slow = 0.0

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: object) -> None:
        if "put" in self.fails:
            super().pipe_file(path, value[: len(value) // 2], mode)
            raise ConnectionResetError("the line is dead")
        super().pipe_file(path, value, mode)

    def mv(self, path1: str, path2: str, **options: object) -> None:
        if "mv" in self.fails:
            raise OSError("no rename today")
        super().mv(path1, path2, **options)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: object) -> bytes:
        time.sleep(self.slow)
        if "cat" in self.fails:
            raise PermissionError("not for you")
        return bytes(super().cat_file(path, start, end))


@pytest.fixture(params=["file", "memory", "renaming"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL of an empty place."""
    fsspec.register_implementation("renaming", Renaming, clobber=True)
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    monkeypatch.setattr(Renaming, "store", {})
    monkeypatch.setattr(Renaming, "pseudo_dirs", [""])
    monkeypatch.setattr(Renaming, "fails", set())
    monkeypatch.setattr(Renaming, "slow", 0.0)
    where = tmp_path / "place" if request.param == "file" else "/bucket/place"
    return f"{request.param}://{where}"


renaming = pytest.mark.parametrize("url", ["renaming"], indirect=True)


def project(tmp_path: Path, name: str, url: str | None, dtype: str = "float32") -> FeatureStore:
    return FeatureStore(tmp_path / name / "features", dtype, place_of(url, tmp_path) if url else None)


def embed(store: FeatureStore, pool: Pool) -> int:
    """As the step does; returns how many images were encoded."""
    encoder = Mean(FINE)
    store.reuse("f", encoder, pool.ids, pool.fingerprints)
    extend(store, pool, encoder)
    check(store, pool, FINE)
    return encoder.encoded


def listed(url: str) -> list[str]:
    system, path = fsspec.core.url_to_fs(url)
    return sorted(str(name).rpartition("/")[2] for name in system.find(path))


def test_what_one_project_encoded_the_others_find(tmp_path: Path, url: str) -> None:
    assert embed(project(tmp_path, "a", url), Pool({1: 10, 2: 20, 3: 31})) == 3
    assert embed(project(tmp_path, "b", url), Pool({7: 31, 8: 80, 9: 10})) == 1
    assert embed(project(tmp_path, "c", url), Pool({1: 80, 2: 20})) == 0
    *found, definition = listed(url)
    assert definition == "definition.json"
    assert [name.endswith(".block") for name in found] == [True, True]


def test_which_place_is_meant(tmp_path: Path) -> None:
    assert [str(place_of(text, tmp_path)) for text in ("shared", "/x/y", "file:///x/y", "s3://bucket/x/")] == [
        str(tmp_path / "shared"),
        "/x/y",
        "/x/y",
        "s3://bucket/x",
    ]
    assert isinstance(place_of("file:///x", tmp_path), FolderPlace)


@pytest.mark.parametrize("url", ["memory", "renaming"], indirect=True)
def test_a_block_that_was_damaged_on_the_way_is_encoded_anew(tmp_path: Path, url: str) -> None:
    pool = Pool({1: 10, 2: 20})
    embed(project(tmp_path, "a", url), pool)
    system, path = fsspec.core.url_to_fs(url)
    (block,) = [name for name in system.find(path) if name.endswith(".block")]
    content = bytearray(system.cat_file(block))
    content[-3] ^= 1
    MemoryFileSystem.pipe_file(system, block, bytes(content))
    with pytest.warns(UserWarning, match=r"shared features .*\.block are not used: it is not what was written"):
        assert embed(project(tmp_path, "b", url), pool) == 2


@renaming
@pytest.mark.parametrize("fails", ["put", "mv"])
def test_a_file_that_failed_in_the_middle_is_not_there_and_is_shared_later(
    tmp_path: Path, url: str, fails: str
) -> None:
    store, pool = project(tmp_path, "a", url), Pool({1: 10, 2: 20})
    Renaming.fails.add(fails)
    with pytest.warns(UserWarning, match=r"shared features in renaming://.*: .*(line is dead|no rename).*next `embed`"):
        assert embed(store, pool) == 2
    assert listed(url) == []
    Renaming.fails.clear()
    with pytest.raises(StorageError, match="not used"):  # in this run it is not asked again
        store.shared.write("x", b"")  # type: ignore[union-attr]
    assert embed(project(tmp_path, "a", url), pool) == 0
    assert embed(project(tmp_path, "b", url), pool) == 0
    assert len(listed(url)) == 2


@renaming
def test_a_place_that_may_not_be_read_or_hangs_is_not_waited_for(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool({1: 10})
    Renaming.fails.add("cat")
    with pytest.warns(UserWarning, match=r"PermissionError: not for you; look whether it can be reached"):
        assert embed(project(tmp_path, "a", url), pool) == 1
    Renaming.fails.clear()
    monkeypatch.setattr(shared_place, "ANSWER_SECONDS", 0.05)
    Renaming.slow = 0.5
    with pytest.warns(UserWarning, match=r"TimeoutError: no answer within 0.05 seconds"):
        assert embed(project(tmp_path, "b", url), pool) == 1


def test_a_file_system_that_is_not_installed_or_not_known_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.warns(UserWarning, match=r"Install s3fs to access S3; .* `pip install annotate-select\[remote\]`"):
        assert embed(project(tmp_path, "a", "s3://bucket/x"), Pool({1: 10})) == 1
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"shared features in gopher://x are not used: ValueError: Protocol not known"):
        assert embed(project(tmp_path, "b", "gopher://x"), Pool({1: 10})) == 1


def test_what_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    embed(project(tmp_path, "a", "memory://place"), Pool({1: 10}))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refused)
    assert embed(project(tmp_path, "b", "memory://place"), Pool({1: 10, 2: 20})) == 1
    with pytest.raises(StorageError, match=r"cannot write memory://place/x: it is read-only"):
        RemotePlace("memory://place").write("x", b"")


def test_many_writers_at_once(tmp_path: Path, url: str) -> None:
    pools = [Pool({i: i + 3 * number for i in range(1, 20)}) for number in range(4)]
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(embed(project(tmp_path, str(n), url), pools[n])))  # type: ignore[misc]
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert embed(project(tmp_path, "last", url), Pool({i: i for i in range(1, 29)})) == 0
    assert not [name for name in listed(url) if name.endswith(".tmp")]


# --- what was made before -----------------------------------------------------------------------------------------


def test_what_was_made_before_sharing_is_shared_by_the_next_embed(tmp_path: Path, url: str) -> None:
    pool = Pool({1: 10, 2: 20, 4: 40})
    embed(project(tmp_path, "a", None), pool)
    embed(project(tmp_path, "b", url), Pool({1: 20}))
    assert embed(project(tmp_path, "a", url), pool) == 0
    assert embed(project(tmp_path, "c", url), pool) == 0
    assert len(listed(url)) == 3  # 20 was there: only 10 and 40 were added, in one block


def test_nobody_looks_twice_but_at_another_place_or_when_it_was_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, looks = Pool({1: 10, 2: 20}), []
    embed(project(tmp_path, "a", None), pool)
    real = SharedFeatures.add_all
    monkeypatch.setattr(SharedFeatures, "add_all", lambda self, *rows: looks.append(1) or real(self, *rows))
    for url in ("one", "one", "two", "two"):
        embed(project(tmp_path, "a", url), pool)
    assert len(looks) == 2
    for path in (tmp_path / "two").rglob("*.*"):
        path.unlink()
    embed(project(tmp_path, "a", "two"), pool)
    assert len(looks) == 3
    assert len(listed(f"file://{tmp_path}/two")) == 2


def test_rounded_forgotten_or_damaged_rows_are_not_shared(tmp_path: Path) -> None:
    pool = Pool({1: 10, 2: 20})
    store = project(tmp_path, "half", None, "float16")
    extend(store, pool, Mean(FINE))
    extend(project(tmp_path, "half", "shared", "float16"), pool, Mean(FINE))
    extend(project(tmp_path, "half", "shared"), pool, Mean(FINE))  # converted, its rows still rounded
    assert listed(f"file://{tmp_path}/shared") == []
    embed(project(tmp_path, "a", None), pool)
    (file,) = (tmp_path / "a").rglob("features.npy")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    extend(project(tmp_path, "a", "shared"), pool, Mean(FINE))
    assert listed(f"file://{tmp_path}/shared") == []


def test_nothing_is_shared_where_looking_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool({1: 10, 2: 20})
    embed(project(tmp_path, "a", None), pool)
    embed(project(tmp_path, "b", "shared"), Pool({1: 30}))
    monkeypatch.setattr("annotate_select.features.shared.SECONDS", -1.0)
    embed(project(tmp_path, "a", "shared"), pool)
    assert len(listed(f"file://{tmp_path}/shared")) == 2
    monkeypatch.undo()
    embed(project(tmp_path, "a", "shared"), pool)
    assert len(listed(f"file://{tmp_path}/shared")) == 3


# --- a real S3 server ---------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A URL in a bucket of a server that speaks S3."""
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    fsspec.filesystem("s3").mkdir("bucket")
    yield "s3://bucket/place"
    server.stop()


def test_sharing_in_a_bucket(tmp_path: Path, bucket: str) -> None:
    assert embed(project(tmp_path, "a", bucket), Pool({1: 10, 2: 20, 3: 31})) == 3
    assert embed(project(tmp_path, "b", bucket), Pool({7: 31, 8: 80, 9: 10})) == 1
    assert embed(project(tmp_path, "c", bucket), Pool({1: 80, 2: 20})) == 0
    definition = json.loads(RemotePlace(bucket).read(f"{files.digest(Mean(FINE).definition())}/definition.json"))
    assert files.digest(definition) == files.digest(Mean(FINE).definition())
    assert len(listed(bucket)) == 3
    with pytest.warns(UserWarning, match=r"s3://no-such-bucket/place are not used: FileNotFoundError"):
        assert embed(project(tmp_path, "d", "s3://no-such-bucket/place"), Pool({1: 10})) == 1


def test_no_server_where_the_bucket_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(shared_place, "ANSWER_SECONDS", 2.0)
    with pytest.warns(UserWarning, match=r"s3://bucket/place are not used: .*look whether it can be reached"):
        assert embed(project(tmp_path, "a", "s3://bucket/place"), Pool({1: 10})) == 1
