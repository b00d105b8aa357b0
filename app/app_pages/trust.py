"""Trust: what the exam says, and whether picking beats chance here."""

from __future__ import annotations

import streamlit as st
from panels import job_panel, need_project

project = need_project()
status = project.status()
report = project.report()
job_panel(project)

exam, audit = st.columns(2, gap="large")
with exam:
    st.subheader("The exam")
    st.caption("A random set of images, never trained on, whose labels say how good a model really is.")
    if status.exam_total:
        share = status.exam_labelled / status.exam_total
        st.progress(share, text=f"{status.exam_labelled:,} of {status.exam_total:,} exam images have a label")
    else:
        st.info("There is no exam yet; it is drawn when the project is prepared.")
    if report is not None:
        interval = report.interval
        st.metric(
            f"Model {report.model} is right on", f"{report.accuracy:.1%}", f"{interval.low:.0%} to {interval.high:.0%}",
            delta_color="off", delta_arrow="off",
        )  # fmt: skip
        st.caption("With 95 % confidence its accuracy on images like these lies in this range.")
with audit:
    st.subheader("Does picking beat chance?")
    st.caption("A random share of every batch shows it: models trained on picks against models trained on chance.")
    if st.button("Compare now", key="audit", disabled=not status.models):
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
