"""Record what people said: from code, from a file, from the app; and change the names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from annotate_select.annotations import classes as changes
from annotate_select.annotations import events, images
from annotate_select.annotations.events import Event, RecordOutcome
from annotate_select.errors import AnnotationError, ConfigError, UnknownClasses
from annotate_select.exchange.plan import ImportPlan, plan_import
from annotate_select.exchange.read import read_annotations
from annotate_select.exchange.rows import AnnotationRow
from annotate_select.files import digest
from annotate_select.steps.classes import carried
from annotate_select.steps.home import Home, now
from annotate_select.words import counted, named

__all__ = ["ImportReport", "add_class", "annotate", "change_class", "finish_changes", "import_file", "record"]

CHUNK = 500  # events in one transaction: an import that is killed continues after the last one


@dataclass(frozen=True)
class ImportReport:
    """What became of a file of annotations; `before` counts the rows that were recorded by an earlier import."""

    rows: int
    recorded: int
    new_classes: list[str]
    unknown_images: list[str]
    duplicates: list[str]
    before: int = 0

    @property
    def text(self) -> str:
        """Return it in one line."""
        said = [f"recorded {self.recorded:,} of {counted(self.rows, 'row')}"]
        said += [f"{counted(self.before, 'row')} recorded before"] if self.before else []
        said += [f"new classes: {named(self.new_classes)}"] if self.new_classes else []
        unknown, repeated = len(self.unknown_images), len(self.duplicates)
        said += [f"{counted(unknown, 'row')} of unknown images left out"] if unknown else []
        said += [f"{counted(repeated, 'repeated row')} left out"] if repeated else []
        return "; ".join(said)


def annotate(home: Home, labels: Mapping[str, str], annotator: str) -> int:
    """Record one label an image, by key; return how many.

    Raises UnknownImages or UnknownClasses, listing them, before anything is recorded.
    """
    at = now()
    rows = [  # every call says something new, so every row gets a uid of its own
        AnnotationRow(image=key, label=label, at=at, uid=uuid4().hex, line=line)
        for line, (key, label) in enumerate(labels.items(), start=1)
    ]
    return len(_record(home, _planned(home, rows, annotator)))


def import_file(
    home: Home,
    path: Path,
    *,
    annotator: str = "import",
    create_classes: bool = False,
    skip_unknown: bool = False,
    skip_duplicates: bool = False,
) -> ImportReport:
    """Record the annotations of a CSV or JSONL file, or of a folder a class; importing it again records nothing twice.

    A row without a time and a uid that its annotator said before, and something else since, is said again: what was
    imported last holds.
    Raises ExchangeError, UnknownImages, UnknownClasses or DuplicateRows before anything is recorded, and SourceError
    for a folder without images.
    """
    rows, strangers = _read(home, path, skip_unknown)
    plan = _planned(
        home,
        rows,
        annotator,
        create_classes=create_classes,
        skip_unknown=skip_unknown,
        skip_duplicates=skip_duplicates,
    )
    if plan.new_classes:
        home.save_config(home.config.model_copy(update={"classes": [*home.config.classes, *plan.new_classes]}))
    plan = replace(plan, events=_given_back(home, plan))
    before = len(events.known_uids(home.db, (event.uid for event in plan.events)))
    recorded = len(_record(home, plan)) - before
    unknown = [*strangers, *plan.unknown_images]
    return ImportReport(len(rows) + len(strangers), recorded, plan.new_classes, unknown, plan.duplicates, before)


def record(home: Home, sent: Sequence[Event]) -> RecordOutcome:
    """Record events as they come from an annotator's screen; what is acknowledged is on the disk.

    A label whose class was renamed while it was on its way gets the new name; one of an unknown class is refused.
    """
    renamed = changes.current_names(home.db)
    classes = set(home.config.classes)
    good: list[Event] = []
    refused: list[tuple[str, str]] = []
    for event in sent:
        label = event.label
        if label is not None and label not in classes:
            label = renamed.get(label)
            if label not in classes:
                refused.append((event.uid, f"the project has no class {event.label!r}; reload the page"))
                continue
        good.append(replace(event, label=label))
    outcome = events.record(home.db, good)
    return RecordOutcome(outcome.acked, [*refused, *outcome.refused])


def change_class(home: Home, kind: str, old: str, new: str) -> None:
    """Rename class `old` to `new`, or merge it into the class `new`; annotations keep what was said, labels follow.

    Raises UnknownClasses when `old` (or, merging, `new`) is not a class of the project, or renaming, `new` is one.
    """
    classes = home.config.classes
    if old not in classes:
        raise UnknownClasses(f"the project has no class {old!r}; its classes are {named(classes)}")
    if kind == "merge" and (new not in classes or new == old):
        raise UnknownClasses(f"cannot merge {old!r} into {new!r}; choose another of the classes {named(classes)}")
    if kind == "rename":
        _require_name(new)
    if kind == "rename" and new in classes:
        raise UnknownClasses(f"{new!r} is a class already; to join the two, merge {old!r} into it")
    changes.record_change(home.db, kind, old, new)
    finish_changes(home)


def finish_changes(home: Home) -> None:
    """Write changes of classes into project.toml that the database holds but a crash kept from the file."""
    for change in changes.pending(home.db):
        config = home.config
        names = [change.new if name == change.old else name for name in config.classes]
        about = carried(config.about, change.old, change.new)
        exam = config.exam.model_copy(update={"pass_recall": _marked(config.exam.pass_recall, change.old, change.new)})
        said = {"classes": list(dict.fromkeys(names)), "about": about, "exam": exam}
        home.save_config(config.model_copy(update=said))
        changes.mark_applied(home.db, change.id)


def _marked(recall: float | dict[str, float] | None, old: str, new: str) -> float | dict[str, float] | None:
    """Return the pass mark's recall when class `old` becomes `new`; what `new` has itself comes first."""
    if not isinstance(recall, dict) or old not in recall:
        return recall
    kept = {name: one for name, one in recall.items() if name != old}
    return {new: recall[old], **kept}


