"""Trust: what the exam says, whether picking beats chance here, and whether the labels are right."""

from __future__ import annotations

import streamlit as st
from panels import job_panel, need_project
from trust_drift import drift_panel, picks_panel
from trust_exam import exam_panel
from trust_labels import labels_panel
from trust_shortcuts import shortcuts_panel

project = need_project()
job_panel(project)

exam, audit = st.columns(2, gap="large")
with exam:
    exam_panel(project)
with audit:
    st.subheader("Does picking beat chance?")
    st.caption("A random share of every batch shows it: models trained on picks against models trained on chance.")
    if st.button("Compare now", key="audit", disabled=not project.status().models):
        with st.spinner("Training on both …"):
            if project.audit() is None:
                st.write("Too early: it takes a model and a labelled exam.")
    compared = project.audit_report()
    if compared is not None:
        number, found = compared
        st.write(f"With the labels of model {number}: {found.verdict}.")
        st.caption(
            f"{found.n_picks:,} labelled picks and {found.n_audit:,} labelled random images; "
            f"models of {found.size:,} labels each, measured on the exam, many times over."
        )
labels_panel(project)
shortcuts_panel(project)
world, looking = st.columns(2, gap="large")
with world:
    drift_panel(project)
with looking:
    picks_panel(project)
