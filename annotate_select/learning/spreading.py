"""A linear classifier that also listens to its surroundings: labels passed on along look-alikes among all images.

Where labels are few, images that nobody labelled say much: which of them belong together. Labels spread along the
graph of nearest neighbours (Zhou et al., "Learning with local and global consistency", NIPS 2003), and an image that
the graph does not have, a new one, hears what its nearest neighbours there were told. The logits of both are added.
Who is near is judged after soft whitening, so that a few directions do not decide alone. Images without labels also
show which labels stand for many of them and which for few, as picked ones do, and so how much each counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from annotate_select.chains import NEIGHBOURS, SHORTEST, passed_on, reach_from
from annotate_select.learning.calibration import PRIOR_SPREAD, fit_temperature, log_loss, softmax
from annotate_select.learning.softmax_regression import Linear
from annotate_select.learning.whitening import principal, soft_whitening, unit

if TYPE_CHECKING:
    from annotate_select.learning.learners import Choice

__all__ = ["NODES", "Spreading", "Surroundings", "listening", "surroundings"]

NODES = 4000  # images in the graph: more cost with the cube of their number
MOST_TOLD = 2000  # of them labelled
LEAST = 1e-4  # share of a class that hardly a label reached: told by few, it is not impossible
PARTS = (0.5, 0.25, 0.75, 0.0)  # of the logits that are the neighbours'; the first unless labels clearly say otherwise
CLEARLY = 1.0  # nats that all held-out labels together must gain
SAID = 1e-7  # least probability that is told from 0
BLOCK = 2**21  # products, or differences, held at a time: 16 MB
FEW = 100  # labels of a class: with fewer they are weighed more alike
SPARE = 4  # neighbours more than are asked for, since rounding may change places


@dataclass(frozen=True, eq=False)
class Spreading(Linear):
    """Weights (d, K) and bias (K,) of the linear classifier, and what its surroundings were told.

    `nodes` (m, r) are images in `basis` (d, r), which whitens softly where that helps, of length 1; `shares` (m, K)
    those of the classes in the labels that reached them, and `part` (1,) how much of the logits is theirs.
    """

    basis: np.ndarray
    nodes: np.ndarray
    shares: np.ndarray
    part: np.ndarray

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes that fit the rows of the weights, the bias, and the nodes."""
        m, r = self.nodes.shape if self.nodes.ndim == 2 else (0, 0)
        arrays = {"basis": (self.dim, r), "nodes": (max(m, 1), max(r, 1)), "shares": (m, self.bias.size), "part": (1,)}
        return {**super().shapes(), **arrays}

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return the logits (n, K) of rows (n, d): of the linear classifier, and of what their neighbours were told."""
        straight, part = super().logits(features), float(self.part[0])
        if not part:
            return straight
        return np.asarray((1 - part) * straight + part * np.log(np.maximum(self.heard(features), LEAST)))

    def slopes(self, row: np.ndarray) -> np.ndarray:
        """Return how each logit changes (d, K) where a row (d,) moves among the same neighbours."""
        straight, part = super().slopes(row), float(self.part[0])
        inside = row @ self.basis.astype(np.float64)  # (r,)
        length = float(np.linalg.norm(inside))
        if not part or not length:
            return (1 - part) * straight
        unit, (rows, squared, weights) = inside / length, self._around(row[None])
        nodes, told = self.nodes[rows[0]].astype(np.float64), self.shares[rows[0]].astype(np.float64)
        width = max(squared[0, -1], SHORTEST**2)
        turns = 2 * nodes / width  # (k, r) of the logarithms of the weights
        if width > SHORTEST**2:
            turns -= 2 * nodes[-1] * squared[0][:, None] / width**2
        heard = weights[0] @ told  # (K,)
        by = weights[0][:, None] * (told / np.maximum(heard, LEAST) - 1) * (heard > LEAST)  # (k, K)
        moved = turns.T @ by  # (r, K)
        moved = (moved - np.outer(unit, unit @ moved)) / length
        return np.asarray((1 - part) * straight + part * self.basis.astype(np.float64) @ moved)

    def only(self, seen: np.ndarray) -> Self:
        """Return it for some of its classes (K,) bool."""
        return replace(super().only(seen), shares=self.shares[:, seen])

    def spread(self, seen: np.ndarray) -> Self:
        """Return it with a place for every class (C,)."""
        shares = np.zeros((len(self.shares), len(seen)), dtype=self.shares.dtype)
        shares[:, seen] = self.shares
        return replace(super().spread(seen), shares=shares)

    def heard(self, features: np.ndarray) -> np.ndarray:
        """Return the shares (n, K) of the nearest nodes of rows (n, d), the nearer ones counting more."""
        rows, _, weights = self._around(features)
        return np.asarray(np.einsum("nk,nkc->nc", weights, self.shares[rows]))

    def _around(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the nearest nodes of rows (n, d), how far they are, squared, and how much each counts; all (n, k)."""
        rows, cosines = _nearest(self.nodes, NEIGHBOURS, unit(features.astype(np.float32) @ self.basis))
        squared = np.maximum(2 - 2 * cosines, 0.0)
        weights = np.exp(-squared / np.maximum(squared[:, -1:], SHORTEST**2))
        return rows, squared, weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around labelled images in directions `x` (l, d): a graph of some of them and of images without labels.

    `nodes` (m, r) are directions in `basis` (d, r), which shortens the few that hold nearly all, of length 1, those of
    the labels `told` (t,) first; `kernel` (m, t) is how well these stand for each, and `near` (l,) how many of the
    others are nearest to each label.
    """

    x: np.ndarray
    basis: np.ndarray
    nodes: np.ndarray
    told: np.ndarray
    kernel: np.ndarray
    near: np.ndarray

    def weighed(self, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return weights (l,) of labels (l,), each class as heavy as before, where labels count that many are near.

        Picked labels are no fair sample of the pool: where it is in doubt they crowd. A label that stands for m images,
        itself among them, counts m ** (a / (a + FEW)) where its class has a labels, the root of m at most. These are
        importance weights, flattened as by Shimodaira ("Improving predictive inference under covariate shift", 2000),
        since few labels cannot bear the variance that they bring.
        """
        sizes = np.bincount(y)
        found = weights * (self.near + 1.0) ** np.minimum(0.5, sizes / (sizes + FEW))[y]
        return np.asarray(found * (np.bincount(y, weights) / np.bincount(y, found))[y])


