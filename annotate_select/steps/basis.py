"""What an exam's result rests on, kept beside it, so that nobody goes by a result that no longer holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from annotate_select.annotations import events, exam, images
from annotate_select.annotations.classes import last_change
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import LearningError
from annotate_select.files import digest
from annotate_select.steps.home import Home
from annotate_select.steps.marks import declared
from annotate_select.steps.models import RESULT, STOPPING, model_folder
from annotate_select.steps.rules import FILE as RULES

__all__ = ["UNKNOWN", "UNREADABLE", "basis", "outdated", "read_result", "read_stopping"]

UNKNOWN = "it is not known whether these figures still hold"  # of a result that an older version stored
UNREADABLE = "the exam's report cannot be read"
CHANGED = {
    "labels": "the exam's labels have changed since",
    "rules": f"{RULES} has changed since",
    "mark": "the pass mark has changed since",
    "names": "classes were renamed or merged since",
}


def basis(home: Home) -> dict[str, Any]:
    """Return what results rest on now besides the model: digests of the exam's labels and of the rules, and the mark.

    Needs no features.
    """
    rules = home.root / RULES
    return {
        "labels": _labels(home),
        "names": last_change(home.db),
        "rules": digest(rules.read_bytes()) if rules.exists() else None,
        "mark": declared(home),
    }


def _labels(home: Home, moment: int | None = None) -> str:
    """Return a digest of the exam's labels, by the names that classes have today, or had at a moment."""
    said = consensus(events.current_annotations(home.db, moment))
    here = images.keys_of(home.db, exam.kept_ids(home.db), in_pool=True)
    labels = [[image_id, said[image_id].label] for image_id in sorted(here) if image_id in said]
    return digest([one for one in labels if one[1] is not None])


def outdated(home: Home, number: int, today: Mapping[str, Any] | None = None) -> str | None:
    """Say why the stored result of a model is not to be gone by; None where it holds, or where there is none.

    `today` is the basis of now, where it is known already. An older version stored results without what they rest on:
    of these it is UNKNOWN whether they hold.
    """
    try:
        found = read_result(home, number)
    except LearningError:
        return UNREADABLE
    if found is None:
        return None
    then = found.get("rests")
    if not isinstance(then, dict):
        return UNKNOWN
    today = basis(home) if today is None else today
    changed = {name for name in CHANGED if then.get(name) != today[name]} - {"names"}
    if "labels" in changed and then.get("names") not in (None, today["names"]):
        changed ^= {"labels", "names"} if then["labels"] == _labels(home, then["names"]) else {"names"}
    return " and ".join(words for name, words in CHANGED.items() if name in changed) or None


def read_result(home: Home, number: int) -> dict[str, Any] | None:
    """Return the stored result of a model as it was written; None where it was not evaluated.

    Raises LearningError for a file that cannot be read: the model is not damaged by that.
    """
    path = model_folder(home, number) / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no result")
        float(found["accuracy"])
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError(
            f"the report {path} cannot be read ({error}); `annotate-select evaluate --model {number}` makes it again"
        ) from error


def read_stopping(home: Home, number: int) -> dict[str, Any] | None:
    """Return what was said after a model of whether more labels are worth it, as it was written; None where nothing.

    What cannot be read says nothing: the next evaluation says it again.
    """
    try:
        found = json.loads((model_folder(home, number) / STOPPING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "sentence" in found else None
