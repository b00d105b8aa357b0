"""Does a model lean on nuisances: how far they alone get, and how it does where they point to another class.

A probe, trees on all nuisances together, is cross-validated against the label. Where the probe is wrong, nuisances
speak for another class than the label. If the model is right less often there, among images of the same class, it leans
on them, or these images are harder for another reason; the difference within classes is that of Mantel and Haenszel
with Sato's variance (Greenland and Robins, 1985; Sato, Biometrics 45, 1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from annotate_select.trust.intervals import Interval
from annotate_select.trust.nuisances import GROUP, Nuisance

__all__ = ["Leaning", "leaning", "probe"]

FOLDS = 5
TREES = 100
MOST_VALUES = 20  # of a category that the probe is told
FEWEST = 10  # images that the probe gets right, and that it gets wrong
LARGEST = 1e38  # a number that float32 holds
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Leaning:
    """What a probe and a model get right of `n` images, every class counting the same, and chance.

    `explained` is the part of what the model knows beyond chance that the probe knows, too, at most 1. `with_it` and
    `against_it` are the model's plain accuracy where the probe is right and where it is wrong; `difference` is theirs
    within classes, with a 95 % interval; None where there are too few images for it.
    """

    n: int
    probe: float
    model: float
    chance: float
    explained: float
    n_against: int
    with_it: float | None
    against_it: float | None
    difference: float | None
    interval: Interval | None

    @property
    def leans(self) -> bool:
        """Say whether the model does worse where the nuisances point elsewhere, beyond luck."""
        return self.interval is not None and self.interval.low > 0

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "leans": self.leans}


def probe(
    nuisances: Sequence[Nuisance], labels: np.ndarray, groups: np.ndarray | None = None, *, seed: int = 0
) -> np.ndarray:
    """Return the class (n,) that all nuisances but the group together say of each image, held out with its group."""
    from sklearn.ensemble import ExtraTreesClassifier

    table = _table([one for one in nuisances if one.name != GROUP], len(labels))
    units = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    folds = rng.permutation(int(units.max()) + 1)[units] % FOLDS
    found = np.full(len(labels), -1, dtype=np.int64)
    for fold in range(FOLDS):
        out, learned = folds == fold, folds != fold
        if out.any() and learned.any():
            trees = ExtraTreesClassifier(TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed)
            found[out] = trees.fit(table[learned], labels[learned]).predict(table[out])
    return found


def leaning(labels: np.ndarray, said: np.ndarray, predicted: np.ndarray) -> Leaning:
    """Compare a probe's classes `said` (n,) and a model's `predicted` (n,), neither of which learned from these labels.

    `labels` (n,) are class numbers.
    """
    right, agrees = predicted == labels, said == labels
    chance = 1 / len(np.unique(labels))
    of_probe, of_model = _balanced(labels, agrees), _balanced(labels, right)
    beyond = of_model - chance
    explained = float(np.clip((of_probe - chance) / beyond, 0.0, 1.0)) if beyond > 0 else 0.0
    n_against = int((~agrees).sum())
    found = _within(labels, right, agrees) if min(n_against, int(agrees.sum())) >= FEWEST else None
    return Leaning(
        n=len(labels),
        probe=of_probe,
        model=of_model,
        chance=chance,
        explained=explained,
        n_against=n_against,
        with_it=float(right[agrees].mean()) if found else None,
        against_it=float(right[~agrees].mean()) if found else None,
        difference=found[0] if found else None,
        interval=found[1] if found else None,
    )


def _within(labels: np.ndarray, right: np.ndarray, agrees: np.ndarray) -> tuple[float, Interval] | None:
    """Return the difference of accuracies within classes, and its interval; None where no class has both kinds."""
    total = weight = p = q = 0.0
    for one in np.unique(labels):
        mine, theirs = right[(labels == one) & agrees], right[(labels == one) & ~agrees]
        m, k = len(mine), len(theirs)
        if not m or not k:
            continue
        a, b, n = int(mine.sum()), int(theirs.sum()), m + k
        total += (a * k - b * m) / n
        weight += m * k / n
        p += (m * m * b - k * k * a + m * k * (k - m) / 2) / n**2
        q += (a * (k - b) + b * (m - a)) / (2 * n)
    if not weight:
        return None
    difference = total / weight
    reach = Z * sqrt(max(0.0, difference * p + q)) / weight
    return difference, Interval(max(-1.0, difference - reach), min(1.0, difference + reach))


def _balanced(labels: np.ndarray, right: np.ndarray) -> float:
    return float(np.mean([right[labels == one].mean() for one in np.unique(labels)]))


def _table(nuisances: Sequence[Nuisance], n: int) -> np.ndarray:
    """Return nuisances as columns (n, k) float64 that trees can cut, what is missing below all."""
    columns = [np.zeros((n, 1))]
    for one in nuisances:
        if one.kind == "category":
            common = np.argsort(-np.bincount(one.values + 1, minlength=len(one.names) + 1), kind="stable")[:MOST_VALUES]
            columns.append((one.values[:, None] + 1 == common).astype(np.float64))
        else:
            values = one.values.reshape(n, -1)
            columns.append(np.where(np.isfinite(values), _narrowed(values), -1e9))
    return np.concatenate(columns, axis=1)


def _narrowed(values: np.ndarray) -> np.ndarray:
    """Return values that float32 can hold, in which trees compare: all of them smaller, where one is too large."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    found: np.ndarray = values * (LARGEST / largest) if largest > LARGEST else values
    return found
