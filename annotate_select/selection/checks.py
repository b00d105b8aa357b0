"""Check everything `select` is given and make it into a frozen Pool; errors say what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from annotate_select.errors import SelectionError
from annotate_select.likeness import SAME_PICTURE, likeness_limit
from annotate_select.progress import Progress, silent
from annotate_select.selection.geometry import BLOCK, Directions
from annotate_select.selection.pool import Chosen, Pool, Strategy, seeded_hashes

__all__ = [
    "as_array",
    "build_pool",
    "checked",
    "require_count",
    "require_few_kinds",
    "require_fraction",
    "require_integer",
]

SUM_TOLERANCE = 1e-3  # how far from 1 the probabilities of a row may sum; float16 is off by this much
HEAVIEST, LIGHTEST = 1e30, 1e-30  # sums of weighted gains stay finite, and above 0, in float32
MOST_KINDS = 10**6  # classes, or strata: what is counted for each of them stays small
NUMBERED = "np.unique(..., return_inverse=True)[1] makes class numbers of anything"
STREAM = 1  # keeps what strategies leave to chance independent of the audit, which is drawn with the plain seed


def build_pool(
    features: np.ndarray,
    *,
    labeled: ArrayLike | None,
    labels: ArrayLike | None,
    probabilities: np.ndarray | None,
    accuracy: float | None,
    seed: int,
    exclude: ArrayLike | None,
    weights: ArrayLike | None,
    groups: ArrayLike | None,
    class_names: Sequence[str] | None,
    n_classes: int | None,
    tokens: np.ndarray,
    near_duplicate: float | None,
    like: ArrayLike | None = (),
    audits: ArrayLike | None = (),
    chosen: ArrayLike | None = None,
    chance: float = 0.0,
    progress: Progress = silent,
) -> Pool:
    """Return the pool of what `select` was given; raises SelectionError."""
    n, d = _require_matrix(features)
    labeled = _rows("labeled", labeled, n)
    if len(np.unique(labeled)) < len(labeled):
        raise SelectionError(f"labeled must name each row once, but row {_repeated(labeled)} is there more than once")
    class_names = _names(class_names)
    classes, labels = _classes(labels, labeled, probabilities, class_names, n_classes)
    drawn = _labelled("audits", audits, labeled, n)
    picked = None if chosen is None else np.setdiff1d(_labelled("chosen", chosen, labeled, n), drawn)
    mean, samples = _opinions(probabilities, n, classes)
    free = np.ones(n, dtype=bool)
    free[labeled] = False
    free[_rows("exclude", exclude, n)] = False
    default = likeness_limit(SAME_PICTURE, d)
    return Pool(
        space=Directions(features),
        candidates=_frozen(np.flatnonzero(free)),
        labeled=_frozen(labeled),
        labels=_frozen(labels),
        n_classes=classes,
        class_names=class_names,
        probabilities=mean,
        samples=samples,
        like=_frozen(np.unique(_rows("like", like, n))),
        audits=_frozen(drawn),
        chosen=None if picked is None else _frozen(picked),
        chance=require_fraction("chance", chance),
        progress=progress,
        hashes=_frozen(seeded_hashes(seeded_hashes(tokens, STREAM), seed)),
        weights=None if weights is None else _frozen(_weights(weights, n)),
        groups=None if groups is None else _frozen(_groups(groups, n)),
        seed=seed,
        near_duplicate=require_fraction("near_duplicate", near_duplicate if near_duplicate is not None else default),
        accuracy=None if accuracy is None else require_fraction("accuracy", accuracy),
    )


def as_array(name: str, values: ArrayLike, *, dtype: type | None = None) -> np.ndarray:
    """Return what numpy makes of values, or raise SelectionError where it makes nothing of them."""
    try:
        found = np.asarray(values)
        if dtype is not None and found.dtype.kind == "c":
            raise TypeError(f"{found.dtype} is not real")
        found = found if dtype is None else found.astype(dtype, copy=False)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise SelectionError(f"{name} must be an array of numbers or what numpy makes one of: {error}") from error
    if found.dtype.kind == "O" and found.ndim == 0:
        raise SelectionError(
            f"{name} must be an array or a list, got {type(values).__name__}; list() makes one of a set or generator, "
            ".toarray() of a sparse matrix"
        )
    return found


def require_count(n: int, available: int) -> int:
    """Return n, or raise SelectionError when there are not so many rows to pick."""
    if available == 0:
        raise SelectionError("there is nothing left to select: every row is labelled or excluded; add images")
    if require_integer("n", n) < 1 or n > available:
        raise SelectionError(f"n must be between 1 and {available} (unlabelled, unexcluded rows), got {n}")
    return int(n)


def require_integer(name: str, value: int) -> int:
    """Return a whole number, or raise SelectionError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise SelectionError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def require_fraction(name: str, value: float) -> float:
    """Return a number from 0 to 1, or raise SelectionError."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise SelectionError(f"{name} must be from 0 to 1, got {value!r}")
    return float(value)


def require_few_kinds(what: str, kinds: int, remedy: str) -> None:
    """Raise SelectionError when numbers from 0 reach so high that they must be something else, such as ids."""
    if kinds > MOST_KINDS:
        raise SelectionError(f"{what} from 0 to {MOST_KINDS - 1:,}, without large gaps, got {kinds - 1}; {remedy}")


def checked(name: str, strategy: Strategy) -> Strategy:
    """Return a strategy of the user's own that raises SelectionError when its answer is not what it must be."""

    def call(pool: Pool, n: int) -> Chosen:
        answer = strategy(pool, n)
        if not isinstance(answer, tuple) or not 3 <= len(answer) <= 5:
            raise SelectionError(
                f"strategy {name} must return Chosen(rows, scores, reasons), got {type(answer).__name__}"
            )
        chosen = Chosen(*answer)
        rows = as_array(f"the rows of strategy {name}", chosen.rows)
        scores = as_array(f"the scores of strategy {name}", chosen.scores, dtype=np.float64)
        if rows.shape != (n,) or rows.dtype.kind not in "iu":
            raise SelectionError(f"strategy {name} was asked for {n} rows and returned {rows.dtype} {rows.shape}")
        if len(np.unique(rows)) < n or not np.isin(rows, pool.candidates).all():
            raise SelectionError(f"strategy {name} must return distinct rows of pool.candidates")
        if scores.shape != (n,) or not np.isfinite(scores).all():
            raise SelectionError(f"strategy {name} must return a finite score for each of its {n} rows")
        reasons = list(chosen.reasons) if isinstance(chosen.reasons, Iterable) else []
        if len(reasons) != n or not all(isinstance(reason, str) and reason for reason in reasons):
            raise SelectionError(f"strategy {name} must return a reason, a text, for each of its {n} rows")
        if not isinstance(chosen.note, str) or not isinstance(chosen.became, str):
            raise SelectionError(f"strategy {name} must return texts as note and became, got {chosen[3:]}")
        return chosen._replace(rows=rows.astype(np.int64), scores=scores, reasons=reasons)

    return call


