"""`--encoder auto`: try the encoders that are here on a sample of the pool, within a time, and say which and why."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import FeaturesError, first_line, listed
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.choice import Choice, Trial, decided
from annotate_select.features.encoder import Encoder
from annotate_select.features.health import (
    FEWEST_LABELS,
    agreement,
    effective_rank,
    hubness,
    neighbour_accuracy,
)
from annotate_select.features.rows import compare
from annotate_select.features.store import Features
from annotate_select.progress import Progress, silent
from annotate_select.steps.candidates import Candidate, candidates
from annotate_select.steps.embed import MOST_TRAINING_IMAGES, embed, embed_stored
from annotate_select.steps.health import changed, linear_accuracy
from annotate_select.steps.home import Home
from annotate_select.steps.pictures import Pictures
from annotate_select.steps.standing import UNLABELLED, standing

__all__ = ["SECONDS", "Choice", "Trial", "choose", "embed_best", "judged", "tried"]

SECONDS = 900.0  # that embedding the pool may take where nobody says; trying may take as long
SAMPLE = 400  # images that are tried, those with labels first
LEARNING = 2.0  # how often a dictionary sees a training image before it encodes the pool
TIMED = 16  # images that tell how long the others will take


@dataclass(frozen=True, eq=False)
class _Sample:
    """Some rows of the pool's table, with labels and groups of all (n,)."""

    home: Home
    table: PoolTable
    rows: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None


def choose(home: Home, *, seconds: float = SECONDS, stored: bool = True, progress: Progress = silent) -> Choice:
    """Try what is here on a sample, and choose what embeds the pool within `seconds`.

    Once that time has gone by, no further encoder is tried, nor one that would take longer than what is left. Without
    `stored` features that are there already do not take part. Raises FeaturesError for no time at all, and when the
    pool is empty or no image of the sample can be read.
    """
    return _chosen(home, seconds, stored, progress)[1]


def embed_best(
    home: Home,
    *,
    name: str | None = None,
    retrain: bool = False,
    seconds: float = SECONDS,
    progress: Progress = silent,
) -> tuple[Features, Choice]:
    """Choose, store the features, and make them those that the project selects and trains on (`select.features`).

    With a `name` or `retrain` new features are asked for, so that those stored do not take part in the choice.
    """
    found, choice = _chosen(home, seconds, name is None and not retrain, progress)
    if found.stored is not None:
        features = embed_stored(home, found.stored, progress=progress)
    else:
        features = embed(home, found.encoder, name=name, weights=found.weights, retrain=retrain, progress=progress)
    if home.config.select.features != features.name:
        chosen = home.config.select.model_copy(update={"features": features.name})
        home.save_config(home.config.model_copy(update={"select": chosen}))
    return features, choice


