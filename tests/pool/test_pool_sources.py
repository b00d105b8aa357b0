"""What folders, manifests, lists and single files hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from annotate_select.errors import SourceError
from annotate_select.pool.inspect import inspect
from annotate_select.pool.sources import Entry, Source, read_source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def keys(source: str | Path | list[str | Path]) -> list[str]:
    found = read_source(source)
    listed = [entry.key for entry in found.entries]
    assert len(set(listed)) == len(listed)
    assert all(entry.path == found.root / entry.key for entry in found.entries)
    return listed


# --- folders ----------------------------------------------------------------------------------------------------


def test_a_folder_is_listed_with_the_folders_below_it(root: Path) -> None:
    touch(root, "b.jpg", "a/2.png", "a/1.png", "a/deep/er/x.tif", "B.JPG", "ä b.jpg")
    expected = ["B.JPG", "a/1.png", "a/2.png", "a/deep/er/x.tif", "b.jpg", "ä b.jpg"]
    entries = [Entry(key, root.resolve() / key) for key in expected]
    assert read_source(root) == Source("photos", "folder", root.resolve(), None, entries)
    assert read_source(str(root)) == read_source(root)


def test_what_is_clearly_no_image_is_left_out_and_the_rest_is_listed(root: Path) -> None:
    touch(root, ".hidden.jpg", ".git/x.jpg", "._b.jpg", "Thumbs.db", "notes.TXT", "labels.csv", "README", "x.json")
    touch(root, "b.jpg", "no-suffix", "odd.dat", "broken.jpg.webp")
    assert keys(root) == ["b.jpg", "broken.jpg.webp", "no-suffix", "odd.dat"]


def test_a_projects_own_files_are_not_its_images(root: Path) -> None:
    touch(root, "project.toml", "thumbnails/ab/x.webp", "models/1/x", "features/f/x", "1.jpg", "sub/thumbnails/2.jpg")
    touch(root, "inner/project.toml", "inner/thumbnails/x.webp", "inner/3.jpg")
    assert keys(root) == ["1.jpg", "inner/3.jpg", "sub/thumbnails/2.jpg"]


def test_pipes_are_left_out_and_broken_links_are_listed(root: Path) -> None:
    touch(root, "1.jpg")
    os.mkfifo(root / "pipe.jpg")
    (root / "lost.jpg").symlink_to(root / "gone.jpg")
    (root / "self.jpg").symlink_to(root / "self.jpg")
    assert keys(root) == ["1.jpg", "lost.jpg", "self.jpg"]


def test_circles_of_links_end(root: Path, tmp_path: Path) -> None:
    touch(root, "a/1.jpg", "b/2.jpg")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "further-up").symlink_to(tmp_path)
    (root / "a" / "side").symlink_to(root / "b")
    (root / "b" / "side").symlink_to(root / "a")
    (root / "b" / "self").symlink_to(root / "b" / "self")
    assert keys(root) == ["a/1.jpg", "b/2.jpg", "b/self"]


def test_links_to_folders_elsewhere_are_followed_once(root: Path, tmp_path: Path) -> None:
    touch(root, "1.jpg")
    touch(tmp_path, "other/2.jpg", "other/more/3.jpg")
    (tmp_path / "other" / "back").symlink_to(root)
    (root / "link-b").symlink_to(tmp_path / "other")
    (root / "link-a").symlink_to(tmp_path / "other")
    assert keys(root) == ["1.jpg", "link-a/2.jpg", "link-a/more/3.jpg"]


def test_a_link_to_a_file_keeps_its_name(root: Path, tmp_path: Path) -> None:
    touch(tmp_path, "store/9f8e7d")
    (root / "cat.jpg").symlink_to(tmp_path / "store" / "9f8e7d")
    assert keys(root) == ["cat.jpg"]


def test_the_root_is_resolved(root: Path, tmp_path: Path) -> None:
    touch(root, "1.jpg")
    (tmp_path / "link").symlink_to(root)
    assert read_source(tmp_path / "link") == read_source(root)


def test_a_relative_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(root, "1.jpg")
    monkeypatch.chdir(root)
    assert read_source(".") == read_source(root)
    monkeypatch.setenv("HOME", str(root.parent))
    assert read_source("~/photos") == read_source(root)


def test_a_name_that_is_no_text_is_listed_and_reported_as_missing(root: Path) -> None:
    with open(os.fsencode(root) + b"/b\xff.jpg", "wb"):
        pass
    (entry,) = read_source(root).entries
    assert entry.key == "b\\xff.jpg"
    entry.key.encode()
    assert inspect(entry.path).problem == "cannot be read: no such file"


@pytest.mark.parametrize("closed", ["closed", "photos"])
def test_a_folder_that_cannot_be_opened(root: Path, monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    touch(root, "1.jpg", "closed/2.jpg")
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    if closed == "closed":
        assert keys(root) == ["1.jpg", "closed"]  # whoever opens it says that it is no file
    else:
        with pytest.raises(SourceError, match=r"cannot list .*photos: permission denied"):
            read_source(root)


def test_a_source_behind_a_closed_folder(root: Path, as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    root.chmod(0)
    with as_nobody(), pytest.raises(SourceError, match=r"cannot read .*1\.jpg: permission denied"):
        read_source(root / "1.jpg")
    root.chmod(0o755)


@pytest.mark.parametrize("made", [(), ("notes.txt",), (".hidden/1.jpg",)])
def test_an_empty_folder(root: Path, made: tuple[str, ...]) -> None:
    touch(root, *made)
    with pytest.raises(SourceError, match="photos holds no images"):
        read_source(root)


@pytest.mark.parametrize("name", ["gone", "gone.csv", "gone.jpg"])
def test_a_missing_source(root: Path, name: str) -> None:
    with pytest.raises(SourceError, match=f"there is no .*{name}; name a folder"):
        read_source(root / name)


@pytest.mark.parametrize("url", ["s3://bucket/photos", "https://host/a.jpg", Path("gs://bucket/x"), "file:///tmp"])
def test_urls_are_not_read_yet(url: str | Path) -> None:
    with pytest.raises(SourceError, match="local files only"):
        read_source(url)
    with pytest.raises(SourceError, match="local files only"):
        read_source([url])


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_text_that_is_no_path(text: str) -> None:
    with pytest.raises(SourceError, match="is not a path"):
        read_source(text)


# --- manifests and lists ----------------------------------------------------------------------------------------


def manifest(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(["image,group,captured_at,site", *lines]))
    return file


def test_a_manifest_keeps_its_order_and_its_columns(root: Path) -> None:
    touch(root, "a/1.jpg", "2.jpg")
    file = manifest(root / "pool.csv", "a/1.jpg,ana,2026-01-31,x", "./2.jpg,,,")
    real = root.resolve()
    assert read_source(file) == Source(
        "pool",
        "manifest",
        real,
        real / "pool.csv",
        [Entry("a/1.jpg", real / "a/1.jpg", "ana", "2026-01-31", {"site": "x"}), Entry("2.jpg", real / "2.jpg")],
    )


def test_absolute_paths_below_the_manifest(root: Path, tmp_path: Path) -> None:
    touch(root, "a/1.jpg")
    (tmp_path / "link").symlink_to(root)
    assert keys(manifest(root / "pool.csv", f"{root}/a/1.jpg")) == ["a/1.jpg"]
    assert keys(manifest(root / "pool.csv", f"{tmp_path}/link/a/1.jpg")) == ["a/1.jpg"]


def test_images_elsewhere_have_their_common_parent_as_root(root: Path, tmp_path: Path) -> None:
    touch(root, "a/1.jpg", "b/2.jpg")
    source = read_source(manifest(tmp_path / "lists" / "pool.csv", "../photos/a/1.jpg", f"{root}/b/2.jpg"))
    assert (source.root, source.name) == (root.resolve(), "pool")
    assert [entry.key for entry in source.entries] == ["a/1.jpg", "b/2.jpg"]


def test_paths_from_windows(root: Path) -> None:
    touch(root, "a/1.jpg", "odd\\name.jpg")
    assert keys(manifest(root / "pool.csv", "a\\1.jpg", "odd\\name.jpg")) == ["a/1.jpg", "odd\\name.jpg"]


def test_a_missing_image_is_listed_but_not_if_all_are(root: Path) -> None:
    touch(root, "1.jpg")
    assert keys(manifest(root / "pool.csv", "gone.jpg", "1.jpg")) == ["gone.jpg", "1.jpg"]
    with pytest.raises(SourceError, match=r"none of the 2 images .* exists, e\.g\. .*gone\.jpg"):
        read_source(manifest(root / "pool.csv", "gone.jpg", "lost.jpg"))


def test_repeated_images_in_a_manifest(root: Path) -> None:
    touch(root, "1.jpg")
    with pytest.raises(SourceError, match=r"lists images more than once: .*1\.jpg; remove"):
        read_source(manifest(root / "pool.csv", "1.jpg,ana", "x/../1.jpg,eva"))


def test_a_manifest_without_images(root: Path) -> None:
    with pytest.raises(SourceError, match="lists no images"):
        read_source(manifest(root / "pool.csv"))


def test_a_url_in_a_manifest(root: Path) -> None:
    with pytest.raises(SourceError, match=r"https://host/1\.jpg.*local files only"):
        read_source(manifest(root / "pool.csv", "https://host/1.jpg"))


def test_a_text_list(root: Path) -> None:
    touch(root, "b.jpg", "a/1.jpg")
    (root / "some.txt").write_text("b.jpg\na/1.jpg\nb.jpg\n")
    source = read_source(root / "some.txt")
    assert (source.name, source.kind, source.root) == ("some", "list", root.resolve())
    assert source.file == root.resolve() / "some.txt"
    assert [entry.key for entry in source.entries] == ["b.jpg", "a/1.jpg"]
    (root / "some.txt").write_text("\n")
    with pytest.raises(SourceError, match="lists no images"):
        read_source(root / "some.txt")


def test_a_sequence_of_paths(root: Path) -> None:
    touch(root, "b/2.jpg", "a/1.jpg")
    source = read_source([root / "b/2.jpg", str(root / "a/1.jpg"), root / "b/../b/2.jpg"])
    assert (source.name, source.kind, source.root, source.file) == ("photos", "list", root.resolve(), None)
    assert [entry.key for entry in source.entries] == ["b/2.jpg", "a/1.jpg"]


def test_a_single_image(root: Path) -> None:
    touch(root, "1.jpg")
    real = root.resolve()
    assert read_source(root / "1.jpg") == Source("1", "list", real, None, [Entry("1.jpg", real / "1.jpg")])


def test_sequences_that_hold_no_images(root: Path) -> None:
    with pytest.raises(SourceError, match="list of images is empty"):
        read_source([])
    with pytest.raises(SourceError, match="photos is a folder in a list"):
        read_source([root])
    with pytest.raises(SourceError, match="none of the 1 image given exists"):
        read_source([root / "gone.jpg"])


def test_a_file_that_is_clearly_no_image(root: Path) -> None:
    touch(root, "labels.json")
    with pytest.raises(SourceError, match=r"labels\.json is not an image"):
        read_source(root / "labels.json")
