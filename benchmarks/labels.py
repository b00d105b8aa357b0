"""How well wrong labels are found, and what several people's labels of one image come to.

python benchmarks/labels.py [--data FOLDER] [--kind efficientnet_lite0] [--sets sign_digits,weather] [--seeds 3]
"""

from __future__ import annotations

import csv
from pathlib import Path

import datasets
import numpy as np

PEOPLE = ("annotator_1", "annotator_2", "annotator_3")


def people(data: Path) -> tuple[datasets.DataSet, np.ndarray]:
    """Return the training images of cifar10_small with their true labels, and what three people said (n, 3)."""
    with (data / "cifar10_small" / "labels.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "train"]
    classes = sorted({row["label"] for row in rows})
    kept = np.sort(np.random.default_rng(0).permutation(len(rows))[: datasets.MOST])
    rows = [rows[one] for one in kept.tolist()]
    number = {name: index for index, name in enumerate(classes)}
    said = np.array([[number[row[who]] for who in PEOPLE] for row in rows])
    images = [data / "cifar10_small" / "images" / row["image"] for row in rows]
    labels = np.array([number[row["label"]] for row in rows])
    return datasets.DataSet("cifar10_people", images, labels, classes), said
