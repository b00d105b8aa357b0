"""The exam: a random set of images kept out of training for ever, and what a model scores on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NotRequired, TypedDict, cast

import numpy as np

from annotate_select.errors import ExamError
from annotate_select.trust.active_testing import ActiveEstimate
from annotate_select.trust.calibration import Calibration, calibration
from annotate_select.trust.groups import Group, worst_groups
from annotate_select.trust.intervals import Interval, share_interval
from annotate_select.trust.macro_f1 import macro_f1, macro_f1_interval, without_images
from annotate_select.trust.powered import Powered, prediction_powered
from annotate_select.trust.stratified import Design, Stratified, worth
from annotate_select.trust.verdict import Verdict
from annotate_select.words import counted

__all__ = ["ClassReport", "ExamReport", "draw", "evaluate", "missing_share"]


@dataclass(frozen=True)
class ClassReport:
    """How a model does on one class: of its `n` exam images, and of the images it took for that class.

    A share of nothing is None, and its interval 0 to 1: recall without exam images, precision without predictions.
    """

    name: str
    n: int
    recall: float | None
    recall_interval: Interval
    precision: float | None
    precision_interval: Interval


@dataclass(frozen=True)
class ExamReport:
    """What a model scored on the exam; all intervals are of 95 % confidence.

    `macro_f1` is the mean F1 of the classes that the exam has. `confusion[i][j]` counts images of class i that were
    taken for class j. `n` images carried a label, `unlabelled` did not yet. `model` is its number, where it has one.
    `verdict` judges it by the project's pass mark, where one was declared; `marked_late` says so when that was after
    results had been seen. `calibration` is whether it is right as often as it is sure, `powered` a second estimate of
    the accuracy where there is a better one, `groups` parts of the exam, the surest to be worse than the rest first,
    `active` what a second exam says that was drawn where a model may err, `stratified` what drawing by strata gained:
    that is in `interval` alone; those of classes, macro F1 and groups are as of images drawn by chance alone.
    `left_out` labelled images do not count, because the model may know them from its training; `notes` are what else a
    reader of the figures has to know.
    """

    n: int
    accuracy: float
    interval: Interval
    classes: tuple[ClassReport, ...]
    macro_f1: float
    confusion: tuple[tuple[int, ...], ...]
    model: int | None
    unlabelled: int
    verdict: Verdict | None = None
    marked_late: str | None = None
    macro_f1_interval: Interval | None = None
    calibration: Calibration | None = None
    powered: Powered | None = None
    groups: tuple[Group, ...] = ()
    active: ActiveEstimate | None = None
    stratified: Stratified | None = None
    left_out: int = 0
    notes: tuple[str, ...] = ()

    @property
    def macro_f1_note(self) -> str | None:
        """Which classes that images were taken for count in no macro F1, as the exam has none of them."""
        return without_images([one.name for one in self.classes], self.confusion)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        names = ("verdict", "calibration", "powered", "active", "stratified")
        parts = {name: getattr(self, name) for name in names}
        plain = {name: None if part is None else part.as_dict() for name, part in parts.items()}
        groups = [one.as_dict() for one in self.groups]
        return {**asdict(self), **plain, "groups": groups, "macro_f1_note": self.macro_f1_note}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> ExamReport:
        """Read what `as_dict` gave, also after it went through JSON."""
        plain = cast(_Plain, values)
        return cls(
            n=plain["n"],
            accuracy=plain["accuracy"],
            interval=Interval(**plain["interval"]),
            classes=tuple(_class_from(one) for one in plain["classes"]),
            macro_f1=plain["macro_f1"],
            confusion=tuple(tuple(row) for row in plain["confusion"]),
            model=plain["model"],
            unlabelled=plain["unlabelled"],
            verdict=Verdict.from_dict(judged) if (judged := plain.get("verdict")) else None,
            marked_late=plain.get("marked_late"),
            macro_f1_interval=Interval(**ends) if (ends := plain.get("macro_f1_interval")) else None,
            calibration=Calibration.from_dict(sure) if (sure := plain.get("calibration")) else None,
            powered=Powered.from_dict(second) if (second := plain.get("powered")) else None,
            groups=tuple(Group.from_dict(one) for one in plain.get("groups", ())),
            active=ActiveEstimate.from_dict(doubted) if (doubted := plain.get("active")) else None,
            stratified=Stratified.from_dict(evenly) if (evenly := plain.get("stratified")) else None,
            left_out=plain.get("left_out", 0),
            notes=tuple(plain.get("notes", ())),
        )

    def text(self) -> str:
        """Say it in a few lines: accuracy, each class, the commonest mistake, what is not labelled yet."""
        which = "" if self.model is None else f"model {self.model}: "
        ends = self.macro_f1_interval
        lines = [
            f"{which}accuracy {_percent(self.accuracy, self.interval)} on {counted(self.n, 'exam image')}, macro F1 "
            f"{self.macro_f1:.2f}{f' ({ends.low:.2f} to {ends.high:.2f})' if ends else ''}; intervals are 95 %"
        ]
        width = max(len("class"), *(len(one.name) for one in self.classes))
        lines.append(f"{'class':<{width}}  {'images':>6}  {'found (recall)':<24}right (precision)")
        for one in self.classes:
            recall = _percent(one.recall, one.recall_interval)
            precision = _percent(one.precision, one.precision_interval)
            lines.append(f"{one.name:<{width}}  {one.n:>6,}  {recall:<24}{precision}")
        return "\n".join(lines + self._notes())

    def _notes(self) -> list[str]:
        wrong = [
            (count, i, j) for i, row in enumerate(self.confusion) for j, count in enumerate(row) if i != j and count > 0
        ]
        notes = []
        if wrong:
            count, i, j = max(wrong, key=lambda one: one[0])
            was, taken_for = self.classes[i], self.classes[j]
            notes.append(f"commonest mistake: {was.name} taken for {taken_for.name}, {count} of {was.n}")
        notes += [one for one in (self.macro_f1_note, *self.notes) if one is not None]
        more = (self.stratified, self.calibration, self.powered, self.active)
        notes += [one.text() for one in more if one is not None]
        notes += [f"worse than on the rest: {one.text()}" for one in self.groups if one.worse]
        if self.verdict is not None:
            notes.append(self.verdict.text())
        if self.marked_late is not None:
            notes.append(self.marked_late)
        if self.unlabelled:
            notes.append(
                f"{counted(self.unlabelled, 'exam image', ('has', 'have'))} no label yet; with "
                f"{'it' if self.unlabelled == 1 else 'them'} the intervals get narrower"
            )
        return notes


class _PlainClass(TypedDict):
    name: str
    n: int
    recall: float | None
    recall_interval: dict[str, float]
    precision: float | None
    precision_interval: dict[str, float]


class _Plain(TypedDict):
    n: int
    accuracy: float
    interval: dict[str, float]
    classes: list[_PlainClass]
    macro_f1: float
    confusion: list[list[int]]
    model: int | None
    unlabelled: int
    verdict: NotRequired[dict[str, object] | None]
    marked_late: NotRequired[str | None]
    macro_f1_interval: NotRequired[dict[str, float] | None]
    calibration: NotRequired[dict[str, Any] | None]
    powered: NotRequired[dict[str, Any] | None]
    groups: NotRequired[list[dict[str, Any]]]
    active: NotRequired[dict[str, Any] | None]
    stratified: NotRequired[dict[str, Any] | None]
    left_out: NotRequired[int]
    notes: NotRequired[list[str]]


def draw(
    hashes: np.ndarray,
    size: int,
    *,
    exclude: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    taken: Sequence[int] | np.ndarray = (),
) -> np.ndarray:
    """Return the rows of an exam of `size` images: first those `taken` before, then those of the lowest hashes.

    `hashes` (n,) uint64, seeded, make the choice uniformly random and the same whatever the order of the pool; an
    exam of 50 is the first half of an exam of 100. `exclude` (n,) bool marks rows that may not be drawn. An exam image
    reserves its whole group: `groups` (n,) integers, negative for a row without one.
    Raises ExamError when fewer images are available, or when the exam and the images it reserves are more than half of
    the pool.
    """
    n, before = len(hashes), np.asarray(taken, dtype=np.int64)
    free = np.ones(n, dtype=bool) if exclude is None else ~np.asarray(exclude, dtype=bool)
    free[before] = False
    if size < max(1, len(before)):
        raise ExamError(f"the exam's size must be at least {max(1, len(before))}, got {size}; an exam only grows")
    order = np.argsort(hashes, kind="stable")
    rows = np.concatenate([before, order[free[order]]])
    if size > len(rows):
        raise ExamError(
            f"an exam of {counted(size)} was asked for, but only {len(rows)} of the {n} in the pool "
            f"{'is' if len(rows) == 1 else 'are'} available"
            + (" (the rest is used for training, or excluded otherwise)" if free.sum() + len(before) < n else "")
            + "; ask for fewer or add images"
        )
    _require_half(rows[:size], groups, n)
    return rows[:size]


def missing_share(new: np.ndarray, exam: np.ndarray) -> int:
    """Return how many new images the exam lacks until they are as large a share of it as of the pool.

    `new` and `exam` (n,) bool mark rows of the pool. With a of the e exam images new, and a share s of the pool, m more
    make (a + m) / (e + m) = s. The rest of the exam stays, so all images of the pool count the same in its accuracy.
    Raises ExamError where there is no exam, or nothing old to be a share of.
    """
    if not exam.any():
        raise ExamError("there is no exam to add new images to; draw one with `annotate-select exam`")
    if new.all():
        raise ExamError("all images are new: draw an exam as usual, with `annotate-select exam`")
    share = float(new.mean())
    lacking = (share * int(exam.sum()) - int((new & exam).sum())) / (1 - share)
    return max(0, int(np.ceil(lacking - 1e-9)))


def _require_half(rows: np.ndarray, groups: np.ndarray | None, n: int) -> None:
    """Raise ExamError, advising a size, when the rows and their groups are more than half of n."""
    units = np.arange(n) if groups is None else np.where(groups >= 0, groups, groups.max(initial=-1) + 1 + np.arange(n))
    names, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    first = np.zeros(len(rows), dtype=bool)  # the first image of its group pays for the whole group
    first[np.unique(unit[rows], return_index=True)[1]] = True
    reserved = np.cumsum(np.where(first, sizes[unit[rows]], 0))
    if reserved[-1] * 2 > n:
        fits = int((reserved * 2 <= n).sum())
        with_groups = " and the groups they belong to" if len(names) < n else ""
        advice = f"ask for at most {fits}" if fits else "add more images"
        raise ExamError(
            f"an exam of {counted(len(rows))}{with_groups} would keep {reserved[-1]} of {counted(n)} from training, "
            f"more than half; {advice}"
        )


def evaluate(
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    model: int | None = None,
    unlabelled: int = 0,
    pool: np.ndarray | None = None,
    columns: Mapping[str, Sequence[str | None]] | None = None,
    design: Design | None = None,
    seed: int = 0,
) -> ExamReport:
    """Compare labels (n,) of exam images with a model's probabilities (n, C).

    A negative label means: not labelled yet; such rows are counted with `unlabelled` and not scored. `pool` (m,) is how
    sure the model is of the images outside the exam, said without having learned from them. `columns` are n values
    each, such as the camera, by which groups are made. `design` is how the n images were drawn, where that was by
    strata: all have the same chance, so every figure stays as it is, and the interval of the accuracy gets narrower;
    the others, and the pass mark's exact tests, are then rather too wide than too narrow.
    Raises ExamError when no image has a label, or when shapes or class numbers do not fit.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _require_fitting(labels, probabilities, len(class_names))
    known = labels >= 0
    if not known.any():
        raise ExamError("no image of the exam has a label yet; label some of them, then evaluate")
    labels, probabilities = labels[known], probabilities[known]
    confusion = np.zeros((len(class_names), len(class_names)), dtype=np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    right, sure = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    kept = {
        name: [one for one, here in zip(values, known, strict=True) if here] for name, values in (columns or {}).items()
    }
    stratified = None if design is None else _stratified(right, design.of(known))
    interval = _interval(right, stratified)
    powered = None if pool is None else prediction_powered(right, sure, pool)
    return ExamReport(
        n=len(labels),
        accuracy=int(right.sum()) / len(labels),
        interval=interval,
        classes=tuple(_class_report(name, i, confusion) for i, name in enumerate(class_names)),
        macro_f1=macro_f1(confusion),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        model=model,
        unlabelled=unlabelled + int((~known).sum()),
        macro_f1_interval=macro_f1_interval(confusion),
        calibration=calibration(right, sure, np.random.default_rng(seed)),
        powered=None if powered is None else powered.beside(interval),
        groups=worst_groups(right, kept),
        stratified=stratified,
    )


def _stratified(right: np.ndarray, design: Design) -> Stratified | None:
    """Return what drawing by strata gained; None where none of the labelled images was drawn so."""
    strata = len(np.unique(np.stack([design.draws, design.strata]), axis=1).T)
    return Stratified(strata, len(right), round(worth(right, design), 1)) if strata > 1 else None


def _interval(right: np.ndarray, stratified: Stratified | None) -> Interval:
    n, hits = len(right), int(right.sum())
    if stratified is None or stratified.worth <= n:
        return share_interval(hits, n)
    return share_interval(hits / n * stratified.worth, stratified.worth)


def _class_report(name: str, i: int, confusion: np.ndarray) -> ClassReport:
    right, n, predicted = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
    return ClassReport(
        name=name,
        n=n,
        recall=right / n if n else None,
        recall_interval=share_interval(right, n),
        precision=right / predicted if predicted else None,
        precision_interval=share_interval(right, predicted),
    )


def _require_fitting(labels: np.ndarray, probabilities: np.ndarray, n_classes: int) -> None:
    if probabilities.shape != (len(labels), n_classes):
        raise ExamError(f"probabilities must have shape ({len(labels)}, {n_classes}), got {probabilities.shape}")
    if not np.isfinite(probabilities).all():
        raise ExamError("probabilities must be finite, got NaN or infinity; train the model again")
    if len(labels) and labels.max() >= n_classes:
        raise ExamError(f"labels must be class numbers from 0 to {n_classes - 1}, got {labels.max()}")


def _class_from(values: _PlainClass) -> ClassReport:
    return ClassReport(
        name=values["name"],
        n=values["n"],
        recall=values["recall"],
        recall_interval=Interval(**values["recall_interval"]),
        precision=values["precision"],
        precision_interval=Interval(**values["precision_interval"]),
    )


def _percent(share: float | None, interval: Interval) -> str:
    """Write `87.5 % (79.2 to 92.8)`, or a dash for a share of nothing."""
    return "-" if share is None else f"{100 * share:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
