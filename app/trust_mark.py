"""The pass mark, declared without an editor: what the exam must prove before a model is good enough."""

from __future__ import annotations

import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project

__all__ = ["mark_form"]

USUAL = 0.9  # offered where no mark is declared
CONFIDENCES = (0.8, 0.9, 0.95, 0.99)


def mark_form(project: Project) -> None:
    """Offer to declare a pass mark, or another one; what is declared late is called so by every verdict."""
    exam = project.config.exam
    have = exam.pass_accuracy is not None or bool(exam.pass_recall)
    with st.expander("Another pass mark" if have else "Declare a pass mark"):
        st.caption("When is a model good enough? It proves most when it is said before a result is seen.")
        if isinstance(exam.pass_recall, dict) and exam.pass_recall:
            said = ", ".join(f"{name} {share:.0%}" for name, share in exam.pass_recall.items())
            st.caption(f"Declared class by class: {said}. One number for every class, below, takes their place.")
        usual = 0.0 if have else USUAL
        accuracy = st.number_input(
            "Right on at least, in %", 0.0, 99.9, 100 * (exam.pass_accuracy or usual),
            step=1.0, key="mark_accuracy", help="0: nothing is asked of the accuracy", width=220,
        )  # fmt: skip
        recall = st.number_input(
            "Found of every class at least, in %", 0.0, 99.9,
            100 * exam.pass_recall if isinstance(exam.pass_recall, float) else 0.0,
            step=1.0, key="mark_recall", help="0: nothing is asked of single classes", width=220,
        )  # fmt: skip
        choices = sorted({*CONFIDENCES, exam.pass_confidence})
        confidence = st.selectbox(
            "With a confidence of", choices, choices.index(exam.pass_confidence), format_func="{:.0%}".format,
            key="mark_confidence", width=220,
        )  # fmt: skip
        if not st.button("Declare", key="declare_mark"):
            return
        try:
            project.declare_mark(accuracy=_share(accuracy), recall=_share(recall), confidence=confidence)
        except AnnotateSelectError as error:
            st.error(instead(str(error)))
        else:
            st.rerun()


def _share(percent: float) -> float | None:
    return round(percent / 100, 6) or None
