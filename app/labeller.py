"""The labelling component: the browser holds the queue and sends events to the routes; no script run a label."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import streamlit as st
from by_state import heard

from annotate_select.files import digest
from annotate_select.project import Project

HERE = Path(__file__).parent
# In this order: one module, each file may use what stands above it.
SCRIPTS = (
    "basics.js",
    "line.js",
    "outbox.js",
    "timeline.js",
    "pictures.js",
    "keys.js",
    "feed.js",
    "sitting.js",
    "viewer.js",
    "classlist.js",
    "panels.js",
    "screen.js",
    "stage.js",
    "labeller.js",
)

_mount = st.components.v2.component(
    "annotate_select.labeller",
    html='<div class="labeller" data-refused-keys="0"></div>',
    css=(HERE / "labeller.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
)


def labeller(
    project: Project, annotator: str, *, queue_url: str = "/api/queue", mode: Literal["label", "review"] = "label"
) -> tuple[bool, bool]:
    """Show the labeller; return whether it has nothing left to show, and whether its user wants another name.

    In the mode review, what is chosen is final, and `queue_url` is a list of images to review.
    """
    about = _about(project)
    key = f"labeller-{project.id}-{annotator}-{digest([mode, queue_url, about])}"  # another one where these change
    told = st.session_state.get(key)
    result = _mount(
        key=key,
        data={
            "project": project.id,
            "annotator": annotator,
            "about": about,
            "mode": mode,
            "token": f"{project.id}.{project.token(annotator)}",
            "events_url": "/api/annotations",
            "queue_url": queue_url,
            "image_url": "/api/image",
            "original_url": "/api/original",
            "told_empty": bool(told and told.get("empty")),
            "heard": heard(key),
            "debug": bool(os.environ.get("ANNOTATE_SELECT_DEBUG")),
        },
        default={"empty": False},
        on_empty_change=_nothing,
        on_calls_change=_nothing,
        on_leave_change=_nothing,
    )
    return bool(result.empty), bool(result.leave)


def _about(project: Project) -> list[dict[str, object]]:
    """Return what the screen shows of each class; examples by id, those that left the pool are left out."""
    classes = project.classes_about()
    ids = project.image_ids({key for one in classes for key in one.examples})
    return [{**asdict(one), "examples": [ids[key] for key in one.examples if key in ids]} for one in classes]


def _nothing() -> None:
    """Streamlit needs a callback to know the name of a state."""
