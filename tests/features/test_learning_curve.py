"""The picture of a training: every epoch, both losses, axes that say what they show."""

from __future__ import annotations

from io import BytesIO

import matplotlib.figure
import pytest
from matplotlib.axes import Axes
from PIL import Image

from annotate_select.features.learning_curve import learning_curve

HISTORY = [(0.9, 0.8, 1.0), (0.5, 0.4, 1.5), (0.3, 0.45, 1.5)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes of every figure that is saved."""
    found: list[Axes] = []
    real = matplotlib.figure.Figure.savefig

    def saved(self: matplotlib.figure.Figure, *arguments: object, **options: object) -> None:
        found.extend(self.axes)
        real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)
    return found


def test_both_losses_of_every_epoch_are_drawn(drawn: list[Axes]) -> None:
    with Image.open(BytesIO(learning_curve(HISTORY, "joint", "all 3 epochs done"))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 500
    (axes,) = drawn
    training, held_out, kept = axes.lines
    assert [list(line.get_xdata()) for line in (training, held_out)] == [[1, 2, 3]] * 2
    assert list(training.get_ydata()) == [0.9, 0.5, 0.3]
    assert list(held_out.get_ydata()) == [0.8, 0.4, 0.45]
    assert set(kept.get_xdata()) == {2}
    assert axes.get_xlabel() == "epoch"
    assert axes.get_ylabel() == "loss: 16 x mean squared error of a pixel in 0..1 + VICReg"
    assert axes.get_title() == "joint, 4 s of training: all 3 epochs done"
    assert axes.get_yscale() == "linear"


def test_one_epoch_labels_and_far_losses(drawn: list[Axes]) -> None:
    learning_curve([(3.0, 0.1, 0.2)], "dictionary", "stopped", told=True)
    (axes,) = drawn
    assert str(axes.lines[0].get_label()).endswith("cross-entropy of labels included")
    assert axes.get_title().startswith("decoder alone")
    assert axes.get_yscale() == "log"
