"""The losses of a training as a picture: whether it went on learning, and whether it began to learn by heart."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from annotate_select.features.network import PIXEL_WEIGHT

__all__ = ["FILE_NAME", "learning_curve"]

FILE_NAME = "learning_curve.png"  # beside the encoder

MORE = {"joint": " + VICReg", "variational": " + divergence a pixel value"}  # of each kind's loss, besides pixels


def learning_curve(history: Sequence[tuple[float, float, float]], kind: str, stopped: str, told: bool = False) -> bytes:
    """Return a PNG of (training loss, held-out loss, seconds) of each epoch, at least one.

    `kind` is the autoencoder's, `stopped` says why training ended, `told` whether it learned from labels.
    """
    from matplotlib.figure import Figure  # half a second that no other command should pay
    from matplotlib.ticker import MaxNLocator

    training, held_out, seconds = zip(*history, strict=True)
    epochs = range(1, len(history) + 1)
    best = min(reversed(epochs), key=lambda epoch: held_out[epoch - 1])
    figure = Figure(figsize=(7, 4.5), dpi=130, layout="constrained")
    axes = figure.subplots()
    named = "training images, mean over the epoch" + (", cross-entropy of labels included" if told else "")
    axes.plot(epochs, training, label=named, marker="o", markersize=3)
    axes.plot(epochs, held_out, label="held-out images, after the epoch", marker="o", markersize=3)
    axes.axvline(best, color="grey", linestyle=":", label=f"kept: the weights after epoch {best}")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"loss: {PIXEL_WEIGHT:g} x mean squared error of a pixel in 0..1{MORE.get(kind, '')}", fontsize=9)
    what = "decoder alone (a dictionary is learned without epochs)" if kind == "dictionary" else kind
    axes.set_title(f"{what}, {sum(seconds):,.0f} s of training: {stopped}", fontsize=10)
    _read_well(axes, [*training, *held_out])
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _read_well(axes: Any, losses: Sequence[float]) -> None:
    """Draw a grid and a legend, and losses that differ by far on a logarithmic axis."""
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=9)
    if min(losses) > 0 and max(losses) > 10 * min(losses):
        axes.set_yscale("log")
