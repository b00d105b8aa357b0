"""Give every image of the pool its features: train or load an encoder, encode what is new, store it."""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.backbones import (
    feature_name,
    is_backbone,
    open_backbone,
    unknown_encoder,
)
from annotate_select.features.compressed import Compressed
from annotate_select.features.derived import Derived, derived_parts
from annotate_select.features.encoder import Encoder
from annotate_select.features.saved import load_saved
from annotate_select.features.store import Features, FeatureStore
from annotate_select.files import digest
from annotate_select.progress import Progress, silent
from annotate_select.steps.asked import Asked, is_autoencoder
from annotate_select.steps.default_features import default_features
from annotate_select.steps.derived import (
    MODEL,
    derived_name,
    fill_derived,
    is_derived,
    make_derived,
    model_part,
    train_compressed,
)
from annotate_select.steps.home import Home
from annotate_select.steps.labels import training_labels
from annotate_select.steps.pictures import Pictures, bring_back
from annotate_select.steps.standing import UNLABELLED
from annotate_select.steps.stored_features import COMPRESSED, open_features, require_fresh

__all__ = [
    "MOST_TRAINING_IMAGES",
    "embed",
    "embed_new",
    "embed_stored",
    "encode_missing",
    "load_encoder",
]

LABELLED = "-labelled"  # ends the name of features that saw labels, where no other is given
MOST_COMPARED = 1_000  # rows that are looked through for one that differs
MOST_TRAINING_IMAGES = 20_000  # what the autoencoder learns from: 250 MB decoded at 64 px, whatever the pool's size


def embed(
    home: Home,
    encoder: str | None = None,
    *,
    name: str | None = None,
    dim: int | None = None,
    image_size: int | None = None,
    weights: Path | None = None,
    retrain: bool = False,
    labels: bool = False,
    views: str | None = None,
    progress: Progress = silent,
) -> Features:
    """Store features of every readable image of the pool; only new images are encoded when an encoder is there.

    With nothing asked for, they are those in use, whatever encoder made them; without any, the autoencoder's. With
    `labels`, the autoencoder learns from all labels outside the exam, too. Raises FeaturesError when the pool is empty,
    the encoder is unknown, `name` holds features of another encoder, or there are too few labels.
    """
    asked = Asked(dim, image_size, weights, retrain, labels, views)
    if encoder is None and name is None and asked == Asked() and (known := _in_use(home)) is not None:
        return embed_stored(home, known, progress=progress)
    encoder = encoder or "autoencoder"
    if not name:
        name = derived_name(encoder) if is_derived(encoder) else feature_name(encoder) + LABELLED * labels
    with home.lock("computing features"):
        table = _pool(home)
        store = home.store()
        chosen = _encoder(home, store, table, encoder, name, asked, progress)
        left_out = encode_missing(home, store, table, name, chosen, retrain, progress)
        found = replace(open_features(home, name), left_out=left_out)
        _warn_of_equal(found)
        return found


def embed_new(home: Home, *, progress: Progress = silent) -> Features:
    """Encode the images that have no features yet, by the stored encoder of the features that the project uses.

    Without any features the autoencoder is trained. Raises FeaturesError as `embed` does, and when the encoder cannot
    be loaded.
    """
    store = home.store()
    if not store.names():
        return embed(home, progress=progress)
    return embed_stored(home, default_features(home), progress=progress)


def embed_stored(home: Home, name: str, *, progress: Progress = silent) -> Features:
    """Encode the images that have no features `name` yet, by their stored encoder. Raises FeaturesError as `embed`."""
    with home.lock("computing features"):
        left_out = _renew(home, home.store(), name, progress)
        found = replace(open_features(home, name), left_out=left_out)
        _warn_of_equal(found)
        return found


def _in_use(home: Home) -> str | None:
    """Return the name of the features that are used where none is named, if there are any rows of them."""
    with suppress(FeaturesError):
        name = default_features(home)
        return name if name in home.store().kept_names() else None
    return None


def load_encoder(home: Home, name: str) -> Encoder:
    """Load the encoder that made the features `name`. Raises FeaturesError when it is damaged, or its parts are."""
    store = home.store()
    definition = store.definition(name)
    folder = store.encoder_folder(name, digest(definition))
    require_fresh(store, name)
    return load_saved(folder, definition)


