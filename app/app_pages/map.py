"""Map: the pool in two dimensions, to look at, and to label what lies together."""

from __future__ import annotations

import state
import streamlit as st
from instead import instead
from map import show_map
from panels import job_panel, need_project, start_job

from annotate_select.errors import AnnotateSelectError

LAYOUTS = {"tsne": "Neighbours (t-SNE)", "pca": "Principal components"}

project = need_project()
status = project.status()
job = job_panel(project)
if not status.features:
    if job is None or job.state != "running":
        st.info("There is no map yet: it needs images, and features of them.")
        if status.images:
            st.button("Compute features", type="primary", key="map_embed", on_click=start_job, args=(project, "embed"))
        st.page_link("app_pages/start.py", label="Add images", icon=":material/folder_open:")
    state.end_page()

default = project.config.select.features or ("autoencoder" if "autoencoder" in status.features else status.features[0])
names = sorted(status.features, key=lambda name: name != default)
features = names[0]
if len(names) > 1:
    features = st.selectbox("Features", names, key="map_features", width=300)
try:
    better = "tsne" in project.layouts(features)
except AnnotateSelectError as error:
    st.warning(instead(str(error)))
    if features == "autoencoder" and (job is None or job.state != "running"):
        st.button("Compute features of what is new", key="map_embed", on_click=start_job, args=(project, "embed"))
    state.end_page()

method: str | None = "pca"
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    if better:
        method = st.segmented_control(
            "Layout",
            list(LAYOUTS),
            default="tsne",
            required=True,
            key="map_method",
            label_visibility="collapsed",
            format_func=LAYOUTS.__getitem__,
        )
    elif job is None or job.state != "running":
        st.button(
            "Lay out by neighbours",
            key="map_better",
            icon=":material/bubble_chart:",
            help="Puts look-alikes together (t-SNE): a minute or two, in the background.",
            on_click=start_job,
            args=(project, "map", "--features", features),
        )
    if not state.annotator():
        st.page_link("app_pages/label.py", label="Give your name to label from the map", icon=":material/label:")

show_map(project, state.annotator(), features=features, method=method, models=status.models > 0)
