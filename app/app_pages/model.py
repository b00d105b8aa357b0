"""Model: how good it is, where it is wrong, and how it got there."""

from __future__ import annotations

import curve
import state
import streamlit as st
from gallery import gallery
from instead import instead
from panels import job_panel, need_project
from trust_looks import looked, sentence

from annotate_select.errors import AnnotateSelectError
from annotate_select.words import counted

project = need_project()
status = project.status()
rounds = project.rounds()

job_panel(project)
if not rounds:
    st.subheader("No model yet")
    st.write("Label images of at least two classes, then train and pick the next batch.")
    st.page_link("app_pages/label.py", label="Label", icon=":material/label:")
    st.page_link("app_pages/batch.py", label="Train and pick the next batch", icon=":material/playlist_add:")
    state.end_page()

numbers = [one.model for one in reversed(rounds)]
number = st.selectbox("Version", numbers, format_func=lambda one: f"model {one}", key="version", width=220)
this = next(one for one in rounds if one.model == number)
report = project.report(number)

figures = st.columns(4)
figures[0].metric("Images", f"{status.images:,}")
figures[1].metric("Labels trained on", f"{this.labels:,}")
figures[2].metric("Exam labelled", f"{status.exam_labelled:,} of {status.exam_total:,}")
figures[3].metric(
    "Accuracy on the exam",
    f"{report.accuracy:.1%}" if report else "–",
    delta=f"{report.interval.low:.0%} to {report.interval.high:.0%}" if report else None,
    delta_color="off",
    delta_arrow="off",
    help="The exam is a random set of images kept out of training. With 95 % confidence the accuracy is in this range.",
)

if this.outdated:
    st.info(f"Measure again on the Trust page: {this.outdated}.")

if this.kept_out:
    st.caption(sentence(this.kept_out))
    leaks = looked(project, "leaks", "Show all that are left out", project.check.leaks, waiting="Looking")
    if leaks is not None:
        shown = [{"image": one.key, "why": one.why, "image of the exam": one.exam_key} for one in leaks.leaks]
        st.dataframe(shown, hide_index=True, width="stretch")

left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader("Accuracy against labels")
    compared = project.audit_report()
    st.altair_chart(curve.chart(rounds, compared[1] if compared else None), width="stretch")
    st.caption(
        f"Against chance: {compared[1].verdict}." if compared else "Against chance: not compared yet, see Trust."
    )
with right:
    st.subheader("Classes")
    st.dataframe(curve.class_rows(status, report), hide_index=True, width="stretch", column_config=curve.CLASS_COLUMNS)
    if report is not None and report.unlabelled:
        st.caption(
            f"{counted(report.unlabelled, 'exam image', ('has', 'have'))} no label yet; with "
            f"{'it' if report.unlabelled == 1 else 'them'} the intervals get narrower."
        )
    with st.expander("All versions"):
        st.dataframe(curve.version_rows(rounds), hide_index=True, width="stretch")

if report is None:
    st.info("This model has not been measured on the exam. Label the exam's images, then train again.")
    state.end_page()

st.subheader("What is taken for what, on the exam")
chosen = st.dataframe(
    curve.confusion_table(report), width="content", on_select="rerun", selection_mode="single-cell", key="confusion"
)
cell = curve.chosen_cell(chosen, report)
try:
    answers = project.exam_answers(number)
except AnnotateSelectError as error:
    st.info(f"The images behind the figures cannot be shown: {instead(str(error))}")
    state.end_page()
if cell is None:
    shown = [one for one in answers if one.label != one.predicted]
    st.caption(
        "Choose a cell to see its images. The surest mistakes come first:" if shown else "No mistake on the exam."
    )
else:
    shown = [one for one in answers if (one.label, one.predicted) == cell]
    st.caption(f"{counted(len(shown), 'exam image')} of {cell[0]} that the model takes for {cell[1]}:")
gallery(
    project,
    [(one.image_id, f"**{one.label}** · model: {one.predicted}, {one.probability:.0%}") for one in shown],
    f"answers-{number}-{cell}",
)
