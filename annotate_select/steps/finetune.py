"""`train --head finetune`: a pretrained network learns the labels outside the exam, and the pool is seen through it.

A fifth of the labels, by whole groups, is held out: the network never learns from them. By them fine-tuning is judged
against the features it began with, and the head on its features is calibrated: probabilities mean what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import FeaturesError, LearningError
from annotate_select.features.backbones.backbone import Backbone
from annotate_select.features.encoder import Encoder
from annotate_select.features.finetune import Settings, fine_tune
from annotate_select.features.finetuned import FineTuned
from annotate_select.features.store import Features
from annotate_select.features.views import VIEWS
from annotate_select.files import digest
from annotate_select.learning.folds import deal
from annotate_select.learning.head import Head, fit_head, mean_of
from annotate_select.progress import Progress
from annotate_select.steps.embed import encode_missing, load_encoder
from annotate_select.steps.home import Home
from annotate_select.steps.labels import training_rows
from annotate_select.steps.pictures import Pictures
from annotate_select.steps.standing import standing
from annotate_select.steps.stored_features import open_features

__all__ = ["FINETUNED", "Tuned", "tuned_features"]

FINETUNED = "-finetuned"  # ends the name of features of a fine-tuned network
CLEARLY = 1.0  # standard errors that the held-out log-loss must fall by: less may be chance
MINUTES = 15.0


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning came to: the features to train on, and what was right of the held-out labels."""

    features: str
    started_from: str
    before: float
    after: float
    held_out: int

    def text(self) -> str:
        """Say it in a line."""
        shares = f"{self.after:.0%} of {self.held_out:,} held-out labels right, {self.before:.0%} before"
        if self.features != self.started_from:
            return f"fine-tuned: {shares}"
        return f"fine-tuning did not clearly help ({shares}): this is a linear model on {self.started_from}"


@dataclass(frozen=True, eq=False)
class _Told:
    """The labelled images (l,): positions in the pool's table, rows of the features, labels, and which are held out."""

    positions: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    held: np.ndarray


def tuned_features(
    home: Home, features: str | None, minutes: float | None, views: str | None, progress: Progress
) -> Tuned:
    """Fine-tune the network under some features, by default the project's, and store what it makes of the pool.

    They are called NAME-finetuned, and replace those of an earlier fine-tuning, which this does not start from. Where
    the held-out labels do not clearly speak for them, nothing is stored, and the features to train on are the old ones.
    Raises LearningError for features of no pretrained network, and for too few labels.
    """
    views = views or "auto"
    if views not in VIEWS:
        raise LearningError(f"there are no views {views!r}; choose one of {', '.join(VIEWS)}")
    if minutes is not None and not minutes > 0:
        raise LearningError(f"fine-tuning needs a time above 0 minutes, got {minutes:g}")
    settings = Settings(views=views, seconds=60 * (minutes or MINUTES), seed=home.config.seed)
    with home.lock("computing features"):
        opened = _untuned(home, features)
        table = images.pool_table(home.db)
        told = _told(home, opened, table)
        about = _about(opened, table, told, settings)
        name = opened.name + FINETUNED
        network = _stored(home, name, about)
        pictures = Pictures(home, table)
        size = load_encoder(home, opened.name).image_size
        read, pixels = pictures.array(told.positions.tolist(), size, progress, "reading images")
        pictures.require_some(read)
        pictures.require_unchanged()
        told = _only(told, np.isin(told.positions, read))
        if network is None:
            network = _taught(home, opened, pixels, told, table, about, settings, progress)
        before = _head(home, opened.array[told.rows], told, mean_of(opened.array))
        after = _head(home, network.encode(pixels), told, None)
        if not _clearly_better(before, after, told):
            return _tuned(opened.name, opened.name, before, after, told)
        encode_missing(home, home.store(), table, name, network, True, progress)
        return _tuned(name, opened.name, before, after, told)


def _untuned(home: Home, name: str | None) -> Features:
    """Open the features to start from; of a fine-tuned network, those it started from.

    It would know the labels that are to be held out. Raises LearningError for what cannot be fine-tuned.
    """
    opened = open_features(home, name)
    definition = home.store().definition(opened.name)
    started = definition.get("started_from")
    if isinstance(started, Mapping):
        return _untuned(home, str(started["features"]))
    if definition.get("kind") != "backbone":
        what = definition.get("model") or definition.get("kind")
        raise LearningError(
            f"features {opened.name!r} are of {what}, which cannot be fine-tuned; those of efficientnet_lite0, "
            "torchvision:NAME and timm:NAME can: embed with one, and name it with --features (an autoencoder learns "
            "labels by `annotate-select embed --labels`)"
        )
    return opened


