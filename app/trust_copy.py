"""A colleague's model, trained in a copy of the project, against the newest one here, on this project's exam."""

from __future__ import annotations

import streamlit as st
from trust_looks import looked, paragraphs

from annotate_select.project import Project

__all__ = ["copy_compared"]


def copy_compared(project: Project) -> None:
    """Ask for the copy's folder, compare when told to, and say which model is better, or that it cannot be told."""
    with st.expander("A colleague's model"):
        st.caption(
            "Somebody copied this project and trained there? Both models are asked about this project's exam; what the "
            "other one learned from is left out."
        )
        folder = st.text_input("Folder of the copy, or of models/NUMBER in it", key="copy_folder").strip()
        found = looked(
            project,
            "copy",
            "Compare",
            lambda: (folder, project.compare(against=folder)),
            waiting="Asking both models …",
            disabled=not folder,
        )
        if found is not None and found[0] == folder:
            st.write(paragraphs(found[1].text()))
