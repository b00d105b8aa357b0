"""The map component: points in WebGL, chosen by a lasso; labels go through the labeller's outbox."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st
from by_state import heard

from annotate_select.project import Project

HERE = Path(__file__).parent
# In this order: one module, each file may use what stands above it.
SCRIPTS = (
    "basics.js",
    "line.js",
    "outbox.js",
    "map_shapes.js",
    "map_plot.js",
    "map_view.js",
    "map_panel.js",
    "map_server.js",
    "map_work.js",
    "map.js",
)

_mount = st.components.v2.component(
    "annotate_select.map",
    html='<div class="map"></div>',
    css=(HERE / "map.css").read_text(encoding="utf-8"),
    js="\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
)


def show_map(project: Project, annotator: str, *, features: str | None, method: str | None, models: bool) -> None:
    """Show the map of some features by a layout; without an annotator it can be looked at, and nothing labelled."""
    token = project.token(annotator or "visitor")
    key = f"map-{project.id}-{annotator}"
    _mount(
        key=key,
        data={
            "project": project.id,
            "annotator": annotator,
            "classes": project.classes,
            "colors": {one.name: one.color for one in project.classes_about()},
            "token": f"{project.id}.{token}",
            "features": features or "",
            "method": method or "",
            "models": models,
            "events_url": "/api/annotations",
            "image_url": "/api/image",
            "map_url": "/api/map",
            "heard": heard(key),
            "debug": bool(os.environ.get("ANNOTATE_SELECT_DEBUG")),
        },
        on_calls_change=lambda: None,
    )