def _told(home: Home, opened: Features, table: PoolTable) -> _Told:
    """Return the labels that may be learned from. Raises LearningError where none can be held out of them."""
    state = standing(home, opened.ids)
    rows, _ = training_rows(opened, state)
    labels = state.labels[rows]
    groups = state.groups[rows] if state.groups is not None else None
    held = np.zeros(len(rows), dtype=bool)
    if len(rows):
        held = deal(labels, groups, np.random.default_rng(home.config.seed)) == 0
    if not held.any():
        raise LearningError(
            "fine-tuning holds labels out to judge itself by: it needs at least 10 outside the exam, of two classes at "
            "least two images (and groups, where there are groups) each, got "
            f"{len(rows)}; label more, or train with --head linear"
        )
    place = {one: at for at, one in enumerate(table.ids.tolist())}
    positions = np.array([place[one] for one in opened.ids[rows].tolist()], dtype=np.int64)
    return _Told(positions, rows, labels, held)


def _only(told: _Told, kept: np.ndarray) -> _Told:
    """Return those that could be read."""
    return _Told(told.positions[kept], told.rows[kept], told.labels[kept], told.held[kept])


def _about(opened: Features, table: PoolTable, told: _Told, settings: Settings) -> dict[str, object]:
    """Return what a fine-tuning rests on, for the definition."""
    said = zip(told.positions.tolist(), told.labels.tolist(), told.held.tolist(), strict=True)
    labels = sorted([table.fingerprints[at], label, held] for at, label, held in said)
    count, classes = int((~told.held).sum()), len(np.unique(told.labels))
    return {
        "started_from": {"features": opened.name, "digest": opened.digest},
        "labels": {"count": count, "classes": classes, "digest": digest(labels)},
        "training": {"views": settings.views, "seed": settings.seed, "minutes": settings.seconds / 60},
    }


def _stored(home: Home, name: str, about: Mapping[str, object]) -> Encoder | None:
    """Load the network that learned the very same before: a run that was cut short goes on with it."""
    store = home.store()
    if name not in store.names():
        return None
    definition = store.definition(name)
    return load_encoder(home, name) if all(definition.get(key) == value for key, value in about.items()) else None


def _taught(
    home: Home,
    opened: Features,
    pixels: np.ndarray,
    told: _Told,
    table: PoolTable,
    about: Mapping[str, object],
    settings: Settings,
    progress: Progress,
) -> FineTuned:
    """Return the network after it learned from what is not held out."""
    network = load_encoder(home, opened.name)
    assert isinstance(network, Backbone)
    free = ~told.held
    classes = len(home.config.classes)
    start = fit_head(
        opened.array[told.rows[free]], told.labels[free], classes, centre=mean_of(opened.array), choose=False
    )
    fine_tune(network, pixels[free], told.labels[free], start, settings, progress)
    return FineTuned.of(network, about, [table.fingerprints[at] for at in told.positions[free].tolist()])


def _head(home: Home, features: np.ndarray, told: _Told, centre: np.ndarray | None) -> Head:
    return fit_head(features, told.labels, len(home.config.classes), centre=centre, held_out=told.held)


def _clearly_better(before: Head, after: Head, told: _Told) -> bool:
    """Tell whether the held-out labels have become likelier by more than chance may do."""
    losses = []
    for head in (before, after):
        if head.held_out is None:
            raise FeaturesError("no held-out label is of a class that was learned; label more of each class")
        said = head.held_out[told.held, told.labels[told.held]]
        losses.append(-np.log(np.maximum(said[~np.isnan(said)], 1e-6)))
    gain = losses[0] - losses[1]
    return bool(gain.mean() > CLEARLY * gain.std() / np.sqrt(len(gain)))


def _tuned(name: str, started_from: str, before: Head, after: Head, told: _Told) -> Tuned:
    return Tuned(name, started_from, before.cv_accuracy or 0.0, after.cv_accuracy or 0.0, int(told.held.sum()))
