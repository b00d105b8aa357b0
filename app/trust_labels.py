"""Are the labels right: what annotators, look-alikes and a model say against them."""

from __future__ import annotations

import streamlit as st
from gallery import gallery

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project

__all__ = ["labels_panel"]

PAIRS = 12  # shown at once


def labels_panel(project: Project) -> None:
    """Look for what speaks against the labels when asked, and show it."""
    st.subheader("Are the labels right?")
    st.caption("Nothing is changed by looking: what is doubtful waits on the Review page for a person.")
    if not st.button("Look for doubts", key="check_labels", disabled=not project.status().labelled):
        return
    try:
        with st.spinner("Comparing …"):
            found = project.check.labels()
    except AnnotateSelectError as error:
        st.error(str(error))
        return
    for line in found.text().splitlines():
        if not line.startswith("  "):
            st.write(f"{line[0].upper()}{line[1:].rstrip(':')}.")
    if found.doubtful:
        st.page_link("app_pages/review.py", label="Review them", icon=":material/rate_review:")
    pairs = found.contradictions[:PAIRS]
    ids = project.image_ids([key for one in pairs for key in (one.key, one.other_key)])
    sides = [side for one in pairs for side in ((one.key, one.label), (one.other_key, one.other_label))]
    gallery(project, [(ids[key], f"**{label}** · {key}") for key, label in sides if key in ids], "contradictions")