def surroundings(x: np.ndarray, y: np.ndarray, around: np.ndarray, seed: int) -> Surroundings:
    """Return what lies around directions (l, d) with labels (l,).

    `around` (u, d) are directions of images without labels, of which as many are taken as the graph has room for.
    """
    rng = np.random.default_rng(seed)
    told = _some_of_each(y, rng)
    beside = np.sort(rng.permutation(len(around))[: NODES - len(told)])
    points = np.concatenate([x[told], around[beside]]).astype(np.float32)
    basis = principal(points, seed)
    whitened = soft_whitening(unit(points @ basis))
    basis = basis if whitened is None else basis @ whitened
    nodes = unit(points @ basis)
    kernel = reach_from(*_nearest(nodes, NEIGHBOURS + 1, nodes), np.arange(len(told)))
    nearest = _nearest(unit(x.astype(np.float32) @ basis), 1, nodes[len(told) :])[0][:, 0]
    return Surroundings(x, basis, nodes, told, kernel, np.bincount(nearest, minlength=len(y)))


def listening(
    linear: Linear,
    chosen: Choice,
    near: Surroundings,
    y: np.ndarray,
    weights: np.ndarray,
    folds: np.ndarray,
) -> tuple[Spreading, Choice]:
    """Let a linear classifier listen to its surroundings; return both, and what was said of held-out labels now.

    Labels (l,) below K, weights (l,) and folds (l,) are as for `best_strength`, whose `chosen` is. How much is the
    neighbours', and the temperature, are what makes held-out labels likeliest.
    """
    told, n_classes = near.told, linear.bias.size
    spreading = Spreading(
        linear.weights / chosen.temperature,
        linear.bias / chosen.temperature,
        near.basis,
        near.nodes,
        passed_on(near.kernel, y[told], n_classes).astype(np.float32),
        np.array(PARTS[:1]),
    )
    held = ~np.isnan(chosen.held_out).any(axis=1)
    if not held.any():
        return spreading, replace(chosen, temperature=1.0)
    heard = np.zeros((len(y), n_classes))
    for fold in np.unique(folds[held]).tolist():
        others, inside = folds[told] != fold, folds == fold
        shares = passed_on(near.kernel[:, others], y[told][others], n_classes)
        heard[inside] = replace(spreading, shares=shares).heard(near.x[inside])
    straight, heard = np.log(np.maximum(chosen.held_out, SAID)), np.log(np.maximum(heard, LEAST))
    part, temperature = _best_part(straight[held], heard[held], y[held], weights[held])
    found = softmax((1 - part) * straight + part * heard, temperature)
    accuracy = float((found[held].argmax(axis=1) == y[held]).mean())
    found = np.where(held[:, None], found, np.nan)
    told_by = replace(spreading, part=np.array([part]))
    return told_by, replace(chosen, temperature=temperature, accuracy=accuracy, held_out=found)


