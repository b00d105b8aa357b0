"""A model of another project, such as a colleague's copy of this one, beside a model of this project on its exam.

The exam, its labels and the rules are this project's. Images are matched by fingerprint, for ids and keys of two copies
drift apart. The other project is only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.annotations import events, images
from annotate_select.annotations import exam as stored
from annotate_select.annotations.consensus import consensus
from annotate_select.annotations.database import Database
from annotate_select.config import FILE_NAME
from annotate_select.errors import ExamError, LearningError
from annotate_select.progress import Progress, silent
from annotate_select.steps.class_map import ClassMap, class_map
from annotate_select.steps.evaluate import compare
from annotate_select.steps.exam_rows import exam_rows
from annotate_select.steps.foreign_features import Foreign, exam_features, learned_features
from annotate_select.steps.foreign_words import matched
from annotate_select.steps.home import DATABASE_NAME, Home
from annotate_select.steps.models import TrainedModel, load_model, model_folder, model_folder_at, require_model
from annotate_select.steps.rules import correct
from annotate_select.steps.training_record import read_record
from annotate_select.trust.compare import Comparison, compare_models
from annotate_select.trust.leaks import near_learned
from annotate_select.words import counted, named

__all__ = ["FEWEST", "compare_with"]

FEWEST = 20  # exam images: where some had to be left out, fewer of them show nothing


@dataclass(frozen=True, eq=False)
class _Exam:
    """The labelled exam of this project: rows are those of `exam_rows`, all columns (e,)."""

    ids: np.ndarray
    prints: list[str]
    groups: list[str | None]
    labels: np.ndarray  # numbers of `classes`
    mine: np.ndarray  # (e, C) what this project's model says
    classes: list[str]  # this project's of today, and what else its model knows
    notes: tuple[str, ...]

    def at(self, kept: np.ndarray) -> _Exam:
        """Return those images (e,) bool that are kept."""
        places = np.flatnonzero(kept).tolist()
        prints, groups = [self.prints[i] for i in places], [self.groups[i] for i in places]
        labels, mine = self.labels[kept], self.mine[kept]
        return _Exam(self.ids[kept], prints, groups, labels, mine, self.classes, self.notes)


def compare_with(home: Home, number: int | None, path: str | Path, *, progress: Progress = silent) -> Comparison:
    """Compare a model, by default the newest, with one of the project at `path` (its newest, or PATH/models/NUMBER).

    Exam images that the other model learned from, whose group it learned from, or that are all but the same as one it
    learned from, are left out, and the comparison says how many. What it sees of the others are the features it was
    trained on: those stored there, those stored here under the very same definition, or made now by its own encoder.
    Raises LearningError when there is no such project or model, or nothing tells what it learned from; ExamError when
    nothing of the exam is labelled, or fewer than 20 images are left; FeaturesError when its features are gone.
    """
    folder = model_folder_at(path)
    root = _project_of(folder)
    if root.samefile(home.root):
        return compare(home, number, int(folder.name))
    model = require_model(home, number)
    exam = _exam(home, model)
    with _reading(root) as other:
        known = Foreign(other, load_model(other, int(folder.name)), _shown(path, root))
        return _compared(home, model, exam, known, progress)


def _compared(home: Home, model: TrainedModel, exam: _Exam, other: Foreign, progress: Progress) -> Comparison:
    labelled = len(exam.ids)
    learned = _learned(other)
    exam = exam.at(~_known_to(home, exam, images.contents(other.home.db, learned)))
    features, readable = exam_features(home, other, exam.ids, exam.prints, progress)
    unreadable, exam, features = int((~readable).sum()), exam.at(readable), features[readable]
    alike = near_learned(features, learned_features(other, learned), other.model.head.centre)
    exam, features = exam.at(~alike), features[~alike]
    left_out = labelled - unreadable - len(exam.ids)
    _require_enough(len(exam.ids), labelled, left_out, unreadable, other)
    theirs, words = _theirs(home, exam, features, other)
    mine = np.pad(exam.mine, ((0, 0), (0, theirs.shape[1] - exam.mine.shape[1])))
    return compare_models(
        exam.labels,
        mine,
        theirs,
        model=model.number,
        against=other.model.number,
        project=other.where,
        notes=[*exam.notes, *_left_out(left_out, labelled, unreadable, other), *words],
    )


def _exam(home: Home, model: TrainedModel) -> _Exam:
    found = exam_rows(home, model)
    ids = found.ids
    said = images.contents(home.db, ids.tolist())
    prints, groups = zip(*(said[one] for one in ids.tolist()), strict=True)
    notes = tuple(f"model {model.number}: {note}" for note in found.notes)
    return _Exam(ids, list(prints), list(groups), found.labels, found.probabilities, found.classes, notes)


def _project_of(folder: Path) -> Path:
    """Return the project a model's folder lies in. Raises LearningError where it lies in none."""
    root = folder.parent.parent
    inside = folder.parent.name == "models" and folder.name.isdigit()
    if not (inside and (root / FILE_NAME).exists() and (root / DATABASE_NAME).exists()):
        raise LearningError(
            f"the model {folder} lies in no project, so nothing tells what it learned from; name the project it was "
            "trained in, or PROJECT/models/NUMBER"
        )
    return root


