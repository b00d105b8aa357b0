"""The exam made larger, or drawn where there is none: by chance alone, or evenly over kinds of images."""

from __future__ import annotations

import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.words import counted

__all__ = ["grow_exam"]

USUAL = 50  # images more: a few minutes of labelling


def grow_exam(project: Project, have: int) -> None:
    """Offer to draw images for an exam that has so many; they are kept from training for ever."""
    with st.expander("Make the exam larger" if have else "Draw the exam"):
        more = st.number_input("Images", min_value=1, value=USUAL, key="grow_n", width=160)
        stratify = st.checkbox("Evenly over kinds of images", project.config.exam.stratify, key="grow_evenly")
        st.caption(
            "Images that look alike (clusters of the features) then have their share of the exam, so that no kind is "
            "missed by bad luck; each image still has the same chance."
        )
        if not st.button("Draw images", key="grow_exam"):
            return
        try:
            drawn = project.exam(have + int(more), stratify=stratify)
        except AnnotateSelectError as error:
            st.error(instead(str(error)))
            return
        waiting = len(drawn.to_label)
        wait = "waits" if waiting == 1 else "wait"
        st.success(f"The exam has {counted(drawn.size)} now, {waiting:,} of them {wait} to be labelled.")
