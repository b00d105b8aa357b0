"""Model: how good it is, what it still gets wrong, and the next round."""

from __future__ import annotations

import curve
import streamlit as st
from panels import job_panel, need_project, next_batch

project = need_project()
status = project.status()
rounds = project.rounds()
report = project.report()

job_panel(project)
figures = st.columns(4)
figures[0].metric("Images", f"{status.images:,}")
figures[1].metric("Labelled", f"{status.labelled:,}")
figures[2].metric("Exam labelled", f"{status.exam_labelled:,} of {status.exam_total:,}")
interval = f"{report.interval.low:.0%} to {report.interval.high:.0%}" if report else None
figures[3].metric(
    "Accuracy on the exam",
    f"{report.accuracy:.1%}" if report else "–",
    delta=interval,
    delta_color="off",
    delta_arrow="off",
    help="The exam is a random set of images kept out of training. With 95 % confidence the accuracy is in this range.",
)
advice = status.advice.partition(": annotate-select")[0]  # here a button does what the command would
st.info(f"Next: {advice}", icon=":material/arrow_forward:")

left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader("Accuracy against labels")
    if rounds:
        st.altair_chart(curve.chart(rounds), width="stretch")
    else:
        st.caption("No model yet: label images of at least two classes, then train.")
with right:
    st.subheader("Next round")
    next_batch(project, settings=True)
    st.subheader("Does picking beat chance?")
    st.caption("A random share of every batch shows it: models trained on picks against models trained on chance.")
    if st.button("Compare now", key="audit", disabled=not rounds):
        with st.spinner("Training on both …"):
            audit = project.audit()
        st.write(audit.verdict if audit else "Too early: it takes a model and a labelled exam.")

st.subheader("Classes")
st.dataframe(curve.class_rows(status, report), hide_index=True, width="stretch", column_config=curve.CLASS_COLUMNS)
if report is not None and report.unlabelled:
    st.caption(f"{report.unlabelled:,} exam images have no label yet; with them the intervals get narrower.")
