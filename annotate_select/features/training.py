"""One training loop: held-out loss, early stop, and a checkpoint after every epoch from which it goes on exactly.

Nothing random is carried from epoch to epoch - each draws from a generator of (seed, epoch) - so a run that was killed
and continued makes the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError
from annotate_select.files import digest, whole_folder
from annotate_select.progress import Progress

__all__ = ["Epoch", "Trainer"]


@dataclass(frozen=True)
class Epoch:
    """Losses of one epoch; `held_out` is what early stopping looks at, `reconstruction` the held-out pixel error."""

    loss: float
    held_out: float
    reconstruction: float
    seconds: float


class Trainable(Protocol):
    """A network that tells its loss."""

    def loss(self, x: Tensor, invariance: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (objective, reconstruction error) of a batch."""


class Settings(Protocol):
    """What the loop needs of a config."""

    epochs: int
    most_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    invariance: float
    patience: int
    held_out: float
    seed: int


class Trainer:
    """Trains a network on batches that `batch(rows)` gives, in place; the best weights are in it at the end."""

    def __init__(
        self,
        network: nn.Module,
        config: Settings,
        batch: Callable[[np.ndarray], Tensor],
        n: int,
        checkpoint: Path | None,
        trained_on: str,
    ) -> None:
        """Split the n images; with one image, it is trained on and measured on."""
        if n == 0:
            raise FeaturesError("there are no images to train on; add some first")
        self.network, self.config, self.batch = network, config, batch
        self.checkpoint = checkpoint
        order = np.random.default_rng(config.seed).permutation(n)
        held = min(max(1, round(n * config.held_out)), 1000) if n > 1 else 0
        self.train_rows = np.sort(order[held:])
        self.held_rows = np.sort(order[:held]) if held else self.train_rows
        self.steps_per_epoch = math.ceil(len(self.train_rows) / config.batch_size)
        self.epochs = max(1, min(config.epochs, math.ceil(config.most_steps / self.steps_per_epoch)))
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.best: dict[str, Tensor] = {}
        self.history: list[Epoch] = []
        self.identity = digest([trained_on, n, {k: v for k, v in vars(config).items() if k != "device"}])

    def run(self, progress: Progress) -> list[Epoch]:
        """Train until the epochs or the patience run out; return the history.

        Raises FeaturesError when the loss is not finite.
        """
        self._resume()
        while len(self.history) < self.epochs and not self._out_of_patience():
            number = len(self.history)
            began = time.monotonic()
            loss = self._epoch(number, progress)
            held_out, reconstruction = self._measure()
            self.history.append(Epoch(loss, held_out, reconstruction, time.monotonic() - began))
            if held_out <= min(epoch.held_out for epoch in self.history):
                self.best = {name: t.detach().clone() for name, t in self.network.state_dict().items()}
            self._save()
        self.network.load_state_dict(self.best)
        total = self.epochs * self.steps_per_epoch
        progress("training encoder", total, total, f"held-out error {self.history[-1].reconstruction:.4f}")
        self.clear()
        return self.history

    def clear(self) -> None:
        """Remove the checkpoint."""
        if self.checkpoint is not None:
            shutil.rmtree(self.checkpoint, ignore_errors=True)

    def _epoch(self, number: int, progress: Progress) -> float:
        self.network.train()
        rng = np.random.default_rng([self.config.seed, number])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        losses = []
        for index, rows in enumerate(self._batches(rng.permutation(self.train_rows))):
            step = number * self.steps_per_epoch + index
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate(step)
            loss, _ = self._loss(rows, generator)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise FeaturesError(
                    f"the training loss became {value} in epoch {number + 1}; use a lower learning_rate than "
                    f"{self.config.learning_rate}, and look for damaged images"
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimizer.step()
            losses.append(value)
            note = f"held-out error {self.history[-1].reconstruction:.4f}" if self.history else ""
            progress("training encoder", step + 1, self.epochs * self.steps_per_epoch, note)
        return float(np.mean(losses))

    def _measure(self) -> tuple[float, float]:
        """Return the held-out objective and pixel error, on the same views every time."""
        self.network.eval()
        generator = torch.Generator().manual_seed(self.config.seed)
        sums = np.zeros(2)
        with torch.inference_mode():
            for rows in self._batches(self.held_rows):
                both = self._loss(rows, generator)
                sums += [float(one) * len(rows) for one in both]
        return float(sums[0] / len(self.held_rows)), float(sums[1] / len(self.held_rows))

    def _loss(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        network: Trainable = self.network  # type: ignore[assignment]
        device = next(self.network.parameters()).device
        return network.loss(self.batch(rows).to(device), self.config.invariance, generator)

    def _batches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield batches of nearly equal size: a last batch of one image would have no variance to normalise by."""
        count = max(1, math.ceil(len(rows) / self.config.batch_size))
        yield from np.array_split(rows, count)

    def _rate(self, step: int) -> float:
        """Warm up over the first twentieth, then follow a cosine down to a hundredth."""
        total = self.epochs * self.steps_per_epoch
        warm = max(1, total // 20)
        if step < warm:
            return self.config.learning_rate * (step + 1) / warm
        share = (step - warm) / max(1, total - warm)
        return self.config.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)

    def _out_of_patience(self) -> bool:
        held_out = [epoch.held_out for epoch in self.history]
        return bool(held_out) and len(held_out) - 1 - int(np.argmin(held_out)) >= self.config.patience

    def _save(self) -> None:
        """Write the checkpoint whole: a new folder, then the name of the newest."""
        if self.checkpoint is None:
            return
        tensors = {f"network.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
        done = len(self.history)
        with whole_folder(self.checkpoint / str(done)) as folder:
            save_file({name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}, folder / "tensors")
            about = {"identity": self.identity, "history": [asdict(epoch) for epoch in self.history]}
            (folder / "about.json").write_text(json.dumps(about))
        shutil.rmtree(self.checkpoint / str(done - 1), ignore_errors=True)

    def _resume(self) -> None:
        """Go on from the newest checkpoint of this very training; remove any other."""
        if self.checkpoint is None or not self.checkpoint.is_dir():
            return
        for folder in sorted(self.checkpoint.iterdir(), key=lambda path: path.name.zfill(9), reverse=True):
            if folder.name.isdigit() and self._restored(folder):
                return
        self.history = []
        self.clear()

    def _restored(self, folder: Path) -> bool:
        try:
            about = json.loads((folder / "about.json").read_text())
            if about["identity"] != self.identity:
                return False
            tensors = load_file(folder / "tensors")
        except Exception:  # a checkpoint that cannot be read is one that is not there: training starts anew
            return False
        self.history = [Epoch(**epoch) for epoch in about["history"]]
        self.network.load_state_dict(_part(tensors, "network."))
        self.best = _part(tensors, "best.")
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _part(tensors, "optimizer.").items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        return True


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
