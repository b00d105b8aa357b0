"""Trust: the exam, picks against chance, the labels, shortcuts, and whether the world is still the same."""

from __future__ import annotations

import streamlit as st
from panels import job_panel, need_project
from trust_audit import audit_panel
from trust_drift import drift_panel, picks_panel
from trust_exam import exam_panel
from trust_labels import labels_panel
from trust_shortcuts import shortcuts_panel

project = need_project()
job_panel(project)

exam_tab, labels_tab, shortcuts_tab, world_tab = st.tabs(
    ["The exam", "The labels", "Shortcuts", "New images and picks"]
)
with exam_tab:
    exam, audit = st.columns(2, gap="large")
    with exam:
        exam_panel(project)
    with audit:
        audit_panel(project)
with labels_tab:
    labels_panel(project)
with shortcuts_tab:
    shortcuts_panel(project)
with world_tab:
    world, looking = st.columns(2, gap="large")
    with world:
        drift_panel(project)
    with looking:
        picks_panel(project)
