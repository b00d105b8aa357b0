"""One training loop: held-out loss, early stop, and a checkpoint after every epoch from which it goes on exactly.

Nothing random is carried from epoch to epoch - each draws from a generator of (seed, epoch) - so a run that was killed
and continued makes the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError
from annotate_select.features.dictionary import learn
from annotate_select.features.encoder import has_bfloat16
from annotate_select.features.images import Images
from annotate_select.features.network import AutoencoderConfig, DictionaryEncoder, Network
from annotate_select.features.views import is_grey
from annotate_select.files import digest, whole_folder
from annotate_select.progress import Progress
from annotate_select.words import counted

__all__ = ["Epoch", "Trainer"]

MOST_HELD_OUT = 1000  # more would measure no better, and cost time every epoch
ENCODED = 256  # images encoded at once
FEWER = 5  # times fewer images are shown where only the decoder is trained: features do not depend on it
TOLD_WEIGHT = 5.0  # of the cross-entropy of labels, against VICReg's 25: see benchmarks/FEATURES.md
TOLD = 2  # times fewer labelled images than others in a step
LONGEST_STEP = 5.0  # gradients longer than this are cut: the first steps on odd images would throw the network off


class Epoch(NamedTuple):
    """One epoch's losses; `held_out` is what early stopping looks at, `error` its pixel part (mean square, 0..1)."""

    loss: float
    held_out: float
    seconds: float
    error: float


