"""What the exam says: how far it is labelled, what the newest model scores, and whether that is enough."""

from __future__ import annotations

import streamlit as st
from trust_copy import copy_compared
from trust_grow import grow_exam
from trust_looks import sentence
from trust_mark import mark_form
from trust_report import report_download
from trust_second import second_exam

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.pictures import confusion_picture, reliability_picture
from annotate_select.words import counted

__all__ = ["exam_panel"]


def exam_panel(project: Project) -> None:
    """Show the exam of a project."""
    st.subheader("The exam")
    st.caption("A random set of images, never trained on, whose labels say how good a model really is.")
    status = project.status()
    if status.exam_total:
        share = status.exam_labelled / status.exam_total
        st.progress(
            share,
            text=f"{status.exam_labelled:,} of {counted(status.exam_total, 'exam image', ('has', 'have'))} a label",
        )
    else:
        st.info("There is no exam yet; it is drawn when the project is prepared.")
    report = project.report()
    if report is None:
        _measured_again(project, status.outdated, None)
        mark_form(project)
        grow_exam(project, status.exam_total)
        return
    interval = report.interval
    st.metric(
        f"Model {report.model} is right on", f"{report.accuracy:.1%}", f"{interval.low:.0%} to {interval.high:.0%}",
        delta_color="off", delta_arrow="off",
    )  # fmt: skip
    st.caption("With 95 % confidence its accuracy on images like these lies in this range.")
    if report.macro_f1_note is not None:
        st.caption(f"Macro F1 {report.macro_f1:.2f}. {sentence(report.macro_f1_note)}")
    _measured_again(project, project.outdated(report.model) if report.model else None, report.model)
    if report.verdict is None:
        st.caption("A pass mark, declared below, turns this into a verdict.")
    else:
        show = {"pass": st.success, "fail": st.error, "undecided": st.info}[report.verdict.outcome]
        head, *lines = report.verdict.text().splitlines()
        show("\n".join([f"**{sentence(head)}**", "", *(f"- {line.strip()}" for line in lines)]))
    if report.marked_late is not None:
        st.caption(sentence(report.marked_late))
    for more in (report.stratified, report.active):
        if more is not None:
            st.write(sentence(more.text()))
    if status.models > 1:
        _progress(project)
    _pictures(report)
    mark_form(project)
    grow_exam(project, status.exam_total)
    second_exam(project)
    copy_compared(project)
    report_download(project, report)


def _measured_again(project: Project, past: str | None, model: int | None) -> None:
    """Say why a model's figures are not to be gone by, where they are not, and offer new ones."""
    if past is None:
        return
    st.info(f"Measure again: {past}.")
    if st.button("Measure again", key="measure-again"):
        try:
            project.evaluate(model)
        except AnnotateSelectError as error:
            st.error(sentence(str(error)))
        else:
            st.rerun()


def _pictures(report: ExamReport) -> None:
    """Show what was taken for what, and whether the model is right as often as it is sure."""
    with st.expander("Pictures: what is taken for what, and how sure it is"):
        names = [one.name for one in report.classes]
        st.image(confusion_picture(report.confusion, names), alt="Confusion matrix; the Model page has it as a table")
        if report.calibration is not None:
            st.write(sentence(report.calibration.text()))
            st.image(reliability_picture(report.calibration), alt=f"Reliability: {report.calibration.text()}")


def _progress(project: Project) -> None:
    """Say what more labels would bring, and whether the newest model is better than the one before, beyond luck."""
    stopping = project.stopping()
    if stopping is not None:
        st.write(f"**Is it enough?** {sentence(stopping.sentence)}")
        if stopping.agreement:
            share = ", ".join(f"{one:.2f}" for one in stopping.agreement)
            st.caption(f"Agreement of successive models on what nobody labelled (Cohen's kappa): {share}.")
    try:
        compared = project.compare()
    except AnnotateSelectError:
        return  # other classes, or features that are gone: nothing to compare
    st.write(sentence(compared.text()))
