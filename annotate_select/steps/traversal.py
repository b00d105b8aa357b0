"""What would have to change: an image's features moved towards a class, step by step, drawn by the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from annotate_select.errors import ExchangeError, LearningError, UnknownClasses, did_you_mean
from annotate_select.features.autoencoder import Autoencoder
from annotate_select.files import whole_file
from annotate_select.learning.head import Head
from annotate_select.steps.class_map import class_map
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.explain import explained_image, fitting_model
from annotate_select.steps.home import Home
from annotate_select.steps.stored_features import open_features
from annotate_select.words import named

__all__ = ["Traversal", "traverse"]

FRAMES = 7
SMALLER = 8  # steps between two frames
FARTHEST = 1.5  # of the features' distance from the centre: by then an answer has turned, or the picture dissolves
SIDE = 160  # pixels of a frame that is written


@dataclass(frozen=True, eq=False)
class Traversal:
    """An image as the decoder draws it, moved towards a class from left to right.

    `probabilities` (k,) are how sure the model is of `towards` at each step, of the very features that are drawn;
    `frames` (k, S, S, 3) are uint8. `label` is what the model takes the image for.
    """

    image: str
    label: str
    towards: str
    probabilities: list[float]
    frames: np.ndarray

    def text(self) -> str:
        """Say it in a line."""
        first, last = self.probabilities[0], self.probabilities[-1]
        kept = "" if self.label == self.towards else f", now {self.label},"
        return (
            f"{self.image}{kept} moved towards {self.towards}, which the model finds {first:.0%} likely at first and "
            f"{last:.0%} in the end: what changes in the pictures is what it goes by"
        )

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        said = {"image": self.image, "label": self.label, "towards": self.towards, "text": self.text()}
        return {**said, "probabilities": [round(one, 4) for one in self.probabilities]}

    def drawn(self) -> Image.Image:
        """Return the frames side by side."""
        strip = Image.new("RGB", (SIDE * len(self.frames), SIDE))
        for at, frame in enumerate(self.frames):
            strip.paste(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BICUBIC), (at * SIDE, 0))
        return strip

    def write(self, output: Path) -> None:
        """Write the frames as .png, whole or not at all; raises ExchangeError for another suffix."""
        if output.suffix.lower() != ".png":
            raise ExchangeError(f"pictures of a way towards a class are written as .png, got {output.name!r}")
        with whole_file(output) as temporary:
            self.drawn().save(temporary, format="PNG")


def traverse(home: Home, key: str, towards: str) -> Traversal:
    """Move an image's features up the slope of the newest model's certainty of a class, and draw them.

    Each short step up the slope raises it, whichever class is the strongest rival on the way.
    Raises UnknownImages for another key, UnknownClasses for a class the model has no labels of, LearningError without a
    model, or where its features are no autoencoder's: only these can be drawn.
    """
    model = fitting_model(home)
    image = explained_image(home, key)
    features = open_features(home, model.features)
    encoder = load_encoder(home, model.features)
    if not isinstance(encoder, Autoencoder):
        raise LearningError(f"the features {model.features!r} cannot be drawn: only an autoencoder's have a decoder")
    today, known = class_map(home, model), np.flatnonzero(model.head.classes_seen)
    seen = [today.classes[place] for place in np.unique(today.places[known]).tolist()]
    if towards not in seen:
        raise UnknownClasses(
            f"the model knows no class {towards!r}{did_you_mean(towards, seen)}; it knows {named(seen)}"
        )
    row = np.flatnonzero(features.ids == image.id)
    if not len(row):
        raise LearningError(f"{key!r} has no features {model.features!r} yet; run `annotate-select embed`")
    z, aim = np.asarray(features.array[row[0]], dtype=np.float64), today.classes.index(towards)
    answer = int(today.of(model.head.probabilities(z[None]))[0].argmax())
    path = _uphill(model.head, z, today.places == aim)
    sure = today.of(model.head.probabilities(path))[:, aim]
    return Traversal(key, today.classes[answer], towards, sure.astype(float).tolist(), encoder.decode(path))


def _uphill(head: Head, z: np.ndarray, aims: np.ndarray) -> np.ndarray:
    """Return FRAMES points (k, d) from z (d,) on, in equal steps up the slope of the logarithm of a class's share.

    `aims` (K,) bool are the model's classes that are that class today.
    """
    length = FARTHEST * (np.linalg.norm(z - head.centre) or head.length) / ((FRAMES - 1) * SMALLER)
    path, at = [z], z
    for step in range(1, (FRAMES - 1) * SMALLER + 1):
        shares = head.probabilities(at[None])[0].astype(np.float64)  # (C,)
        within = np.where(aims, np.maximum(shares, np.finfo(np.float64).tiny), 0.0)
        slope = head.slopes(at) @ (within / within.sum() - shares)
        at = at + length * slope / (np.linalg.norm(slope) or 1.0)
        if step % SMALLER == 0:
            path.append(at)
    return np.stack(path)