def _require_matrix(features: np.ndarray) -> tuple[int, int]:
    if features.ndim != 2 or features.dtype.kind not in "fiub" or features.shape[1] == 0:
        remedy = "; .astype(np.float32) makes numbers of what can be one" if features.dtype.kind in "OUS" else ""
        raise SelectionError(
            f"features must be numbers of shape (n, d), a row an image, got {features.dtype} of shape "
            f"{features.shape}{remedy}"
        )
    return features.shape[0], features.shape[1]


def _rows(name: str, values: ArrayLike | None, n: int) -> np.ndarray:
    rows = as_array(name, () if values is None else values)
    if rows.size == 0 and rows.ndim == 1:
        return np.empty(0, dtype=np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise SelectionError(
            f"{name} must be row numbers, a list of integers, got {rows.dtype} of shape {rows.shape}; "
            "np.flatnonzero makes them of a mask"
        )
    wrong = rows[(rows < 0) | (rows >= n)]
    if len(wrong):
        raise SelectionError(f"{name} must be rows from 0 to {n - 1}, got {wrong[0]}")
    return rows.astype(np.int64)


def _labelled(name: str, values: ArrayLike | None, labeled: np.ndarray, n: int) -> np.ndarray:
    rows = np.unique(_rows(name, values, n))
    if not np.isin(rows, labeled).all():
        raise SelectionError(f"{name} must be labeled rows, but row {np.setdiff1d(rows, labeled)[0]} is not labeled")
    return rows


def _names(class_names: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(class_names, str):
        raise SelectionError(f"class_names must be a list of names, a name a class, got the text {class_names!r}")
    return () if class_names is None else tuple(str(name) for name in class_names)


def _repeated(rows: np.ndarray) -> int:
    values, counts = np.unique(rows, return_counts=True)
    return int(values[counts > 1][0])


def _classes(
    labels: ArrayLike | None,
    labeled: np.ndarray,
    probabilities: np.ndarray | None,
    names: Sequence[str],
    n_classes: int | None,
) -> tuple[int, np.ndarray]:
    """Return how many classes there are and the labels as int64."""
    numbers = as_array("labels", () if labels is None else labels)
    if numbers.shape != (len(labeled),):
        raise SelectionError(
            f"labels must be one for each of the {len(labeled)} labeled rows, got shape {numbers.shape}"
        )
    if numbers.size and numbers.dtype.kind not in "iu":
        raise SelectionError(f"labels must be class numbers, integers from 0, got {numbers.dtype}; {NUMBERED}")
    if numbers.size and numbers.min() < 0:
        raise SelectionError(f"labels must be class numbers from 0, got {numbers.min()}; leave unlabelled rows out")
    told = {
        "n_classes": n_classes,
        "class_names": len(names) or None,
        "probabilities": probabilities.shape[-1] if probabilities is not None and probabilities.ndim > 1 else None,
    }
    counts = {name: require_integer(name, count) for name, count in told.items() if count is not None}
    for name, count in counts.items():
        if count < 1:
            raise SelectionError(f"{name} must be at least 1, got {count}")
        if count > MOST_KINDS:
            raise SelectionError(f"{name} must be at most {MOST_KINDS:,}, got {count}")
    if len(set(counts.values())) > 1:
        raise SelectionError(
            "these must tell the same number of classes: "
            + ", ".join(f"{name} {count}" for name, count in counts.items())
        )
    least = int(numbers.max()) + 1 if numbers.size else 0
    require_few_kinds("labels must be class numbers", least, NUMBERED)
    classes = next(iter(counts.values()), max(1, least))
    if classes < max(1, least):
        raise SelectionError(f"labels must be class numbers from 0 to {classes - 1}, got {least - 1}")
    return classes, numbers.astype(np.int64)


def _opinions(probabilities: np.ndarray | None, n: int, classes: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return probabilities (n, C), and samples (T, n, C) where these were given; the probabilities are their mean."""
    if probabilities is None:
        return None, None
    if probabilities.ndim != 3:
        return _frozen(_probabilities(probabilities, n, classes).view()), None
    if not len(probabilities):
        raise SelectionError("probabilities of shape (T, n, C) must hold a sample at least; give (n, C) for one model")
    mean = np.zeros((n, classes), dtype=np.float32)
    for sample in probabilities:
        mean += _probabilities(sample, n, classes)
    mean /= len(probabilities)
    return _frozen(mean), _frozen(probabilities.view())


def _probabilities(probabilities: np.ndarray, n: int, classes: int) -> np.ndarray:
    if probabilities.shape != (n, classes) or probabilities.dtype.kind not in "fiu":
        raise SelectionError(
            f"probabilities must be numbers of shape ({n}, {classes}), a row an image, got {probabilities.dtype} "
            f"of shape {probabilities.shape}"
        )
    step = max(1, BLOCK // classes)
    for start in range(0, n, step):
        block = np.asarray(probabilities[start : start + step], dtype=np.float64)
        inside: np.ndarray = np.all((block >= -1e-6) & (block <= 1 + 1e-6), axis=1)
        good = inside & (np.abs(block.sum(axis=1) - 1) <= SUM_TOLERANCE)
        if not good.all():
            at = int(np.argmin(good))
            said = f"sums to {block[at].sum():.4g}" if inside[at] else "holds a number outside"
            raise SelectionError(
                f"probabilities must be from 0 to 1 and sum to 1 in each row, but row {start + at} {said}; "
                "give a softmax, not logits"
            )
    return probabilities


def _weights(weights: ArrayLike, n: int) -> np.ndarray:
    values = as_array("weights", weights, dtype=np.float64).copy()
    if values.shape != (n,):
        raise SelectionError(f"weights must be one for each of the {n} rows, got shape {values.shape}")
    wrong = np.flatnonzero(~((values >= 0) & (values <= HEAVIEST)))
    if len(wrong):
        raise SelectionError(f"weights must be from 0 to {HEAVIEST:g}, but row {wrong[0]} has {values[wrong[0]]}")
    if 0 < values.max(initial=0.0) < LIGHTEST:
        raise SelectionError(
            f"the largest of the weights must be at least {LIGHTEST:g}, got {values.max():g}; multiply all by a number"
        )
    return values


def _groups(groups: ArrayLike, n: int) -> np.ndarray:
    """Number groups of any sortable kind from 0.

    A negative integer, NaN or None is a row without a group: one of its own.
    """
    values = as_array("groups", groups)
    if values.shape != (n,):
        raise SelectionError(f"groups must be one for each of the {n} rows, got shape {values.shape}")
    alone = np.less(values, 0) if values.dtype.kind == "i" else values != values  # NaN differs from itself
    if values.dtype.kind == "O":
        alone = np.array([one is None or one != one for one in values.tolist()], dtype=bool)
    codes = n + np.arange(n)
    try:
        codes[~alone] = np.unique(values[~alone], return_inverse=True)[1]
    except TypeError as error:
        raise SelectionError("groups must be all of one kind, such as integers or texts, got a mixture") from error
    return np.asarray(np.unique(codes, return_inverse=True)[1], dtype=np.int64)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