class Trainer:
    """Trains a network in place; the best weights are in it at the end."""

    def __init__(
        self,
        network: Network,
        config: AutoencoderConfig,
        images: Images,
        checkpoint: Path | None,
        trained_on: str,
        labels: np.ndarray | None = None,
    ) -> None:
        """Split the images; a single one is trained on and measured on.

        `labels` (n,) are class numbers from 0 on, or -1; all of them are trained on, and never held out: what decides
        when to stop is how well images are rebuilt. Raises FeaturesError when there are none.
        """
        n = len(images)
        if n == 0:
            raise FeaturesError("there are no images to train on; add some first")
        self.network, self.config, self.images, self.checkpoint = network, config, images, checkpoint
        self.device = next(network.parameters()).device
        order = np.random.default_rng(config.seed).permutation(n)
        held = min(max(1, round(n * config.held_out)), MOST_HELD_OUT, n - 1)
        self.train_rows = np.sort(order[held:])
        self.held_rows = np.sort(order[:held]) if held else self.train_rows
        self.steps = math.ceil(len(self.train_rows) / config.batch_size)  # of an epoch
        most = config.most_images // (FEWER if config.kind == "dictionary" else 1)
        self.epochs = max(1, min(config.epochs, most // len(self.train_rows)))
        self.labels = labels
        if labels is not None and config.kind != "dictionary":
            network.classifier = _classifier(config, int(labels.max()) + 1).to(self.device)
        network.grey = is_grey(images.batch(np.unique(np.linspace(0, n - 1, min(n, ENCODED)).round().astype(int))))
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.stage = "training decoder" if config.kind == "dictionary" else "training encoder"
        self.latents: Tensor | None = None  # (n, dim) where the encoder is not trained: computed once
        self.best: dict[str, Tensor] = {}
        self.history: list[Epoch] = []
        settings = {name: value for name, value in asdict(config).items() if name not in ("device", "seconds")}
        said = None if labels is None else digest(labels.astype("<i8").tobytes())
        self.identity = digest([settings, trained_on, images.fingerprint(), said, torch.__version__])

    def run(self, progress: Progress) -> str:
        """Train until the epochs, the patience or the seconds run out; return which, for people to read.

        Raises FeaturesError when the loss is not finite.
        """
        self._resume()
        if isinstance(self.network.encoder, DictionaryEncoder):
            self.latents = self._learned(self.network.encoder, progress)
        while not (reason := self._finished()):
            began = time.monotonic()
            number = len(self.history)
            loss = self._epoch(number, progress)
            held_out, error = self._measure()
            self.history.append(Epoch(loss, held_out, time.monotonic() - began, error))
            if held_out <= min(epoch.held_out for epoch in self.history):
                self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
            self._save()
        self.network.load_state_dict(self.best)
        self.network.classifier = None
        total = self.epochs * self.steps
        progress(self.stage, total, total, f"held-out error {self._best().error:.4f}, {reason}")
        self.clear()
        return reason

    def clear(self) -> None:
        """Remove the checkpoint."""
        if self.checkpoint is not None:
            shutil.rmtree(self.checkpoint, ignore_errors=True)

    def _epoch(self, number: int, progress: Progress) -> float:
        """Go once over the training images, or as far as the seconds allow; return the mean loss."""
        self.network.train()
        rng = np.random.default_rng([self.config.seed, number])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        began, losses = time.monotonic(), []
        note = f"epoch {number + 1}" + (f", held-out error {self.history[-1].error:.4f}" if self.history else "")
        for index, rows in enumerate(self._batches(rng.permutation(self.train_rows))):
            step = number * self.steps + index
            told = None if self.network.classifier is None else self._drawn(len(rows) // TOLD + 1, rng)
            losses.append(self._step(rows, told, self._rate(step), generator, number))
            progress(self.stage, step + 1, self.epochs * self.steps, note)
            if self._out_of_time(time.monotonic() - began):
                break
        return float(np.mean(losses))

    def _drawn(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows of labelled images, each class as often as any other."""
        assert self.labels is not None
        classes = rng.integers(0, self.labels.max() + 1, count)
        return np.array([rng.choice(np.flatnonzero(self.labels == one)) for one in classes.tolist()])

    def _step(
        self, rows: np.ndarray, told: np.ndarray | None, rate: float, generator: torch.Generator, number: int
    ) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, _ = self._loss(rows, generator)
        if told is not None:
            loss = loss + self.config.supervised * TOLD_WEIGHT * self._told(told, generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's has no types
        nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_STEP)
        self.optimizer.step()
        return self._finite(float(loss.detach()), number)

    def _measure(self) -> tuple[float, float]:
        """Return the held-out objective and pixel error, on the same views every time."""
        self.network.eval()
        generator = torch.Generator().manual_seed(self.config.seed)
        sums = np.zeros(2)
        with torch.inference_mode():
            for rows in self._batches(self.held_rows):
                loss, error = self._loss(rows, generator)
                sums += len(rows) * np.array([float(loss), float(error)])
        held_out, error_mean = sums / len(self.held_rows)
        return self._finite(float(held_out), len(self.history)), float(error_mean)

    def _finite(self, loss: float, number: int) -> float:
        if not math.isfinite(loss):
            raise FeaturesError(
                f"the autoencoder's loss became {loss} in epoch {number + 1}; train with a lower learning_rate "
                f"than {self.config.learning_rate:g}"
            )
        return loss

    def _loss(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = self.images.batch(rows).to(self.device)  # (b, 3, H, W)
        z = None if self.latents is None else self.latents[torch.from_numpy(rows)].to(self.device)  # (b, dim)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            return self.network.loss(x, generator, z)

    def _told(self, rows: np.ndarray, generator: torch.Generator) -> Tensor:
        assert self.labels is not None
        x = self.images.batch(rows).to(self.device)  # (b, 3, H, W)
        classes = torch.from_numpy(self.labels[rows]).to(self.device)  # (b,)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            return self.network.told(x, classes, generator)

    def _learned(self, encoder: DictionaryEncoder, progress: Progress) -> Tensor:
        """Learn the dictionary, unless the checkpoint brought it; return the latents (n, dim) of all images.

        The dictionary learns from all images, those held out too: these measure the decoder alone.
        """
        if not self.history:
            learn(encoder, self.images, np.arange(len(self.images)), self.config, progress, self.labels)
        latents = torch.empty(len(self.images), self.config.dim)
        for rows in np.split(np.arange(len(self.images)), range(ENCODED, len(self.images), ENCODED)):
            latents[rows[0] : rows[-1] + 1] = encoder(self.images.batch(rows).to(self.device)).cpu()
            progress("encoding training images", int(rows[-1]) + 1, len(self.images), "")
        return latents

    def _batches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield batches of nearly equal size: a last batch of one image would have no spread to normalise by."""
        yield from np.array_split(rows, math.ceil(len(rows) / self.config.batch_size))

    def _rate(self, step: int) -> float:
        """Warm up over the first twentieth, then follow a cosine down to a hundredth."""
        total = self.epochs * self.steps
        warm = max(1, total // 20)
        if step < warm:
            return self.config.learning_rate * (step + 1) / warm
        share = (step - warm) / max(1, total - warm)
        return self.config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)

    def _best(self) -> Epoch:
        return min(self.history, key=lambda epoch: epoch.held_out)

    def _finished(self) -> str:
        """Say why training is over; nothing while it is not."""
        if self.history and len(self.history) - 1 - self.history.index(self._best()) >= self.config.patience:
            return f"stopped after {counted(len(self.history), 'epoch')}: no better for {self.config.patience}"
        if self.history and self._out_of_time(0):
            return f"stopped after {self.config.seconds:g} seconds, in epoch {len(self.history)} of {self.epochs}"
        return f"{counted(self.epochs, 'epoch')} done" if len(self.history) >= self.epochs else ""

    def _out_of_time(self, since: float) -> bool:
        spent = sum(epoch.seconds for epoch in self.history) + since
        return self.config.seconds is not None and spent >= self.config.seconds

    def _save(self) -> None:
        """Write a new folder for this epoch, whole, then remove the one before."""
        if self.checkpoint is None:
            return
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
        done = len(self.history)
        with whole_folder(self.checkpoint / str(done)) as folder:
            save_file(
                {name: one.detach().cpu().contiguous().clone() for name, one in tensors.items()}, folder / "tensors"
            )
            about = {"identity": self.identity, "history": self.history}
            (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")
        shutil.rmtree(self.checkpoint / str(done - 1), ignore_errors=True)

    def _resume(self) -> None:
        """Go on from the newest checkpoint of this very training; remove any other."""
        if self.checkpoint is None or not self.checkpoint.is_dir():
            return
        numbers = sorted((int(path.name) for path in self.checkpoint.iterdir() if path.name.isdigit()), reverse=True)
        if not numbers or not self._restored(self.checkpoint / str(numbers[0])):
            self.clear()

    def _restored(self, folder: Path) -> bool:
        """Load a checkpoint; one that is another training's, or cannot be read, is one that is not there."""
        try:
            about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
            if about["identity"] != self.identity:
                return False
            tensors = load_file(folder / "tensors", device=str(self.device))
            history = [Epoch(*epoch) for epoch in about["history"]]
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return False
        self.history = history
        self.network.load_state_dict(_part(tensors, "network."))
        self.best = _part(tensors, "best.")
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        for parameter, values in self.optimizer.state.items():
            for key, value in values.items():
                if value.shape == parameter.shape:  # a fused optimiser reads it in the parameter's order in memory
                    values[key] = torch.empty_like(parameter).copy_(value)
        return True


def _classifier(config: AutoencoderConfig, classes: int) -> nn.Linear:
    """Make a classifier whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return nn.Linear(config.dim, classes)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
