"""All of what one browser's visit knows: the project, the annotator, and what a page tells the next run.

Nothing of value lives here: annotations are in the project, and a reload finds the project by the address.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

import projects
import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.recent import recent_projects

__all__ = [
    "Act",
    "EndOfPage",
    "annotator",
    "begin",
    "close",
    "count",
    "count_of",
    "counted",
    "end_page",
    "forget_annotator",
    "name_offered",
    "project",
    "said",
    "say",
    "set_annotator",
    "use",
]

LONGEST_NAME = 60

Act = Callable[[], object]


class EndOfPage(Exception):
    """There is nothing more to show on this page; what runs the pages ends it."""


def end_page() -> NoReturn:
    """End the page here. Streamlit's own stop refuses to take "Opening" off the screen afterwards."""
    raise EndOfPage


def begin() -> None:
    """Fill the state at the start of a run: from the address, the project the server was started on, or the last."""
    st.session_state.setdefault("root", None)
    st.session_state.setdefault("annotator", "")
    if "begun" not in st.session_state:
        st.session_state["begun"] = True
        st.session_state["annotator"] = _clean(st.query_params.get("annotator", ""))
        _find_project()
    _write_address()


def project() -> Project | None:
    """Return the project of this visit; None, with the reason said, when its folder is gone or damaged."""
    root = st.session_state["root"]
    if root is None:
        return None
    try:
        return projects.opened(root)
    except AnnotateSelectError as error:
        say("error", str(error))
        st.session_state["root"] = None
        return None


def use(root: str | Path) -> Project:
    """Make the project in a folder this visit's; raises AnnotateSelectError when it cannot be opened."""
    opened = projects.opened(root)
    st.session_state["root"] = opened.root
    _write_address()
    return opened


def close() -> None:
    """Go back to having no project."""
    st.session_state["root"] = None


def annotator() -> str:
    """Return who labels, or nothing."""
    return str(st.session_state["annotator"])


def set_annotator(name: str) -> None:
    """Take a name; raises ValueError, saying why, when it cannot be one."""
    clean = _clean(name)
    if not clean:
        raise ValueError(f"a name has 1 to {LONGEST_NAME} characters, got {len(name.strip())}")
    st.session_state["annotator"] = clean
    _write_address()


def forget_annotator() -> None:
    """Ask for a name again."""
    st.session_state["annotator"] = ""


def name_offered() -> str:
    """Return the name this browser labelled under last."""
    return _clean(unquote(st.context.cookies.get("annotate_select_name", "")))


def say(kind: str, text: str) -> None:
    """Keep a message ("error" or "success") for the next run to show; there is one at a time."""
    st.session_state["said"] = (kind, instead(text))


def said() -> tuple[str, str] | None:
    """Take the message out."""
    message: tuple[str, str] | None = st.session_state.pop("said", None)
    return message


def count(name: str) -> None:
    """Count one more of something; a widget whose key is `counted(name)` starts anew."""
    st.session_state[f"count-{name}"] = count_of(name) + 1


def count_of(name: str) -> int:
    """Return how often something was counted."""
    return int(st.session_state.get(f"count-{name}", 0))


def counted(name: str) -> str:
    """Return a key for a widget that is another one after each count."""
    return f"{name}-{count_of(name)}"


def _find_project() -> None:
    asked = st.query_params.get("project")
    started_on = os.environ.get("ANNOTATE_SELECT_PROJECT")
    try:
        if asked is not None:
            found = projects.by_id(asked)
            if found is None:
                say("error", "the project of this address is not known here; open it by its folder")
            else:
                st.session_state["root"] = found.root
        elif started_on:
            use(started_on)
        elif recent := recent_projects():
            use(recent[0])
    except AnnotateSelectError as error:
        say("error", str(error))


def _write_address() -> None:
    """Keep the project and the name in the address, so that a reload comes back to them."""
    current = project()
    for key, value in (("project", current.id if current else ""), ("annotator", annotator())):
        if value and st.query_params.get(key) != value:
            st.query_params[key] = value
        elif not value and key in st.query_params:
            del st.query_params[key]


def _clean(name: str) -> str:
    clean = " ".join(name.split())
    return clean if len(clean) <= LONGEST_NAME and clean.isprintable() else ""
