"""Does picking beat chance here: models trained on picks against models trained on the random share."""

from __future__ import annotations

import streamlit as st

from annotate_select.project import Project
from annotate_select.words import counted

__all__ = ["audit_panel"]


def audit_panel(project: Project) -> None:
    """Compare when asked, and show the newest comparison."""
    st.subheader("Does picking beat chance?")
    st.caption("A random share of every batch shows it: models trained on picks against models trained on chance.")
    if st.button("Compare now", key="audit", disabled=not project.status().models):
        with st.spinner("Training on both …"):
            if project.audit() is None:
                st.write("Too early: it takes a model and a labelled exam.")
    compared = project.audit_report()
    if compared is None:
        return
    number, found = compared
    st.write(f"With the labels of model {number}: {found.verdict}.")
    labels = f"{counted(found.n_picks, 'labelled pick')} and {counted(found.n_audit, 'labelled random image')}"
    models = (
        f"; models of {counted(found.size, 'label')} each, measured on the exam, many times over" if found.size else ""
    )
    st.caption(f"{labels}{models}.")
