"""CSV manifests and text lists, cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate_select.errors import SourceError
from annotate_select.pool.manifest import Row, read_list, read_manifest


def rows(folder: Path, content: str | bytes) -> list[Row]:
    file = folder / "pool.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_manifest(file)


def test_all_columns(tmp_path: Path) -> None:
    text = "image,group,captured_at,camera\na.jpg,ana,2026-01-31T09:30:00Z,left\nb.jpg,,,\n"
    assert rows(tmp_path, text) == [
        Row("a.jpg", "ana", "2026-01-31T09:30:00Z", {"camera": "left"}),
        Row("b.jpg", None, None, {}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "image,site\na.jpg,x\n",
        "\ufeffimage,site\na.jpg,x",  # as spreadsheets save UTF-8
        "image,site\r\na.jpg,x\r\n",
        "image;site\na.jpg;x\n",
        "image\tsite\na.jpg\tx\n",
        ' image , site \n "a.jpg", x\n'.replace(' "a.jpg"', '"a.jpg"'),
        "image,site\n\n,\na.jpg,x\n\n",
        "site,image\nx,a.jpg\n",
        "image,site,\na.jpg,x,nameless\n",
        "image,site\na.jpg,x,,\n",
    ],
)
def test_the_ways_of_writing_the_same(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path, text) == [Row("a.jpg", None, None, {"site": "x"})]


def test_quoted_cells_may_hold_commas_and_lines(tmp_path: Path) -> None:
    assert rows(tmp_path, 'image,note\n"a, b.jpg","two\nlines"\n') == [Row("a, b.jpg", metadata={"note": "two\nlines"})]


def test_short_rows_are_empty_to_the_right(tmp_path: Path) -> None:
    assert rows(tmp_path, "image,group\na.jpg\n") == [Row("a.jpg")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column `image`: it is empty"),
        ("file,group\na.jpg,x\n", "no column `image`: its columns are file, group"),
        ("images,group\na.jpg,x\n", "did you mean images"),
        ("image,group,group\na.jpg,x,y\n", "the column group more than once"),
        ("image,group\n,x\n", "line 2: the column `image` is empty"),
        ("image,group\na.jpg,x\nb.jpg,x,y,z\n", "line 3: 4 cells, but the header has 2"),
        ('image,note\na.jpg,"open\n', "unexpected end of data"),
        ('image,note\na.jpg,"x"y\n', "line 2: .* expected after"),
        ("image,captured_at\na.jpg,yesterday\n", "line 2: captured_at 'yesterday' is not ISO 8601"),
        ("image\nänderung.jpg\n".encode("latin-1"), r"not UTF-8 text \(byte 6\)"),
        ("image\na.jpg\n".encode("utf-16"), "not UTF-8 text"),
        ("image\na.jpg\n".encode("utf-16-le"), "holds zero bytes"),
        ("image\n" + "x" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_what_cannot_be_understood(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        rows(tmp_path, content)
    assert str(tmp_path / "pool.csv") in str(caught.value)


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*: No such file"):
        read_manifest(tmp_path / "gone.csv")


def test_a_list_has_a_path_on_each_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfb.jpg\r\n\n  c d/a.jpg \n")
    assert read_list(tmp_path / "list.txt") == [Row("b.jpg"), Row("c d/a.jpg")]
