"""Features compressed: a small denoising autoencoder over rows of other features, such as a pretrained network's.

It starts as the principal components of rows of length 1. A hidden layer on either side then learns, from rows with
noise, to rebuild what straight lines cannot (Vincent and others, "Extracting and composing robust features with
denoising autoencoders", ICML 2008); the network that rebuilds held-out rows best stays, be it the first. In the end the
latents are turned and partly evened out, which is what neighbours gain by (benchmarks/FEATURES.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError, first_line
from annotate_select.features.derived import Derived, Part, derived_parts
from annotate_select.features.dictionary import components
from annotate_select.features.encoder import chosen_device, has_bfloat16, weights_digest
from annotate_select.progress import Progress, silent
from annotate_select.words import counted

__all__ = ["DIM", "MOST_ROWS", "Compressed", "default_dim"]

DIM = 128  # neighbours among 64 share a class a point or two less often
MOST_ROWS = 20_000  # of the features that are learned from: 100 MB at 1,280 wide, and minutes at most
HIDDEN = 512
EVENED = 1 / 2  # of the differences in variance between components; a third, or all, gave worse neighbours
NOISE = 0.3  # standard deviation, of rows whose numbers have a mean variance of 1
HELD_OUT, LEAST_HELD_OUT, MOST_HELD_OUT = 0.1, 30, 2_000  # share of the rows, and how many at least and at most
SEEN = 2_000  # rebuilt rows that new ones are compared with
EPOCHS, MOST_SHOWN, PATIENCE = 25, 300_000, 4
BATCH, LEARNING_RATE, WEIGHT_DECAY = 256, 1e-3, 1e-2
BLOCK = 4_096  # rows computed at once


class Layers(nn.Module):
    """A straight map from `width` to `dim` numbers, and beside it a hidden layer that says nothing at first."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.straight = nn.Linear(width, dim)
        self.hidden = nn.Linear(width, HIDDEN)
        self.bent = nn.Linear(HIDDEN, dim)
        nn.init.zeros_(self.straight.bias)
        nn.init.zeros_(self.bent.weight)
        nn.init.zeros_(self.bent.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, width) to (b, dim)."""
        found: Tensor = self.straight(x) + self.bent(F.gelu(self.hidden(x)))
        return found


class Network(nn.Module):
    """Encoder and decoder of rows, and what rows are made comparable by."""

    mean: Tensor  # (width,)
    scale: Tensor  # ()
    turn: Tensor  # (dim, dim)
    shift: Tensor  # (dim,)

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("turn", torch.eye(dim))
        self.register_buffer("shift", torch.zeros(dim))
        self.encoder, self.decoder = Layers(width, dim), Layers(dim, width)

    def comparable(self, rows: np.ndarray) -> Tensor:
        """Return rows (b, width) scaled to length 1, then to mean 0 and mean variance 1 over those learned from."""
        return (_unit(rows) - self.mean) / self.scale

    def start(self, x: Tensor, seed: int) -> None:
        """Take the principal components of comparable rows (n, width), each of length 1."""
        weight, _ = components(x.numpy(), len(self.turn), seed, evened=0)
        axes = F.normalize(torch.from_numpy(weight), dim=1)  # (dim, width)
        with torch.no_grad():
            self.encoder.straight.weight.copy_(axes)
            self.decoder.straight.weight.copy_(axes.T)

    def even(self, z: Tensor, seed: int) -> None:
        """Turn latents (n, dim) to their principal components, partly evened out."""
        turn, shift = components(z.numpy(), len(self.turn), seed, EVENED)
        self.turn, self.shift = torch.from_numpy(turn), torch.from_numpy(shift)


class Compressed(Derived):
    """The latents of rows of one kind of features, and how new a row is by the error with which it is rebuilt."""

    def __init__(self, part: Part, network: Network, seen: Tensor, distances: np.ndarray) -> None:
        """Store what `fit` made: `seen` (m, dim) latents learned from, `distances` (h,) of held-out rows, ascending."""
        super().__init__([part])
        self._network, self._seen, self._distances = network.eval(), seen, distances
        with torch.inference_mode():
            self._rebuilt: Tensor = network.decoder(seen)  # (m, width)

    @classmethod
    def fit(
        cls, part: Part, rows: np.ndarray, *, dim: int | None = None, seed: int = 0, progress: Progress = silent
    ) -> Compressed:
        """Learn from rows (n, width) of the features `part`, of which some are held out.

        Where there are too few rows for that, all are learned from and measured on. Raises FeaturesError for a `dim`
        below 1 or above the rows' width, rows that do not differ, and a loss that is not finite.
        """
        width = rows.shape[1]
        dim = default_dim(width) if dim is None else dim
        if not 1 <= dim <= width:
            raise FeaturesError(
                f"features {part.name!r} are {width} wide; compress them to 1 to {width}, got dim {dim}"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Network(width, dim)
        x = _unit(rows)
        network.mean, network.scale = _spread(x, part.name)
        train, held = _split((x - network.mean) / network.scale, seed)
        network.start(train, seed)
        _train(network, train, held, seed, progress)
        with torch.inference_mode():
            latents = network.encoder(train)
        network.even(latents, seed)
        found = cls(part, network, latents[_sample(len(train), SEEN, seed)], np.zeros(0))
        found._distances = np.sort(found._distance(held))
        return found

    @property
    def dim(self) -> int:
        """Return the width of the latents."""
        return len(self._network.turn)

    def definition(self) -> dict[str, object]:
        """Return the digests of the features that are compressed and of the network."""
        return {
            **self._definition("compressed"),
            "dim": self.dim,
            "hidden": HIDDEN,
            "preprocessing": "rows of length 1, less the mean, over the root of the mean variance",
            "weights": weights_digest(self._network.state_dict()),
        }

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return the latents (b, dim), float32, of rows (b, width)."""
        with torch.inference_mode():
            latents = self._network.encoder(self._network.comparable(images))
            found: np.ndarray = F.linear(latents, self._network.turn, self._network.shift).numpy()
        return found

    def errors(self, rows: np.ndarray) -> np.ndarray:
        """Return the mean squared error (b,) of rows (b, width) rebuilt: 1 is what the rows' own mean would give."""
        with torch.inference_mode():
            x = self._network.comparable(rows)
            found: np.ndarray = (self._network.decoder(self._network.encoder(x)) - x).square().mean(dim=1).numpy()
        return found

    def novelty(self, rows: np.ndarray) -> np.ndarray:
        """Return how new rows (b, width) are: the share, 0 to 1, of held-out rows nearer to what was learned.

        How far a row is from the nearest rebuilt row that was learned from: its own error, and how far its latent is
        from theirs. The error alone overlooks new kinds that are mixtures of the known (benchmarks/FEATURES.md).
        """
        distances = np.concatenate(
            [self._distance(self._network.comparable(rows[at : at + BLOCK])) for at in range(0, len(rows), BLOCK)]
            or [np.zeros(0)]
        )
        found: np.ndarray = np.searchsorted(self._distances, distances, side="left") / len(self._distances)
        return found

    def save(self, folder: Path) -> None:
        """Write weights.safetensors: the network, and what new rows are compared with."""
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        tensors |= {"seen": self._seen, "distances": torch.from_numpy(self._distances)}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "weights.safetensors")

    @classmethod
    def load(cls, folder: Path, definition: Mapping[str, object]) -> Compressed:
        """Read what `save` wrote. Raises FeaturesError when it is missing or damaged."""
        (part,) = derived_parts(definition)
        try:
            tensors = load_file(folder / "weights.safetensors")
            seen, distances = tensors.pop("seen"), tensors.pop("distances").numpy()
            network = Network(part.dim, seen.shape[1])
            network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in tensors.items()})
        except (OSError, KeyError, IndexError, RuntimeError, SafetensorError) as error:
            why = first_line(error)
            raise FeaturesError(f"{folder} is damaged ({why}); make the features again with --retrain") from error
        return cls(part, network, seen, distances)

    def _distance(self, x: Tensor) -> np.ndarray:
        """Return the distances (b,) of comparable rows (b, width) to the nearest rebuilt row."""
        with torch.inference_mode():
            found: np.ndarray = torch.cdist(x, self._rebuilt).min(dim=1).values.numpy()
        return found