def add_class(home: Home, name: str) -> None:
    """Add a class at the end of the list. Raises ConfigError for what cannot be the name of one."""
    from annotate_select.config import validated

    _require_name(name)
    values = {**home.config.model_dump(), "classes": [*home.config.classes, name]}
    home.save_config(validated(values, "project.toml"))


def _require_name(name: str) -> None:
    from annotate_select.config import LONGEST_CLASS

    n = len(name.strip())
    if not 0 < n <= LONGEST_CLASS:
        got = repr(name) if n <= LONGEST_CLASS else f"{n:,}"
        raise ConfigError(f"a class needs a name of 1 to {LONGEST_CLASS} characters, got {got}; give it another name")


def _planned(
    home: Home,
    rows: Sequence[AnnotationRow],
    annotator: str,
    *,
    create_classes: bool = False,
    skip_unknown: bool = False,
    skip_duplicates: bool = False,
) -> ImportPlan:
    renamed = changes.current_names(home.db)
    return plan_import(
        rows,
        resolve=lambda keys: images.resolve(home.db, keys),
        classes=[*home.config.classes, *(name for name in renamed if name not in home.config.classes)],
        annotator=annotator,
        create_classes=create_classes,
        skip_unknown=skip_unknown,
        skip_duplicates=skip_duplicates,
    )


def _read(home: Home, path: Path, skip_unknown: bool) -> tuple[list[AnnotationRow], list[str]]:
    """Return the rows of a file or a folder, and the files of a folder that are not in the pool."""
    if not path.is_dir():
        return read_annotations(path), []
    from annotate_select.steps.labelled_folder import rows_of_folder

    return rows_of_folder(home, path, skip_unknown=skip_unknown)


def _given_back(home: Home, plan: ImportPlan) -> list[Event]:
    """Return the events, with a new uid for what was said before and is not what its annotator says now."""
    again = events.known_uids(home.db, plan.timeless)
    if not again:
        return plan.events
    renamed, classes = changes.current_names(home.db), set(home.config.classes)
    today = {(one.image_id, one.annotator): one for one in events.current_annotations(home.db)}
    given: list[Event] = []
    for event in plan.events:
        one = today.get((event.image_id, event.annotator)) if event.uid in again else None
        label = event.label if event.label in classes else renamed.get(event.label or "")
        if one is not None and (one.kind, one.label) != (event.kind, label):
            event = replace(event, uid=digest([event.uid, one.uid], size=16))
        given.append(event)
    return given


def _record(home: Home, plan: ImportPlan) -> list[str]:
    acked: list[str] = []
    for start in range(0, len(plan.events), CHUNK):
        outcome = record(home, plan.events[start : start + CHUNK])
        if outcome.refused:
            raise AnnotationError(
                f"{counted(len(outcome.refused), 'annotation', ('was', 'were'))} refused, the first: "
                f"{outcome.refused[0][1]}"
            )
        acked += outcome.acked
    return acked
