"""What `simulate` says it replays with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from annotate_select.errors import SourceError
from annotate_select.steps.known import Known, known


def test_classes_are_counted_that_have_labels() -> None:
    labels = np.array([0, 2, 2, 0, 3])
    found = Known("clothes", np.zeros((5, 2), np.float32), labels, ["coat", "hat", "shoe", "sock", "tie, bow"])
    assert found.text() == 'clothes: 5 images, 3 classes (hat, "tie, bow" have no label)'
    assert found.without_label() == ["hat", "tie, bow"]


def test_where_all_classes_have_labels_nothing_is_added() -> None:
    found = Known("one", np.zeros((1, 2), np.float32), np.array([0]), ["coat"])
    assert found.text() == "one: 1 image, 1 class"


POINTS = np.arange(40.0).reshape(20, 2)
NUMBERS = np.arange(20) % 2


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"features": POINTS}, "labels is not a file in the archive'; np.savez(path, features=..., labels=...)"),
        ({"features": POINTS, "labels": NUMBERS.astype(object)}, ".astype(str) makes texts of objects"),
        ({"features": POINTS.astype(str), "labels": NUMBERS}, "features must be real numbers, got <U32"),
        ({"features": POINTS, "labels": np.where(NUMBERS, 1.0, np.nan)}, "10 labels are NaN, the first of row 0"),
        ({"features": POINTS[:, 0], "labels": NUMBERS}, "got (20,) and (20,)"),
    ],
)
def test_arrays_that_are_not_as_they_should_be(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(SourceError, match=re.escape(words)):
        known(tmp_path / "set.npz")


def test_what_is_no_archive_of_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", features=POINTS, labels=NUMBERS)
    whole = (tmp_path / "set.npz").read_bytes()
    for content in (b"", b"hello", whole[:-30]):
        (tmp_path / "set.npz").write_bytes(content)
        with pytest.raises(SourceError, match=r"is not a \.npz file with `features` and `labels`") as raised:
            known(tmp_path / "set.npz")
        assert "pickle" not in str(raised.value)
    with pytest.raises(SourceError, match=r"has no project\.toml; give a project's folder"):
        known(tmp_path)


def test_names_of_classes_become_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", features=POINTS.astype(np.float16), labels=np.array(["no", "yes"])[NUMBERS])
    found = known(tmp_path / "set.npz")
    assert found.classes == ["no", "yes"]
    np.testing.assert_array_equal(found.labels, NUMBERS)
