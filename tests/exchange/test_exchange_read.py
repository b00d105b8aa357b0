from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotate_select.errors import ExchangeError
from annotate_select.exchange.read import read_annotations
from annotate_select.exchange.rows import AnnotationRow


@pytest.fixture
def put(tmp_path: Path):
    def write(content: str | bytes, name: str = "labels.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_csv_of_two_columns(put) -> None:
    rows = read_annotations(put("image,label\na/1.jpg,cat\n2.jpg,dog\n"))
    assert rows == [
        AnnotationRow("a/1.jpg", label="cat", line=2),
        AnnotationRow("2.jpg", label="dog", line=3),
    ]


def test_csv_of_all_columns_in_any_order_and_others(put) -> None:
    text = "batch,note,kind,at,annotator,label,image\n7,blurred,reject,2026-01-31T12:00:00Z,ana,,1.jpg\n"
    assert read_annotations(put(text)) == [
        AnnotationRow("1.jpg", kind="reject", annotator="ana", at="2026-01-31T12:00:00Z", note="blurred", line=2)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(put, delimiter: str) -> None:
    text = delimiter.join(["image", "label", "at"]) + "\n" + delimiter.join(["1.jpg", "cat", "2026-01-31"]) + "\n"
    assert read_annotations(put(text)) == [AnnotationRow("1.jpg", label="cat", at="2026-01-31", line=2)]


def test_semicolons_with_commas_in_the_values(put) -> None:
    assert read_annotations(put("image;label\n1,5.jpg;a, b\n")) == [AnnotationRow("1,5.jpg", label="a, b", line=2)]


def test_as_a_spreadsheet_writes_it(put) -> None:
    """A byte order mark, capitals, carriage returns, spaces around, rows of empty cells at the end."""
    text = "\ufeffImage, Label ,\r\n1.jpg, cat ,\r\n,,\r\n\r\n"
    assert read_annotations(put(text)) == [AnnotationRow("1.jpg", label="cat", line=2)]


def test_lines_are_counted_where_rows_begin(put) -> None:
    with pytest.raises(ExchangeError, match=r"labels\.csv .*: line 4: the label is empty") as caught:
        read_annotations(put('image,label\n"two\nlines.jpg",cat\n3.jpg,\n4.jpg,dog\n5.jpg\n'))
    assert "line 6: the label is empty" in str(caught.value)


def test_a_key_keeps_its_spaces(put) -> None:
    assert read_annotations(put("image,label\n 1.jpg ,cat\n"))[0].image == " 1.jpg "


def test_suffix_in_capitals(put) -> None:
    assert read_annotations(put("image,label\n1.jpg,cat\n", "LABELS.CSV"))[0].label == "cat"


def test_jsonl_with_undo(put) -> None:
    lines = [
        {"image": "1.jpg", "label": "cat", "uid": "u1", "at": "2026-01-31T12:00:00+00:00", "annotator": "ana"},
        {"image": "1.jpg", "kind": "undo", "uid": "u2", "target": "u1", "label": None, "more": 3},
    ]
    text = json.dumps(lines[0]) + "\r\n\n" + json.dumps(lines[1])
    assert read_annotations(put(text, "labels.jsonl")) == [
        AnnotationRow("1.jpg", "label", "cat", "ana", "2026-01-31T12:00:00+00:00", "u1", line=1),
        AnnotationRow("1.jpg", kind="undo", uid="u2", target="u1", line=3),
    ]


def test_jsonl_keeps_what_other_line_ends_look_like(put) -> None:
    text = '{"image": "1\u2028.jpg", "label": "c\u0085at"}\n'
    assert read_annotations(put(text, "labels.jsonl")) == [AnnotationRow("1\u2028.jpg", label="c\u0085at", line=1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("image,label\n", "holds no annotations"),
        ("image,label\n,\n", "holds no annotations"),
        ("1.jpg,cat\n2.jpg,dog\n", "line 1 lacks the column image and label; its columns are 1.jpg, cat"),
        ("image;class\n1.jpg;cat\n", "line 1 lacks the column label; its columns are image, class"),
        ("imag,label\n1.jpg,cat\n", r"lacks the column image; .*did you mean imag\?"),
        ("image,label,label\n1.jpg,cat,dog\n", "names the column label twice"),
        ("image,label\n,cat\n", "line 2: the image is empty"),
        ("image,label\n  ,cat\n", "line 2: the image is empty"),
        ("image,label\n1.jpg, \n", "line 2: the label is empty"),
        ("image,label,kind\n1.jpg,,skp\n", r"line 2: unknown kind 'skp' \(did you mean skip\?\); allowed are label, "),
        ("image,label,kind\n1.jpg,,undo\n", "line 2: unknown kind 'undo'"),
        ("image,label,kind\n1.jpg,cat,skip\n", "line 2: a row of kind skip takes no label, got 'cat'"),
        ("image,label,at\n1.jpg,cat,yesterday\n", "line 2: at must be a time such as .*, got 'yesterday'"),
        ("image,label\n1,5.jpg,cat\n", "line 2 has 3 columns, the header 2; put quotes around"),
        ('image,label\n1.jpg,cat\n"2.jpg,dog\n', "line 3 is not CSV .*quote that is not closed"),
        ('"image\n', "line 1 lacks the column"),
        ("image," + "x" * 200_000, "line 1 is not a CSV header .*it must name image and label"),
        ("image,label\n1.jpg," + "x" * 200_000, "line 2 is not CSV"),
        (b"image,label\n1.jpg,caf\xe9\n", r"is not UTF-8 text \(see line 2\); save it as UTF-8"),
        ("image,label\n1.jpg,cat\n".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", r"is not a text file \(a zero byte in line 3\)"),
    ],
)
def test_csv_errors_name_the_file_and_the_line(put, content: str | bytes, message: str) -> None:
    with pytest.raises(ExchangeError, match=rf"labels\.csv.*{message}"):
        read_annotations(put(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"image": "1.jpg"', r"line 1: not JSON \(.*\)"),
        ("[" * 100_000, "line 1: not JSON"),
        ('["1.jpg", "cat"]', "line 1: must be an object"),
        ('{"image": 1, "label": "cat"}', "line 1: image must be text, got 1"),
        ('{"image": "1.jpg", "label": ["cat"]}', r'line 1: label must be text, got \["cat"\]'),
        ('{"image": "\\ud800.jpg", "label": "cat"}', "line 1: image must be text"),
        ('{"image": "1.jpg", "label": "a\\u0000"}', "line 1: label must be text"),
        ('{"label": "cat"}', "line 1: the image is empty"),
        ('\n{"image": "1.jpg"}', "line 2: the label is empty"),
        ('{"image": "1.jpg", "kind": "undo", "uid": "u"}', "line 1: an undo needs the uid of its target"),
        ('{"image": "1.jpg", "kind": "undo", "target": "u", "label": "cat"}', "kind undo takes no label"),
        ('{"image": "1.jpg", "kind": "Label", "label": "cat"}', "line 1: unknown kind 'Label'"),
    ],
)
def test_jsonl_errors_name_the_file_and_the_line(put, content: str, message: str) -> None:
    with pytest.raises(ExchangeError, match=rf"labels\.jsonl.*{message}"):
        read_annotations(put(content, "labels.jsonl"))


def test_all_bad_lines_are_named_at_once(put) -> None:
    text = "image,label\n" + "1.jpg,\n" * 12
    with pytest.raises(ExchangeError, match=r"line 2: .*line 11: the label is empty.*; and 2 more$") as caught:
        read_annotations(put(text))
    assert "line 12" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"there is no file .*labels\.csv"):
        read_annotations(tmp_path / "labels.csv")


def test_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "classes.csv"
    folder.mkdir()
    with pytest.raises(ExchangeError, match=r"classes\.csv is a folder; give a \.csv or \.jsonl file"):
        read_annotations(folder)


@pytest.mark.parametrize("name", ["labels.xlsx", "labels", "labels.json"])
def test_another_suffix(put, name: str) -> None:
    with pytest.raises(ExchangeError, match=rf"{name}: give a file that ends in \.csv or \.jsonl"):
        read_annotations(put("image,label\n1.jpg,cat\n", name))


def test_a_file_that_may_not_be_read(put, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("image,label\n1.jpg,cat\n")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ExchangeError, match=r"cannot read .*labels\.csv: Permission denied"):
        read_annotations(path)
