"""GALAXY: halve the stretches between labels that differ, class by class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from annotate_select.errors import SelectionError
from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.guard import spread
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import descending, margin_reasons
from annotate_select.words import counted

__all__ = ["galaxy"]


def galaxy(pool: Pool, n: int) -> Chosen:
    """Take the middle between images labelled a class and not that class, class by class: where rare classes end.

    For each class all images stand in a line by the probability of the class less the largest other (Zhang,
    Katz-Samuels and Nowak, ICML 2022). A pick belongs to a class drawn by chance, and halves the shortest stretch
    between two neighbouring labels of which one is the class and the other is not; without such a stretch it is the
    image nearest to where the class stops being the likeliest. What a pick will be is not known yet: for the picks
    after it, it is of the class the model thinks likeliest, so that a stretch is halved towards where the model sees
    the edge. With weights a stretch is halved by weight. Score: 1 less the size of that difference of probabilities,
    times the weight. Not prefix-consistent.
    """
    return spread(pool, n, _halved)


def _halved(pool: Pool, n: int) -> Chosen:
    rng = np.random.default_rng(pool.seed & 0x7FFFFFFF)
    turns = rng.integers(pool.n_classes, size=n)
    rows = np.concatenate([pool.candidates, pool.covered])
    opinions = _Opinions(pool, rows)
    worth = np.where(np.arange(len(rows)) < len(pool.candidates), _worth(pool)[rows], 0.0)
    used = np.arange(len(rows)) >= len(pool.candidates)
    chosen, scores, reasons = np.empty(n, dtype=np.int64), np.empty(n), [""] * n
    # All turns of a class follow one another, so that one line is held at a time and not one for each class.
    for number in rng.permutation(np.unique(turns)).tolist():
        line = _Line(opinions.margins(number), pool.hashes[rows], worth, used, opinions.classes == number)
        for turn in np.flatnonzero(turns == number).tolist():
            at, ends, length = line.take()
            known = all(len(pool.candidates) <= end < len(pool.candidates) + len(pool.labeled) for end in ends)
            chosen[turn], scores[turn] = rows[at], 1.0 - abs(line.margins[at])
            reasons[turn] = _reason(pool, rows[at], pool.class_name(number), length, known)
    return Chosen(chosen, scores if pool.weights is None else scores * pool.weights[chosen], reasons)


def _worth(pool: Pool) -> np.ndarray:
    """Return (n_rows,) the weights; weights that are 0 for all candidates say nothing and are 1."""
    if pool.weights is None or not pool.weights[pool.candidates].any():
        return np.ones(len(pool.space))
    return np.asarray(pool.weights / pool.weights[pool.candidates].max())


class _Opinions:
    """What the model thinks of some rows (r,): the likeliest class, and how far any class is from being it.

    `classes` (r,) are the labels where there are some.
    """

    def __init__(self, pool: Pool, rows: np.ndarray) -> None:
        if pool.probabilities is None:
            raise SelectionError("there are no probabilities to put images in a line by; train a model first")
        self._probabilities, self._rows = pool.probabilities, rows
        self._first, self._second = np.empty(len(rows)), np.zeros(len(rows))
        self._likeliest = np.empty(len(rows), dtype=np.int64)
        step = max(1, BLOCK // max(1, pool.n_classes))
        for start in range(0, len(rows), step):
            here = slice(start, start + step)
            probabilities = self._probabilities[rows[here]].astype(np.float64)
            self._likeliest[here] = probabilities.argmax(axis=1)
            self._first[here] = probabilities.max(axis=1)
            if pool.n_classes > 1:
                self._second[here] = np.partition(probabilities, -2, axis=1)[:, -2]
        self.classes = self._likeliest.copy()
        self.classes[len(pool.candidates) : len(pool.candidates) + len(pool.labeled)] = pool.labels

    def margins(self, number: int) -> np.ndarray:
        """Return (r,) the probability of a class less the largest of the others."""
        own = self._probabilities[self._rows, number].astype(np.float64)
        return np.asarray(np.where(self._likeliest == number, own - self._second, own - self._first))


class _Line:
    """All images in a line, those that are surely of the class first; places are positions in the line.

    `worth` (r,) is 0 for what cannot be picked, `used` (r,) marks what is labelled or picked, and is brought up to date
    in place, `inside` (r,) what is of the class, where that is known or has to be believed.
    """

    def __init__(
        self, margins: np.ndarray, hashes: np.ndarray, worth: np.ndarray, used: np.ndarray, inside: np.ndarray
    ) -> None:
        self.margins = margins
        self._used, self._inside = used, inside
        self._line = descending(margins, hashes)
        self._place = np.empty(len(margins), dtype=np.int64)
        self._place[self._line] = np.arange(len(margins))
        self._reach = np.cumsum(worth[self._line])
        self._marks = np.flatnonzero(used[self._line])  # the places that are used, ascending
        self._edge = self._nearest_edge(hashes, worth)

    def take(self) -> tuple[int, tuple[int, ...], int]:
        """Pick one; return it, the two ends of the stretch it halves and how many images are inside of that.

        Without a stretch to halve there are no ends.
        """
        at, ends, length = self._middle() or (next(self._edge), (), 0)
        self._used[at] = True
        self._marks = np.insert(self._marks, np.searchsorted(self._marks, self._place[at]), self._place[at])
        return at, ends, length

    def _middle(self) -> tuple[int, tuple[int, ...], int] | None:
        """Return the middle of the shortest stretch between neighbouring marks that differ, of equals the first."""
        left, right = self._marks[:-1], self._marks[1:]
        sides = self._inside[self._line[self._marks]]
        lengths = self._reach[right - 1] - self._reach[left]
        lengths[(sides[:-1] == sides[1:]) | (lengths <= 0)] = np.inf
        if not np.isfinite(lengths).any():
            return None
        gap = int(np.argmin(lengths))
        before = self._reach[left[gap]]
        middle = np.searchsorted(self._reach, before + lengths[gap] / 2)
        # Half of a tiny weight may vanish in the sum: then it is the first place where the sum grows.
        place = max(int(middle), int(np.searchsorted(self._reach, before, side="right")))
        ends = (int(self._line[left[gap]]), int(self._line[right[gap]]))
        return int(self._line[place]), ends, int(right[gap] - left[gap]) - 1

    def _nearest_edge(self, hashes: np.ndarray, worth: np.ndarray) -> Iterator[int]:
        """Yield what is not used yet, the nearest first to where the class stops being the likeliest, by weight."""
        for at in descending((1.0 - np.abs(self.margins)) * worth, hashes).tolist():
            if not self._used[at]:
                yield at


def _reason(pool: Pool, row: int, name: str, length: int, known: bool) -> str:
    (text,) = margin_reasons(pool, np.array([row]))
    if not length:
        return f"the nearest left to the edge of {name}; {text}"
    told = "as labelled" if known else "as labelled or thought"
    middle = "in the middle" if pool.weights is None else "in the middle, by weight,"
    return f"{middle} of {counted(length)} between {name} and not {name}, {told}; {text}"
