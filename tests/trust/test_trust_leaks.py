from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.trust import leaks
from annotate_select.trust.leaks import blocked

# Eight rows whose mean is 0; directions east, north, west and south, lengths that differ.
EAST, NORTH = np.array([1.0, 0.0]), np.array([0.0, 1.0])
ROWS = np.array([EAST, 3 * EAST, NORTH, EAST + 0.1 * NORTH, -EAST, -3 * EAST, -NORTH, -EAST - 0.1 * NORTH])


def test_near_duplicates_worked_out_by_hand() -> None:
    # Cosines to row 0: row 1 exactly 1, row 3 1/sqrt(1.01) = .99504, the others 0 or below.
    assert blocked(ROWS, np.array([0]), None, 0.99).rows.nonzero()[0].tolist() == [0, 1, 3]
    assert blocked(ROWS, np.array([0]), None, 0.9951).rows.nonzero()[0].tolist() == [0, 1]
    assert blocked(ROWS, np.array([0, 6]), None, 0.99).rows.nonzero()[0].tolist() == [0, 1, 3, 6]


def test_features_are_centred_first() -> None:
    away = ROWS + np.array([100.0, -50.0])
    assert blocked(away, np.array([0]), None, 0.99).rows.nonzero()[0].tolist() == [0, 1, 3]


def test_groups_and_reasons_counted_once() -> None:
    groups = np.array([0, -1, 0, 0, -1, 1, 1, 2])
    found = blocked(ROWS, np.array([0]), groups, 0.99)
    assert found.rows.nonzero()[0].tolist() == [0, 1, 2, 3]
    assert (found.exam, found.same_group, found.near_duplicate) == (1, 2, 1)  # row 3 is both: it counts as the group's
    assert found.text() == ("4 images kept out of training: 1 of the exam, 2 of the same group, 1 near-duplicate")


def test_rows_without_a_group_are_not_of_one_group() -> None:
    found = blocked(ROWS, np.array([0]), np.full(8, -1), 1.0)
    assert found.rows.sum() == 1


def test_few_dimensions_have_no_near_duplicates_unless_asked() -> None:
    assert blocked(ROWS, np.array([0])).rows.sum() == 1
    wide = np.hstack([ROWS, np.zeros((8, 6))])
    assert blocked(wide, np.array([0])).rows.nonzero()[0].tolist() == [0, 1, 3]


def test_no_exam_blocks_nothing() -> None:
    found = blocked(ROWS, np.array([], dtype=np.int64), np.zeros(8, dtype=np.int64))
    assert not found.rows.any()
    assert (found.exam, found.same_group, found.near_duplicate) == (0, 0, 0)


def test_a_row_at_the_mean_is_like_nothing() -> None:
    rows = np.vstack([ROWS, np.zeros((2, 2))])
    assert blocked(rows, np.array([8]), None, 0.5).rows.nonzero()[0].tolist() == [8]


def test_copies_are_found_among_many_and_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 32)).astype(np.float32)
    features[100] = features[3] + 0.01 * rng.normal(size=32)
    features[499] = features[7]
    np.save(tmp_path / "features.npy", features)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    monkeypatch.setattr(leaks, "BLOCK", 34 * 9)  # nine rows at a time
    found = blocked(mapped, np.array([7, 3]))
    assert found.rows.nonzero()[0].tolist() == [3, 7, 100, 499]
    assert (found.exam, found.near_duplicate) == (2, 2)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ExamError, match="exam rows must be from 0 to 7, got 2 to 8"):
        blocked(ROWS, np.array([2, 8]))
    with pytest.raises(ExamError, match="groups must be one for each of the 8 rows"):
        blocked(ROWS, np.array([2]), np.zeros(3, dtype=np.int64))
    broken = np.where(np.arange(8)[:, None] == 5, np.nan, ROWS)
    with pytest.raises(ExamError, match="row 5"):
        blocked(broken, np.array([2]), None, 0.9)
