"""What an exam's result rests on, kept beside it, so that nobody goes by a result that no longer holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from annotate_select.annotations import events, exam, images
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import LearningError
from annotate_select.files import digest
from annotate_select.steps.home import Home
from annotate_select.steps.marks import declared
from annotate_select.steps.models import STOPPING, model_folder
from annotate_select.steps.rules import FILE as RULES

__all__ = ["RESULT", "basis", "outdated", "read_result", "read_stopping"]

RESULT = "exam.json"  # in a model's folder: its report, and under "rests" what that rests on
CHANGED = {
    "labels": "the exam's labels have changed since",
    "rules": f"{RULES} has changed since",
    "mark": "the pass mark has changed since",
}


def basis(home: Home) -> dict[str, Any]:
    """Return what results rest on now besides the model: digests of the exam's labels and of the rules, and the mark.

    Needs no features.
    """
    said = consensus(events.current_annotations(home.db))
    here = images.keys_of(home.db, exam.kept_ids(home.db), in_pool=True)
    labels = [[image_id, said[image_id].label] for image_id in sorted(here) if image_id in said]
    rules = home.root / RULES
    return {
        "labels": digest([one for one in labels if one[1] is not None]),
        "rules": digest(rules.read_bytes()) if rules.exists() else None,
        "mark": declared(home),
    }


def outdated(home: Home, number: int, today: Mapping[str, Any] | None = None) -> str | None:
    """Say what makes the stored result of a model one of the past; None where it holds, or where there is none.

    `today` is the basis of now, where it is known already. Of a result that an older version stored, nothing is known.
    """
    then = (read_result(home, number) or {}).get("rests")
    if then is None:
        return None
    today = basis(home) if today is None else today
    return " and ".join(words for name, words in CHANGED.items() if then.get(name) != today[name]) or None


def read_result(home: Home, number: int) -> dict[str, Any] | None:
    """Return the stored result of a model as it was written; None where it was not evaluated.

    Raises LearningError naming a file that is damaged.
    """
    path = model_folder(home, number) / RESULT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no result")
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LearningError(f"{path} is damaged ({error}); delete it, and run `annotate-select evaluate`") from error


def read_stopping(home: Home, number: int) -> dict[str, Any] | None:
    """Return what was said after a model of whether more labels are worth it, as it was written; None where nothing."""
    file = model_folder(home, number) / STOPPING
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
