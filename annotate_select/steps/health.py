"""Measure a stored space: what it is made of, whether neighbours stay, and accuracy where there are labels."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from annotate_select.annotations import images
from annotate_select.errors import LearningError
from annotate_select.features.autoencoder import Autoencoder
from annotate_select.features.derived import Derived
from annotate_select.features.encoder import Encoder
from annotate_select.features.health import (
    FEWEST_IMAGES,
    FEWEST_LABELS,
    Health,
    agreement,
    effective_rank,
    hubness,
    neighbour_accuracy,
)
from annotate_select.features.learning_curve import FILE_NAME
from annotate_select.features.store import Features
from annotate_select.features.views import augmented, is_grey
from annotate_select.files import whole_file, write_whole
from annotate_select.learning.head import fit_head
from annotate_select.progress import Progress, silent
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.home import Home
from annotate_select.steps.labels import saw_labels
from annotate_select.steps.pictures import Pictures
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.steps.stored_features import open_features

__all__ = ["changed", "health", "measured", "pixels"]

MOST_ROWS = 2_000  # whose rank, hubness and neighbours are measured
MOST_CHANGED = 500  # images encoded once more, cropped and recoloured
MOST_LABELS = 2_000
SHOWN = 8  # images in the picture of reconstructions
PIXEL_SIDE = 32  # pixels are compared at this size ...
PIXEL_DIM = 128  # ... as this many principal components


def health(home: Home, name: str | None = None, *, progress: Progress = silent) -> tuple[Health, list[Path]]:
    """Measure the features `name`; returns the figures and the files written beside them.

    Files: health.json, and of an autoencoder reconstructions.png and its learning curve. Raises FeaturesError as
    `open_features` does.
    """
    found = open_features(home, name)
    encoder = load_encoder(home, found.name)
    figures = measured(home, found, encoder, progress)
    folder = home.store().encoder_folder(found.name, found.digest).parent
    written = [folder / "health.json"]
    write_whole(written[0], json.dumps(figures.figures(), indent=1) + "\n")
    if isinstance(encoder, Autoencoder):
        rows = _sample(len(found.ids), SHOWN, home.config.seed)
        _, pictures = _decode(home, found.ids[rows], encoder.image_size, progress)
        written.append(folder / "reconstructions.png")
        _draw(written[1], pictures, encoder.reconstruct(pictures))
        written.append(folder / "encoder" / FILE_NAME)
        if not written[2].exists():  # saved before there were such pictures
            write_whole(written[2], encoder.learning_curve())
    return figures, written


def measured(home: Home, found: Features, encoder: Encoder, progress: Progress = silent) -> Health:
    """Return the health of features whose encoder is `encoder`."""
    rows = _sample(len(found.ids), MOST_ROWS, home.config.seed)
    sample = np.asarray(found.array[rows], np.float32)
    rank = effective_rank(sample)
    apart = len(rows) >= FEWEST_IMAGES and rank > 0  # else all are neighbours, whatever is done to them
    labelled, accuracies = _accuracies(home, found, progress)
    return Health(
        images=len(rows),
        dim=sample.shape[1],
        effective_rank=rank,
        hubness=hubness(sample),
        agreement=_agreement(home, found, encoder, progress) if apart else None,
        labels=labelled,
        **accuracies,
        saw_labels=saw_labels(home.store(), found.name),
    )


def changed(pictures: np.ndarray, seed: int, kind: str = "auto") -> np.ndarray:
    """Return images (n, H, W, 3) uint8 cropped, mirrored and recoloured, each differently, as views of this kind."""
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    views = augmented(x, torch.Generator().manual_seed(seed), kind, is_grey(x))
    return np.ascontiguousarray((views * 255).round().byte().permute(0, 2, 3, 1).numpy())


def pixels(pictures: np.ndarray) -> np.ndarray:
    """Return the first principal components (n, at most 128) of images (n, H, W, 3) uint8."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
    flat -= flat.mean(axis=0)
    left, singular, _ = np.linalg.svd(flat, full_matrices=False)
    return np.asarray(left[:, :PIXEL_DIM] * singular[:PIXEL_DIM])


def _agreement(home: Home, found: Features, encoder: Encoder, progress: Progress) -> float | None:
    if isinstance(encoder, Derived):
        return None  # made of other features: there is no image to change
    rows = _sample(len(found.ids), MOST_CHANGED, home.config.seed)
    kept, pictures = _decode(home, found.ids[rows], encoder.image_size, progress)
    if not len(kept):
        return None
    kind = encoder.config.views if isinstance(encoder, Autoencoder) else "auto"
    parts = np.array_split(changed(pictures, home.config.seed, kind), max(1, len(kept) // 64))
    return agreement(
        np.asarray(found.array[rows[kept]], np.float32), np.concatenate([encoder.encode(p) for p in parts])
    )


def _accuracies(home: Home, found: Features, progress: Progress) -> tuple[int, dict[str, float | None]]:
    """Return how many labels there are, and accuracies in this space and among pixels; none that flatters."""
    now = standing(home, found.ids)
    rows = np.flatnonzero((now.labels != UNLABELLED) & now.in_pool)
    flattered = saw_labels(home.store(), found.name)
    if flattered or len(rows) < FEWEST_LABELS or len(np.unique(now.labels[rows])) < 2:
        return len(rows), {}
    rows = rows[_sample(len(rows), MOST_LABELS, home.config.seed)]
    kept, pictures = _decode(home, found.ids[rows], PIXEL_SIDE, progress)
    rows = rows[kept]
    labels, groups = now.labels[rows], None if now.groups is None else now.groups[rows]
    own, raw = np.asarray(found.array[rows], np.float32), pixels(pictures)
    return len(rows), {
        "accuracy": neighbour_accuracy(own, labels),
        "pixel_accuracy": neighbour_accuracy(raw, labels),
        "linear_accuracy": linear_accuracy(own, labels, groups, home.config.seed),
        "pixel_linear_accuracy": linear_accuracy(raw, labels, groups, home.config.seed),
    }


def linear_accuracy(features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, seed: int) -> float | None:
    """Return the share of labels (l,) that a linear model on features (l, d) names while they are held out.

    None where cross-validation is not possible: a single class or group is left in some part.
    """
    try:
        return fit_head(features, labels, int(labels.max()) + 1, seed=seed, groups=groups).cv_accuracy
    except LearningError:
        return None


def _decode(home: Home, ids: np.ndarray, size: int, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the images of these ids (n,) can be read, as positions (m,), and them (m, size, size, 3)."""
    table = images.pool_table(home.db)
    place = {one: at for at, one in enumerate(table.ids.tolist())}
    there = [at for at, one in enumerate(ids.tolist()) if one in place]
    positions = [place[int(ids[at])] for at in there]
    read, pictures = Pictures(home, table).array(positions, size, progress, "measuring the features")
    back = dict(zip(positions, there, strict=True))
    return np.array([back[position] for position in read.tolist()], np.int64), pictures


def _sample(n: int, most: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _draw(path: Path, pictures: np.ndarray, rebuilt: np.ndarray) -> None:
    """Draw images (n, H, W, 3) over what the decoder makes of their features."""
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(1.3 * len(pictures), 3.0), layout="constrained")
        for at, (one, again) in enumerate(zip(pictures, rebuilt, strict=True)):
            for row, (picture, title) in enumerate([(one, "image"), (again, "rebuilt")]):
                axes = figure.add_subplot(2, len(pictures), row * len(pictures) + at + 1)
                axes.imshow(picture)
                axes.set_axis_off()
                if at == 0:
                    axes.set_title(title, loc="left")
        with whole_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=100)
