"""Label: who is labelling, the labeller, and what to do when the queue is empty."""

from __future__ import annotations

import state
import streamlit as st
from labeller import labeller
from panels import job_panel, need_annotator, need_project, next_batch

project = need_project()
annotator = need_annotator("Who is labelling?", "Start labelling")
status = project.status()
if status.images == 0 or not (status.batches or status.exam_total):
    job = job_panel(project)
    if job is None or job.state != "running":
        st.info("There is nothing to label yet: the project needs images and a first batch.")
        st.page_link("app_pages/start.py", label="Add images", icon=":material/folder_open:")
    state.end_page()

empty, leave = labeller(project, annotator)
if leave:
    state.forget_annotator()
    st.rerun()
job = project.job()
running = job is not None and job.state == "running"
if empty or project.progress(annotator).left == 0:
    job_panel(project)
    if not running:
        st.write("Everything that was picked is labelled. Learn from it, and let the model choose what to label next:")
        next_batch(project, settings=False)
