"""Where in an image the newest model looks: what it says of it, and a map of which parts that hangs on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from annotate_select.annotations import images
from annotate_select.errors import ExchangeError, ImageError, LearningError, UnknownImages, did_you_mean
from annotate_select.features.derived import derived_parts
from annotate_select.files import whole_file
from annotate_select.pool.decode import decode
from annotate_select.steps.class_map import class_map, said
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel, newest_model
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.occlusion import occlusion

__all__ = ["Explanation", "explain", "explained_image", "fitting_model"]

SIDE = 384  # pixels of a map that is written
REDDEST = 0.5  # of a pixel, where most hangs on it
VERTICAL, HORIZONTAL = ("top", "", "bottom"), ("left", "", "right")
RED = np.array([230.0, 40.0, 30.0])


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a model says of one image; `weights` (g, g) are how much each part adds to it, in log-odds."""

    image: str
    label: str
    probability: float
    weights: np.ndarray
    picture: np.ndarray  # (SIDE, SIDE, 3) uint8, the square that the encoder sees

    @property
    def where(self) -> str:
        """Name the part of the image on which the answer hangs most: top left, middle, bottom."""
        row, column = np.unravel_index(int(self.weights.argmax()), self.weights.shape)
        down, across = (int(3 * at / len(self.weights)) for at in (row, column))  # thirds
        names = [name for name in (VERTICAL[down], HORIZONTAL[across]) if name]
        return " ".join(names) or "middle"

    def text(self) -> str:
        """Say it in a line."""
        if self.weights.max() <= 0:
            return f"{self.label} ({self.probability:.0%}); covering no part of it makes that less sure"
        return f"{self.label} ({self.probability:.0%}); most of it hangs on the {self.where} of the image"

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        weights = [[round(one, 4) for one in row] for row in self.weights.tolist()]
        return {
            "image": self.image,
            "text": self.text(),
            "label": self.label,
            "probability": self.probability,
            "weights": weights,
        }

    def drawn(self) -> Image.Image:
        """Return the picture, gray where nothing hangs on it and red where most does."""
        weights = np.clip(self.weights, 0, None)
        heat = Image.fromarray((weights / (weights.max() or 1.0)).astype(np.float32))
        red = REDDEST * np.asarray(heat.resize((SIDE, SIDE), Image.Resampling.BILINEAR))[..., None]
        gray = np.asarray(Image.fromarray(self.picture).convert("L").convert("RGB"), dtype=np.float64)
        mixed = gray * (1 - red) + RED * red
        return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))

    def write(self, output: Path) -> None:
        """Write the map as .png, whole or not at all; raises ExchangeError for another suffix."""
        if output.suffix.lower() != ".png":
            raise ExchangeError(f"the map of an image is written as .png, got {output.name!r}")
        with whole_file(output) as temporary:
            self.drawn().save(temporary, format="PNG")


def explain(home: Home, key: str) -> Explanation:
    """Return where in an image of the pool the newest model finds its answer: the one that `evaluate` hears.

    Rules may have had a part in the answer; the map is of what the model itself sees of it: no rule looks at pixels.
    Raises UnknownImages for another key, LearningError without a model of features that are still there, ImageError
    when the file cannot be read any more.
    """
    model, image = fitting_model(home), explained_image(home, key)
    path = home.path_of(image.source, image.path)
    side = _side(home, model.features)
    try:
        picture = decode(path, side)
    except ImageError as error:
        raise ImageError(f"{key} cannot be explained: {path}: {error}") from error
    today = class_map(home, model)
    shares = said(home, model, np.array([image.id]), _encoded(home, model.features, picture[None]))[0]
    answer = int(shares.argmax())

    def says(some: np.ndarray) -> np.ndarray:
        return today.of(model.head.probabilities(_encoded(home, model.features, some)))[:, answer]

    return Explanation(key, today.classes[answer], float(shares[answer]), occlusion(picture, says), decode(path, SIDE))


def fitting_model(home: Home) -> TrainedModel:
    """Return the newest model; raises LearningError without one, or when its features are no longer there."""
    model = newest_model(home)
    if model is None:
        raise LearningError("there is no model yet; train one with `annotate-select train`")
    if open_features(home, model.features).digest != model.features_digest:
        raise LearningError(f"model {model.number} was trained on features that were replaced since; train a new one")
    return model


def explained_image(home: Home, key: str) -> images.Image:
    """Return an image of the pool; raises UnknownImages for another key."""
    found = images.resolve(home.db, [key])
    image = images.image(home.db, found[key]) if key in found else None
    if image is None:
        raise UnknownImages(f"the pool has no image {key!r}{did_you_mean(key, images.pool_table(home.db).keys)}")
    return image


def _side(home: Home, name: str) -> int:
    """Return the largest side at which any encoder behind some features sees images."""
    parts = derived_parts(home.store().definition(name))
    return max(_side(home, part.name) for part in parts) if parts else load_encoder(home, name).image_size


def _encoded(home: Home, name: str, pictures: np.ndarray) -> np.ndarray:
    """Return features (b, d) of pictures (b, H, H, 3), through all that some features are made of."""
    encoder = load_encoder(home, name)
    parts = derived_parts(home.store().definition(name))
    if parts:
        return encoder.encode(np.hstack([_encoded(home, part.name, pictures) for part in parts]))
    size = encoder.image_size
    if pictures.shape[1] != size:
        sized = [Image.fromarray(one).resize((size, size), Image.Resampling.BILINEAR) for one in pictures]
        pictures = np.stack([np.asarray(one) for one in sized])
    return encoder.encode(pictures)
