"""The app's words for what the package says of commands: who sees a page is told of a page and a button on it."""

from __future__ import annotations

import re

__all__ = ["instead"]

# The first that fits a whole command counts. What has no page stays a command: there is nothing else to name.
PLACES = (
    (r"check leaks", 'the Model page ("Show all that are left out")'),
    (r"check labels", 'the Trust page, The labels ("Look for doubts")'),
    (r"check shortcuts", 'the Trust page, Shortcuts ("Look for shortcuts")'),
    (r"check drift.*", 'the Trust page, New images and picks ("Look for new ground")'),
    (r"check picks", 'the Trust page, New images and picks ("Compare with the pool")'),
    (r"exam --new-ground", 'the Trust page, New images and picks ("Give new images their share of the exam")'),
    (r"exam --size .*", 'the Trust page ("Make the exam larger")'),
    (r"exam", 'the Trust page ("Draw the exam")'),
    (r"evaluate.*", 'the Trust page ("Measure again")'),
    (r"select --balance .*", 'the Trust page, Shortcuts ("Balance the next batches by it")'),
    (r"select|train", 'the Batch page ("Train and pick the next batch")'),
    (r"embed", 'the Map page ("Compute features")'),
    (r"add( FOLDER)?", 'the Project page ("Add images")'),
    (r"classes rename", 'the Project page ("Classes")'),
    (r"import( FILE)?", 'the Project page ("Labels you have already")'),
    (r"status", "the Batch page"),
)
TICKS = {
    "--create-classes": '"Add classes that are new"',
    "--skip-duplicates": '"Of repeated rows take the first"',
    "--skip-unknown": '"Leave out images that are not in the project"',
}
BEFORE = {"with ": "on ", "run ": "go to ", None: ""}
QUOTED = re.compile(r"(with |run )?`annotate-select ([^`]+)`")
TICK = re.compile(r"with (--[a-z]+-[a-z]+)")
IN_BRACKETS = re.compile(r"\(annotate-select ([^()`]+)\)")


def instead(text: str) -> str:
    """Return a text with the page and button in the place of each command that has one, and ticks in that of options.

    >>> instead("there is no exam yet; draw one with `annotate-select exam`")
    'there is no exam yet; draw one on the Trust page ("Draw the exam")'
    """
    text = QUOTED.sub(lambda found: _said(found, found[2], BEFORE[found[1]]), text)
    text = IN_BRACKETS.sub(lambda found: _said(found, found[1], "see "), text)
    return TICK.sub(lambda found: f"by the tick {TICKS[found[1]]}" if found[1] in TICKS else found[0], text)


def _said(found: re.Match[str], command: str, before: str) -> str:
    place = next((place for form, place in PLACES if re.fullmatch(form, command)), None)
    if place is None:
        return found[0]
    return f"({before}{place})" if found[0].startswith("(") else f"{before}{place}"
