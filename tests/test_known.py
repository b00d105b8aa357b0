"""What `simulate` says it replays with."""

from __future__ import annotations

import numpy as np

from annotate_select.steps.known import Known


def test_classes_are_counted_that_have_labels() -> None:
    labels = np.array([0, 2, 2, 0, 3])
    found = Known("clothes", np.zeros((5, 2), np.float32), labels, ["coat", "hat", "shoe", "sock", "tie, bow"])
    assert found.text() == 'clothes: 5 images, 3 classes (hat, "tie, bow" have no label)'
    assert found.without_label() == ["hat", "tie, bow"]


def test_where_all_classes_have_labels_nothing_is_added() -> None:
    found = Known("one", np.zeros((1, 2), np.float32), np.array([0]), ["coat"])
    assert found.text() == "one: 1 image, 1 class"
