"""Where the project stands, and the one thing to do next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.annotations import batches, events, exam, images
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import FeaturesError
from annotate_select.steps.basis import basis, outdated, read_stopping
from annotate_select.steps.default_features import default_features
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel, models
from annotate_select.words import counted

__all__ = ["Round", "Status", "rounds", "status"]


@dataclass(frozen=True)
class Round:
    """One trained model on the learning curve; accuracies in 0..1, None where the exam was not evaluated.

    `outdated` says why the exam's figures are not to be gone by, where they are not; `kept_out` which labelled images
    are too near to the exam to be learned from, where any are.
    """

    model: int
    labels: int
    accuracy: float | None
    low: float | None
    high: float | None
    cv_accuracy: float | None
    at: str
    outdated: str | None = None
    kind: str = "linear"  # of the model's head
    kept_out: str = ""


@dataclass(frozen=True)
class Status:
    """Counts, and advice in one sentence."""

    name: str
    images: int
    left_out: dict[str, int]
    labelled: int
    states: dict[str, int]
    per_class: dict[str, int]
    exam_total: int
    exam_labelled: int
    waiting: int
    batches: int
    features: list[str]
    models: int
    accuracy: float | None
    advice: str
    active_total: int = 0  # images of exams drawn where a model may err, beside the exam's own
    active_labelled: int = 0
    enough: str | None = None  # whether more labels are worth it, in a sentence
    outdated: str | None = None  # why the accuracy is not to be gone by, where it is not
    kept_out: str = ""  # which labelled images are too near to the exam for the newest model to learn from
    unseen: int = 0  # images without the features that are used, where others have them
    absent: int = 0  # labelled images that left the pool
    teaching: int = 0  # labelled images of the pool outside the exams
    left: int = 0  # images that may still be chosen, less those that only features show to be too near to the exam

    @property
    def to_label(self) -> int:
        """How many images wait for a label: picks, and exams'."""
        return self.waiting + self.exam_total - self.exam_labelled + self.active_total - self.active_labelled

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Write the status in a few lines."""
        left_out = ", ".join(f"{n:,} {state}" for state, n in sorted(self.left_out.items()) if n)
        classes = ", ".join(f"{name} {n:,}" for name, n in self.per_class.items())
        other = ", ".join(f"{n:,} {state}" for state, n in sorted(self.states.items()) if n and state != "labelled")
        gone = f"; {self.absent:,} of images that left the pool" if self.absent else ""
        lines = [
            f"project   {self.name}",
            f"images    {self.images:,}" + (f" ({left_out} left out)" if left_out else ""),
            f"features  {', '.join(self.features) or 'none'}"
            + (f"; {counted(self.unseen, verbs=('has', 'have'))} none yet" if self.unseen else ""),
            f"labels    {self.labelled:,} ({classes}){gone}" + (f"; {other}" if other else ""),
            f"exam      {self.exam_labelled:,} of {self.exam_total:,} labelled",
            *(
                [f"          {self.active_labelled:,} of {self.active_total:,} drawn by doubt"]
                if self.active_total
                else []
            ),
            f"batches   {self.batches:,}, {counted(self.waiting, 'pick')} still to label",
            f"models    {self.models:,}"
            + (f", newest {self.accuracy:.1%} on the exam" if self.accuracy is not None else "")
            + (f", but {self.outdated}" if self.outdated else ""),
            *([f"enough?   {self.enough}"] if self.enough else []),
            f"next      {self.advice}",
        ]
        return "\n".join(lines)


def status(home: Home) -> Status:
    """Count what there is and say what to do next; needs no features and loads no torch."""
    counts = images.counts(home.db)
    said = consensus(events.current_annotations(home.db))
    states: dict[str, int] = {}
    per_class = dict.fromkeys(home.config.classes, 0)
    for one in said.values():
        states[one.state] = states.get(one.state, 0) + 1
        if one.label is not None:
            per_class[one.label] = per_class.get(one.label, 0) + 1
    settled = {image_id for image_id, one in said.items() if one.state != "skipped"}
    pool = images.pool_ids(home.db)
    present = set(pool.tolist())
    drawn = present.intersection(exam.exam_ids(home.db))
    by_doubt = present.intersection(exam.kept_ids(home.db)) - drawn
    chosen = batches.batches(home.db)
    picked = batches.picked_ids(home.db) & present
    trained = models(home)
    kept = drawn | by_doubt
    labelled = {image_id for image_id, one in said.items() if one.state == "labelled"}
    past = outdated(home, trained[-1].number) if trained else None
    told = read_stopping(home, trained[-1].number) if trained and past is None else None
    facts = Status(
        name=home.config.name,
        images=counts.get("ok", 0),
        left_out={state: n for state, n in counts.items() if state != "ok"},
        labelled=states.get("labelled", 0),
        states=states,
        per_class=per_class,
        exam_total=len(drawn),
        exam_labelled=len(drawn & settled),
        waiting=len(picked - settled),
        active_total=len(by_doubt),
        active_labelled=len(by_doubt & settled),
        batches=len(chosen),
        features=_feature_names(home),
        models=len(trained),
        accuracy=trained[-1].exam_accuracy if trained else None,
        advice="",
        enough=None if told is None else str(told["sentence"]),
        outdated=past,
        kept_out=trained[-1].kept_out() if trained else "",
        unseen=_unseen(home, pool),
        absent=len(labelled - present),
        teaching=len((labelled & present) - kept),
        left=len(present - settled - picked - kept),
    )
    return _advised(facts, trained)


def rounds(home: Home) -> list[Round]:
    """Return the learning curve: a row a model, oldest first."""
    from annotate_select.steps.evaluate import report_of

    found, today = [], basis(home)
    for model in models(home):
        report = report_of(home, model.number)
        low, high = (report.interval.low, report.interval.high) if report else (None, None)
        accuracy = report.accuracy if report else None
        past = outdated(home, model.number, today)
        about = (model.cv_accuracy, model.created_at, past, model.kind, model.kept_out())
        found.append(Round(model.number, model.labels, accuracy, low, high, *about))
    return found


def _feature_names(home: Home) -> list[str]:
    folder = home.root / "features"
    if not folder.is_dir():
        return []
    return sorted({path.parent.name.rpartition("-")[0] for path in folder.glob("*/features.npy")})


def _unseen(home: Home, pool: np.ndarray) -> int:
    """Count the images (n,) of the pool that lack the features in use; none where it is not known which these are."""
    with suppress(FeaturesError):  # several, none of them the default: whoever uses one is told
        return int((~np.isin(pool, home.store().covers(default_features(home))["id"])).sum())
    return 0


def _advised(facts: Status, trained: list[TrainedModel]) -> Status:
    return Status(**{**vars(facts), "advice": _advice(facts, trained)})


def _advice(facts: Status, trained: list[TrainedModel]) -> str:
    """Name the first thing the loop still lacks."""
    if facts.images == 0:
        return "add images: annotate-select add FOLDER"
    if not facts.features:
        return "compute features: annotate-select embed"
    if facts.exam_total == 0 and facts.left:
        return "draw the exam before anything is selected: annotate-select exam"
    if facts.to_label:
        return f"label the {counted(facts.to_label)} in the queue: annotate-select app"
    if facts.unseen:
        return f"compute features of {counted(facts.unseen, 'new image')}: annotate-select embed"
    if facts.batches == 0 and facts.left:
        return "choose the first batch: annotate-select select"
    known = trained[-1].labels + trained[-1].left_out if trained else 0
    if np.count_nonzero(list(facts.per_class.values())) >= 2 and known < facts.teaching:
        return "train on the new labels: annotate-select train, then evaluate"
    if facts.outdated:
        return f"measure the model again, for {facts.outdated}: annotate-select evaluate"
    if trained and facts.exam_total and trained[-1].exam_accuracy is None:
        return "measure the model: annotate-select evaluate"
    if not facts.left:
        why = "every one has a label" if facts.labelled - facts.absent >= facts.images else "none is left to choose"
        return f"add images, for {why}: annotate-select add"
    return "choose the next batch: annotate-select select"
