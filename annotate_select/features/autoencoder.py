"""An autoencoder that learns from the user's own unlabelled images what to select by.

Any square image from 8 pixels up will do. `network.py` holds the encoders, the decoder and their objectives,
`dictionary.py` learns the default encoder, `training.py` is the loop of gradients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset

from annotate_select.errors import FeaturesError
from annotate_select.features.encoder import chosen_device, loading, weights_digest
from annotate_select.features.guided import UNLABELLED, usable
from annotate_select.features.images import Images
from annotate_select.features.learning_curve import FILE_NAME, learning_curve
from annotate_select.features.network import AutoencoderConfig, DictionaryEncoder, Network
from annotate_select.features.training import Epoch, Trainer
from annotate_select.files import digest, write_whole
from annotate_select.pool.decode import DECODING
from annotate_select.progress import Progress, silent

__all__ = ["Autoencoder", "AutoencoderConfig"]

BATCH = 256  # images encoded at once: past this no faster, only larger
MOST_WHITENED = 5000  # images that decide how the latent is stretched


class Autoencoder:
    """Learns features of images: `fit` on arrays (n, H, W, 3) or a Dataset of such images, then `transform`."""

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        """Store the settings; the network is made when it is fitted or loaded."""
        self.config = config or AutoencoderConfig()
        self.history: list[tuple[float, float, float]] = []  # (train loss, held-out loss, seconds) of each epoch
        self.stopped = ""  # why training ended
        self.trained_on = ""
        self.labels: dict[str, object] | None = None  # how many it has seen of how many classes, and their digest
        self._network: Network | None = None

    @property
    def image_size(self) -> int:
        """Return the side, in pixels, of the images it takes."""
        return self.config.image_size

    @property
    def dim(self) -> int:
        """Return the width of the features it makes."""
        return self.config.dim

    def fit(
        self,
        images: np.ndarray | Dataset[object],
        progress: Progress = silent,
        checkpoint: Path | None = None,
        trained_on: str = "",
        labels: np.ndarray | None = None,
    ) -> Autoencoder:
        """Train on images (n, H, W, 3), uint8 or floats in 0..1; go on where an interrupted run left `checkpoint`.

        `checkpoint` is a folder, written after each epoch and removed at the end; one of other settings or images is
        replaced. `trained_on` is a fingerprint of the images, for the definition. One image is trained on and measured
        on; of two, one is held out. `labels` (n,), class numbers, -1 for none, draw images of a class together; a class
        with fewer than 5 counts as unlabelled.
        Raises FeaturesError for no images, another shape, too few labels, or a loss that is not finite.
        """
        self.config.check()
        found = Images(images, self.image_size)
        said = None if labels is None else usable(labels, len(found))
        network = _made(self.config)
        trainer = Trainer(network, self.config, found, checkpoint, trained_on, said)
        self.stopped = trainer.run(progress)
        self.history = [_numbers(epoch) for epoch in trainer.history]
        self.trained_on, self.labels = trained_on, None if said is None else _record(said)
        self._network = network.eval()
        if isinstance(network.encoder, DictionaryEncoder):
            return self  # stretched already
        rows = trainer.train_rows[:: -(-len(trainer.train_rows) // MOST_WHITENED)]
        network.whiten(torch.cat([self._run(network.encoder, found.batch(part)) for part in _parts(rows)]))
        return self

    def transform(self, images: np.ndarray | Dataset[object]) -> np.ndarray:
        """Return features (n, dim) float32."""
        encoder = self._fitted().encoder
        found = Images(images, self.image_size)
        features = np.empty((len(found), self.dim), np.float32)
        for rows in _parts(np.arange(len(found))):
            features[rows] = self._run(encoder, found.batch(rows)).numpy()
        return features

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8."""
        return self.transform(images)

    def reconstruct(self, images: np.ndarray | Dataset[object]) -> np.ndarray:
        """Return what the decoder makes of the images' features: (n, H, W, 3) uint8."""
        network = self._fitted()
        found = Images(images, self.image_size)
        rebuilt = np.empty((len(found), self.image_size, self.image_size, 3), np.uint8)
        for rows in _parts(np.arange(len(found))):
            pixels = self._run(lambda x: network.decoder(network.encoder(x)), found.batch(rows))  # (b, 3, H, W)
            rebuilt[rows] = (pixels * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return rebuilt

    def decode(self, features: np.ndarray) -> np.ndarray:
        """Return what the decoder makes of features (n, dim): images (n, H, W, 3) uint8."""
        pixels = self._run(self._fitted().decoder, torch.from_numpy(np.asarray(features, dtype=np.float32)))
        return (pixels * 255).round().byte().permute(0, 2, 3, 1).numpy()

    def learning_curve(self) -> bytes:
        """Return a PNG of the losses of every epoch."""
        told = self.labels is not None and self.config.kind != "dictionary"  # whose labels count before any epoch
        return learning_curve(self.history, self.config.kind, self.stopped, told)

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: architecture, weights, preprocessing, what it was trained on."""
        found: dict[str, object] = {
            "kind": "autoencoder",
            "architecture": self.config.architecture(),
            "weights": weights_digest(self._fitted().encoder.state_dict()),
            "preprocessing": DECODING,
            "trained_on": self.trained_on,
        }
        return found if self.labels is None else {**found, "labels": self.labels}

    def save(self, folder: Path) -> None:
        """Write weights.safetensors, autoencoder.json and learning_curve.png into a folder."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self._fitted().state_dict().items()}
        about = {
            "config": asdict(self.config),
            "trained_on": self.trained_on,
            "labels": self.labels,
            "stopped": self.stopped,
            "history": self.history,
        }
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / "weights.safetensors")
        write_whole(folder / "autoencoder.json", json.dumps(about, indent=1) + "\n")
        write_whole(folder / FILE_NAME, self.learning_curve())

    @classmethod
    def load(cls, folder: Path) -> Autoencoder:
        """Read what `save` wrote.

        Raises FeaturesError when files are missing, damaged, or do not fit each other.
        """
        with loading("autoencoder", folder):
            about = json.loads((folder / "autoencoder.json").read_text(encoding="utf-8"))
            loaded = cls(AutoencoderConfig.of(about["config"]))
            loaded.config.check()
            loaded.trained_on, loaded.stopped = str(about["trained_on"]), str(about["stopped"])
            loaded.labels = about.get("labels")
            loaded.history = [_numbers(epoch) for epoch in about["history"]]
            network = _made(loaded.config)
            network.load_state_dict(load_file(folder / "weights.safetensors"))
        loaded._network = network.eval()
        return loaded

    def _fitted(self) -> Network:
        if self._network is None:
            raise FeaturesError("this autoencoder is not trained yet; call fit first, or load one")
        return self._network

    def _run(self, work: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        device = next(self._fitted().parameters()).device
        with torch.inference_mode():
            return work(x.to(device)).float().cpu()


def _made(config: AutoencoderConfig) -> Network:
    """Make a network with weights that depend on the seed alone, leaving torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = Network(config)
    return network.to(chosen_device(config.device), memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]  # as in runtime.py


def _record(labels: np.ndarray) -> dict[str, object]:
    known = int(np.count_nonzero(labels != UNLABELLED))
    return {"count": known, "classes": int(labels.max()) + 1, "digest": digest(labels.astype("<i8").tobytes())}


def _numbers(epoch: Epoch | list[float]) -> tuple[float, float, float]:
    return (epoch[0], epoch[1], epoch[2])


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
