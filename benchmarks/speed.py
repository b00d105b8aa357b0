"""How fast images are decoded, trained on and encoded, against a plain loop or the model alone, in the same run.

Called by features.py: `python benchmarks/features.py --rows training,decoding,learning,embedding`. What is compared
takes turns in short rounds, and the best round of each counts, by the clock and by CPU time: what else a shared machine
does hits all alike. By the clock of a busy machine one thread looks better against two than it is; there compare CPU
times, with OMP_NUM_THREADS=1, or threads that wait for each other count twice.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

ROUNDS, SECONDS = 8, 1.0
BATCH = 128
PHOTOS = ("trashnet", "weather", "clothing")  # sets of JPEG photos
MOST = 300  # of a set

Step = Callable[[], int]  # does some work and returns how many images that were


def rates(steps: dict[str, Step]) -> dict[str, tuple[float, float]]:
    """Return (images a second, CPU seconds an image) of each step, the best of rounds in turn, after one to warm up."""
    best = {name: (0.0, float("inf")) for name in steps}
    for number in range(ROUNDS + 1):
        for name, step in steps.items():
            began, cpu, done = time.perf_counter(), time.process_time(), 0
            while done == 0 or time.perf_counter() - began < SECONDS:
                done += step()
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu
            if number:
                best[name] = (max(best[name][0], done / wall), min(best[name][1], cpu / done))
    return best


def show(title: str, steps: dict[str, Step]) -> None:
    """Print a table, each row against the first."""
    print(f"| {title} | images/s | ratio | CPU ms an image | ratio |\n|---|---|---|---|---|")
    found = rates(steps)
    speed, cost = next(iter(found.values()))
    for name, (fast, cpu) in found.items():
        print(f"| {name} | {fast:.0f} | {fast / speed:.2f} | {1000 * cpu:.2f} | {cost / cpu:.2f} |", flush=True)


def training() -> None:
    """Print how fast a convolutional encoder learns at 64 pixels, batch 128: the whole step against a plain one.

    The plain one has its batch as a float tensor already; the package's makes it of rows of an array of bytes.
    """
    import torch
    import torch.nn.functional as F

    from annotate_select.features.autoencoder import _made
    from annotate_select.features.images import Images
    from annotate_select.features.network import AutoencoderConfig, Network
    from annotate_select.features.training import Trainer

    config = AutoencoderConfig(kind="plain", batch_size=BATCH)
    array = np.random.default_rng(0).integers(0, 256, (10 * BATCH, 64, 64, 3), dtype=np.uint8)
    x, generator = torch.rand(BATCH, 3, 64, 64), torch.Generator().manual_seed(0)
    network = Network(config)
    optimizer = torch.optim.AdamW(network.parameters())
    trainer = Trainer(_made(config), config, Images(array, 64), None, "")
    rng = np.random.default_rng(0)

    def plain() -> int:
        loss = F.mse_loss(network.decoder(network.encoder(x)), x)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return BATCH

    def ours() -> int:
        trainer._step(rng.permutation(len(array))[:BATCH], None, 1e-3, generator, 0)
        return BATCH

    show("training, 64 px, batch 128", {"plain float32 loop": plain, "as Autoencoder.fit trains": ours})


def decoding(data: Path) -> None:
    """Print how fast files are decoded to 64 pixels, against PIL opened, converted and resized."""
    from PIL import Image

    from annotate_select.pool.decode import decode_many

    files = sorted((data / "weather" / "images").rglob("*.jpg"))[:600]

    def plain() -> int:
        for file in files:
            with Image.open(file) as image:
                image.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)
        return len(files)

    def ours() -> int:
        return sum(1 for _ in decode_many(files, 64))

    show("decoding JPEG to 64 px", {"PIL, one process": plain, "decode_many": ours})


def embedding(data: Path) -> None:
    """Print how fast efficientnet_lite0 encodes photos, from files as `embed` does, against the network alone."""
    from annotate_select.features.backbones.backbone import Backbone
    from annotate_select.pool.decode import decode_many
    from annotate_select.steps.pictures import BATCH as TOGETHER

    files = [one for name in PHOTOS for one in sorted((data / name / "images").rglob("*.jpg"))[:MOST]]
    backbone = Backbone("efficientnet_lite0", device="cpu")
    size = backbone.image_size
    pairs = [(files[at], image) for at, image in decode_many(files, size) if isinstance(image, np.ndarray)]
    files, images = [file for file, _ in pairs], np.stack([image for _, image in pairs])
    backbone.encode(images[:TOGETHER])  # now it is exported
    rows = _in_turn(len(images), TOGETHER)

    def model() -> int:
        return len(backbone.encode(images[next(rows)]))

    def decoded() -> Iterator[np.ndarray]:
        while True:
            stream = decode_many(files, size)
            while chunk := [image for _, image in islice(stream, TOGETHER) if isinstance(image, np.ndarray)]:
                yield np.stack(chunk)

    batches = decoded()

    def both() -> int:
        return len(backbone.encode(next(batches)))

    show(f"efficientnet_lite0, {size} px, {backbone.runtime}", {"network alone": model, "from JPEG files": both})


def _in_turn(n: int, count: int) -> Iterator[slice]:
    while True:
        for start in range(0, n, count):
            yield slice(start, start + count)


def learning(data: Path) -> None:
    """Print the seconds of a whole training from 10,000 files with the default epochs, and of training alone."""
    from annotate_select import Project

    print("| training from files | images | seconds | CPU seconds | reading | rate against training alone |")
    print("|---|---|---|---|---|---|")
    for kind in ("autoencoder", "autoencoder:joint"):
        with tempfile.TemporaryDirectory() as folder:
            project = Project.create(Path(folder) / "project", classes=["a", "b"])
            project.add(_ten_thousand(data))
            stages: dict[str, np.ndarray] = {}
            last = _now()

            def listen(stage: str, done: int, total: int, note: str, stages: dict[str, np.ndarray] = stages) -> None:
                nonlocal last
                stages[stage] = stages.get(stage, np.zeros(2)) + _now() - last
                last = _now()

            features = project.embed(kind, progress=listen)
            n = len(features.array)
            project.close()
        encoding = stages.pop("encoding images")  # it comes after
        whole = np.sum(list(stages.values()), axis=0)
        alone = whole - stages["reading images"]
        share = f"{alone[0] / whole[0]:.0%}, by CPU time {alone[1] / whole[1]:.0%}"
        cells = (f"{n:,}", f"{whole[0]:.0f}", f"{whole[1]:.0f}", f"{stages['reading images'][0]:.1f} s", share)
        print(f"| {kind} | " + " | ".join(cells) + " |", flush=True)
        print(f"encoding all of them afterwards took {encoding[0]:.1f} s", flush=True)


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def _ten_thousand(data: Path) -> list[Path]:
    """Return 10,000 files of the sets that hold photos or crops of some size."""
    names = (*PHOTOS, "blood_cells", "sign_digits")
    files = [one for name in names for one in sorted((data / name / "images").rglob("*")) if one.is_file()]
    chosen = np.random.default_rng(0).permutation(len(files))[:10_000]
    return [files[at] for at in np.sort(chosen)]
