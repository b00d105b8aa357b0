"""The bulk component: groups of look-alikes in a grid; labels go through the labeller's outbox and routes."""

from __future__ import annotations

import os
from pathlib import Path

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
    "pictures.js",
    "keys.js",
    "classlist.js",
    "feed.js",
    "bulk_grid.js",
    "bulk_screen.js",
    "bulk_supply.js",
    "bulk_keys.js",
    "bulk_memory.js",
    "bulk.js",
)

_mount = st.components.v2.component(
    "annotate_select.bulk",
    html='<div class="labeller bulk" data-refused-keys="0" data-chosen="0"></div>',
    css="\n".join((HERE / name).read_text(encoding="utf-8") for name in ("labeller.css", "bulk.css")),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
)


def bulk(project: Project, annotator: str) -> bool:
    """Show groups to label; return whether the user wants another name."""
    about = [{"name": one.name, "color": one.color, "key": one.key} for one in project.classes_about()]
    for one in about:
        one |= {"guideline": "", "examples": []}
    key = f"bulk-{project.id}-{annotator}-{digest(about)}"  # other classes, other keys: a new component
    result = _mount(
        key=key,
        data={
            "project": project.id,
            "annotator": annotator,
            "about": about,
            "token": f"{project.id}.{project.token(annotator)}",
            "events_url": "/api/annotations",
            "alike_url": "/api/alike",
            "image_url": "/api/image",
            "heard": heard(key),
            "debug": bool(os.environ.get("ANNOTATE_SELECT_DEBUG")),
        },
        on_calls_change=lambda: None,
        on_leave_change=lambda: None,
    )
    return bool(result.leave)
