"""Learning the dictionary of the default encoder: patches, their whitening, their centroids, and a projection.

A k-means dictionary is a sparse autoencoder without back-propagation (Coates, Ng and Lee, AISTATS 2011): seconds of
FAISS, and on images this small better than minutes of gradients.
"""

from __future__ import annotations

import faiss
import numpy as np
import torch

from annotate_select.features.guided import UNLABELLED, stretch
from annotate_select.features.images import Images
from annotate_select.features.network import DictionaryEncoder, contrasts
from annotate_select.progress import Progress

__all__ = ["components", "guided_components", "learn"]

MOST_PATCHES = 100_000  # 250 for each of 400 atoms
MOST_CODED = 10_000  # images that decide the projection
BATCH = 256  # images read at once
SMOOTHING = 0.1  # added to each variance of patches of variance 1, so that noise is not blown up with detail
SILENT = 0.75  # of all answers lie below the threshold
SHRINKAGE = 0.01  # share of the mean variance added to each direction of the latent, for the same reason
EVENED = 1 / 3  # of the differences in variance between directions: 0 keeps all, 1 whitens
ROUNDS = 12  # of k-means: later ones move hardly an atom
WIDER = 4  # times as many directions as are kept, where labels decide which are
LONGER = 2.0  # times as long, and once more, as directions that foresee every label become


def learn(
    encoder: DictionaryEncoder,
    images: Images,
    rows: np.ndarray,
    seed: int,
    progress: Progress,
    labels: np.ndarray | None = None,
    supervised: float = 1.0,
) -> None:
    """Fill the encoder in place from these rows of the images, on its own device.

    Where the images differ in nothing, the encoder answers 0 to all. `labels` (n,) are of all images, -1 for none, and
    all of them count; see guided.py.
    """
    rng = np.random.default_rng(seed)
    _learn_atoms(encoder, _patches(encoder, images, rows, rng, progress), seed)
    chosen = np.sort(rng.permutation(rows)[:MOST_CODED])
    if labels is not None:
        chosen = np.union1d(chosen, np.flatnonzero(labels != UNLABELLED))
    codes = np.empty((len(chosen), encoder.project.in_features), np.float32)
    device = encoder.filters.device
    with torch.no_grad():
        for start in range(0, len(chosen), BATCH):
            part = images.batch(chosen[start : start + BATCH]).to(device)
            codes[start : start + len(part)] = encoder.code(part).cpu().numpy()
            progress("learning a dictionary", start + len(part), len(chosen), "projection")
    dim = encoder.project.out_features
    if labels is None:
        weight, bias = components(codes, dim, seed)
    else:
        weight, bias = guided_components(codes, labels[chosen], dim, seed, LONGER * supervised)
    encoder.project.weight.copy_(torch.from_numpy(weight))
    encoder.project.bias.copy_(torch.from_numpy(bias))


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
    codes: np.ndarray, labels: np.ndarray, dim: int, seed: int, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return `components` of which labels (n,), -1 for none, have stretched some, and decided which are kept."""
    wide, bias = components(codes, WIDER * dim, seed)
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
