"""Sign off a model's exam: a page that says all, its record in PROJECT/reports/, and whether a page is as signed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotate_select import __version__
from annotate_select.annotations import exam as stored
from annotate_select.annotations import images
from annotate_select.annotations.tokens import project_id
from annotate_select.errors import AnnotateSelectError, ExamError, listed
from annotate_select.exchange.exam_page import exam_page
from annotate_select.exchange.exam_record import Answer, Drawn, ExamRecord, Rests, canonical
from annotate_select.files import write_whole
from annotate_select.pool.thumbnails import thumbnail
from annotate_select.steps.evaluate import ExamAnswer, evaluate, exam_answers
from annotate_select.steps.home import Home, now
from annotate_select.steps.marks import mark_of, mark_seen_at
from annotate_select.steps.models import load_model, model_folder
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.steps.training_record import FILE, libraries, read_record
from annotate_select.trust.leaks import blocked

__all__ = ["SignedReport", "Verification", "sign", "verify"]

FOLDER = "reports"
SHOWN, SIDE = 24, 160  # mistakes, and pixels of their pictures
MODEL_FILES = (FILE, "weights.safetensors", "model.json")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SignedReport:
    """A report as it was written: the page, the record beside the project, and the SHA-256 of both."""

    path: Path
    record: Path
    model: int
    signed_by: str
    signed_at: str
    sha256: str
    page_sha256: str

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**vars(self), "path": str(self.path), "record": str(self.record)}

    def text(self) -> str:
        """Say where it is, who signed it, and by what it is known again."""
        return (
            f"wrote {self.path}: the exam of model {self.model}, signed off by {self.signed_by} on {self.signed_at}\n"
            f"SHA-256 of its figures: {self.sha256} (kept with them in {self.record})"
        )


@dataclass(frozen=True)
class Verification:
    """Whether a page is as it was signed: `outcome` is unchanged, changed or unknown."""

    path: Path
    outcome: str
    why: str

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {"path": str(self.path), "outcome": self.outcome, "text": self.text()}

    def text(self) -> str:
        """Say it in a line."""
        return f"{self.path}: {self.outcome}: {self.why}"


def sign(home: Home, path: Path | None = None, *, signed_by: str, number: int | None = None) -> SignedReport:
    """Evaluate a model, by default the newest, and write its report to `path` (default: in PROJECT/reports/).

    Raises ExamError without a name, without an exam or labels of it, LearningError when there is no model.
    """
    name = " ".join(signed_by.split())
    if not name:
        raise ExamError("a report is signed off by a person; name one, such as --signed-by 'Dr. Ana Ruiz'")
    record, answers = _gather(home, name, number)
    page = exam_page(record, _pictures(home, answers)).encode("utf-8")
    digest, page_digest = record.digest(), hashlib.sha256(page).hexdigest()
    kept = home.root / FOLDER / f"exam-model-{record.rests.model}-{digest[:12]}.json"
    path = path if path is not None else kept.with_suffix(".html")
    write_whole(path, page)
    content = {"sha256": digest, "page_sha256": page_digest, "figures": record.as_dict()}
    write_whole(kept, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    return SignedReport(path, kept, record.rests.model, name, record.signed_at, digest, page_digest)


def verify(home: Home, path: Path) -> Verification:
    """Say whether a page is the one that was signed in this project, byte for byte.

    Raises ExamError when the file cannot be read.
    """
    try:
        page = path.read_bytes()
    except OSError as error:
        raise ExamError(f"cannot read {path}: {error.strerror or error}; name a report's HTML file") from error
    digest, printed = hashlib.sha256(page).hexdigest(), set(DIGEST.findall(page.decode("utf-8", "replace")))
    damaged = []
    for file in sorted((home.root / FOLDER).glob("exam-model-*.json")):
        kept = _record(file)
        if kept is None:
            damaged.append(file)
            continue
        if digest != kept["page_sha256"] and kept["sha256"] not in printed:
            continue
        figures = kept["figures"]
        who = f"signed off by {figures['signed_by']} on {figures['signed_at']}"
        if hashlib.sha256(canonical(figures)).hexdigest() != kept["sha256"]:
            return Verification(path, "changed", f"its record {file} is not as it was written")
        if digest != kept["page_sha256"]:
            return Verification(path, "changed", f"it is not the page that was {who}; its record is {file}")
        return Verification(path, "unchanged", f"it is the page that was {who}; SHA-256 {kept['sha256']}")
    why = "no report signed in this project has its digest"
    if damaged:
        why += f", as far as records can be read; damaged, and to be put back from a backup: {listed(damaged)}"
    return Verification(path, "unknown", why)


def _record(file: Path) -> dict[str, Any] | None:
    """Read the record of a signed report; None where it is none any more."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        told = (kept["sha256"], kept["page_sha256"], kept["figures"]["signed_by"], kept["figures"]["signed_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kept if all(isinstance(one, str) for one in told) else None