def tried(
    encoder: Encoder, pictures: np.ndarray, *, seed: int = 0, left: float = float("inf")
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return features (n, d) of images (n, H, W, 3), of the same cropped and recoloured, and the seconds of one image.

    None when that would take longer than `left` seconds.
    """
    encoder.encode(pictures[:1])  # what is done once is not counted
    began = time.monotonic()
    encoder.encode(pictures[:TIMED])
    if 2 * len(pictures) * (time.monotonic() - began) / len(pictures[:TIMED]) > left:
        return None
    began = time.monotonic()
    features = _encoded(encoder, pictures)
    each = (time.monotonic() - began) / len(pictures)
    return features, _encoded(encoder, changed(pictures, seed)), each


def judged(
    name: str,
    features: np.ndarray,
    again: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    seconds: float = 0.0,
    seed: int = 0,
) -> Trial:
    """Return what features (n, d), `again` (n, d) of the changed images, and labels (n,), or UNLABELLED, show."""
    known = labels != UNLABELLED
    right, linear = None, None
    if np.count_nonzero(known) >= FEWEST_LABELS and len(np.unique(labels[known])) > 1:
        own = None if groups is None else groups[known]
        right = neighbour_accuracy(features[known], labels[known])
        linear = linear_accuracy(features[known], labels[known], own, seed)
    return Trial(
        encoder=name,
        seconds=seconds,
        agreement=agreement(features, again),
        rank=effective_rank(features),
        most_rank=max(1, min(features.shape[1], len(features) - 1)),
        hubness=hubness(features),
        accuracy=right,
        linear=linear,
        labels=int(np.count_nonzero(known)),
    )


def _chosen(home: Home, seconds: float, stored: bool, progress: Progress) -> tuple[Candidate, Choice]:
    if not seconds > 0:
        raise FeaturesError(f"choosing an encoder needs a time above 0 seconds, got {seconds:g}")
    sample, began = _sample(home), time.monotonic()
    trials, untried, failed = dict[str, tuple[Candidate, Trial]](), list[str](), list[str]()
    for one in candidates(home, stored=stored):
        left = seconds - (time.monotonic() - began) if trials else float("inf")
        try:
            trial = _trial(sample, one, left, progress) if left > 0 else None
        except FeaturesError as error:
            if one.encoder == "autoencoder":  # it needs nothing but images
                raise
            failed.append(f"{one.name} ({first_line(error)})")
            continue
        if trial is None:
            untried.append(one.name)
        else:
            trials[one.name] = one, trial
    found = decided([trial for _, trial in trials.values()], seconds)
    notes = f"; no time was left to try {listed(untried)}" if untried else ""
    notes += f"; what could not be tried: {listed(failed)}" if failed else ""
    return trials[found.encoder][0], replace(found, because=found.because + notes)


def _sample(home: Home) -> _Sample:
    table = images.pool_table(home.db)
    if len(table.ids) == 0:
        raise FeaturesError("the pool is empty; add images first: `annotate-select add FOLDER`")
    now = standing(home, table.ids)
    labels = np.where(now.exam, UNLABELLED, now.labels)  # the exam measures, and chooses nothing
    order = np.random.default_rng(home.config.seed).permutation(len(table.ids))
    order = order[np.argsort(labels[order] == UNLABELLED, kind="stable")]
    return _Sample(home, table, np.sort(order[:SAMPLE]), labels, now.groups)


def _trial(sample: _Sample, one: Candidate, left: float, progress: Progress) -> Trial | None:
    encoder, home = one.make(), sample.home
    source = Pictures(home, sample.table)
    read, pictures = source.array(sample.rows.tolist(), encoder.image_size, progress, "trying encoders")
    source.require_some(read)
    learning, config = 0.0, encoder.config if isinstance(encoder, Autoencoder) else None
    if one.stored is None and isinstance(encoder, Autoencoder):
        began = time.monotonic()
        encoder.config = replace(encoder.config, seconds=min(encoder.config.seconds or left, left))
        encoder.fit(pictures, progress)
        learning = time.monotonic() - began
    encoded = tried(encoder, pictures, seed=home.config.seed, left=left)
    if encoded is None:
        return None
    (features, again, each), n = encoded, len(sample.table.ids)
    if one.stored is not None:
        n -= _covered(home, one.stored, sample.table)
    elif config is not None:
        learning = _learning(config, learning, len(pictures), n, each)
    groups, took = None if sample.groups is None else sample.groups[read], each * n + learning
    return judged(one.name, features, again, sample.labels[read], groups, seconds=took, seed=home.config.seed)


def _covered(home: Home, name: str, table: PoolTable) -> int:
    prints = np.array(table.fingerprints, "S32")
    return int(compare(home.store().covers(name), table.ids, prints)[1].sum())


def _learning(config: AutoencoderConfig, seconds: float, tried_on: int, n: int, each: float) -> float:
    """Return how long learning from the pool would take, from `seconds` for the sample."""
    most = min(n, MOST_TRAINING_IMAGES)
    if config.kind == "dictionary":
        return LEARNING * each * most
    grown = min(config.epochs * most, config.most_images) / (config.epochs * tried_on)
    return min(seconds * grown, config.seconds or float("inf"))


def _encoded(encoder: Encoder, pictures: np.ndarray) -> np.ndarray:
    return np.concatenate([encoder.encode(pictures[at : at + 64]) for at in range(0, len(pictures), 64)])