def _some_of_each(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the positions (t,), ascending, of MOST_TOLD labels (l,): all of a class, or as many as of the others."""
    drawn = rng.permutation(len(y))
    by_class = np.argsort(y[drawn], kind="stable")
    sizes = np.bincount(y)
    places = np.empty(len(y), dtype=np.int64)  # the how-maniest of its class
    places[by_class] = np.arange(len(y)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(drawn[np.argsort(places, kind="stable")[:MOST_TOLD]])


def _best_part(straight: np.ndarray, heard: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return the part of the neighbours' logits (h, K), of PARTS, and the temperature that suit labels (h,) best."""
    best, least = (PARTS[0], 1.0), np.inf
    for part in PARTS:
        logits = (1 - part) * straight + part * heard
        temperature = fit_temperature(logits, y, weights)
        doubt = (np.log(temperature) / PRIOR_SPREAD) ** 2 / 2
        cost = len(y) * log_loss(logits, y, weights, temperature) + doubt + CLEARLY * (part != PARTS[0])
        if cost < least:
            best, least = (part, temperature), cost
    return best


def _nearest(nodes: np.ndarray, k: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nodes (m, r) nearest to rows (n, r), the nearest first, and their cosines; both (n, k).

    A few more than k are found by products in single precision, and the nearest of them in double. scikit-learn is
    hardly faster, and takes longer to load than most models to train.
    """
    whole, k = len(nodes), min(k, len(nodes))
    wide = min(k + SPARE, whole)
    found, cosines = np.empty((len(rows), k), dtype=np.int64), np.empty((len(rows), k))
    half = np.einsum("ij,ij->i", nodes, nodes) / 2
    for start in range(0, len(rows), step := max(1, BLOCK // max(whole, wide * nodes.shape[1]))):
        block = rows[start : start + step]
        near = block @ nodes.T  # (b, m)
        near -= half  # the larger, the nearer
        at = np.argpartition(near, whole - wide, axis=1)[:, whole - wide :]
        apart = nodes[at].astype(np.float64) - block[:, None]  # (b, wide, r)
        squared = np.einsum("bkr,bkr->bk", apart, apart)
        order = np.lexsort((at, squared), axis=1)[:, :k]
        found[start : start + step] = np.take_along_axis(at, order, axis=1)
        cosines[start : start + step] = 1 - np.take_along_axis(squared, order, axis=1) / 2
    return found, cosines