def _gather(home: Home, signed_by: str, number: int | None) -> tuple[ExamRecord, list[ExamAnswer]]:
    report = evaluate(home, number)
    assert report.model is not None
    mark = mark_of(home)
    answers = exam_answers(home, report.model)
    record = ExamRecord(
        project=home.config.name,
        project_id=project_id(home.db),
        classes=tuple(one.name for one in report.classes),
        signed_by=signed_by,
        signed_at=now(),
        mark=mark,
        mark_seen_at=mark_seen_at(home),
        report=report,
        drawn=_drawn(home, report.model),
        rests=_rests(home, report.model),
        answers=tuple(Answer(one.key, one.label, one.predicted, one.probability) for one in answers),
    )
    return record, answers


def _drawn(home: Home, number: int) -> Drawn:
    """Return how the exam was drawn, and whether the model learned from what is too near to it."""
    model = load_model(home, number)
    features = open_features(home, model.features)
    state = standing(home, features.ids)
    exam = state.random & state.in_pool
    leaks = blocked(features.alike, np.flatnonzero(state.exam), state.groups)
    reserved = leaks.rows & ~state.exam & state.in_pool
    learned = read_record(model_folder(home, number))
    pool, drawn = images.pool_table(home.db), stored.exam_ids(home.db)
    return Drawn(
        size=int(exam.sum()),
        seed=home.config.seed,
        draws=tuple(
            {name: value for name, value in vars(one).items() if value is not None} for one in stored.draws(home.db)
        ),
        groups=len(
            {one for one, of_exam in zip(pool.groups, np.isin(pool.ids, drawn), strict=True) if of_exam and one}
        ),
        reserved=int(reserved.sum()),
        left_out=int((reserved & (state.labels != UNLABELLED)).sum()),
        active=_active(home),
        learned_from=None if learned is None else len(learned.ids),
        learned_too_near=None if learned is None else int(np.isin(learned.ids, state.ids[leaks.rows]).sum()),
    )


def _active(home: Home) -> dict[str, object] | None:
    second = stored.active_exam(home.db)
    if second is None:
        return None
    plain = {name: value for name, value in vars(second).items() if name != "images"}
    return {**plain, "size": len(second.images)}


def _rests(home: Home, number: int) -> Rests:
    model, folder = load_model(home, number), model_folder(home, number)
    about = json.loads((folder / "model.json").read_text())
    files = [name for name in MODEL_FILES if (folder / name).exists()]
    return Rests(
        model=number,
        trained_at=model.created_at,
        labels=model.labels,
        labels_digest=model.labels_digest,
        files={f"models/{number}/{name}": hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files},
        features=model.features,
        features_digest=model.features_digest,
        version=__version__,
        libraries=libraries(),
        trained_with={"annotate-select": about["version"], **about["libraries"]} if "libraries" in about else {},
    )


def _pictures(home: Home, answers: list[ExamAnswer]) -> dict[str, str | None]:
    """Return the surest mistakes by key as data URIs; None for a file that cannot be read any more."""
    wrong = [one for one in answers if one.label != one.predicted][:SHOWN]
    return {one.key: _picture(home, one.image_id) for one in wrong}


def _picture(home: Home, image_id: int) -> str | None:
    image = images.image(home.db, image_id)
    if image is None:
        return None
    try:
        file = thumbnail(home.path_of(image.source, image.path), image.fingerprint, SIDE, home.root / "thumbnails")
        return f"data:image/webp;base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"
    except (AnnotateSelectError, OSError):
        return None