def _warn_of_equal(found: Features) -> None:
    some = np.asarray(found.array[:MOST_COMPARED])
    if len(found.array) > 1 and (some == some[0]).all():
        warnings.warn(
            f"all images have the same features {found.name!r}: nothing tells them apart; use another encoder",
            stacklevel=3,
        )


def _fill(home: Home, store: FeatureStore, table: PoolTable, name: str, progress: Progress) -> None:
    """Encode what features lack, if they lack anything: their encoder need not be there otherwise."""
    try:
        store.open(name, dict(zip(table.ids.tolist(), table.fingerprints, strict=True)))
    except FeaturesError:
        _renew(home, store, name, progress)


def _renew(home: Home, store: FeatureStore, name: str, progress: Progress) -> dict[str, str]:
    """Encode what is new by the stored encoder; of features made of others, these first. Returns what is left out."""
    left_out: dict[str, str] = {}
    for part in derived_parts(store.definition(name)):
        left_out |= _renew(home, store, part.name, progress)
    return left_out | encode_missing(home, store, _pool(home), name, load_encoder(home, name), False, progress)


def _pool(home: Home) -> PoolTable:
    bring_back(home)
    table = images.pool_table(home.db)
    if len(table.ids) == 0:
        raise FeaturesError("the pool is empty; add images first: `annotate-select add FOLDER`")
    return table


def _encoder(
    home: Home, store: FeatureStore, table: PoolTable, encoder: str, name: str, asked: Asked, progress: Progress
) -> Encoder:
    """Load the encoder these features were made with, or make it."""
    if encoder != "auto" and not (is_autoencoder(encoder) or is_derived(encoder) or is_backbone(encoder)):
        raise unknown_encoder(encoder)
    asked.require_possible(encoder)
    if is_autoencoder(encoder):
        kind = encoder.partition(":")[2]
        if name in store.names() and not asked.retrain:
            return _same_autoencoder(home, store, name, kind, asked)
        config = _config(home, kind, asked)
        labels = _labels(home, store, table, progress) if asked.labels else None
        return _train_autoencoder(home, table, name, config, labels, progress)
    if encoder.startswith(COMPRESSED):
        return _compressed(home, store, table, encoder, name, asked, progress)
    if encoder.startswith(MODEL):
        _fill(home, store, table, model_part(store, encoder), progress)
    if is_derived(encoder):
        return make_derived(store, encoder)
    if asked.weights is None and not asked.retrain and _is_stored(store, encoder, name, asked.image_size):
        return load_encoder(home, name)  # its weights are here: nothing has to be downloaded, or to be found again
    return open_backbone(encoder, asked.weights, asked.image_size)


def _is_stored(store: FeatureStore, encoder: str, name: str, image_size: int | None) -> bool:
    """Say whether the features `name` are of this pretrained network, at this size if one is asked for."""
    definition = store.definition(name) if name in store.names() else {}
    same = definition.get("kind") == "backbone" and definition.get("model") == encoder
    return same and image_size in (None, definition.get("image_size"))


def _same_autoencoder(home: Home, store: FeatureStore, name: str, kind: str, asked: Asked) -> Encoder:
    """Load the stored autoencoder; asked for another one, refuse rather than mix two spaces under one name."""
    definition = store.definition(name)
    if definition.get("kind") != "autoencoder":
        _require_same(name, "encoder", "autoencoder", definition.get("model") or definition.get("kind"))
    loaded = load_encoder(home, name)
    assert isinstance(loaded, Autoencoder)
    for what, wanted, stored in (
        ("kind", kind or None, loaded.config.kind),
        ("dim", asked.dim, loaded.dim),
        ("image size", asked.image_size, loaded.image_size),
        ("views", asked.views, loaded.config.views),
        ("labels", "some" if asked.labels else None, "some" if loaded.labels else "none"),
    ):
        _require_same(name, what, stored if wanted is None else wanted, stored)
    return loaded


