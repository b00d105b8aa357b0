"""Whether a space is worth selecting in: measures that need no label, and accuracy where some labels are there.

All take features (n, d) and look at no more than some thousands of rows; the caller samples.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.errors import FeaturesError
from annotate_select.words import counted

__all__ = [
    "FEWEST_IMAGES",
    "FEWEST_LABELS",
    "Health",
    "agreement",
    "effective_rank",
    "hubness",
    "neighbour_accuracy",
    "unit",
]

FEWEST_LABELS = 50  # fewer, and an accuracy says more about luck than about the space
NEIGHBOURS = 10
VOTERS = 20
FEWEST_IMAGES = 3  # of fewer, nobody has neighbours to keep or to lose
FLAT = 0.15  # share of the dimensions in use below which a space is called flat
HUBS = 3.0  # skewness from which a few images are neighbours of nearly all
STEADY, SHAKY = 0.5, 0.2  # agreement of neighbours: above and below


@dataclass(frozen=True)
class Health:
    """What was measured on a sample of `images`; accuracies are None below FEWEST_LABELS labels, or where flattered."""

    images: int
    dim: int
    effective_rank: float
    hubness: float
    agreement: float | None = None  # None where images cannot be changed (features made of others), or told apart
    labels: int = 0
    accuracy: float | None = None  # of neighbours
    pixel_accuracy: float | None = None  # the same among principal components of pixels
    linear_accuracy: float | None = None  # of a linear model on labels held out
    pixel_linear_accuracy: float | None = None
    saw_labels: bool = False  # so that neighbours among the labelled would flatter

    def figures(self) -> dict[str, object]:
        """Return all figures as JSON values."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Say what the figures mean, one thing a sentence."""
        if self.images < FEWEST_IMAGES:
            return [f"{counted(self.images, verbs=('is', 'are'))} too few to judge a space by."]
        if self.effective_rank == 0:
            return [f"All {self.images} images have the same features: nothing tells them apart; use another encoder."]
        most = min(self.dim, self.images - 1)  # so many images, less their mean, span no more
        shown = f"{self.dim} dimensions" if most == self.dim else f"the {most} dimensions that so few images can show"
        said = [
            f"{self.effective_rank:.0f} of {shown} are in use"
            + (": few, so distances may miss what tells classes apart." if self.effective_rank < FLAT * most else ".")
        ]
        if self.hubness > HUBS:
            said.append(
                f"A few images are neighbours of very many (hubness {self.hubness:.1f}): picks may repeat them."
            )
        else:
            said.append(f"No image is everybody's neighbour (hubness {self.hubness:.1f}).")
        if self.agreement is not None:
            share = f"{100 * self.agreement:.0f} % of an image's neighbours stay when it is cropped and recoloured"
            much = "good" if self.agreement >= STEADY else "fair" if self.agreement >= SHAKY else "poor"
            said.append(f"{share}: {much}.")
        here, there = (self.accuracy, self.linear_accuracy), (self.pixel_accuracy, self.pixel_linear_accuracy)
        for who, own, of_pixels in zip(("Neighbours name", "A linear model names"), here, there, strict=True):
            if own is not None and of_pixels is not None:
                said.append(
                    f"{who} the class of {100 * own:.0f} % of {counted(self.labels, 'labelled image')}, "
                    f"among principal components of pixels {100 * of_pixels:.0f} %"
                    + (": no better." if own <= of_pixels else ".")
                )
        if self.saw_labels:
            said.append("Labels had a part in this space: only the exam can tell how well it knows classes.")
        return said


def effective_rank(features: np.ndarray) -> float:
    """Return how many dimensions the features really use, from 1 to d; 0 where all are equal.

    RankMe (Garrido et al., ICML 2023, eq. 3), the exponential of the entropy of the singular values, of centred
    features: an offset that all share tells nothing apart.
    """
    centred = features - features.mean(axis=0, dtype=np.float64)
    singular = np.linalg.svd(centred, compute_uv=False)
    if not singular.sum() > 1e-9 * max(1.0, float(np.abs(features).max())):
        return 0.0
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def hubness(features: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Return the skewness of how often each row is among the k nearest of others; 0 is even, above 3 a few hubs.

    Radovanovic et al., "Hubs in space", JMLR 2010, eq. 1.
    """
    n = len(features)
    if n < 3:
        return 0.0
    near = _nearest(unit(features), unit(features), min(k, n - 1), skip_self=True)
    counts = np.bincount(near.ravel(), minlength=n)
    deviation = counts.std()
    return float((((counts - counts.mean()) / deviation) ** 3).mean()) if deviation > 0 else 0.0


def agreement(features: np.ndarray, changed: np.ndarray, k: int = NEIGHBOURS) -> float:
    """Return the share (0..1) of an image's k nearest others that stay when the image itself is changed.

    `changed` (n, d) are features of the same images, cropped and recoloured; the others stay as they are. What chance
    would give is taken away, so 0 is chance and 1 is perfect.
    """
    n = len(features)
    if features.shape != changed.shape:
        raise FeaturesError(
            f"features are {features.shape}, those of the changed images {changed.shape}; both must fit"
        )
    if n < 3:
        return 1.0
    k = min(k, max(1, (n - 1) // 2))
    pool = unit(features)
    before = _nearest(pool, pool, k, skip_self=True)
    after = _nearest(unit(changed), pool, k, skip_self=True)
    common = sum(len(np.intersect1d(one, other)) for one, other in zip(before, after, strict=True))
    stay = common / before.size
    chance = k / (n - 1)
    return max(0.0, (stay - chance) / (1 - chance))


def neighbour_accuracy(features: np.ndarray, labels: np.ndarray, k: int = VOTERS) -> float:
    """Return the share of labelled rows whose k nearest labelled others agree on their class by majority.

    A class has no more say than it has labels: k is at most the mean number of labels a class.
    """
    sizes = np.bincount(labels)
    k = max(1, min(k, int(len(labels) / np.count_nonzero(sizes)), len(labels) - 1))
    points = unit(features)
    votes = np.zeros((len(labels), len(sizes)))
    near = _nearest(points, points, k, skip_self=True)
    np.add.at(votes, (np.arange(len(labels))[:, None], labels[near]), 1)
    return float((votes.argmax(axis=1) == labels).mean())


def unit(features: np.ndarray) -> np.ndarray:
    """Return rows of length 1, float32; rows of zeros stay."""
    features = np.asarray(features, dtype=np.float64)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1.0), dtype=np.float32)


def _nearest(points: np.ndarray, pool: np.ndarray, k: int, *, skip_self: bool) -> np.ndarray:
    """Return the k rows (n, k) of the pool with the largest cosine to each of points (n, d), not the row itself."""
    cosine = points @ pool.T
    if skip_self:
        np.fill_diagonal(cosine, -2.0)
    return np.argpartition(-cosine, k - 1, axis=1)[:, :k]
