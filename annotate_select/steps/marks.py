"""The pass mark that project.toml declares, and under which marks results were seen: PROJECT/exam-marks.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from annotate_select import config as settings
from annotate_select.annotations.classes import current_names, names_since
from annotate_select.errors import ExamError
from annotate_select.files import write_whole
from annotate_select.steps.home import Home, now
from annotate_select.trust.verdict import Mark

__all__ = ["declare", "declared", "mark_of", "mark_seen_at", "remember_mark"]

FILE = "exam-marks.json"  # which pass marks results were seen under, oldest first


def declare(
    home: Home, accuracy: float | None, recall: float | Mapping[str, float] | None, confidence: float | None
) -> None:
    """Write a pass mark into project.toml, in place of the one there; neither accuracy nor recall takes it away.

    Raises ConfigError for shares outside 0 to 1, and for classes that the project does not have.
    """
    config = home.config
    mark: dict[str, Any] = {
        "pass_accuracy": accuracy,
        "pass_recall": dict(recall) if isinstance(recall, Mapping) else recall,
    }
    if confidence is not None:
        mark["pass_confidence"] = confidence
    values = config.model_dump()
    values["exam"] |= mark
    home.save_config(settings.validated(values, "the pass mark"))


def declared(home: Home) -> dict[str, Any] | None:
    """Return the pass mark as it is declared, a recall for every class being one number; None where there is none.

    Written down for each class, it would be another mark as soon as a class has another name.
    """
    exam = home.config.exam
    if exam.pass_accuracy is None and not exam.pass_recall:
        return None
    return {"accuracy": exam.pass_accuracy, "recall": exam.pass_recall or {}, "confidence": exam.pass_confidence}


def mark_of(home: Home) -> Mark | None:
    """Return the pass mark that project.toml declares, class by class; None where it declares none."""
    mark = declared(home)
    if mark is None:
        return None
    recall = mark["recall"] if isinstance(mark["recall"], dict) else dict.fromkeys(home.config.classes, mark["recall"])
    return Mark(mark["accuracy"], recall, mark["confidence"])


def mark_seen_at(home: Home) -> str | None:
    """Return when results were first seen under the mark of today, ISO 8601; None where they never were.

    Raises ExamError when what was noted is damaged.
    """
    first = _first(home, _seen(home))
    return None if first is None else str(first["at"])


def remember_mark(home: Home, model: int) -> str | None:
    """Note that results of a model are seen under the mark of today, and say so where it came later than others.

    Raises ExamError when what was noted is damaged.
    """
    seen = _seen(home)
    first = _first(home, seen)
    if first is None:
        first = {"at": now(), "model": model, "mark": declared(home)}
        seen.append(first)
        write_whole(home.root / FILE, json.dumps(seen, indent=1))
    if first is seen[0]:
        return None
    return (
        f"this mark was declared by {first['at'][:10]}, after results had been seen ({seen[0]['at'][:10]}, model "
        f"{seen[0]['model']}); a mark proves most when it is declared before"
    )


def _seen(home: Home) -> list[dict[str, Any]]:
    path = home.root / FILE
    try:
        seen = json.loads(path.read_text(encoding="utf-8"))
        if not all({"at", "model", "mark"} <= set(one) for one in seen):
            raise ValueError("an entry lacks its time, model or mark")
        return list(seen)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise ExamError(
            f"{path} is damaged ({error}); put it back from a backup, or delete it: the mark then counts as declared "
            "today"
        ) from error


def _first(home: Home, seen: list[dict[str, Any]]) -> dict[str, Any] | None:
    mine, classes, renamed = declared(home), home.config.classes, current_names(home.db)

    def today(one: Mapping[str, Any]) -> Mapping[str, Any] | None:
        mark: Mapping[str, Any] | None = one["mark"]
        if mark is None or not isinstance(mark["recall"], dict):
            return mark
        names = names_since(home.db, list(mark["recall"]), None, one["at"])
        names = [name if name in classes else renamed.get(name, name) for name in names]
        recall = dict(zip(names, mark["recall"].values(), strict=True))
        every = mine is not None and not isinstance(mine["recall"], dict) and set(recall) >= set(classes)
        if every and len(set(recall.values())) == 1:  # how 0.1 wrote down one number for every class
            return {**mark, "recall": next(iter(recall.values()))}
        return {**mark, "recall": recall}

    return next((one for one in seen if today(one) == mine), None)
