"""What besides the thing itself predicts the label: brightness, file size, camera, folder, any column of metadata."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate_select.annotations import images
from annotate_select.errors import AnnotateSelectError
from annotate_select.progress import Progress, silent
from annotate_select.steps.exam_rows import ExamRows, exam_rows
from annotate_select.steps.home import Home
from annotate_select.steps.measures import measures, nuisances
from annotate_select.steps.models import newest_model
from annotate_select.steps.opinions import opinions
from annotate_select.steps.shortcuts_report import SHOWN, Finding, ShortcutsReport, Side, ToldClass, WeakSpot, percent
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.leaning import Leaning, leaning, probe
from annotate_select.trust.nuisances import GROUP, Nuisance, names_the_class
from annotate_select.trust.shortcut_words import ends, how_it_differs
from annotate_select.trust.shortcuts import FEWEST, Association, associations, enough
from annotate_select.trust.slices import Slices, slices
from annotate_select.words import counted

__all__ = ["check_shortcuts"]

EXAMPLES = 8  # images of a side
MEMBERS = 24  # images of a slice


def check_shortcuts(home: Home, features: str | None = None, *, progress: Progress = silent) -> ShortcutsReport:
    """Look for what besides the thing itself predicts the label; nothing is changed but the cache of measures.

    What is lacking - labels, an exam, a model - is said, with how much of it. `features` are not needed for it: slices
    are made of those that the newest model was trained on.
    """
    table = images.pool_table(home.db)
    state = standing(home, table.ids)
    names, spots = home.config.classes, _weak_spots(home)
    usable, missing = enough(state.labels[state.labels != UNLABELLED], len(names))
    if missing:
        return _too_early(int(np.count_nonzero(state.labels != UNLABELLED)), missing, spots, {})
    rows = np.flatnonzero(np.isin(state.labels, np.flatnonzero(usable)))
    measured = measures(home, table, rows.tolist(), progress=progress)
    readable = np.array([table.keys[row] not in measured.damaged for row in rows.tolist()], dtype=bool)
    usable, missing = enough(state.labels[rows[readable]], len(names))
    if missing:
        return _too_early(int(readable.sum()), missing, spots, measured.damaged)
    rows = rows[readable]
    known = nuisances(home, table, rows.tolist(), measured.at(readable))
    labels, groups = state.labels[rows], None if state.groups is None else state.groups[rows]
    naming = [one.name for one in known if names_the_class(one, labels, names)]
    given = [one for one in known if one.name not in naming]
    found = associations(given, labels, groups, seed=home.config.seed)
    sizes = np.bincount(state.labels[state.labels != UNLABELLED], minlength=len(names))
    keys = [state.keys[row] for row in rows.tolist()]
    shown = np.flatnonzero(~state.exam[rows])  # images of the exam are not shown with their labels
    findings = [
        _finding(one, given, labels, names, keys, shown if rank < SHOWN else None)
        for rank, one in enumerate(found)
        if one.found
    ]
    return ShortcutsReport(
        labelled=len(rows),
        missing=0,
        left_out=[name for name, fine, n in zip(names, usable, sizes.tolist(), strict=True) if n and not fine],
        naming=naming,
        looked_at=[one.nuisance.name for one in found],
        findings=findings,
        leaning=_leaning(home, given, labels, groups, state.ids[rows]) if findings else None,
        weak_spots=spots[0],
        slices_note=spots[1],
        damaged=measured.damaged,
    )


def _too_early(
    labelled: int, missing: int, spots: tuple[list[WeakSpot], str], damaged: dict[str, str]
) -> ShortcutsReport:
    return ShortcutsReport(labelled, missing, [], [], [], [], None, *spots, damaged)


def _finding(
    found: Association,
    given: Sequence[Nuisance],
    labels: np.ndarray,
    names: Sequence[str],
    keys: Sequence[str],
    shown: np.ndarray | None,
) -> Finding:
    """Put a find into words; with the rows that may be `shown`, with examples."""
    one = next(nuisance for nuisance in given if nuisance.name == found.nuisance.name)  # of all rows
    of_two = len(np.unique(labels)) == 2
    classes = []
    for told in found.told[: 1 if of_two else SHOWN]:
        other = next(int(number) for number in np.unique(labels) if number != told.number)
        how = how_it_differs(
            one,
            labels == told.number,
            labels != told.number,
            names[told.number],
            names[other] if of_two else "the rest",
        )
        classes.append(ToldClass(names[told.number], told.accuracy, how))
    sides = [] if shown is None else _sides(found, one, labels, shown, names, keys)
    text = _told(found, one, [names[number] for number in np.unique(labels)], classes)
    return Finding(one.name, one.words, found.accuracy, found.chance, found.corrected, classes, sides, text)


def _sides(
    found: Association, one: Nuisance, labels: np.ndarray, shown: np.ndarray, names: Sequence[str], keys: Sequence[str]
) -> list[Side]:
    """Return example images of the two classes told best, at both ends."""
    return [
        Side(f"{names[told.number]}, {words}", [keys[row] for row in rows.tolist()])
        for told in found.told[:2]
        for words, rows in ends(one, shown[labels[shown] == told.number], shown[labels[shown] != told.number], EXAMPLES)
        if len(rows)
    ]


def _told(found: Association, one: Nuisance, names: Sequence[str], classes: Sequence[ToldClass]) -> str:
    """Say how much one nuisance alone tells."""
    share, chance = percent(found.accuracy), percent(found.chance)
    if len(names) == 2:
        head = f"{one.words} alone tells {names[0]} from {names[1]} in {share} of cases (chance {chance})"
        tail = [classes[0].how] if classes else []
    else:
        head = f"{one.words} alone tells the {counted(len(names), 'class')} apart in {share} of cases (chance {chance})"
        tail = [
            f"{told.name} from the rest in {percent(told.accuracy)} (chance 50 %), {told.how}" for told in classes[:2]
        ]
    if one.name == GROUP:
        tail.append("that images of one group have one label flatters no figure: exam and folds keep groups together")
    return "; ".join([head, *tail])


def _leaning(
    home: Home, given: Sequence[Nuisance], labels: np.ndarray, groups: np.ndarray | None, ids: np.ndarray
) -> Leaning | None:
    """Compare a probe on all nuisances with the newest model, on images neither learned from; None without a model."""
    said = opinions(home, ids.tolist())
    if said is None:
        return None
    place = {name: at for at, name in enumerate(home.config.classes)}
    heard = np.array([one in said for one in ids.tolist()], dtype=bool)
    if heard.sum() < FEWEST or len(np.unique(labels[heard])) < 2:
        return None
    predicted = np.array([place[said[one].label] for one in ids[heard].tolist()])
    return leaning(labels[heard], probe(given, labels, groups, seed=home.config.seed)[heard], predicted)


def _weak_spots(home: Home) -> tuple[list[WeakSpot], str]:
    """Return the slices of the exam that stand out, and a line on how it is with them."""
    model = newest_model(home)
    if model is None:
        return [], "where a model fails is looked for once there is one: `annotate-select train`"
    try:
        exam = exam_rows(home, model)
        array = open_features(home, model.features).array[exam.rows]
    except AnnotateSelectError as error:
        return [], f"where the model fails could not be looked for: {error}"
    found = slices(array, exam.labels, exam.probabilities.argmax(axis=1), seed=home.config.seed)
    return [_weak_spot(found, at, exam) for at in range(len(found.found))], _about(found)


def _weak_spot(found: Slices, at: int, exam: ExamRows) -> WeakSpot:
    one, names = found.found[at], exam.classes
    text = (
        f"{len(one.rows)} that look alike, most of them {names[one.label]}: right on {one.right}, "
        f"{percent(one.accuracy)} ({percent(one.interval.low)} to {percent(one.interval.high)}), most mistakes are "
        f"called {names[one.predicted]}"
    )
    keys = [exam.state.keys[exam.rows[row]] for row in one.rows[:MEMBERS]]
    return WeakSpot(keys, len(one.rows), one.right, text)


def _about(found: Slices) -> str:
    if found.missing:
        return (
            "where the model fails can be looked for once "
            f"{counted(found.missing, 'more exam image', ('has', 'have'))} a label"
        )
    if not found.found:
        return (
            f"no slice stands out: on none of {counted(found.cells, 'kind')} of exam images is the model worse by "
            "more than luck"
        )
    return (
        f"the model fails more often than elsewhere on {len(found.found)} of {counted(found.cells, 'kind')} of exam "
        "images:"
    )
