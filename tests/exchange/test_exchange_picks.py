from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from annotate_select.errors import ExchangeError, StorageError
from annotate_select.exchange.picks import FORMATS, PickRow, write_picks

ROWS = [
    PickRow("a/1.jpg", "/data/pool/a/1.jpg", "pick", 0.1, "far from all labels, near many", 3),
    PickRow('=2 "x".jpg', '/data/pool/=2 "x".jpg', "audit", float("inf"), "drawn at random", 3),
]


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "batches" / "next.csv"
    assert write_picks(path, ROWS, ["csv"]) == [path]
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["image", "role", "score", "reason", "batch"],
            ["a/1.jpg", "pick", "0.1", "far from all labels, near many", "3"],
            ['=2 "x".jpg', "audit", "inf", "drawn at random", "3"],
        ]


def test_jsonl(tmp_path: Path) -> None:
    (path,) = write_picks(tmp_path / "next.jsonl", ROWS, ["jsonl"])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "image": "a/1.jpg",
            "path": "/data/pool/a/1.jpg",
            "role": "pick",
            "score": 0.1,
            "reason": "far from all labels, near many",
            "batch": 3,
        },
        {
            "image": '=2 "x".jpg',
            "path": '/data/pool/=2 "x".jpg',
            "role": "audit",
            "score": None,
            "reason": "drawn at random",
            "batch": 3,
        },
    ]


def test_paths(tmp_path: Path) -> None:
    (path,) = write_picks(tmp_path / "next.txt", ROWS, ["paths"])
    assert path.read_text() == '/data/pool/a/1.jpg\n/data/pool/=2 "x".jpg\n'


def test_label_studio_tasks(tmp_path: Path) -> None:
    (path,) = write_picks(tmp_path / "next.json", ROWS, ["label-studio"])
    tasks = json.loads(path.read_text())
    assert tasks[0] == {
        "data": {"image": "/data/local-files/?d=data/pool/a/1.jpg", "key": "a/1.jpg", "batch": 3},
        "meta": {"role": "pick", "score": 0.1, "reason": "far from all labels, near many"},
    }
    assert tasks[1]["meta"]["score"] is None


@pytest.mark.parametrize("name", ["a&b=c.jpg", "a+b.jpg", "a#b.jpg", "a%20b.jpg", "größe 1.jpg", "a?d=b.jpg"])
def test_label_studio_finds_every_file_name(tmp_path: Path, name: str) -> None:
    """What its server decodes from the address is the path below the root of the disk."""
    row = PickRow(name, f"/pool/{name}", "pick", 0.0, "", 1)
    (path,) = write_picks(tmp_path / "next.json", [row], ["label-studio"])
    address = json.loads(path.read_text())[0]["data"]["image"]
    assert parse_qs(urlsplit(address).query) == {"d": [f"pool/{name}"]}


def test_several_formats_lie_side_by_side(tmp_path: Path) -> None:
    paths = write_picks(tmp_path / "next.csv", ROWS, list(FORMATS))
    names = ["next.csv", "next.jsonl", "next.paths.txt", "next.label-studio.json"]
    assert paths == [tmp_path / name for name in names]
    assert sorted(os.listdir(tmp_path)) == sorted(names)


@pytest.mark.parametrize(
    ("name", "formats", "written"),
    [
        ("next", ["csv", "jsonl"], ["next.csv", "next.jsonl"]),
        ("next.2026", ["csv", "jsonl"], ["next.2026.csv", "next.2026.jsonl"]),
        ("next.paths.txt", ["paths", "csv"], ["next.paths.txt", "next.csv"]),
        ("next.json", ["label-studio", "csv"], ["next.label-studio.json", "next.csv"]),
        ("next.csv", ["csv", "csv"], ["next.csv"]),
        ("next", ["csv"], ["next"]),
        ("next.dat", ["paths"], ["next.dat"]),
        ("next.txt", ["csv"], ["next.txt"]),
        ("NEXT.CSV", ["csv"], ["NEXT.CSV"]),
        ("next.csv", ["jsonl"], ["next.jsonl"]),
        ("next.csv", ["label-studio"], ["next.label-studio.json"]),
        (".csv", ["csv", "paths"], [".csv.csv", ".csv.paths.txt"]),
    ],
)
def test_names_of_files(tmp_path: Path, name: str, formats: list[str], written: list[str]) -> None:
    assert write_picks(tmp_path / name, ROWS, formats) == [tmp_path / one for one in written]
    assert sorted(os.listdir(tmp_path)) == sorted(written)


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (["csv", "jsonll"], r"unknown format 'jsonll' \(did you mean jsonl\?\); choose from csv, jsonl, paths, label"),
        ([], "unknown format ''; choose from csv"),
    ],
)
def test_unknown_format_writes_nothing(tmp_path: Path, formats: list[str], message: str) -> None:
    with pytest.raises(ExchangeError, match=message):
        write_picks(tmp_path / "next.csv", ROWS, formats)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "format", "message"),
    [
        ("", "paths", "1 image has no absolute path: 1.jpg; write csv or jsonl instead"),
        ("a/1.jpg", "label-studio", "1 image has no absolute path"),
        ("/a\nb.jpg", "paths", "cannot hold a path with a line break: '/a\\\\nb.jpg'; write jsonl"),
    ],
)
def test_paths_that_cannot_be_written_write_nothing(tmp_path: Path, path: str, format: str, message: str) -> None:
    row = PickRow("1.jpg", path, "pick", 0.0, "", 1)
    with pytest.raises(ExchangeError, match=message):
        write_picks(tmp_path / "next.csv", [row], ["csv", format])
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "next.csv"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space left to write"):
        write_picks(path, ROWS, ["csv"])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["next.csv"]