def _compressed(
    home: Home, store: FeatureStore, table: PoolTable, encoder: str, name: str, asked: Asked, progress: Progress
) -> Encoder:
    """Load the stored compression, or train it; asked for another one, refuse."""
    if name not in store.names() or asked.retrain:
        prints = dict(zip(table.ids.tolist(), table.fingerprints, strict=True))
        return train_compressed(store, encoder, name, prints, dim=asked.dim, seed=home.config.seed, progress=progress)
    loaded = load_encoder(home, name)
    of = COMPRESSED + loaded.parts[0].name if isinstance(loaded, Compressed) else "another encoder"
    for what, wanted, stored in (("encoder", encoder, of), ("dim", asked.dim or loaded.dim, loaded.dim)):
        _require_same(name, what, wanted, stored)
    return loaded


def _require_same(name: str, what: str, wanted: object, stored: object) -> None:
    if wanted != stored:
        raise FeaturesError(
            f"features {name!r} have {what} {stored}, asked for {wanted}; give the new ones another --name, "
            "or replace them with --retrain"
        )


def _config(home: Home, kind: str, asked: Asked) -> AutoencoderConfig:
    config = AutoencoderConfig(seed=home.config.seed)
    config.kind = kind or config.kind
    config.dim = config.dim if asked.dim is None else asked.dim
    config.image_size = config.image_size if asked.image_size is None else asked.image_size
    config.views = asked.views or config.views
    config.check()
    return config


def _labels(home: Home, store: FeatureStore, table: PoolTable, progress: Progress) -> np.ndarray:
    """Return the labels (n,) of the pool that may be learned from; other features tell what is too near to the exam."""
    name = default_features(home)
    _renew(home, store, name, progress)
    return training_labels(home, open_features(home, name), table.ids)


def _train_autoencoder(
    home: Home,
    table: PoolTable,
    name: str,
    config: AutoencoderConfig,
    labels: np.ndarray | None,
    progress: Progress,
) -> Encoder:
    chosen = _training_positions(table, labels)
    pictures = Pictures(home, table)
    read, training = pictures.array(chosen.tolist(), config.image_size, progress, "reading images")
    pictures.require_some(read)
    pictures.require_unchanged()  # before hours of learning: these images would have no features in the end
    trained_on = digest([table.fingerprints[i] for i in chosen.tolist()])
    checkpoint = home.root / "features" / f".training-{name}"
    known = None if labels is None else labels[read]
    return Autoencoder(config).fit(training, progress, checkpoint, trained_on, known)


def _training_positions(table: PoolTable, labels: np.ndarray | None) -> np.ndarray:
    """Choose at most MOST_TRAINING_IMAGES positions: those with labels, if these count, then a random choice.

    The lowest fingerprints are random.
    """
    order = np.argsort(np.array(table.fingerprints))
    if labels is not None:
        order = order[np.argsort(labels[order] == UNLABELLED, kind="stable")]
    return np.sort(order[:MOST_TRAINING_IMAGES])


def encode_missing(
    home: Home, store: FeatureStore, table: PoolTable, name: str, encoder: Encoder, retrain: bool, progress: Progress
) -> dict[str, str]:
    """Encode the images that have no row yet; one that cannot be read any more is left out of the pool, by key: why.

    Raises FeaturesError, once the others are stored, when files hold other bytes than were added: a row made of them
    would be wrong, here and in every project that shares features.
    """
    if isinstance(encoder, Derived):
        fingerprints = dict(zip(table.ids.tolist(), table.fingerprints, strict=True))
        fill_derived(store, name, encoder, fingerprints, replace=retrain, progress=progress)
        return {}
    store.reuse(name, encoder, table.ids, table.fingerprints, replace=retrain)
    pending = store.pending(name, encoder, table.ids, table.fingerprints, replace=retrain)
    pictures = Pictures(home, table)
    batches = pictures.batches(pending, encoder.image_size)
    try:
        store.extend(name, encoder, table.ids, table.fingerprints, batches, progress=progress, replace=retrain)
    except FeaturesError:
        pictures.require_unchanged()  # why not one image could be encoded
        raise
    finally:
        left_out = pictures.leave_out()
    pictures.require_unchanged()
    return left_out
