"""Learning the dictionary of the default encoder: patches, their whitening, their centroids, and a projection.

A k-means dictionary is a sparse autoencoder without back-propagation (Coates, Ng and Lee, AISTATS 2011): seconds of
FAISS, and on images this small better than minutes of gradients. The projection then learns what about an image does
not matter, from views of it: also in closed form.
"""

from __future__ import annotations

import faiss
import numpy as np
import torch
from torch import Tensor

from annotate_select.features.guided import UNLABELLED, stretch
from annotate_select.features.images import Images
from annotate_select.features.network import AutoencoderConfig, DictionaryEncoder, contrasts
from annotate_select.features.views import augmented, is_grey
from annotate_select.progress import Progress

__all__ = ["components", "guided_components", "learn", "reduced", "shifts", "steadied"]

MOST_PATCHES = 100_000  # 250 for each of 400 atoms
MOST_CODED = 10_000  # images that decide the projection
BATCH = 256  # images read at once
SMOOTHING = 0.1  # added to each variance of patches of variance 1, so that noise is not blown up with detail
SILENT = 0.75  # of all answers lie below the threshold
SHRINKAGE = 0.01  # share of the mean variance added to each direction of the latent, for the same reason
EVENED = 1 / 3  # of the differences in variance between directions: 0 keeps all, 1 whitens
STEADIED = 0.75  # the same for how far views of an image move: see benchmarks/FEATURES.md
MOST_REDUCED = 4000  # images that decide which directions are looked at
MOST_MOVED = 4000  # views that decide what is evened out
VIEWS_EACH = 8  # of an image at most, where images are few
DAMPING = 0.1  # share of the mean movement added to each direction, so that those hardly seen do not blow up
WIDE = 512  # directions in which movement is looked at, at most
EACH = 4  # images for each, beyond those kept: more would be these images' own, and others hardly differ along them
ROUNDS = 12  # of k-means: later ones move hardly an atom
WIDER = 4  # times as many directions as are kept, where labels decide which are
LONGER = 2.0  # times as long, and once more, as directions that foresee every label become

Affine = tuple[np.ndarray, np.ndarray]  # weight (k, c) and bias (k,)