def default_dim(width: int) -> int:
    """Return how wide the latents of features of this width are: DIM, and at most half."""
    return max(1, min(DIM, width // 2))


def _unit(rows: np.ndarray) -> Tensor:
    """Return rows (b, width) of length 1, float32, however long they were; zeros stay zeros."""
    return torch.cat([F.normalize(torch.from_numpy(part), dim=1).float() for part in _doubles(rows)])


def _doubles(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yield copies of blocks of rows: a memory map can be neither written to nor taken whole."""
    for at in range(0, max(1, len(rows)), BLOCK):
        yield np.array(rows[at : at + BLOCK], np.float64)


def _spread(x: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return the mean (width,) of rows (n, width) and the root of their mean variance ()."""
    mean = x.mean(dim=0, dtype=torch.float64)
    scale = (x - mean.float()).square().mean(dtype=torch.float64).sqrt()
    if scale < 1e-6 / math.sqrt(x.shape[1]):  # of rows of length 1: no more than rounding
        raise FeaturesError(
            f"the rows of features {name!r} do not differ ({counted(len(x))}), so there is nothing to compress; "
            "add other images first, or compress other features"
        )
    return mean.float(), scale.float()


def _split(x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows to learn from and the rows to measure on; of fewer than four, all of them both times."""
    n = len(x)
    held = min(max(round(n * HELD_OUT), min(LEAST_HELD_OUT, n // 4)), MOST_HELD_OUT)
    order = np.random.default_rng(seed).permutation(n)
    return (x[np.sort(order[held:])], x[np.sort(order[:held])]) if held else (x, x)


def _sample(n: int, most: int, seed: int) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _train(network: Network, train: Tensor, held: Tensor, seed: int, progress: Progress) -> None:
    """Train in place on rows (n, width) with noise; leaves the network that rebuilds held-out rows best."""
    device = chosen_device("auto")
    network.to(device)
    generator = torch.Generator().manual_seed(seed)
    noisy = _noisy(held, generator).to(device)
    train, held = train.to(device), held.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    epochs = max(1, min(EPOCHS, MOST_SHOWN // len(train)))
    total = epochs * math.ceil(len(train) / BATCH)
    first = best = _error(network, noisy, held)
    kept, since, step = _copied(network), 0, 0
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(train), generator=generator), BATCH):
            _step(network, optimizer, train[rows.to(device)], _rate(step, total), generator)
            step += 1
            progress("training the compression", step, total, f"held-out error {best:.4f}")
        error = _error(network, noisy, held)
        since += 1
        if error < best:
            best, kept, since = error, _copied(network), 0
        if since == PATIENCE:
            break
    network.load_state_dict(kept)
    network.to("cpu")
    progress("training the compression", total, total, f"held-out error {best:.4f}, of components {first:.4f}")


def _step(
    network: Network, optimizer: torch.optim.Optimizer, x: Tensor, rate: float, generator: torch.Generator
) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    with torch.autocast(x.device.type, torch.bfloat16, enabled=has_bfloat16(x.device)):
        rebuilt = network.decoder(network.encoder(_noisy(x, generator)))
    loss = F.mse_loss(rebuilt.float(), x)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's has no types
    optimizer.step()


def _noisy(x: Tensor, generator: torch.Generator) -> Tensor:
    return x + NOISE * torch.randn(x.shape, generator=generator).to(x.device)


def _error(network: Network, noisy: Tensor, x: Tensor) -> float:
    """Return the mean squared error of rows (b, width) rebuilt from `noisy`. Raises FeaturesError if not finite."""
    with torch.inference_mode():
        error = float(F.mse_loss(network.decoder(network.encoder(noisy)), x))
    if not math.isfinite(error):
        raise FeaturesError(
            f"the error of the compressed features became {error}; compress to another --dim, or look for damage in "
            "the features with `annotate-select features verify`"
        )
    return error


def _rate(step: int, total: int) -> float:
    """Warm up over the first twentieth, then follow a cosine down to 0."""
    warm = max(1, total // 20)
    return LEARNING_RATE * min(1.0, (step + 1) / warm) * (1 + math.cos(math.pi * step / total)) / 2


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
