"""A second exam, drawn where the newest model may err: stored with the chance of each image, and what it says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from annotate_select.annotations import exam as stored
from annotate_select.annotations.exam import ActiveImage
from annotate_select.errors import ExamError, LearningError
from annotate_select.exchange.picks import PickRow, write_picks
from annotate_select.features.store import Features
from annotate_select.steps.class_map import class_map, said
from annotate_select.steps.exam_rows import features_of
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel, newest_model
from annotate_select.steps.standing import UNLABELLED, Standing, standing
from annotate_select.trust.active_testing import ActiveEstimate, draw_active, errors_by_chance, estimate_active
from annotate_select.trust.leaks import blocked
from annotate_select.words import counted

__all__ = ["ActiveExam", "active_estimate", "draw"]

BLOCK = 2**16  # rows asked at a time
SEED = 3  # beside the project's: other numbers than the exam's, the audit's and the gaps'


@dataclass(frozen=True)
class ActiveExam:
    """A second exam as it was drawn: by the doubts of which model, from how many images, and what is to be labelled."""

    number: int
    model: int
    size: int
    pool: int
    to_label: list[str]
    path: Path

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "path": str(self.path)}

    def text(self) -> str:
        """Say it in a line."""
        return (
            f"second exam of {counted(self.size)}, drawn where model {self.model} may err from {self.pool:,} that it "
            f"has not learned from; {len(self.to_label):,} to label in {self.path}"
        )


def draw(home: Home, n: int, *, output: Path | None = None) -> ActiveExam:
    """Draw n images by the doubts of the newest model, store them with their chances, write what is to be labelled.

    They come from all images that training has not touched and may not touch: not labelled outside an exam, not
    waiting, no near-duplicate and of no group of such. Images of the exam may be among them, and need no second label.
    Raises LearningError without a model of these classes, FeaturesError when its features were replaced, ExamError
    while images of the second exam before have no label, or when fewer than n are left or would be left for training.
    """
    with home.lock("drawing the exam"):
        model = newest_model(home)
        if model is None:
            raise LearningError("a second exam follows a model's doubts, and there is no model yet; train one first")
        if not class_map(home, model).fits(home.config.classes):
            raise LearningError(f"the classes have changed since model {model.number} was trained; train a new one")
        features = features_of(home, model)
        state = standing(home, features.ids)
        before = stored.active_exam(home.db)
        _require_labelled(before, state)
        rows = _pool(features, state)
        if n > len(rows):
            raise ExamError(
                f"a second exam of {counted(n)} was asked for, but only {len(rows):,} "
                f"{'is' if len(rows) == 1 else 'are'} left; ask for fewer"
            )
        errors = _errors(home, model, features, rows)
        seed = home.config.seed
        rng = np.random.default_rng([SEED, seed, 0 if before is None else before.number])
        drawn = draw_active(errors, n, rng)
        _require_half(features, state, rows[drawn.rows])
        chosen = [
            ActiveImage(int(state.ids[rows[row]]), float(q), float(errors[row]))
            for row, q in zip(drawn.rows.tolist(), drawn.q.tolist(), strict=True)
        ]
        number = stored.add_active(home.db, chosen, pool=len(rows), model=model.number, seed=seed)
    open_ones = [state.keys[rows[row]] for row in drawn.rows.tolist() if not state.settled[rows[row]]]
    picks = [PickRow(key, "", "exam", 0.0, "drawn for the exam", 0) for key in open_ones]
    path = write_picks(output or home.root / "active-exam.csv", picks, ["csv"])[0]
    return ActiveExam(number, model.number, n, len(rows), open_ones, path)


def active_estimate(home: Home, model: TrainedModel) -> ActiveEstimate | None:
    """Say how often a model is right by the newest second exam; None where there is none, or nothing of it is labelled.

    Images count in the order of the drawing up to the first that nobody has settled: a later one's chance is known only
    with those before it. What nobody could tell, or what left the pool, counts as no answer.
    """
    second = stored.active_exam(home.db)
    if second is None:
        return None
    features = features_of(home, model)
    state = standing(home, features.ids, class_map(home, model).classes)
    place = {int(image_id): row for row, image_id in enumerate(state.ids.tolist())}
    rows = np.array([place.get(one.image_id, -1) for one in second.images], dtype=np.int64)
    there = (rows >= 0) & state.in_pool[rows]
    unsettled = np.flatnonzero(there & ~state.settled[rows])
    known = int(unsettled[0]) if len(unsettled) else len(rows)
    rows, there = rows[:known], there[:known]
    usable = there & (state.labels[rows] != UNLABELLED)
    if not usable.any():
        return None
    says = said(home, model, state.ids[rows], features.array[rows]).argmax(axis=1)
    images = second.images[:known]
    return estimate_active(
        says == state.labels[rows],
        np.array([one.chance for one in images]),
        np.array([one.error for one in images]),
        second.pool,
        usable=usable,
        drawn_by=second.model,
    )


def _pool(features: Features, state: Standing) -> np.ndarray:
    """Return the rows that training has not touched and may not touch."""
    touched = (state.settled | state.waiting) & ~state.exam
    near = blocked(features.alike, np.flatnonzero(touched), state.groups).rows
    return np.flatnonzero(state.in_pool & ~near)


def _errors(home: Home, model: TrainedModel, features: Features, rows: np.ndarray) -> np.ndarray:
    """Return how likely the model is wrong of rows (n,), as `evaluate` hears it: corrected by the rules."""
    parts = [
        errors_by_chance(said(home, model, features.ids[some], features.array[some]))
        for some in (rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _require_labelled(before: stored.ActiveExam | None, state: Standing) -> None:
    if before is None:
        return
    settled = set(state.ids[state.settled | ~state.in_pool].tolist())
    waiting = sum(one.image_id not in settled for one in before.images)
    if waiting:
        raise ExamError(
            f"the second exam drawn by model {before.model} has {counted(waiting)} without a label; label "
            f"{'it' if waiting == 1 else 'them'} first"
        )


def _require_half(features: Features, state: Standing, rows: np.ndarray) -> None:
    """Raise ExamError when the exams and what resembles them would be more than half of the pool."""
    kept = np.unique(np.concatenate([np.flatnonzero(state.exam), rows]))
    reserved = int((blocked(features.alike, kept, state.groups).rows & state.in_pool).sum())
    if 2 * reserved > int(state.in_pool.sum()):
        raise ExamError(
            f"the exams and what resembles them would keep {reserved:,} of {counted(int(state.in_pool.sum()))} "
            "from training, more than half; ask for fewer or add images"
        )
