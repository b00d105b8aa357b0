"""Bulk: groups of images that belong together, labelled with one key."""

from __future__ import annotations

import state
import streamlit as st
from bulk import bulk
from panels import job_panel, need_annotator, need_project, start_job

project = need_project()
annotator = need_annotator("Who is labelling?", "Start labelling")
status = project.status()
if not status.features:
    job = job_panel(project)
    if job is None or job.state != "running":
        st.info("There are no groups yet: which images belong together is seen from features of them.")
        if status.images:
            st.button("Compute features", type="primary", key="bulk_embed", on_click=start_job, args=(project, "embed"))
        st.page_link("app_pages/start.py", label="Add images", icon=":material/folder_open:")
    state.end_page()

if bulk(project, annotator):
    state.forget_annotator()
    st.rerun()