@contextmanager
def _reading(root: Path) -> Iterator[Home]:
    """Open another project to read it; nothing is written there."""
    home = Home(root, Database.open(root / DATABASE_NAME, read_only=True))
    try:
        yield home
    finally:
        home.db.close()


def _shown(path: str | Path, root: Path) -> str:
    """Return how to call the other project: as it was named, where the project itself was."""
    return str(path) if Path(path).expanduser().resolve() == root else str(root)


def _learned(other: Foreign) -> list[int]:
    """Return the ids, there, of the images a model learned from.

    Where its features saw labels, these may have been any but those of the exam there.
    """
    record = read_record(model_folder(other.home, other.model.number))
    if record is None:
        raise LearningError(
            f"{other.name} was trained before trainings were recorded, so nothing tells whether it learned from this "
            "exam; train a new one there"
        )
    learned = set(record.ids.tolist())
    if other.model.features_saw_labels:
        said = consensus(events.current_annotations(other.home.db))
        learned |= {one for one, found in said.items() if found.label} - set(stored.kept_ids(other.home.db))
    return sorted(learned)


def _known_to(home: Home, exam: _Exam, learned: dict[int, tuple[str, str | None]]) -> np.ndarray:
    """Tell which exam images (e,) are among those learned from, or of a group that is, as either project has it."""
    prints = {fingerprint for fingerprint, _ in learned.values()}
    groups = {group for _, group in learned.values() if group}
    pool = images.pool_table(home.db)
    groups |= {group for one, group in zip(pool.fingerprints, pool.groups, strict=True) if group and one in prints}
    pairs = zip(exam.prints, exam.groups, strict=True)
    return np.array([one in prints or group in groups for one, group in pairs], dtype=bool)


def _require_enough(n: int, labelled: int, left_out: int, unreadable: int, other: Foreign) -> None:
    if n and (n >= FEWEST or not left_out):
        return
    if not left_out:
        raise ExamError(f"none of the {counted(unreadable, 'labelled exam image')} can be read; put the files back")
    raise ExamError(
        f"{other.name} learned from {left_out:,} of the {counted(labelled, 'labelled exam image')}, their groups or "
        f"images all but the same; {n:,} {'is' if n == 1 else 'are'} left, and at least {FEWEST} are needed. Label "
        "more of the exam, or draw more of it with `annotate-select exam --size N`"
    )


def _left_out(left_out: int, labelled: int, unreadable: int, other: Foreign) -> list[str]:
    lines = []
    if left_out:
        lines.append(
            f"left out: {left_out:,} of the {counted(labelled, 'labelled exam image')}, because {other.name} learned "
            "from them, from their groups or from images all but the same; the rest is no longer chosen by chance "
            "alone"
        )
    if unreadable:
        lines.append(f"left out: {counted(unreadable, 'labelled exam image')} whose file cannot be read")
    return lines


def _theirs(home: Home, exam: _Exam, features: np.ndarray, other: Foreign) -> tuple[np.ndarray, list[str]]:
    """Return what the other model says (e, C and more) of this project's classes and then its own, and notes on them.

    Rules of this project are heard as they are by its own model, between the classes that it has.
    """
    try:
        answers = other.model.head.probabilities(features)  # (e, K)
    except LearningError as error:
        raise LearningError(f"{other.name}: {error}") from error
    theirs = class_map(other.home, other.model).names
    known = matched(home.db, other.home.db, exam.classes, theirs)
    if (known.places >= len(exam.classes)).all():
        raise LearningError(
            f"{other.name} knows none of this project's classes {named(exam.classes)}; it knows "
            f"{named(theirs)}: rename them there, with `annotate-select classes rename`"
        )
    heard = correct(home, exam.ids, known.of(answers), known.classes, held=known.held)
    return heard, _words(exam, known, other)


def _words(exam: _Exam, known: ClassMap, other: Foreign) -> list[str]:
    lines = []
    missing = np.intersect1d(exam.labels, known.unknown(other.model.head.classes_seen))
    if len(missing):
        n = int(np.isin(exam.labels, missing).sum())
        lines.append(
            f"{other.name} has not learned {named(known.classes[at] for at in missing)}: {counted(n, 'exam image')} "
            "it gets wrong for that"
        )
    extra = known.classes[len(exam.classes) :]
    if extra:
        lines.append(f"{other.name} also knows {named(extra)}: an image taken for that counts as a mistake")
    return lines
