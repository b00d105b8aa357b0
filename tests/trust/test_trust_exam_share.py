"""New images join the exam at the share they have in the pool, and its accuracy stays that of the pool."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import ExamError
from annotate_select.selection.pool import seeded_hashes
from annotate_select.trust.exam import draw, missing_share


def marks(*parts: tuple[int, bool]) -> np.ndarray:
    return np.concatenate([np.full(n, value) for n, value in parts])


def test_by_hand() -> None:
    new = marks((60, False), (40, True))
    exam = np.zeros(100, dtype=bool)
    exam[:12] = True
    assert missing_share(new, exam) == 8  # 8 of 20 are 40 %
    exam[[60, 61]] = True
    assert missing_share(new, exam) == 6  # 2 + 6 of 20
    exam[60:75] = True
    assert missing_share(new, exam) == 0  # 15 of 27 are more already
    with pytest.raises(ExamError, match="there is no exam"):
        missing_share(new, np.zeros(100, dtype=bool))
    with pytest.raises(ExamError, match="all images are new"):
        missing_share(np.ones(100, dtype=bool), exam)


def test_the_accuracy_is_that_of_the_pool_again() -> None:
    """A model that is right on 90 of 100 old images and 45 of 100 new ones; a third of the pool is new."""
    new = marks((400, False), (200, True))
    right = np.concatenate([np.arange(400) % 10 > 0, np.arange(200) % 20 < 9])
    before, after = [], []
    for seed in range(400):
        hashes = seeded_hashes(np.arange(600, dtype=np.uint64), seed)
        rows = draw(hashes, 40, exclude=new)
        exam = np.isin(np.arange(600), rows)
        grown = draw(hashes, 40 + missing_share(new, exam), exclude=~new, taken=rows)
        assert (len(grown), int(new[grown].sum())) == (60, 20)
        before.append(right[rows].mean())
        after.append(right[grown].mean())
    error = np.std(after) / np.sqrt(len(after))
    assert np.mean(before) > right.mean() + 0.1
    assert np.mean(after) == pytest.approx(right.mean(), abs=3 * error)