def learn(
    encoder: DictionaryEncoder,
    images: Images,
    rows: np.ndarray,
    config: AutoencoderConfig,
    progress: Progress,
    labels: np.ndarray | None = None,
) -> None:
    """Fill the encoder in place from these rows of the images, on its own device.

    Where the images differ in nothing, the encoder answers 0 to all. The config says what may change about an image
    (`views`), how much that counts (`invariance`, 0 is not at all), how much labels do (`supervised`), and the seed.
    `labels` (n,) are of all images, -1 for none, and all of them count; see guided.py.
    """
    rng = np.random.default_rng(config.seed)
    _learn_atoms(encoder, _patches(encoder, images, rows, rng, progress), config.seed)
    chosen = np.sort(rng.permutation(rows)[:MOST_CODED])
    if labels is not None:
        chosen = np.union1d(chosen, np.flatnonzero(labels != UNLABELLED))
    dim = encoder.project.out_features
    most = max(dim, min(WIDE, len(chosen) // EACH))
    (wide, shift), points = reduced(encoder, images, chosen, most, config.seed, progress)
    evened = EVENED
    if config.invariance > 0:
        moved = shifts(encoder, images, points, chosen, (wide, shift), config, progress)
        turn = steadied(moved, STEADIED * config.invariance)
        points, wide, shift, evened = points @ turn, turn @ wide, turn @ shift, 0.0  # evened out enough
    if labels is None:
        weight, bias = components(points, dim, config.seed, evened)
    else:
        told = labels[chosen]
        weight, bias = guided_components(points, told, dim, config.seed, LONGER * config.supervised, evened)
    encoder.project.weight.copy_(torch.from_numpy(weight @ wide))
    encoder.project.bias.copy_(torch.from_numpy(bias + weight @ shift))


def steadied(moved: np.ndarray, share: float) -> np.ndarray:
    """Return a symmetric matrix (k, k) after which views of an image move nearly equally far in every direction.

    `moved` (m, k) are differences between a view's point and its image's. So what a change of crop, light or colour
    moves counts less than what it leaves. Movement loses the `share` of its logarithms: with 1 this is within-class
    covariance normalisation (Hatch, Kajarekar and Stolcke, Interspeech 2006), each image a class of its own, and what
    VICReg strives for where the encoder is linear (Balestriero and LeCun, NeurIPS 2022).
    """
    steps = moved.astype(np.float64)
    spread, axes = np.linalg.eigh(steps.T @ steps / max(1, len(steps)))
    if not spread.sum() > 0:
        return np.eye(moved.shape[1], dtype=np.float32)  # nothing moves: images of one colour
    scale = (spread.clip(min=0) / spread.mean() + DAMPING) ** (-share / 2)
    return np.asarray((axes * scale) @ axes.T, dtype=np.float32)


def reduced(
    encoder: DictionaryEncoder, images: Images, rows: np.ndarray, dim: int, seed: int, progress: Progress
) -> tuple[Affine, np.ndarray]:
    """Return weight (k, c) and bias (k,) that keep the most of codes, k at most `dim`, and the rows' points (n, k).

    Some thousands of rows decide it: codes of all would take half a gigabyte.
    """
    first = np.linspace(0, len(rows) - 1, min(len(rows), MOST_REDUCED)).round().astype(np.int64)
    codes = _coded(encoder, images, rows[first], None, progress)
    found = components(codes, min(dim, *codes.shape), seed, evened=0.0)
    points = np.empty((len(rows), len(found[1])), np.float32)
    points[first] = codes @ found[0].T + found[1]
    rest = np.setdiff1d(np.arange(len(rows)), first)
    points[rest] = _coded(encoder, images, rows[rest], found, progress)
    return found, points


def _coded(
    encoder: DictionaryEncoder, images: Images, rows: np.ndarray, reduce: Affine | None, progress: Progress
) -> np.ndarray:
    """Return the codes (m, c) of these rows, or what is left of them (m, k)."""
    width = encoder.project.in_features if reduce is None else len(reduce[1])
    codes = np.empty((len(rows), width), np.float32)
    for start in range(0, len(rows), BATCH):
        part = images.batch(rows[start : start + BATCH]).to(encoder.filters.device)
        codes[start : start + len(part)] = _code(encoder, part, reduce)
        progress("learning a dictionary", start + len(part), len(rows), "projection")
    return codes


def _code(encoder: DictionaryEncoder, part: Tensor, reduce: Affine | None) -> np.ndarray:
    with torch.no_grad():
        codes = np.asarray(encoder.code(part).cpu().numpy())
    return codes if reduce is None else codes @ reduce[0].T + reduce[1]


def shifts(
    encoder: DictionaryEncoder,
    images: Images,
    points: np.ndarray,
    rows: np.ndarray,
    reduce: Affine,
    config: AutoencoderConfig,
    progress: Progress,
) -> np.ndarray:
    """Return how far views lie from their images, whose reduced points (n, k) are those of these rows: (m, k)."""
    generator = torch.Generator().manual_seed(config.seed)
    spread = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_MOVED)).round().astype(np.int64))
    asked = np.tile(spread, min(VIEWS_EACH, -(-MOST_MOVED // len(spread))))[:MOST_MOVED]
    grey = is_grey(images.batch(rows[spread[:BATCH]]))
    moved = np.empty((len(asked), points.shape[1]), np.float32)
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        changed = augmented(images.batch(rows[part]).to(encoder.filters.device), generator, config.views, grey)
        moved[start : start + len(part)] = _code(encoder, changed, reduce) - points[part]
        progress("learning a dictionary", start + len(part), len(asked), "views")
    return moved


def components(codes: np.ndarray, dim: int, seed: int, evened: float = EVENED) -> tuple[np.ndarray, np.ndarray]:
    """Return weight (dim, c) and bias (dim,) that turn codes (n, c) into principal components, partly evened out.

    Strong directions drown what weak ones know, and evened out entirely, weak ones drown it all in noise: neighbours
    among thousands of labels like the one, few labels the other. Variances lose the share `evened` of their logarithms,
    and 1 is their mean. Directions that the codes do not have stay 0.
    """
    from sklearn.utils.extmath import randomized_svd  # a quarter of what all modules here take to load

    mean = codes.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = codes - mean
    rank = min(dim, *codes.shape)
    _, singular, axes = randomized_svd(centred, rank, n_iter=4, power_iteration_normalizer="QR", random_state=seed)
    variance = singular.astype(np.float64) ** 2 / len(codes)  # (rank,)
    weight = np.zeros((dim, codes.shape[1]), np.float32)
    if variance.sum() > 0:
        scale = (variance + SHRINKAGE * variance.mean()) ** (-evened / 2)
        scale /= np.sqrt((variance * scale**2).sum() / dim)
        weight[:rank] = axes * scale[:, None]
    return weight, -weight @ mean


def guided_components(
    codes: np.ndarray, labels: np.ndarray, dim: int, seed: int, weight: float, evened: float = EVENED
) -> tuple[np.ndarray, np.ndarray]:
    """Return `components` of which labels (n,), -1 for none, have stretched some, and decided which are kept."""
    wide, bias = components(codes, WIDER * dim, seed, evened)
    turn = stretch(codes @ wide.T + bias, labels, weight, dim)  # (4 dim, dim)
    found = turn.T @ wide
    spread = float((codes @ found.T.astype(np.float32)).var(axis=0, dtype=np.float64).mean())
    scale = 1 / np.sqrt(spread) if spread > 0 else 1.0
    return (scale * found).astype(np.float32), (scale * (turn.T @ bias)).astype(np.float32)


def _patches(
    encoder: DictionaryEncoder, images: Images, rows: np.ndarray, rng: np.random.Generator, progress: Progress
) -> np.ndarray:
    """Return at most MOST_PATCHES patches (m, 3 p p) of mean 0 and variance near 1, from as many images as can be."""
    chosen = np.sort(rng.permutation(rows)[:MOST_PATCHES])
    share = MOST_PATCHES / len(chosen)
    found: list[np.ndarray] = []
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        found.append(_cut(images.batch(part).numpy(), encoder.patch, round(share * len(part)), rng))
        progress("learning a dictionary", start + len(part), len(chosen), "patches")
    patches = torch.from_numpy(np.concatenate(found))  # (m, 3, p, p)
    mean, deviation = contrasts(patches, encoder.patch, 1)  # (m, 1, 1, 1) each
    return ((patches - mean) / deviation).flatten(1).numpy()


def _cut(images: np.ndarray, patch: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` patches (m, 3, p, p) at random places of images (b, 3, H, W); of few places, all of them once."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (patch, patch), axis=(2, 3))  # (b, 3, h, w, p, p)
    shape = (windows.shape[0], *windows.shape[2:4])
    total = int(np.prod(shape))
    places = rng.choice(total, count, replace=False) if count < total else np.arange(total)
    one, top, left = np.unravel_index(places, shape)
    return windows[one, :, top, left]


def _learn_atoms(encoder: DictionaryEncoder, patches: np.ndarray, seed: int) -> None:
    """Whiten the patches (m, 3 p p), cluster their directions, and fold both into filters and a threshold."""
    mean = patches.mean(axis=0)
    whitening = _whitening(patches - mean)
    directions = (patches - mean) @ whitening
    directions = directions[np.linalg.norm(directions, axis=1) > 1e-6]
    atoms = min(encoder.filters.shape[0], len(directions))
    if atoms == 0:
        return
    centroids = _centroids(directions, atoms, seed)  # (atoms, 3 p p)
    answers = np.abs(directions[:: max(1, len(directions) // 5000)] @ centroids.T)
    filters = centroids @ whitening
    offset = filters @ mean + np.quantile(answers, SILENT)
    filters -= filters.mean(axis=1, keepdims=True)  # so that a patch's own mean need not be taken away
    encoder.threshold[:atoms].copy_(torch.from_numpy(offset.astype(np.float32)))
    shaped = filters.reshape(atoms, 3, encoder.patch, encoder.patch).astype(np.float32)
    encoder.filters[:atoms].copy_(torch.from_numpy(shaped))


def _whitening(centred: np.ndarray) -> np.ndarray:
    """Return the symmetric matrix that gives patches (m, d) equal variance in every direction (ZCA)."""
    variance, axes = np.linalg.eigh((centred.T @ centred / len(centred)).astype(np.float64))
    return np.asarray((axes / np.sqrt(variance.clip(min=0) + SMOOTHING)) @ axes.T, dtype=np.float32)


def _centroids(directions: np.ndarray, atoms: int, seed: int) -> np.ndarray:
    unit = np.ascontiguousarray(directions / np.linalg.norm(directions, axis=1, keepdims=True), dtype=np.float32)
    means = faiss.Kmeans(
        unit.shape[1],
        atoms,
        niter=ROUNDS,
        seed=seed % 2**31,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=MOST_PATCHES,
    )
    means.train(unit)
    return np.asarray(means.centroids)
