"""The CSV of predictions: every column has a name of its own, and the file reads back, whatever classes are called."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from annotate_select.project import Project

CLASSES = ["image", "label", "novelty, high", 'the "problem"']


def test_classes_named_like_columns_and_with_commas_read_back(tmp_path: Path, photos: Path) -> None:
    keys = sorted(path.name for path in photos.iterdir())[:12]
    for key in keys:
        (tmp_path / "pool").mkdir(exist_ok=True)
        shutil.copy(photos / key, tmp_path / "pool" / key)
    with Project.create(tmp_path / "project", CLASSES, images=tmp_path / "pool") as project:
        project.embed(dim=4, image_size=16)
        project.annotate({key: CLASSES[number % 4] for number, key in enumerate(keys)})
        project.train()
        found = project.predict(tmp_path / "pool", output=tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    assert head == ["image", "label", "novelty", "problem", *(f"p({name})" for name in CLASSES)]
    assert len(set(head)) == len(head)
    for one, line in zip(found, lines, strict=True):
        row = dict(zip(head, line, strict=True))
        assert (row["image"], row["label"]) == (one.image, one.label)
        assert {name: float(row[f"p({name})"]) for name in CLASSES} == one.probabilities
